/* REQ-142: availability against what is guaranteed, minute by minute. */
#include "reporting/build.h"

#include <string.h>

#define COUNT(a)          (sizeof(a) / sizeof(a)[0])
#define GUARANTEED_TENTHS 995 /* of a thousand: 99.5 % */

static const struct sg_build_label day_columns[] = {
    {"day", "Day", "date"},
    {"minutes", "Minutes", "integer"},
    {"up", "Up", "integer"},
    {"down", "Down", "integer"},
    {"unmeasured", "Not measured", "integer"},
    {"maintenance", "Maintenance", "integer"},
};

static const struct sg_build_label outage_columns[] = {
    {"day", "Day", "date"},
    {"from", "From", "time"},
    {"state", "What it was", "text"},
    {"minutes", "Minutes", "integer"},
    {"minute_of_day", "Minute of the day", "hidden"},
};

static int64_t member(const json_t *values, const char *name)
{
    return json_integer_value(json_object_get(values, name));
}

/* "99.5" is exceeded or met where up : counted is at least that; compared in whole numbers. */
static bool met(int64_t up, int64_t counted)
{
    return up * 1000 >= counted * GUARANTEED_TENTHS;
}

static void figures(struct sg_build *b, json_t *s, const json_t *v)
{
    int64_t minutes = member(v, "minutes"), up = member(v, "up"), down = member(v, "down"),
            maintenance = member(v, "maintenance"), unmeasured = member(v, "unmeasured"),
            counted = minutes - maintenance;
    bool begun = minutes > 0, good = begun && met(up, counted);
    json_t *percent = begun ? sg_build_percent(up, counted) : json_string("0.000");
    if (begun)
        sg_build_sentence(b, "Available %s %% of the time in %s, against 99.5 %% guaranteed: %s.",
                          json_string_value(percent), b->period.name, good ? "met" : "not met");
    else
        sg_build_sentence(b, "The service had not begun in %s.", b->period.name);
    sg_build_figure(s, "availability", "Availability", percent, "%");
    sg_build_figure(s, "guaranteed", "Guaranteed", json_string("99.500"), "%");
    sg_build_figure(s, "met", "Met", json_boolean(good), "");
    sg_build_figure(s, "minutes", "Minutes of the period", json_integer(minutes), "minutes");
    sg_build_figure(s, "up", "up", json_integer(up), "minutes");
    sg_build_figure(s, "down", "down", json_integer(down), "minutes");
    sg_build_figure(s, "unmeasured", "not measured, and so counted as down",
                    json_integer(unmeasured), "minutes");
    sg_build_figure(s, "maintenance", "of maintenance announced in advance, not counted",
                    json_integer(maintenance), "minutes");
    sg_build_figure(s, "with_maintenance", "Availability, were maintenance counted as down",
                    begun ? sg_build_percent(up, minutes) : json_string("0.000"), "%");
    if (unmeasured > 0)
        sg_build_missing(b, "%lld of %lld minutes were not measured, and count as down.",
                         (long long)unmeasured, (long long)minutes);
}

/* The section with its figures; values_r (owned) has the rest. */
static json_t *begin(struct sg_build *b, json_t **values_r, struct sg_error *err)
{
    json_t *s = sg_build_section(
        b, "availability", "Availability",
        "Every minute of the period is up, down, not measured, or of maintenance. Up: each part of "
        "the way of a mail was found well on at least one node. Availability is the share of "
        "minutes up among those that are not of maintenance announced before it began; what was "
        "not measured counts as down. Counting begins with the first look at the service or with "
        "its "
        "first customer, whichever was first. Shares are rounded down.",
        (const int[]){142, 0});
    *values_r = sg_build_read(b, SG_REPORT_AVAILABILITY, err);
    if (!*values_r)
        return NULL;
    figures(b, s, *values_r);
    return s;
}

bool sg_report_availability_in_short(struct sg_build *b, struct sg_error *err)
{
    json_t *v = NULL, *s = begin(b, &v, err);
    json_decref(v);
    return s != NULL;
}

bool sg_report_availability(struct sg_build *b, struct sg_error *err)
{
    json_t *v = NULL, *s = begin(b, &v, err);
    if (!s)
        return false;
    sg_build_chart(s, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "id",
                                "chart-availability", "kind", "timeline", "title",
                                "The month, hour by hour", "table", "outages", "rows", "days",
                                "label", "day", "day", "day", "from", "minute_of_day", "length",
                                "minutes", "state", "state"));
    sg_build_rows(s, "outages", "What was not up", outage_columns, COUNT(outage_columns),
                  json_incref(json_object_get(v, "outages")));
    sg_build_rows(s, "days", "Day by day", day_columns, COUNT(day_columns),
                  json_incref(json_object_get(v, "days")));
    json_decref(v);
    return true;
}
