#include "recipients/table.h"

#include <stdlib.h>
#include <string.h>

/* Places are counted from 1; 0 is none. entries[0] holds the ends of the list: its younger is the
 * oldest entry, its older the youngest. */
struct table {
    size_t size, used;
    struct table_entry *entries;
    uint32_t *buckets;
    size_t bucket_count; /* a power of two */
};

struct table *table_new(size_t entries)
{
    struct table *t = calloc(1, sizeof *t);
    if (!t)
        abort();
    t->size = entries < 1 ? 1 : entries;
    for (t->bucket_count = 1; t->bucket_count < t->size; t->bucket_count *= 2)
        ;
    t->entries = calloc(t->size + 1, sizeof *t->entries);
    t->buckets = calloc(t->bucket_count, sizeof *t->buckets);
    if (!t->entries || !t->buckets)
        abort();
    return t;
}

void table_free(struct table **table)
{
    if (!*table)
        return;
    free((*table)->entries);
    free((*table)->buckets);
    free(*table);
    *table = NULL;
}

void table_clear(struct table *table)
{
    memset(table->entries, 0, (table->used + 1) * sizeof *table->entries);
    memset(table->buckets, 0, table->bucket_count * sizeof *table->buckets);
    table->used = 0;
}

static uint32_t *bucket_of(struct table *t, const uint8_t key[TABLE_KEY])
{
    uint64_t n;
    memcpy(&n, key, sizeof n); /* of a digest: as good as any */
    return &t->buckets[n & (t->bucket_count - 1)];
}

static void list_remove(struct table *t, uint32_t at)
{
    struct table_entry *e = &t->entries[at];
    t->entries[e->older].younger = e->younger;
    t->entries[e->younger].older = e->older;
}

static void list_add(struct table *t, uint32_t at)
{
    struct table_entry *e = &t->entries[at], *ends = &t->entries[0];
    e->older = ends->older;
    e->younger = 0;
    t->entries[e->older].younger = at;
    ends->older = at;
}

struct table_entry *table_find(struct table *table, const uint8_t key[TABLE_KEY])
{
    for (uint32_t at = *bucket_of(table, key); at; at = table->entries[at].next) {
        if (memcmp(table->entries[at].key, key, TABLE_KEY) != 0)
            continue;
        list_remove(table, at);
        list_add(table, at);
        return &table->entries[at];
    }
    return NULL;
}

/* The oldest one's place, out of list and bucket. */
static uint32_t oldest_take(struct table *t)
{
    uint32_t at = t->entries[0].younger;
    uint32_t *link = bucket_of(t, t->entries[at].key);
    while (*link != at)
        link = &t->entries[*link].next;
    *link = t->entries[at].next;
    list_remove(t, at);
    return at;
}

struct table_entry *table_get(struct table *table, const uint8_t key[TABLE_KEY])
{
    struct table_entry *e = table_find(table, key);
    if (e)
        return e;
    uint32_t at = table->used < table->size ? (uint32_t)++table->used : oldest_take(table);
    uint32_t *bucket = bucket_of(table, key);
    e = &table->entries[at];
    memset(e, 0, sizeof *e);
    memcpy(e->key, key, TABLE_KEY);
    e->next = *bucket;
    *bucket = at;
    list_add(table, at);
    return e;
}
