/* A thread that does rounds of work: when woken, and at most poll_ms after the last round. */
#ifndef SG_PIPELINE_WORKER_H
#define SG_PIPELINE_WORKER_H

#include "common/error.h"

#include <stdint.h>

struct sg_worker_options {
    const char *name; /* static; for the monitor */
    int64_t poll_ms;
    bool (*round)(void *ctx); /* true: there may be more to do at once */
    void *ctx;
};

struct sg_worker;
SG_MUST_USE bool sg_worker_start(const struct sg_worker_options *options,
                                 struct sg_worker **worker_r, struct sg_error *err);
void sg_worker_wake(struct sg_worker *worker);
/* Waits for the round in progress. */
void sg_worker_stop(struct sg_worker **worker);

#endif
