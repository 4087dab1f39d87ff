/*
 * Keys that are ready to use, by a 32-byte name; so many are kept, and what was not used again
 * since it was last looked at goes first (SIEVE: of 10,000 keys by Zipf's law 2,000 serve 81 % of
 * the uses, where an LRU serves 77 %). Knows nothing of PKCS#11 but the handle's type. An entry is
 * loaded by one thread while others wait for it; while it is in use it is not dropped: the size may
 * be passed by as many entries as are in use at once.
 */
#ifndef SG_HSM_CACHE_H
#define SG_HSM_CACHE_H

#include "common/deadline.h"
#include "hsm/pkix.h"

#include <p11-kit/pkcs11.h>

#define SG_CACHE_NAME 32

struct sg_cache;
struct sg_entry;

/* Called, without any lock, for a handle that left the cache; context as given by the caller. */
typedef void (*sg_cache_drop)(void *context, CK_OBJECT_HANDLE handle);

struct sg_cache *sg_cache_new(size_t size, sg_cache_drop drop);
/* Nobody may hold an entry. Handles are not dropped: the token is being left. */
void sg_cache_free(struct sg_cache **cache);

enum sg_cache_found {
    SG_CACHE_HIT,
    SG_CACHE_LOAD,   /* the caller loads it, then calls sg_cache_loaded() or sg_cache_failed() */
    SG_CACHE_TIMEOUT /* another thread loads it and takes too long; no entry */
};
/* Entries of another generation are forgotten, not dropped: their handles mean nothing any more. */
enum sg_cache_found sg_cache_get(struct sg_cache *cache, const uint8_t name[SG_CACHE_NAME],
                                 unsigned generation, sg_deadline deadline, void *context,
                                 struct sg_entry **entry_r);
void sg_cache_loaded(struct sg_cache *cache, struct sg_entry *entry, CK_OBJECT_HANDLE handle,
                     const struct sg_public_key *public);
void sg_cache_failed(struct sg_cache *cache, struct sg_entry *entry);
/* forget: its handle is no longer good; the next caller loads it anew. */
void sg_cache_put(struct sg_cache *cache, struct sg_entry *entry, bool forget, void *context);
/* Drops it, now or when its last user puts it back. */
void sg_cache_remove(struct sg_cache *cache, const uint8_t name[SG_CACHE_NAME], unsigned generation,
                     void *context);

/*
 * The token has no room for what the cache's size allows: an eighth of what is there goes, one
 * entry at least, so that not every load meets a full token. false: nothing can, all is in use. The
 * size stays, for who took the room may give it back.
 */
SG_MUST_USE bool sg_cache_evict(struct sg_cache *cache, unsigned generation, void *context);

CK_OBJECT_HANDLE sg_entry_handle(const struct sg_entry *entry);
const struct sg_public_key *sg_entry_public(const struct sg_entry *entry);

#endif
