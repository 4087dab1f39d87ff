/*
 * Work that must not take for ever: a thread says when it begins a piece of work and when it has
 * ended it, and the monitor (monitor/monitor.h) sees what has been at it for too long.
 */
#ifndef SG_COMMON_WATCH_H
#define SG_COMMON_WATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct sg_watch {
    const char *name;         /* "journal feeder"; static */
    int64_t limit_ms;         /* longer than any such piece takes */
    _Atomic int64_t since_ms; /* of the monotonic clock; 0: idle */
    struct sg_watch *next, **at;
};

/* From here to sg_watch_leave() it is looked at. Its memory is the caller's. */
void sg_watch_enter(struct sg_watch *watch, const char *name, int64_t limit_ms);
void sg_watch_leave(struct sg_watch *watch);
void sg_watch_begin(struct sg_watch *watch);
void sg_watch_end(struct sg_watch *watch);

/* Calls each for every name that is watched: how many there are, how many are at work, how many of
 * them for too long, and the longest time. */
struct sg_watch_state {
    const char *name;
    int threads, busy, stuck;
    int64_t longest_ms;
};
#define SG_WATCH_NAMES 16
/* Returns how many names there are. */
int sg_watch_states(struct sg_watch_state states[SG_WATCH_NAMES]);

#endif
