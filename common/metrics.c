#include "common/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const int64_t sg_seconds_bounds[SG_SECONDS_BOUNDS + 1] = {
    1000,    2500,    5000,    10000,    25000,    50000,    100000,   250000, 500000,
    1000000, 2500000, 5000000, 10000000, 20000000, 30000000, 60000000, 0};

static size_t value_count(const struct sg_metric *m, int label)
{
    size_t n = 0;
    if (!m->labels[label])
        return 1;
    while (m->values[label][n])
        n++;
    return n;
}

static size_t bound_count(const struct sg_metric *m)
{
    size_t n = 0;
    while (m->bounds && m->bounds[n])
        n++;
    return n;
}

/* Cells of one series: a histogram has its buckets, the one above them all, and the sum. */
static size_t series_cells(const struct sg_metric *m)
{
    return m->type == SG_HISTOGRAM ? bound_count(m) + 2 : 1;
}

size_t sg_metric_cells(const struct sg_metric *m)
{
    return value_count(m, 0) * value_count(m, 1) * series_cells(m);
}

size_t sg_metric_value(const char *const *values, const char *text)
{
    size_t n = 0;
    for (; values[n]; n++)
        if (text && strcmp(values[n], text) == 0)
            return n;
    return n > 0 && strcmp(values[n - 1], "other") == 0 ? n - 1 : SIZE_MAX;
}

/* The first cell of a series; NULL: there is none. */
static _Atomic int64_t *series(const struct sg_metric *m, size_t a, size_t b)
{
    size_t second = value_count(m, 1), size = series_cells(m);
    if (a >= value_count(m, 0) || b >= second || ((a * second + b) + 1) * size > m->cell_count)
        return NULL;
    return m->cells + (a * second + b) * size;
}

void sg_metric_add(struct sg_metric *m, size_t a, size_t b, int64_t n)
{
    _Atomic int64_t *cell = series(m, a, b);
    if (cell)
        atomic_fetch_add_explicit(cell, n, memory_order_relaxed);
}

void sg_metric_set(struct sg_metric *m, size_t a, size_t b, int64_t value)
{
    _Atomic int64_t *cell = series(m, a, b);
    if (cell)
        atomic_store_explicit(cell, value, memory_order_relaxed);
}

void sg_metric_observe(struct sg_metric *m, size_t a, size_t b, int64_t value)
{
    _Atomic int64_t *cells = series(m, a, b);
    size_t bounds = bound_count(m), i = 0;
    if (!cells)
        return;
    while (i < bounds && value > m->bounds[i])
        i++;
    atomic_fetch_add_explicit(&cells[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&cells[bounds + 1], value, memory_order_relaxed);
}

int64_t sg_metric_get(const struct sg_metric *m, size_t a, size_t b)
{
    _Atomic int64_t *cell = series(m, a, b);
    return cell ? atomic_load_explicit(cell, memory_order_relaxed) : 0;
}

int64_t sg_metric_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Writing -------------------------------------------------------------------------------------- */

static void escaped(struct sg_buf *out, const char *s)
{
    for (; *s; s++) {
        if (*s == '\n')
            sg_buf_adds(out, "\\n");
        else if (*s == '"' || *s == '\\')
            sg_buf_addf(out, "\\%c", *s);
        else
            sg_buf_add(out, s, 1);
    }
}

static void number(struct sg_buf *out, const struct sg_metric *m, int64_t value)
{
    if (m->unit <= 1)
        sg_buf_addf(out, "%" PRId64, value);
    else
        sg_buf_addf(out, "%.9g", (double)value / (double)m->unit);
}

/* "{a="x",le="0.5"}" or nothing. */
static void labels(struct sg_buf *out, const struct sg_metric *m, const size_t at[2],
                   const char *bound)
{
    bool any = false;
    for (int i = 0; i < 2 && m->labels[i]; i++) {
        sg_buf_addf(out, "%s%s=\"", any ? "," : "{", m->labels[i]);
        escaped(out, m->values[i][at[i]]);
        sg_buf_adds(out, "\"");
        any = true;
    }
    if (bound)
        sg_buf_addf(out, "%sle=\"%s\"", any ? "," : "{", bound);
    if (any || bound)
        sg_buf_adds(out, "}");
}

static void histogram_write(struct sg_buf *out, const struct sg_metric *m, const size_t at[2],
                            const _Atomic int64_t *cells)
{
    size_t bounds = bound_count(m);
    int64_t count = 0;
    for (size_t i = 0; i <= bounds; i++) {
        char bound[32] = "+Inf";
        if (i < bounds)
            snprintf(bound, sizeof bound, "%.9g",
                     (double)m->bounds[i] / (double)(m->unit ? m->unit : 1));
        count += atomic_load_explicit(&cells[i], memory_order_relaxed);
        sg_buf_addf(out, "%s_bucket", m->name);
        labels(out, m, at, bound);
        sg_buf_addf(out, " %" PRId64 "\n", count);
    }
    sg_buf_addf(out, "%s_sum", m->name);
    labels(out, m, at, NULL);
    sg_buf_adds(out, " ");
    number(out, m, atomic_load_explicit(&cells[bounds + 1], memory_order_relaxed));
    sg_buf_addf(out, "\n%s_count", m->name);
    labels(out, m, at, NULL);
    sg_buf_addf(out, " %" PRId64 "\n", count); /* the same reading as the buckets */
}

static void metric_write(struct sg_buf *out, const struct sg_metric *m)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    sg_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, types[m->type]);
    size_t at[2];
    for (at[0] = 0; at[0] < value_count(m, 0); at[0]++)
        for (at[1] = 0; at[1] < value_count(m, 1); at[1]++) {
            const _Atomic int64_t *cells = series(m, at[0], at[1]);
            if (!cells)
                continue;
            if (m->type == SG_HISTOGRAM) {
                histogram_write(out, m, at, cells);
                continue;
            }
            sg_buf_adds(out, m->name);
            labels(out, m, at, NULL);
            sg_buf_adds(out, " ");
            number(out, m, atomic_load_explicit(cells, memory_order_relaxed));
            sg_buf_adds(out, "\n");
        }
}

void sg_metrics_write(struct sg_buf *out, struct sg_metric *const *metrics)
{
    for (; *metrics; metrics++)
        metric_write(out, *metrics);
}
