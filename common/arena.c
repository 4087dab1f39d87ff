#include "common/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_BYTES 8192
#define ALIGN       16

struct block {
    struct block *next;
    size_t used, size;
    _Alignas(ALIGN) uint8_t data[];
};

struct sg_arena {
    struct block *head;
};

static struct block *block_new(size_t size)
{
    struct block *b = malloc(sizeof *b + size);
    if (!b)
        abort();
    b->next = NULL;
    b->used = 0;
    b->size = size;
    return b;
}

struct sg_arena *sg_arena_new(void)
{
    struct sg_arena *a = malloc(sizeof *a);
    if (!a)
        abort();
    a->head = block_new(BLOCK_BYTES);
    return a;
}

void sg_arena_free(struct sg_arena **arena)
{
    if (!arena || !*arena)
        return;
    for (struct block *b = (*arena)->head, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(*arena);
    *arena = NULL;
}

void *sg_arena_alloc(struct sg_arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        abort();
    size_t need = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    struct block *b = arena->head;
    if (b->size - b->used < need) {
        struct block *fresh = block_new(need > BLOCK_BYTES ? need : BLOCK_BYTES);
        fresh->next = b;
        arena->head = b = fresh;
    }
    void *p = b->data + b->used;
    b->used += need;
    memset(p, 0, need);
    return p;
}

void *sg_arena_alloc_array(struct sg_arena *arena, size_t size, size_t count)
{
    size_t total;
    if (__builtin_mul_overflow(size, count, &total))
        abort();
    return sg_arena_alloc(arena, total);
}

struct sg_bytes sg_arena_copy(struct sg_arena *arena, struct sg_bytes bytes)
{
    uint8_t *p = sg_arena_alloc(arena, bytes.len + 1);
    if (bytes.len)
        memcpy(p, bytes.data, bytes.len);
    return sg_bytes_of(p, bytes.len);
}

char *sg_arena_str(struct sg_arena *arena, struct sg_bytes bytes)
{
    char *p = sg_arena_alloc(arena, bytes.len + 1);
    if (bytes.len)
        memcpy(p, bytes.data, bytes.len);
    return p;
}

char *sg_arena_strdup(struct sg_arena *arena, const char *s)
{
    return sg_arena_str(arena, sg_bytes_str(s));
}

char *sg_arena_printf(struct sg_arena *arena, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        abort();
    char *p = sg_arena_alloc(arena, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p;
}
