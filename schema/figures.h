/* Figures of the whole platform for the operators' tools (common/metrics.h): no tenant in them. */
#ifndef SG_SCHEMA_FIGURES_H
#define SG_SCHEMA_FIGURES_H

#include "schema/db.h"

struct sg_figure {
    const char *name, *label; /* "jobs", "queued"; "" for no label */
    int64_t value;
};

SG_MUST_USE bool sg_figures_read(struct sg_db *db, struct sg_arena *arena, sg_time now,
                                 struct sg_figure **figures_r, size_t *count_r,
                                 struct sg_error *err);

#endif
