/* The service report: what the service did for a customer in a month. */
#include "reporting/build.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const struct sg_build_label traffic_labels[] = {
    {"messages_out", "Messages sent", "messages"},
    {"recipients_out", "Recipients of messages sent", "recipients"},
    {"sealed", "delivered sealed (signed and encrypted)", "recipients"},
    {"plain_out", "delivered without sealing, to those outside Secure Email", "recipients"},
    {"held_out", "held, and waiting still", "recipients"},
    {"refused_out", "refused", "recipients"},
    {"others_out", "not delivered yet, or given up", "recipients"},
    {"messages_in", "Messages received", "messages"},
    {"recipients_in", "Recipients of messages received", "recipients"},
    {"verified", "delivered, origin and integrity verified", "recipients"},
    {"unverified", "delivered with a warning", "recipients"},
    {"plain_in", "delivered, from those outside Secure Email", "recipients"},
    {"held_in", "held, and waiting still", "recipients"},
    {"refused_in", "refused", "recipients"},
    {"others_in", "not delivered yet, or given up", "recipients"},
    {"bytes", "Size of all messages as they came", "bytes"},
};

static const struct sg_build_label day_columns[] = {
    {"day", "Day", "date"},
    {"sealed", "Sealed", "integer"},
    {"plain_out", "Plain out", "integer"},
    {"held_out", "Held", "integer"},
    {"refused_out", "Refused", "integer"},
    {"others_out", "Other out", "integer"},
    {"verified", "Verified", "integer"},
    {"unverified", "Unverified", "integer"},
    {"plain_in", "Plain in", "integer"},
    {"held_in", "Held in", "hidden"},
    {"refused_in", "Refused in", "integer"},
    {"others_in", "Other in", "integer"},
};

static const struct sg_build_label code_columns[] = {
    {"code", "Code", "text"},
    {"recipients", "Recipients", "integer"},
};

static const struct sg_build_label partner_columns[] = {
    {"domain", "Domain", "domain"},      {"sent", "Sent to it", "integer"},
    {"sealed", "sealed", "integer"},     {"received", "Received from it", "integer"},
    {"verified", "verified", "integer"},
};

static const struct sg_build_label held_labels[] = {
    {"held", "Messages held in the period", "messages"},
    {"held_sent", "sent since, sealed", "messages"},
    {"held_deleted", "deleted", "messages"},
    {"held_expired", "expired; the sender was told", "messages"},
    {"held_waiting", "waiting still", "messages"},
    {"held_seconds_median", "Time until they were sent: the middle one", "seconds"},
    {"held_seconds_most", "Time until they were sent: the longest", "seconds"},
};

static const struct sg_build_label certificate_columns[] = {
    {"domain", "Domain", "domain"}, {"serial", "Serial number", "text"},
    {"issuer", "Issuer", "text"},   {"not_before", "From", "date"},
    {"not_after", "Until", "date"}, {"days_left", "Days left", "integer"},
};

static const struct sg_build_label domain_columns[] = {
    {"domain", "Domain", "domain"},
    {"environment", "Environment", "text"},
    {"state", "State", "text"},
    {"since", "Since", "date"},
};

static const struct sg_build_label incident_columns[] = {
    {"summary", "What happened", "words"},
    {"kind", "Kind", "text"},
    {"severity", "Severity", "text"},
    {"occurrences", "Times", "integer"},
    {"first_seen", "First seen", "time"},
    {"last_seen", "Last seen", "time"},
    {"state", "State", "text"},
    {"resolution", "Resolution", "words"},
};

static int64_t figure(const json_t *section, size_t i)
{
    return json_integer_value(
        json_object_get(json_array_get(json_object_get(section, "figures"), i), "value"));
}

static bool traffic(struct sg_build *b, struct sg_error *err)
{
    json_t *s = sg_build_section(b, "traffic", "Traffic",
                                 "Counted from the retention log: every recipient of every message "
                                 "that was received within the "
                                 "period, once, by what had become of it when the report was made. "
                                 "A message belongs to the day "
                                 "on which it was received.",
                                 (const int[]){117, 0});
    if (!sg_build_figures(b, s, SG_REPORT_TRAFFIC, traffic_labels, COUNT(traffic_labels), err) ||
        !sg_build_table(b, s, "traffic_days", "Recipients a day", SG_REPORT_TRAFFIC_DAYS,
                        day_columns, COUNT(day_columns), NULL, err))
        return false;
    sg_build_chart(s, json_pack("{s:s, s:s, s:s, s:s, s:s, s:[s, s, s, s]}", "id", "chart-out",
                                "kind", "bars", "title", "Outgoing, recipients a day", "table",
                                "traffic_days", "label", "day", "values", "sealed", "plain_out",
                                "held_out", "refused_out"));
    sg_build_chart(s, json_pack("{s:s, s:s, s:s, s:s, s:s, s:[s, s, s, s]}", "id", "chart-in",
                                "kind", "bars", "title", "Incoming, recipients a day", "table",
                                "traffic_days", "label", "day", "values", "verified", "plain_in",
                                "unverified", "refused_in"));
    sg_build_sentence(b,
                      "%lld messages were sent and %lld received; %lld recipients were reached by "
                      "sealed mail.",
                      (long long)figure(s, 0), (long long)figure(s, 7), (long long)figure(s, 2));
    return true;
}

static bool codes(struct sg_build *b, struct sg_error *err)
{
    json_t *s = sg_build_section(b, "codes", "Warnings by code",
                                 "How many recipients a code of table 3 of the Secure Email "
                                 "Requirements was given for; one may have several.",
                                 (const int[]){42, 0});
    if (!sg_build_table(b, s, "codes", "Codes", SG_REPORT_CODES, code_columns, COUNT(code_columns),
                        NULL, err))
        return false;
    sg_build_chart(s, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "id", "chart-codes", "kind",
                                "hbars", "title", "Codes by count", "table", "codes", "label",
                                "code", "value", "recipients"));
    return true;
}

static bool partners(struct sg_build *b, struct sg_error *err)
{
    json_t *s = sg_build_section(b, "partners", "Partners",
                                 "The twenty domains with most mail delivered, both ways together.",
                                 (const int[]){0});
    return sg_build_table(b, s, "partners", "Domains", SG_REPORT_PARTNERS, partner_columns,
                          COUNT(partner_columns), NULL, err);
}

static bool held(struct sg_build *b, struct sg_error *err)
{
    json_t *s =
        sg_build_section(b, "held", "Held mail",
                         "Messages that could not be sealed at once and were held, by the time "
                         "at which they were; times are of those that were sent.",
                         (const int[]){56, 0});
    return sg_build_figures(b, s, SG_REPORT_HELD, held_labels, COUNT(held_labels), err);
}

static bool certificates(struct sg_build *b, struct sg_error *err)
{
    json_t *s =
        sg_build_section(b, "certificates", "Domains and certificates",
                         "As configured when the report was made; days are left from the end "
                         "of the period on.",
                         (const int[]){45, 51, 0});
    return sg_build_table(b, s, "domains", "Domains", SG_REPORT_DOMAINS, domain_columns,
                          COUNT(domain_columns), NULL, err) &&
           sg_build_table(b, s, "certificates", "Certificates in use", SG_REPORT_CERTIFICATES,
                          certificate_columns, COUNT(certificate_columns), NULL, err);
}

static bool incidents(struct sg_build *b, struct sg_error *err)
{
    const json_t *rows;
    json_t *s = sg_build_section(b, "incidents", "Incidents",
                                 "What was seen within the period and wanted somebody's attention; "
                                 "state and resolution as they were when the report was made.",
                                 (const int[]){127, 128, 0});
    if (!sg_build_table(b, s, "incidents", "Incidents", SG_REPORT_INCIDENTS, incident_columns,
                        COUNT(incident_columns), &rows, err))
        return false;
    sg_build_figure(s, "incidents", "Incidents", json_integer((json_int_t)json_array_size(rows)),
                    "");
    return true;
}

bool sg_report_service(struct sg_build *b, struct sg_error *err)
{
    return traffic(b, err) && codes(b, err) && partners(b, err) && held(b, err) &&
           incidents(b, err) && certificates(b, err) && sg_report_availability_in_short(b, err);
}
