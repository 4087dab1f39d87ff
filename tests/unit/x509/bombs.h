/* Certificates that cost more than they should, made without a library. */
#ifndef SG_TEST_X509_BOMBS_H
#define SG_TEST_X509_BOMBS_H

#include "common/bytes.h"

/* The private key to each of them, in PEM. */
extern const char bomb_key[];

/* The peak of this process may have grown by that much with what such a certificate took. */
#ifdef SG_SANITIZED
#define BOMB_GROWN_KIB 100000 /* the sanitizer's own */
#else
#define BOMB_GROWN_KIB 20000
#endif

/*
 * One whose issuer's name has so many octets, with so many distribution points that are named
 * relative to it. For free().
 */
struct sg_bytes bomb_relative(size_t issuer_octets, size_t points);

/* The peak of this process's memory so far. */
long bomb_peak_kib(void);

#endif
