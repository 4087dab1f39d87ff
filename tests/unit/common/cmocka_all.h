/* cmocka, with what it wants included before it. */
#ifndef SG_TEST_CMOCKA_ALL_H
#define SG_TEST_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
