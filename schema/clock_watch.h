/*
 * Watches the clock of this host (REQ-90, 141): is it kept to UTC, as the kernel was told, and does
 * it agree with PostgreSQL's? What is wrong for longer than grace is logged and opens the incident
 * "clock.unsynchronised HOST"; when it is right again the incident is resolved. It changes nothing
 * else: mail goes on.
 */
#ifndef SG_SCHEMA_CLOCK_WATCH_H
#define SG_SCHEMA_CLOCK_WATCH_H

#include "common/config.h"
#include "schema/db.h"

struct sg_clock_watch_options {
    struct sg_db *db;
    int64_t interval_ms; /* 0: not watched */
    int64_t tolerance_ms, grace_ms;
};

struct sg_clock_watch;

SG_MUST_USE bool sg_clock_watch_start(const struct sg_clock_watch_options *options,
                                      struct sg_clock_watch **watch_r, struct sg_error *err);
void sg_clock_watch_stop(struct sg_clock_watch **watch);

/* The judgement alone. compared: PostgreSQL could be asked; away_us: how far its clock is at least.
 * NULL: all is well; else what is wrong, in the words buffer. */
struct sg_clock_sync;
const char *sg_clock_judge(const struct sg_clock_sync *sync, bool compared, int64_t away_us,
                           int64_t tolerance_ms, char words[200]);

extern struct sg_metric *const sg_clock_metrics[];

/* Rows of a daemon's table of settings. */
#define SG_CLOCK_WATCH_OPTIONS(interval, tolerance, grace)                                         \
    {"clock",  "watch", SG_OPT_DURATION,                                                           \
     interval, "1m",    0,                                                                         \
     3600000,  NULL,    "How often to look whether this host's clock is kept to UTC; 0s: never."}, \
        {"clock",   "tolerance", SG_OPT_DURATION,                                                  \
         tolerance, "1s",        1,                                                                \
         3600000,   NULL,        "By how much it may be wrong, or differ from PostgreSQL's."},     \
    {                                                                                              \
        "clock", "grace", SG_OPT_DURATION, grace, "15m", 0, 86400000, NULL,                        \
            "For how long, until it becomes an incident."                                          \
    }

#endif
