/*
 * Random octets of OpenSSL's generator for what is public: ids, nonces, IVs, names. Asking it for
 * sixteen of them costs as much as for hundreds, so a thread asks for many at once. Keys come
 * from OpenSSL's functions themselves. Not to be used in a process that forked and did not exec.
 */
#ifndef SG_COMMON_RANDOM_H
#define SG_COMMON_RANDOM_H

#include <stddef.h>

/* Ends the process where there is no randomness: without it nothing here is safe. */
void sg_random(void *out, size_t len);

#endif
