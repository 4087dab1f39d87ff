/* The Date field (RFC 5322 §3.3, with the zones and years of §4.3). */
#include "mime/header.h"
#include "mime/lex.h"

static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                     "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const days[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
static const struct {
    const char *name;
    int hours;
} zones[] = {{"ut", 0},   {"gmt", 0},  {"z", 0},    {"est", -5}, {"edt", -4}, {"cst", -6},
             {"cdt", -5}, {"mst", -7}, {"mdt", -6}, {"pst", -8}, {"pdt", -7}};

/* Between least and most digits, then whatever may stand between words. */
static bool number(struct sg_lex *lex, int least, int most, int *value_r, int *digits_r)
{
    int n = 0, c;
    for (*value_r = 0; n < most && (c = sg_lex_peek(lex)) >= '0' && c <= '9'; n++, lex->p++)
        *value_r = *value_r * 10 + c - '0';
    if (digits_r)
        *digits_r = n;
    return n >= least && sg_lex_skip(lex);
}

/* A word of letters, lower-cased; "" where there is none. */
static bool word(struct sg_lex *lex, char out[8])
{
    size_t n = 0;
    for (int c; (c = sg_lex_peek(lex) | 0x20) >= 'a' && c <= 'z' && n < 7; lex->p++)
        out[n++] = (char)c;
    out[n] = 0;
    return n < 7 && sg_lex_skip(lex);
}

static int find(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

static bool zone(struct sg_lex *lex, int *minutes_r)
{
    char name[8];
    int sign = sg_lex_peek(lex) == '-' ? -1 : 1, value, digits;
    if (sg_lex_take(lex, '+') || sg_lex_take(lex, '-')) {
        if (!number(lex, 4, 4, &value, &digits) || value % 100 > 59)
            return false;
        *minutes_r = sign * (value / 100 * 60 + value % 100);
        return true;
    }
    *minutes_r = 0; /* military and unknown zones tell nothing (§4.3) */
    if (!word(lex, name) || !*name)
        return false;
    for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++)
        if (strcmp(zones[i].name, name) == 0)
            *minutes_r = zones[i].hours * 60;
    return true;
}

/* Days from 1970 to a date of the Gregorian calendar. */
static int64_t days_to(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = year / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int month_days(int year, int month)
{
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 ? 28 + leap : 30 + ((month + month / 8) & 1);
}

bool sg_date_parse(const struct sg_header *field, sg_time *time_r)
{
    struct sg_lex lex = sg_lex_of(field->value);
    char name[8];
    int day, year, digits, hour, minute, second = 0, offset;
    if (!sg_lex_skip(&lex) || !word(&lex, name) ||
        (*name && (find(days, 7, name) < 0 || !sg_lex_take(&lex, ',') || !sg_lex_skip(&lex))) ||
        !number(&lex, 1, 2, &day, NULL) || !word(&lex, name))
        return false;
    int month = find(months, 12, name) + 1;
    if (month == 0 || !number(&lex, 2, 4, &year, &digits))
        return false;
    if (digits < 4)
        year += digits == 3 || year >= 50 ? 1900 : 2000;
    if (year < 1970 || day < 1 || day > month_days(year, month) ||
        !number(&lex, 2, 2, &hour, NULL) || !sg_lex_take(&lex, ':') || !sg_lex_skip(&lex) ||
        !number(&lex, 2, 2, &minute, NULL))
        return false;
    if (sg_lex_take(&lex, ':') && (!sg_lex_skip(&lex) || !number(&lex, 2, 2, &second, NULL)))
        return false;
    if (hour > 23 || minute > 59 || second > 60 || !zone(&lex, &offset) || sg_lex_peek(&lex) >= 0)
        return false;
    int64_t minutes = days_to(year, month, day) * 1440 + hour * 60 + minute - offset;
    *time_r = (minutes * 60 + second) * SG_SECOND;
    return *time_r > 0;
}
