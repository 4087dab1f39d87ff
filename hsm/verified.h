/*
 * Which wrapped keys' MACs the HSM has verified already, by the digest of all that such a MAC binds
 * and of the blob itself (SG_CACHE_NAME): for one that comes back to the cache it need not be asked
 * again, for it cannot have another answer. What goes for the second time is the same octets under
 * the same names. A table of fixed size, 2 MiB; what it forgets is verified once more.
 */
#ifndef SG_HSM_VERIFIED_H
#define SG_HSM_VERIFIED_H

#include "hsm/cache.h"

#define SG_VERIFIED_PLACES 65536

struct sg_verified;

struct sg_verified *sg_verified_new(void);
void sg_verified_free(struct sg_verified **verified);
bool sg_verified_has(struct sg_verified *verified, const uint8_t name[SG_CACHE_NAME]);
void sg_verified_add(struct sg_verified *verified, const uint8_t name[SG_CACHE_NAME]);

#endif
