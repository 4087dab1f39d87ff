/*
 * Within the folder: a table of bounded size by the digest of a name; what was not used for the
 * longest time makes room. About 70 bytes an entry. Not locked.
 */
#ifndef SG_RECIPIENTS_TABLE_H
#define SG_RECIPIENTS_TABLE_H

#include <stddef.h>
#include <stdint.h>

#define TABLE_KEY 16

struct table_entry {
    uint8_t key[TABLE_KEY];
    int64_t until; /* what it stands for holds until then; 0: does not */
    int64_t since; /* a span of time began in which count was counted */
    int32_t count;
    int32_t answer;
    uint32_t older, younger, next; /* places of others, for the table */
};

struct table;
struct table *table_new(size_t entries);
void table_free(struct table **table);
/* NULL where there is none. What is found counts as used. */
struct table_entry *table_find(struct table *table, const uint8_t key[TABLE_KEY]);
/* The one there is, or a new one that is all 0 but for its key. */
struct table_entry *table_get(struct table *table, const uint8_t key[TABLE_KEY]);
void table_clear(struct table *table);

#endif
