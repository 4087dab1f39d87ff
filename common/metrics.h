/*
 * Figures of a daemon for Prometheus: counters, gauges and histograms, each a static struct with
 * its cells, which are changed atomically and without allocating.
 *
 *     static const char *const outcomes[] = {"delivered", "held", "other", NULL};
 *     struct sg_metric sg_recipients = {
 *         .name = "sealgate_recipients_total", .help = "Recipients by outcome.",
 *         .labels = {"outcome"}, .values = {outcomes}, .cells = SG_CELLS(3), .cell_count = 3};
 *     sg_metric_add(&sg_recipients, sg_metric_value(outcomes, r->outcome), 0, 1);
 *
 * Labels have few values, which are known beforehand: never a tenant, a domain, an address or an
 * id, of which there are as many as anybody likes.
 */
#ifndef SG_COMMON_METRICS_H
#define SG_COMMON_METRICS_H

#include "common/buf.h"

#include <stdatomic.h>
#include <stdint.h>

enum sg_metric_type { SG_COUNTER, SG_GAUGE, SG_HISTOGRAM };

struct sg_metric {
    const char *name, *help;
    enum sg_metric_type type;
    int64_t unit; /* a cell of this much is shown as 1: 1000000 for µs as seconds; 0 as 1 */
    const char *labels[2];
    const char *const *values[2]; /* of each label, ended by NULL */
    const int64_t *bounds;        /* of a histogram: rising, in the cells' unit, ended by 0 */
    _Atomic int64_t *cells;
    size_t cell_count; /* values × values; of a histogram × (bounds + 2) */
};

/* Cells of a static metric, all 0. */
#define SG_CELLS(n) ((_Atomic int64_t[n]){0})

/* Seconds, from 1 ms to a minute, for metrics of unit 1000000: 16 bounds. */
#define SG_SECONDS_BOUNDS 16
extern const int64_t sg_seconds_bounds[SG_SECONDS_BOUNDS + 1];

/* How many cells it must have. */
size_t sg_metric_cells(const struct sg_metric *metric);
/* The place of a text among a label's values; else that of the last, which is named "other". */
size_t sg_metric_value(const char *const *values, const char *text);

/* a, b: places of the labels' values, 0 where there is no such label. Places and metrics that are
 * not there are passed over. */
void sg_metric_add(struct sg_metric *metric, size_t a, size_t b, int64_t n);
void sg_metric_set(struct sg_metric *metric, size_t a, size_t b, int64_t value);
void sg_metric_observe(struct sg_metric *metric, size_t a, size_t b, int64_t value);
int64_t sg_metric_get(const struct sg_metric *metric, size_t a, size_t b);

/* Microseconds of the monotonic clock: when something begins, for sg_metric_observe(). */
int64_t sg_metric_now(void);
static inline void sg_metric_since(struct sg_metric *metric, size_t a, size_t b, int64_t began)
{
    sg_metric_observe(metric, a, b, sg_metric_now() - began);
}

/* All of a list (ended by NULL) in Prometheus' text format, version 0.0.4. */
void sg_metrics_write(struct sg_buf *out, struct sg_metric *const *metrics);

#endif
