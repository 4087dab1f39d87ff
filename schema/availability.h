/* What was found when a part of the way of a mail was looked at (REQ-142). */
#ifndef SG_SCHEMA_AVAILABILITY_H
#define SG_SCHEMA_AVAILABILITY_H

#include "schema/db.h"

struct sg_availability_sample {
    sg_time minute; /* its begin */
    const char *component, *node;
    bool ok;
    char detail[200]; /* what is wrong */
};

/* Where one was found well in that minute already, it stays so. */
SG_MUST_USE bool sg_availability_insert(struct sg_tx *tx,
                                        const struct sg_availability_sample *sample,
                                        struct sg_error *err);

#endif
