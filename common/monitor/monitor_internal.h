/* What the files of this folder share. */
#ifndef SG_MONITOR_INTERNAL_H
#define SG_MONITOR_INTERNAL_H

#include "common/wait.h"
#include "monitor/monitor.h"

struct MHD_Daemon;

#define SG_MONITOR_PATIENCE_MS 5000 /* a look that takes longer means that the part is away */

struct sg_part {
    struct sg_monitor *monitor;
    struct sg_monitor_part spec;
    size_t place;
    pthread_t thread;
    bool started;
    /* Under the monitor's lock. */
    bool seen, ok;    /* looked at, and how it went */
    int64_t began_ms; /* of the look in progress; 0: none */
    char words[300];
};

struct sg_monitor {
    struct sg_monitor_options options;
    struct MHD_Daemon *http;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool leaving, stopping;
    struct sg_part *parts;
    const char **part_names; /* ended by NULL, for the metric */
    struct sg_metric up;
};

/* parts.c */
SG_MUST_USE bool sg_parts_start(struct sg_monitor *monitor, struct sg_error *err);
void sg_parts_stop(struct sg_monitor *monitor);
/* The JSON of /readyz; true: ready. Sets the metric too. */
bool sg_parts_write(struct sg_monitor *monitor, struct sg_buf *out);

/* process.c: memory, time and descriptors of this process, as Prometheus' libraries tell them */
extern struct sg_metric *const sg_process_metrics[];
void sg_process_collect(void);

/* http.c */
SG_MUST_USE bool sg_monitor_http_start(struct sg_monitor *monitor, struct sg_error *err);
void sg_monitor_http_stop(struct sg_monitor *monitor);

#endif
