/*
 * A bounded cache of values that are loaded on demand, shared by all threads.
 *
 * - Bounded by entries and by bytes; what was not used for longest goes first. Values do not change
 * and are counted references: who holds one keeps it, whatever becomes of the entry.
 * - One load for all who ask for a key at the same time. One that fails is nobody's entry: all who
 *   waited for it get its error. "There is none" is a value like any other.
 * - A value depends on marks, hashes of what it was made of. sg_cache_mark() invalidates all that
 * depend on a mark, also what is being loaded: a load that began before is not handed to who asks
 * after. Marks that happen to be the same slot invalidate too much, never too little.
 * - No value is given out for longer than its lifetime, which the monotonic clock measures: since
 * it was loaded, or since sg_cache_confirm() said that what is there was good.
 * - While it is closed nothing is kept or found: each asks for himself.
 */
#ifndef SG_COMMON_CACHE_H
#define SG_COMMON_CACHE_H

#include "common/bytes.h"
#include "common/error.h"

#include <stdint.h>

struct sg_cache;

struct sg_cache_options {
    size_t entries;      /* at most; 0: nothing is kept */
    size_t bytes;        /* of values, keys and what the cache needs itself, at most */
    int64_t lifetime_ms; /* 0: nothing is kept */
    void (*free)(void *value);
};

#define SG_CACHE_MARKS 8
/* What a load brings. */
struct sg_cache_value {
    void *value;  /* the cache's from then on */
    size_t bytes; /* that it takes */
    uint32_t marks[SG_CACHE_MARKS];
    size_t mark_count;
};
/* May block, and is called with no lock held. false: value is not looked at. */
typedef bool (*sg_cache_load)(void *arg, struct sg_cache_value *value_r, struct sg_error *err);

/* It is closed at first. */
struct sg_cache *sg_cache_new(const struct sg_cache_options *options);
/* Nobody may hold a reference any more. */
void sg_cache_free(struct sg_cache **cache);

/* A value that somebody holds. */
struct sg_cache_ref {
    void *value;
    struct sg_cache_entry *entry;
};
SG_MUST_USE bool sg_cache_get(struct sg_cache *cache, struct sg_bytes key, sg_cache_load load,
                              void *arg, struct sg_cache_ref *ref_r, struct sg_error *err);
/* Takes NULL and what is empty. */
void sg_cache_release(struct sg_cache *cache, struct sg_cache_ref *ref);

/* The mark of a text, such as a table and a key in it; b may be NULL. */
uint32_t sg_cache_mark_of(const char *a, struct sg_bytes b);
void sg_cache_mark(struct sg_cache *cache, uint32_t mark);
/*
 * What is there and was not invalidated was good at that time of the monotonic clock. Whoever says
 * so knows it of all that was kept since the last flush, and invalidates what was not first.
 */
void sg_cache_confirm(struct sg_cache *cache, int64_t at_ms);
/* Invalidates all. */
void sg_cache_flush(struct sg_cache *cache);
/* Opening invalidates nothing: who was away flushes first. */
void sg_cache_open(struct sg_cache *cache, bool open);

struct sg_cache_state {
    uint64_t hits, misses; /* since the start; a miss is a load */
    uint64_t waits;        /* hits that waited for another's load */
    uint64_t evictions;    /* for want of room */
    uint64_t invalidated;  /* found, but no longer good */
    size_t entries, bytes;
};
void sg_cache_state(struct sg_cache *cache, struct sg_cache_state *state_r);

#endif
