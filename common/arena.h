/*
 * Arena: memory of one message or one request, freed all at once. Never returns NULL: an
 * allocation that fails is a broken invariant and aborts (sizes are bounded by the callers'
 * limits). Not for secrets (secret.h). Not shared between threads.
 */
#ifndef SG_COMMON_ARENA_H
#define SG_COMMON_ARENA_H

#include "common/bytes.h"
#include "common/error.h"

struct sg_arena;

struct sg_arena *sg_arena_new(void);
void sg_arena_free(struct sg_arena **arena);

/* Zeroed, aligned for any type. */
void *sg_arena_alloc(struct sg_arena *arena, size_t size);
char *sg_arena_strdup(struct sg_arena *arena, const char *s);
/* A view as a C string. The caller has checked that it holds no NUL. */
char *sg_arena_str(struct sg_arena *arena, struct sg_bytes bytes);
struct sg_bytes sg_arena_copy(struct sg_arena *arena, struct sg_bytes bytes);
char *sg_arena_printf(struct sg_arena *arena, const char *fmt, ...) SG_PRINTF(2, 3);

#define SG_ARENA_NEW(arena, type) ((type *)sg_arena_alloc((arena), sizeof(type)))
#define SG_ARENA_ARRAY(arena, type, count)                                                         \
    ((type *)sg_arena_alloc_array((arena), sizeof(type), (count)))
void *sg_arena_alloc_array(struct sg_arena *arena, size_t size, size_t count);

static inline void sg_arena_cleanup(struct sg_arena **arena)
{
    sg_arena_free(arena);
}
#define SG_AUTO_ARENA __attribute__((cleanup(sg_arena_cleanup))) struct sg_arena *

#endif
