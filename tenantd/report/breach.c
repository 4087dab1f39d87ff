/* REQ-144, REQ-113: the breaches of a month and their resolution, to the SecureMail Administrator.
 */
#include "reporting/build.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* Where the state stands in breach_columns. */
#define STATE_COLUMN 9

static const struct sg_build_label breach_columns[] = {
    {"cause", "Cause", "words"},
    {"code", "Code", "text"},
    {"domain", "Our domain", "domain"},
    {"partner", "Partner", "domain"},
    {"direction", "Direction", "text"},
    {"messages", "Messages", "integer"},
    {"recipients", "Recipients", "integer"},
    {"first_seen", "First seen", "time"},
    {"last_seen", "Last seen", "time"},
    {"state", "State", "text"},
    {"resolution", "Resolution", "words"},
};

static const struct sg_build_label day_columns[] = {
    {"day", "Day", "date"},
    {"breaches", "Breaches", "integer"},
    {"warnings", "Warnings", "integer"},
    {"delays", "Held", "integer"},
};

static const struct sg_build_label total_labels[] = {
    {"messages", "Messages affected", "messages"},
    {"recipients", "Recipients affected", "recipients"},
    {"trigger_words", "Messages with a trigger word out of place (codes 001, 004)", "messages"},
    {"warned", "Messages with a warning about a certificate", "messages"},
    {"delayed", "Messages that were held for want of a certificate", "messages"},
};

static int64_t count_state(const json_t *rows, const char *state)
{
    int64_t n = 0;
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        const char *s = json_string_value(json_array_get(row, STATE_COLUMN));
        n += s && strcmp(s, state) == 0;
    }
    return n;
}

static void summary(struct sg_build *b, int64_t all, int64_t open)
{
    if (all == 0) {
        sg_build_sentence(b, "No breach of security was found in %s%s.", b->period.name,
                          b->period.complete ? "" : " so far");
        return;
    }
    sg_build_sentence(b, "%lld %s of security %s found in %s; %lld %s resolved, %lld %s open.",
                      (long long)all, all == 1 ? "breach" : "breaches", all == 1 ? "was" : "were",
                      b->period.name, (long long)(all - open), all - open == 1 ? "is" : "are",
                      (long long)open, open == 1 ? "is" : "are");
    if (open > 0)
        sg_build_missing(b, "%lld %s no resolution yet.", (long long)open,
                         open == 1 ? "breach has" : "breaches have");
}

static bool breaches(struct sg_build *b, json_t *totals, struct sg_error *err)
{
    const json_t *rows;
    json_t *s = sg_build_section(
        b, "breaches", "Breaches and their resolution",
        "Every cause once: what happened (by code of table 3 of the Secure Email Requirements, or "
        "by the "
        "incident), at which of our domains, and with which partner, as it stands in From or was "
        "written to. Seen: within the period. State and resolution: when the report was made.",
        (const int[]){113, 144, 0});
    if (!sg_build_table(b, s, "breaches", "Breaches", SG_REPORT_BREACHES, breach_columns,
                        COUNT(breach_columns), &rows, err))
        return false;
    int64_t all = (int64_t)json_array_size(rows), open = count_state(rows, "open");
    sg_build_figure(totals, "breaches", "Breaches (causes)", json_integer(all), "");
    sg_build_figure(totals, "resolved", "resolved", json_integer(all - open), "");
    sg_build_figure(totals, "open", "open", json_integer(open), "");
    summary(b, all, open);
    return true;
}

bool sg_report_breach(struct sg_build *b, struct sg_error *err)
{
    json_t *totals = sg_build_section(
        b, "totals", "In numbers",
        "Counted from the retention log, by the time at which the outcome was decided. A message "
        "with several codes is one message.",
        (const int[]){144, 0});
    if (!breaches(b, totals, err) || !sg_build_figures(b, totals, SG_REPORT_BREACH_TOTALS,
                                                       total_labels, COUNT(total_labels), err))
        return false;
    json_t *days =
        sg_build_section(b, "days", "Day by day",
                         "Messages with a breach, a warning, or that were held.", (const int[]){0});
    if (!sg_build_table(b, days, "days", "Messages a day", SG_REPORT_BREACH_DAYS, day_columns,
                        COUNT(day_columns), NULL, err))
        return false;
    sg_build_chart(days, json_pack("{s:s, s:s, s:s, s:s, s:s, s:[s, s, s], s:[i, i, i]}", "id",
                                   "chart-days", "kind", "bars", "title", "Messages a day", "table",
                                   "days", "label", "day", "values", "delays", "warnings",
                                   "breaches", "colours", 1, 2, 3));
    json_t *warnings = sg_build_section(
        b, "warnings", "Warnings",
        "No breach: certificates of partners that had expired, were not valid yet, or "
        "whose status could not be told.",
        (const int[]){41, 0});
    return sg_build_table(b, warnings, "warnings", "Warnings", SG_REPORT_WARNINGS, breach_columns,
                          STATE_COLUMN, NULL, err);
}
