/*
 * The one source of time. In a program with SG_SETTABLE_CLOCK (the sanitizers' builds, and
 * build/NAME/clock/bin of the others), [clock] file = PATH in a daemon's configuration names a file
 * with an offset in seconds that is added to real time (read each time); other programs refuse that
 * key.
 */
#ifndef SG_COMMON_CLOCK_H
#define SG_COMMON_CLOCK_H

#include "common/error.h"

#include <stdint.h>
#include <time.h>

/* Microseconds since 1970 UTC. */
typedef int64_t sg_time;
#define SG_SECOND ((sg_time)1000000)
#define SG_DAY    (86400 * SG_SECOND)

sg_time sg_clock_now(void);
/* The same without the tests' offset: for leases between processes, which measure real waiting. */
sg_time sg_clock_real(void);
/* Monotonic milliseconds, for deadlines; never set by tests. */
int64_t sg_clock_monotonic_ms(void);
SG_MUST_USE bool sg_clock_set_file(const char *path, struct sg_error *err);

/*
 * How well the kernel's clock is kept to UTC (REQ-90, 141), as whoever keeps it told the kernel
 * (adjtimex(2)). Programs with SG_SETTABLE_CLOCK take it from PATH.sync where that is there: the
 * same five numbers, times in microseconds.
 */
struct sg_clock_sync {
    bool synchronised;
    int64_t offset_us;    /* what is still to be corrected */
    int64_t error_us;     /* estimated */
    int64_t maximum_us;   /* it is not more than this */
    int64_t elsewhere_us; /* added to what other clocks say; 0 but in tests */
};
SG_MUST_USE bool sg_clock_sync_read(struct sg_clock_sync *sync_r, struct sg_error *err);

#define SG_TIME_TEXT 32
/* RFC 3339 UTC with milliseconds, "2026-11-23T04:05:06.789Z". */
void sg_time_rfc3339(sg_time t, char out[SG_TIME_TEXT]);
/* RFC 5322 date, "Mon, 23 Nov 2026 04:05:06 +0000". */
void sg_time_rfc5322(sg_time t, char out[40]);
static inline time_t sg_time_seconds(sg_time t)
{
    return (time_t)(t / SG_SECOND);
}

#endif
