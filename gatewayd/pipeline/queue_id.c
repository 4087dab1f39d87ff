#include "pipeline/queue_id.h"

#include <string.h>

#define SECONDS_DIGITS      6 /* at least */
#define MICROSECONDS_DIGITS 4
#define BASE                52

/* false: not of these digits, or more than there are microseconds in 100,000 years. */
static bool digits_read(const char *text, size_t count, int64_t *number_r)
{
    static const char digits[] = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
    int64_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const char *digit = strchr(digits, text[i]);
        if (!digit || !*digit || n > INT64_MAX / BASE / SG_SECOND)
            return false;
        n = n * BASE + (digit - digits);
    }
    *number_r = n;
    return true;
}

bool sg_queue_id_time(const char *queue_id, sg_time *time_r)
{
    const char *end = strrchr(queue_id, 'z');
    int64_t seconds, microseconds;
    if (!end || end - queue_id < SECONDS_DIGITS + MICROSECONDS_DIGITS || !end[1])
        return false;
    const char *middle = end - MICROSECONDS_DIGITS;
    if (!digits_read(queue_id, (size_t)(middle - queue_id), &seconds) ||
        !digits_read(middle, MICROSECONDS_DIGITS, &microseconds) || microseconds >= SG_SECOND)
        return false;
    *time_r = seconds * SG_SECOND + microseconds;
    return true;
}
