#include "common/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timex.h>

#ifdef SG_SETTABLE_CLOCK
static char offset_path[256];

static sg_time offset_read(void)
{
    if (!offset_path[0])
        return 0;
    FILE *f = fopen(offset_path, "re");
    if (!f)
        return 0;
    char line[64] = "";
    char *got = fgets(line, sizeof line, f);
    fclose(f);
    sg_time offset = 0;
    if (got && __builtin_mul_overflow(strtoll(line, NULL, 10), SG_SECOND, &offset))
        return 0;
    return offset;
}
#endif

sg_time sg_clock_real(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (sg_time)ts.tv_sec * SG_SECOND + ts.tv_nsec / 1000;
}

sg_time sg_clock_now(void)
{
    sg_time now = sg_clock_real();
#ifdef SG_SETTABLE_CLOCK
    now += offset_read();
#endif
    return now;
}

int64_t sg_clock_monotonic_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

bool sg_clock_set_file(const char *path, struct sg_error *err)
{
    if (!path || !*path)
        return true;
#ifdef SG_SETTABLE_CLOCK
    if (strlen(path) >= sizeof offset_path)
        return sg_fail(err, SG_E_CONFIG, "clock file: path too long");
    snprintf(offset_path, sizeof offset_path, "%s", path);
    return true;
#else
    return sg_fail(err, SG_E_CONFIG, "clock file: this build has no settable clock");
#endif
}

#ifdef SG_SETTABLE_CLOCK
static bool sync_from_file(struct sg_clock_sync *s)
{
    char path[sizeof offset_path + 8];
    long long synchronised, offset, error, maximum, elsewhere;
    snprintf(path, sizeof path, "%s.sync", offset_path);
    FILE *f = offset_path[0] ? fopen(path, "re") : NULL;
    if (!f)
        return false;
    bool ok = fscanf(f, "%lld %lld %lld %lld %lld", &synchronised, &offset, &error, &maximum,
                     &elsewhere) == 5;
    fclose(f);
    if (ok)
        *s = (struct sg_clock_sync){synchronised != 0, offset, error, maximum, elsewhere};
    return ok;
}
#endif

bool sg_clock_sync_read(struct sg_clock_sync *sync_r, struct sg_error *err)
{
#ifdef SG_SETTABLE_CLOCK
    if (sync_from_file(sync_r))
        return true;
#endif
    struct timex t = {0}; /* modes 0: read alone, for which nobody needs a privilege */
    int state = adjtimex(&t);
    if (state < 0)
        return sg_fail_errno(err, SG_E_IO, "adjtimex");
    *sync_r = (struct sg_clock_sync){
        .synchronised = state != TIME_ERROR && !(t.status & STA_UNSYNC),
        .offset_us = t.status & STA_NANO ? t.offset / 1000 : t.offset,
        .error_us = t.esterror,
        .maximum_us = t.maxerror,
    };
    return true;
}

void sg_time_rfc3339(sg_time t, char out[SG_TIME_TEXT])
{
    sg_time ms = t / 1000 - (t % 1000 < 0); /* rounded down, before 1970 too */
    sg_time rest = (ms % 1000 + 1000) % 1000;
    time_t s = (time_t)((ms - rest) / 1000);
    struct tm tm;
    char day[24];
    gmtime_r(&s, &tm);
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out, SG_TIME_TEXT, "%s.%03dZ", day, (int)rest);
}

void sg_time_rfc5322(sg_time t, char out[40])
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t s = (time_t)(t / SG_SECOND - (t % SG_SECOND < 0));
    struct tm tm;
    gmtime_r(&s, &tm);
    snprintf(out, 40, "%s, %02d %s %04d %02d:%02d:%02d +0000", days[tm.tm_wday], tm.tm_mday,
             months[tm.tm_mon], (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min, tm.tm_sec);
}
