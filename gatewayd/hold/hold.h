/*
 * Held mail (REQ-56): sealed under a data key that only hsmd opens, in PostgreSQL, until it can
 * go, is deleted or expires.
 */
#ifndef SG_HOLD_HOLD_H
#define SG_HOLD_HOLD_H

#include "common/arena.h"
#include "common/error.h"
#include "hsmclient/client.h"
#include "schema/held.h"
#include "spool/spool.h"

/* What is held: header bytes, then a range of a spool. */
struct sg_hold_content {
    struct sg_bytes head;
    const struct sg_spool *body;
    uint64_t offset, len;
};

/*
 * Seals and stores; committed when it returns true. row->wrapped_key and row->size_bytes are set
 * here. Where the same message is held for the same recipient domain already, the recipients are
 * added to it and *inserted_r is false.
 */
SG_MUST_USE bool sg_hold_store(struct sg_db *db, struct sg_hsm *hsm, struct sg_held_row *row,
                               const struct sg_hold_content *content, bool *inserted_r,
                               struct sg_error *err);
/* Opens into a new spool. SG_E_CRYPTO where a piece is missing or was changed. */
SG_MUST_USE bool sg_hold_load(struct sg_db *db, struct sg_hsm *hsm, const struct sg_held_row *row,
                              const struct sg_spool_limits *limits, struct sg_spool **spool_r,
                              struct sg_error *err);

#endif
