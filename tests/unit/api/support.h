/* What the tests of this folder share. */
#ifndef SG_TEST_API_SUPPORT_H
#define SG_TEST_API_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
