#include "jobs/metrics.h"

#include <stdlib.h>

static const char *const results[] = {"done", "later", "retry", "dead", "cancelled", NULL};

static struct sg_metric jobs = {
    .name = "sealgate_job_attempts_total",
    .help = "Attempts at jobs by kind and what became of them; later: waits for something outside.",
    .labels = {"kind", "result"},
    .values = {NULL, results},
};
static struct sg_metric seconds = {
    .name = "sealgate_job_seconds",
    .help = "How long attempts at jobs took.",
    .type = SG_HISTOGRAM,
    .unit = 1000000,
    .labels = {"kind"},
    .bounds = sg_seconds_bounds,
};

struct sg_metric *const sg_jobs_metrics[] = {&jobs, &seconds, NULL};

static _Atomic int64_t *cells(size_t count)
{
    _Atomic int64_t *made = calloc(count, sizeof *made);
    if (!made)
        abort();
    return made;
}

void sg_jobs_metrics_init(const struct sg_job_set *sets, size_t count)
{
    size_t kinds = 0;
    for (size_t i = 0; i < count; i++)
        for (const struct sg_job_kind *kind = sets[i].kinds; kind->name; kind++)
            kinds++;
    const char **names = calloc(kinds + 2, sizeof *names);
    if (!names)
        abort();
    kinds = 0;
    for (size_t i = 0; i < count; i++)
        for (const struct sg_job_kind *kind = sets[i].kinds; kind->name; kind++)
            names[kinds++] = kind->name;
    names[kinds] = "other"; /* of a kind that this version does not know */
    jobs.values[0] = seconds.values[0] = names;
    jobs.cell_count = sg_metric_cells(&jobs);
    jobs.cells = cells(jobs.cell_count);
    seconds.cell_count = sg_metric_cells(&seconds);
    seconds.cells = cells(seconds.cell_count);
}

void sg_jobs_count(const char *kind, enum sg_job_result result, int64_t began_us)
{
    if (!jobs.values[0])
        return; /* nobody asks */
    size_t place = sg_metric_value(jobs.values[0], kind);
    sg_metric_add(&jobs, place, result, 1);
    sg_metric_since(&seconds, place, 0, began_us);
}
