/* What was used in a month, by tenant and domain: the numbers that bills are made of. */
#include "reporting/build.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const struct sg_build_label totals[] = {
    {"tenants", "Tenants", "tenants"},
    {"domains", "Domains that carried mail on one day at least", "domains"},
    {"domain_days", "their days", "days"},
    {"messages_out", "Messages sent", "messages"},
    {"sealed", "with a recipient to whom it was sealed", "messages"},
    {"recipients_out", "Recipients of these", "recipients"},
    {"bytes_out", "Size of these", "bytes"},
    {"messages_in", "Messages received", "messages"},
    {"opened", "that were opened or verified", "messages"},
    {"recipients_in", "Recipients of these", "recipients"},
    {"bytes_in", "Size of these", "bytes"},
    {"held", "Messages that were held", "messages"},
    {"refused", "Messages with a recipient who was refused", "messages"},
    {"storage_bytes", "Originals kept at the month's end", "bytes"},
};

static const struct sg_build_label tenant_columns[] = {
    {"tenant_id", "Tenant's id", "hidden"},   {"tenant", "Tenant", "words"},
    {"closed", "Month closed", "boolean"},    {"domains", "Domains", "integer"},
    {"domain_days", "Their days", "integer"}, {"messages_out", "Sent", "integer"},
    {"recipients_out", "to", "integer"},      {"bytes_out", "Bytes sent", "integer"},
    {"sealed", "Sealed", "integer"},          {"messages_in", "Received", "integer"},
    {"recipients_in", "for", "integer"},      {"bytes_in", "Bytes received", "integer"},
    {"opened", "Opened", "integer"},          {"held", "Held", "integer"},
    {"refused", "Refused", "integer"},        {"storage_bytes", "Bytes kept", "integer"},
};

static const struct sg_build_label domain_columns[] = {
    {"tenant_id", "Tenant's id", "hidden"}, {"tenant", "Tenant", "text"},
    {"domain", "Domain", "domain"},         {"messages_out", "Sent", "integer"},
    {"recipients_out", "to", "integer"},    {"bytes_out", "Bytes", "integer"},
    {"messages_in", "Received", "integer"}, {"recipients_in", "for", "integer"},
    {"bytes_in", "Bytes", "integer"},
};

static int64_t member(const json_t *values, const char *name)
{
    return json_integer_value(json_object_get(values, name));
}

bool sg_report_usage(struct sg_build *b, struct sg_error *err)
{
    json_t *s = sg_build_section(
        b, "usage", "Usage",
        "As billing has it: counted from the retention log by the time of receipt. Of a month that "
        "was "
        "closed what was frozen then, with the adjustments made in the open since.",
        (const int[]){142, 0});
    json_t *v = sg_build_read(b, SG_REPORT_USAGE, err);
    if (!v)
        return false;
    for (size_t i = 0; i < COUNT(totals); i++)
        sg_build_figure(s, totals[i].name, totals[i].label,
                        json_incref(json_object_get(v, totals[i].name)), totals[i].type);
    sg_build_rows(s, "tenants", "By tenant", tenant_columns, COUNT(tenant_columns),
                  json_incref(json_object_get(v, "rows")));
    json_t *d =
        sg_build_section(b, "domains", "By domain",
                         "The mail of each of our domains, as it is in the log: a message belongs "
                         "to the domain that sent it or that it is for, and one for two of them "
                         "stands at each.",
                         (const int[]){0});
    sg_build_rows(d, "domains", "Domains with mail", domain_columns, COUNT(domain_columns),
                  json_incref(json_object_get(v, "by_domain")));
    sg_build_sentence(b, "%lld %s sent %lld messages and received %lld.",
                      (long long)member(v, "tenants"),
                      member(v, "tenants") == 1 ? "tenant" : "tenants",
                      (long long)member(v, "messages_out"), (long long)member(v, "messages_in"));
    if (member(v, "not_closed") > 0)
        sg_build_missing(b, "The month of %lld tenants is not closed for billing.",
                         (long long)member(v, "not_closed"));
    json_decref(v);
    return true;
}
