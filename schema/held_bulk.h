/* Held mail by the hundred (REQ-56): released, tried anew or given up by a filter. */
#ifndef SG_SCHEMA_HELD_BULK_H
#define SG_SCHEMA_HELD_BULK_H

#include "schema/db.h"

struct sg_held_bulk {
    const char *tenant_id;
    const char *action;                                         /* "release", "retry", "delete" */
    sg_time until;                                              /* what was held by then */
    const char *domain_id, *recipient_domain, *sender, *reason; /* equality; NULL: any */
    const char *waiting_for; /* "administrator", "next_try"; NULL: either */
};

/* The next limit of them behind *after (an id, "" at first), which moves on. found_r < limit: these
 * were the last. changed_r: how many were still held. */
SG_MUST_USE bool sg_held_bulk_portion(struct sg_tx *tx, struct sg_arena *arena,
                                      const struct sg_held_bulk *bulk, int limit,
                                      const char **after, size_t *found_r, size_t *changed_r,
                                      struct sg_error *err);

#endif
