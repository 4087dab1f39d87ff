/*
 * A thread that does one thing again and again: after the pause it asked for, or at once when it is
 * woken. For what must not wait in a queue of jobs.
 */
#ifndef SG_WATCH_TICKER_H
#define SG_WATCH_TICKER_H

#include "common/error.h"

#include <stdint.h>

struct sg_ticker;

/* Does it; returns after how many milliseconds it is to be done again. */
typedef int64_t (*sg_tick_fn)(void *ctx);

SG_MUST_USE bool sg_ticker_start(sg_tick_fn tick, void *ctx, struct sg_ticker **ticker_r,
                                 struct sg_error *err);
/* NULL is nobody. */
void sg_ticker_wake(struct sg_ticker *ticker);
/* Lets the one at work end. */
void sg_ticker_stop(struct sg_ticker **ticker);

#endif
