#include "pipeline/simulate.h"

#include "common/id.h"
#include "pipeline/inbound.h"
#include "pipeline/outbound.h"
#include "pipeline/ping.h"
#include "pipeline/request.h"
#include "smtp/address.h"

static bool message_begin(struct sg_message *m, struct sg_gateway *gw, struct sg_arena *arena,
                          const struct sg_simulation *s, struct sg_error *err)
{
    sg_time now = sg_clock_now();
    *m = (struct sg_message){.gw = gw,
                             .arena = arena,
                             .direction = s->direction,
                             .tenant = s->tenant,
                             .msg_id = sg_arena_strdup(arena, sg_id_new("msg").text),
                             .received_at = now,
                             .now = now,
                             .queue_id = "",
                             .dry = true,
                             .sender = sg_address_normalise(arena, s->sender),
                             .return_path = s->sender,
                             .client_address = "",
                             .client_name = "",
                             .body = s->message,
                             .rcpts = SG_ARENA_ARRAY(arena, struct sg_rcpt, s->recipient_count + 1),
                             .rcpt_count = s->recipient_count};
    for (size_t i = 0; i < s->recipient_count; i++) {
        struct sg_rcpt *r = &m->rcpts[i];
        r->index = i;
        r->address = s->recipients[i];
        r->normalised = sg_address_normalise(arena, r->address);
        r->domain = sg_address_domain(r->normalised);
        r->outcome = r->verdict = r->code = r->remote = "";
        if (!r->domain)
            return sg_fail(err, SG_E_INVALID, "recipient %zu names no domain", i + 1);
    }
    return sg_header_read(arena, s->message, 0, sg_spool_size(s->message), &gw->headers,
                          &m->headers, err);
}

/* The recipients of the domain of the first one, which are settled by that. */
static json_t *recipients_take(struct sg_message *m, size_t first, struct sg_rcpt **rcpts,
                               size_t *count_r)
{
    json_t *list = json_array();
    for (size_t i = first; i < m->rcpt_count; i++) {
        if (m->rcpts[i].settled || strcmp(m->rcpts[i].domain, m->rcpts[first].domain) != 0)
            continue;
        m->rcpts[i].settled = true;
        rcpts[(*count_r)++] = &m->rcpts[i];
        json_array_append_new(list, sg_trace_string(m->rcpts[i].normalised));
    }
    return list;
}

/* The steps of the trace as the API shows those of a message. */
static json_t *steps_take(struct sg_message *m)
{
    json_t *steps = sg_trace_json(&m->trace), *step;
    size_t i;
    char at[SG_TIME_TEXT];
    json_array_foreach(steps, i, step)
    {
        sg_time_rfc3339((sg_time)json_integer_value(json_object_get(step, "at")), at);
        json_object_set_new(step, "at", json_string(at));
        json_object_set_new(step, "seq", json_integer((json_int_t)i));
    }
    sg_trace_free(&m->trace);
    return steps;
}

/* Who would be told, where the domain's settings do not keep it from that. */
static json_t *tells_write(unsigned tell)
{
    static const struct {
        unsigned bit;
        const char *name;
    } all[] = {{SG_TELL_SENDER, "sender"},
               {SG_TELL_POSTMASTER, "postmaster"},
               {SG_TELL_ADMINISTRATOR, "administrator"}};
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (tell & all[i].bit)
            json_array_append_new(list, json_string(all[i].name));
    return list;
}

/* Takes the recipients over, and the steps of the trace so far. */
static json_t *plan_write(struct sg_message *m, const char *domain, json_t *recipients,
                          const struct sg_plan *plan)
{
    return json_pack("{s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "domain", domain,
                     "recipients", recipients, "action", sg_action_name(plan->action), "rule",
                     plan->rule, "requirement", plan->requirement, "code", plan->code,
                     "explanation", plan->explanation, "tells", tells_write(plan->tell), "steps",
                     steps_take(m));
}

static bool outbound(struct sg_message *m, json_t *plans, struct sg_error *err)
{
    struct sg_outbound o;
    bool ok = sg_outbound_begin(&o, m, true, err);
    for (size_t i = 0; ok && i < m->rcpt_count; i++) {
        if (m->rcpts[i].settled)
            continue;
        struct sg_outbound_group g = {
            .domain = m->rcpts[i].domain,
            .rcpts = SG_ARENA_ARRAY(m->arena, struct sg_rcpt *, m->rcpt_count)};
        json_t *recipients = recipients_take(m, i, g.rcpts, &g.count);
        ok = sg_outbound_decide(&o, &g, err);
        if (ok)
            json_array_append_new(plans, plan_write(m, g.domain, recipients, &g.plan));
        else
            json_decref(recipients);
        sg_outbound_group_free(&g);
    }
    sg_outbound_end(&o);
    return ok;
}

static const struct sg_plan ping_plan = {
    SG_ACT_DELIVER,
    "ping",
    "REQ-97",
    "",
    "the address answers pings, before all rules; nothing goes to the customer's server",
    0};

static const struct sg_plan request_plan = {
    SG_ACT_DELIVER,
    "certificate-request",
    "REQ-44",
    "",
    "the address is that of certificates by mail, before all rules; nothing goes to the customer's "
    "server",
    0};

static bool inbound_domain(struct sg_message *m, const struct sg_domain_row *domain,
                           const struct sg_rcpt *first, struct sg_plan *plan_r,
                           struct sg_error *err)
{
    struct sg_inbound_judgement j;
    *plan_r = sg_request_is(first->normalised) ? request_plan : ping_plan;
    if (sg_ping_is(m->gw, first->normalised) || sg_request_is(first->normalised))
        return true;
    if (!sg_inbound_judge(m, domain, &j, err))
        return false;
    *plan_r = j.plan;
    sg_inbound_judgement_free(&j);
    return true;
}

static bool inbound(struct sg_message *m, json_t *plans, struct sg_error *err)
{
    struct sg_rcpt **rcpts = SG_ARENA_ARRAY(m->arena, struct sg_rcpt *, m->rcpt_count + 1);
    for (size_t i = 0; i < m->rcpt_count; i++) {
        struct sg_domain_row domain;
        struct sg_plan plan;
        bool found = false;
        size_t count = 0;
        if (m->rcpts[i].settled)
            continue;
        if (!sg_domain_find_by_name(m->gw->db, m->arena, m->rcpts[i].domain, &domain, &found, err))
            return false;
        if (!found || strcmp(domain.tenant_id, m->tenant) != 0)
            return sg_fail(err, SG_E_INVALID, "recipient %zu is of no domain of this tenant",
                           i + 1);
        if (!inbound_domain(m, &domain, &m->rcpts[i], &plan, err))
            return false;
        json_t *recipients = recipients_take(m, i, rcpts, &count);
        json_array_append_new(plans, plan_write(m, domain.name, recipients, &plan));
    }
    return true;
}

bool sg_simulate(struct sg_gateway *gw, struct sg_arena *arena, const struct sg_simulation *s,
                 json_t **plans_r, struct sg_error *err)
{
    struct sg_message m;
    json_t *plans = json_array();
    sg_db_fresh(gw->db);
    if (!message_begin(&m, gw, arena, s, err)) {
        json_decref(plans);
        return false;
    }
    sg_trace_init(&m.trace);
    bool ok =
        strcmp(s->direction, "outbound") == 0 ? outbound(&m, plans, err) : inbound(&m, plans, err);
    sg_trace_free(&m.trace);
    *plans_r = json_pack("{s:o}", "plans", plans);
    if (!ok) {
        json_decref(*plans_r);
        *plans_r = NULL;
    }
    return ok;
}
