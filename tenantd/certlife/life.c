#include "certlife/life.h"

static int days_of_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month] + (month == 1 && leap);
}

sg_time sg_life_months_after(sg_time t, int months)
{
    time_t seconds = sg_time_seconds(t);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    int index = (tm.tm_year + 1900) * 12 + tm.tm_mon + months;
    int most = days_of_month(index / 12, index % 12);
    tm.tm_year = index / 12 - 1900;
    tm.tm_mon = index % 12;
    if (tm.tm_mday > most)
        tm.tm_mday = most;
    return timegm(&tm) * SG_SECOND + t % SG_SECOND;
}

/* FNV-1a with a last stir: ids that differ in one letter are far apart. */
static uint64_t hash(const char *s)
{
    uint64_t h = 14695981039346656037u;
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 1099511628211u;
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdu;
    return h ^ h >> 33;
}

sg_time sg_life_renew_at(sg_time not_before, sg_time not_after, sg_time lead, sg_time jitter,
                         const char *domain_id)
{
    sg_time spread = jitter > 0 ? (sg_time)(hash(domain_id) % (uint64_t)jitter) : 0;
    sg_time at = not_after - lead - spread;
    sg_time half = not_before + (not_after - not_before) / 2;
    return at > half ? at : half;
}

bool sg_life_key_usable(sg_time key_made, sg_time now)
{
    return now < sg_life_months_after(key_made, SG_LIFE_KEY_MONTHS) &&
           sg_life_key_covers(key_made, sg_life_months_after(now, SG_LIFE_CERTIFICATE_MONTHS));
}

bool sg_life_key_covers(sg_time key_made, sg_time not_after)
{
    return not_after <= sg_life_months_after(key_made, SG_LIFE_KEY_MONTHS_MOST);
}

sg_time sg_life_pause(int failures, sg_time first, sg_time most)
{
    sg_time pause = first;
    for (int i = 1; i < failures && pause < most; i++)
        pause *= 2;
    return pause < most ? pause : most;
}
