/*
 * Originals: zstd, cut into chunks, each sealed under the archive's data key and bound to its
 * record, its number and whether it is the last. Bounded memory, whatever the size.
 */
#ifndef SG_JOURNAL_ORIGINAL_H
#define SG_JOURNAL_ORIGINAL_H

#include "journal/cursor.h"

/* Writes the pieces of the original to out. */
SG_MUST_USE bool journal_original_seal(const struct sg_spool *original, const struct sg_secret *key,
                                       const uint8_t id[SG_JOURNAL_RECORD_ID],
                                       const struct sg_sink *out, struct sg_error *err);
/* The original of the frame that the cursor has just read. */
SG_MUST_USE bool journal_original_open(struct journal_cursor *cursor, const struct sg_secret *key,
                                       const struct sg_sink *out, struct sg_error *err);

#endif
