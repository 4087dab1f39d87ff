/* What was used in a month, by tenant and domain: what a bill can be made of. */
#include "reporting/build.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const struct sg_build_label totals[] = {
    {"tenants", "Tenants", "tenants"},
    {"domains", "Domains", "domains"},
    {"messages_out", "Messages sent", "messages"},
    {"recipients_out", "to recipients", "recipients"},
    {"bytes_out", "of a size of", "bytes"},
    {"messages_in", "Messages received", "messages"},
    {"recipients_in", "for recipients", "recipients"},
    {"bytes_in", "of a size of", "bytes"},
};

static const struct sg_build_label columns[] = {
    {"tenant_id", "Tenant's id", "hidden"}, {"tenant", "Tenant", "text"},
    {"domain", "Domain", "domain"},         {"messages_out", "Sent", "integer"},
    {"recipients_out", "to", "integer"},    {"bytes_out", "Bytes", "integer"},
    {"messages_in", "Received", "integer"}, {"recipients_in", "for", "integer"},
    {"bytes_in", "Bytes", "integer"},
};

bool sg_report_usage(struct sg_build *b, struct sg_error *err)
{
    json_t *s = sg_build_section(b, "usage", "Usage",
                                 "Counted from the retention log by the time of receipt. A message "
                                 "belongs to the domain that sent "
                                 "it or that it is for (one for two of our domains counts for "
                                 "each), with its size as it came. Domains "
                                 "in service have a row without mail too.",
                                 (const int[]){142, 0});
    json_t *v = sg_build_read(b, SG_REPORT_USAGE, err);
    if (!v)
        return false;
    for (size_t i = 0; i < COUNT(totals); i++)
        sg_build_figure(s, totals[i].name, totals[i].label,
                        json_incref(json_object_get(v, totals[i].name)), totals[i].type);
    sg_build_rows(s, "usage", "By tenant and domain", columns, COUNT(columns),
                  json_incref(json_object_get(v, "rows")));
    sg_build_sentence(b, "%lld domains of %lld tenants sent %lld messages and received %lld.",
                      (long long)json_integer_value(json_object_get(v, "domains")),
                      (long long)json_integer_value(json_object_get(v, "tenants")),
                      (long long)json_integer_value(json_object_get(v, "messages_out")),
                      (long long)json_integer_value(json_object_get(v, "messages_in")));
    json_decref(v);
    return true;
}
