#include "pipeline/tell.h"

#include "schema/policy.h"
#include "smtp/address.h"

#include <stdio.h>

/* One notice of a sg_tell, before it is known to whom it goes. */
struct saying {
    const struct sg_tell *t;
    enum sg_notice_kind kind;
    const char *code, *requirement;
    const char *status; /* of all; NULL: out of what the next hop said */
    const char *words;
    sg_time retry_at;
    struct sg_buf sealed, wrapped_key; /* the original's fields, once for all who are told */
    struct sg_id sealed_as;
};
#define SG_AUTO_SAYING __attribute__((cleanup(saying_end))) struct saying

static void saying_end(struct saying *s)
{
    sg_buf_free(&s->sealed);
    sg_buf_free(&s->wrapped_key);
}

static const char *field_text(struct sg_message *m, const char *name)
{
    const struct sg_header *field = sg_header_find(&m->headers, name, 0);
    return field ? sg_header_unfold(m->arena, field) : "";
}

static struct sg_notice_original original_of(struct sg_message *m)
{
    return (struct sg_notice_original){.to = field_text(m, "To"),
                                       .from = field_text(m, "From"),
                                       .date = field_text(m, "Date"),
                                       .subject = field_text(m, "Subject")};
}

/* The next hop's "550 5.1.1 no such user" becomes a status and our own words; where it said nothing
 * it was not reached. */
static void reason_of(const struct saying *s, const struct sg_rcpt *r, struct sg_notice_item *item)
{
    char enhanced[12] = "";
    int code = 0;
    char *status = sg_arena_alloc(s->t->m->arena, 12);
    if (sscanf(r->remote, "%d %11[0-9.]", &code, enhanced) < 1)
        strcpy(enhanced, "4.4.1");
    item->words = sg_notice_reason(enhanced, code, status);
    if (s->kind == SG_NOTICE_WAITING)
        status[0] = '4';
    item->status = status;
}

static struct sg_notice_item *items_of(const struct saying *s)
{
    struct sg_message *m = s->t->m;
    struct sg_notice_item *items = SG_ARENA_ARRAY(m->arena, struct sg_notice_item, s->t->count + 1);
    for (size_t i = 0; i < s->t->count; i++) {
        const struct sg_rcpt *r = s->t->rcpts[i];
        items[i] = (struct sg_notice_item){.about = r->normalised,
                                           .address = r->address,
                                           .code = s->code,
                                           .status = s->status,
                                           .words = s->words,
                                           .partner = s->t->partner,
                                           .retry_at = s->retry_at};
        if (!s->status)
            reason_of(s, r, &items[i]);
    }
    return items;
}

/* REQ-73, 74: the log has date, time, sender and subject, and what was wrong. */
static void trace_add(const struct saying *s, const char *to, const char *notice_id)
{
    struct sg_message *m = s->t->m;
    bool logged = s->kind == SG_NOTICE_NON_DELIVERY || s->kind == SG_NOTICE_RECEIPT;
    sg_trace_add(&m->trace, "notice", s->requirement, "kind", sg_notice_kind_name(s->kind), "to",
                 to, "notice", notice_id, "code", *s->code ? s->code : NULL, "sender",
                 logged ? m->sender : NULL, "subject", logged ? field_text(m, "Subject") : NULL,
                 NULL);
}

static bool seal_once(struct saying *s, struct sg_error *err)
{
    struct sg_notice_original original = original_of(s->t->m);
    if (s->sealed.len)
        return true;
    s->sealed_as = sg_id_new("ntc");
    return sg_notice_seal(s->t->m->gw->hsm, s->sealed_as.text, &original, &s->sealed,
                          &s->wrapped_key, err);
}

/* It outlives the saying. */
static void gather(struct sg_message *m, const struct sg_notice_row *row,
                   const struct sg_notice_item *items, size_t count)
{
    struct sg_notice_post *post = SG_ARENA_NEW(m->arena, struct sg_notice_post);
    *post = (struct sg_notice_post){*row, items, count, m->gathered};
    post->row.id = sg_arena_strdup(m->arena, row->id);
    post->row.sealed_as = sg_arena_strdup(m->arena, row->sealed_as);
    post->row.original = sg_arena_copy(m->arena, row->original);
    post->row.wrapped_key = sg_arena_copy(m->arena, row->wrapped_key);
    m->gathered = post;
}

static bool post(struct saying *s, const char *to, struct sg_error *err)
{
    struct sg_message *m = s->t->m;
    struct sg_id id = sg_id_new("ntc");
    sg_time now = sg_clock_now();
    if (s->t->count == 0)
        return true;
    if (!seal_once(s, err))
        return false;
    struct sg_notice_row row = {.id = id.text,
                                .msg_id = m->msg_id,
                                .tenant_id = m->tenant,
                                .domain_id = s->t->domain->id,
                                .kind = sg_notice_kind_name(s->kind),
                                .recipient = to,
                                .original = sg_buf_bytes(&s->sealed),
                                .wrapped_key = sg_buf_bytes(&s->wrapped_key),
                                .sealed_as = s->sealed_as.text,
                                .created_at = now,
                                .next_try_at = now + m->gw->notice_merge,
                                .received_at = m->received_at};
    if (m->gathers)
        gather(m, &row, items_of(s), s->t->count);
    else if (!sg_notice_add(m->gw->db, &row, items_of(s), s->t->count, err))
        return false;
    trace_add(s, to, id.text);
    return true;
}

/* May the sender be answered? Why not is kept. */
static bool answerable(const struct saying *s)
{
    struct sg_message *m = s->t->m;
    const char *why = sg_notice_no_answer(m->arena, m->sender, &m->headers);
    if (!why && !sg_address_valid(sg_bytes_str(m->return_path)))
        why = "not an address";
    if (why)
        sg_trace_add(&m->trace, "no-notice", "REQ-93", "kind", sg_notice_kind_name(s->kind),
                     "because", why, NULL);
    return !why;
}

static const char *postmaster_of(struct sg_message *m, const char *domain)
{
    return sg_arena_printf(m->arena, "postmaster@%s", domain);
}

static bool policy_load(const struct sg_tell *t, struct sg_domain_policy *policy,
                        struct sg_error *err)
{
    return sg_domain_policy_load(t->m->gw->db, t->m->arena, t->domain->id, policy, err);
}

/* An answer of a customer's server, or a notice, tells nobody. */
static bool from_nobody(const struct sg_tell *t)
{
    return !*t->m->sender;
}

bool sg_tell_delayed(const struct sg_tell *t, const char *code, sg_time retry_at,
                     struct sg_error *err)
{
    SG_AUTO_SAYING s = {.t = t,
                        .kind = SG_NOTICE_DELAYED,
                        .code = code,
                        .requirement = "REQ-57",
                        .status = "4.7.5",
                        .words = "",
                        .retry_at = retry_at};
    struct sg_domain_policy policy;
    const char *postmaster = postmaster_of(t->m, t->domain->name);
    if (from_nobody(t))
        return true;
    if ((answerable(&s) && !post(&s, t->m->return_path, err)) || !policy_load(t, &policy, err))
        return false;
    bool administrator = policy.administrator_notices && *policy.administrator_address &&
                         strcasecmp(policy.administrator_address, postmaster) != 0;
    return post(&s, postmaster, err) && /* table 1 */
           (!administrator || post(&s, policy.administrator_address, err));
}

bool sg_tell_failure(const struct sg_tell *t, const char *code, struct sg_error *err)
{
    SG_AUTO_SAYING s = {.t = t,
                        .kind = SG_NOTICE_FAILURE,
                        .code = code,
                        .requirement = "REQ-42",
                        .status = "5.7.5",
                        .words = ""};
    if (from_nobody(t))
        return true;
    return post(&s, answerable(&s) ? t->m->return_path : postmaster_of(t->m, t->domain->name), err);
}

/* REQ-75, 183: others are told where the domain wants it. */
static bool may_be_told(const struct sg_tell *t, bool authenticated, bool *may_r,
                        struct sg_error *err)
{
    struct sg_domain_policy policy;
    *may_r = authenticated;
    if (authenticated)
        return true;
    if (!policy_load(t, &policy, err))
        return false;
    *may_r = policy.receipts_for_unauthenticated;
    return true;
}

bool sg_tell_undelivered(const struct sg_tell *t, bool authenticated, struct sg_error *err)
{
    SG_AUTO_SAYING s = {
        .t = t, .kind = SG_NOTICE_NON_DELIVERY, .code = "", .requirement = "REQ-74"};
    bool may;
    if (!answerable(&s))
        return true;
    if (!may_be_told(t, authenticated, &may, err))
        return false;
    return !may || post(&s, t->m->return_path, err);
}

bool sg_tell_waiting(const struct sg_tell *t, struct sg_error *err)
{
    SG_AUTO_SAYING s = {.t = t, .kind = SG_NOTICE_WAITING, .code = "", .requirement = "REQ-184"};
    return !answerable(&s) || post(&s, t->m->return_path, err);
}

bool sg_tell_receipt(const struct sg_tell *t, bool authenticated, struct sg_error *err)
{
    SG_AUTO_SAYING s = {.t = t,
                        .kind = SG_NOTICE_RECEIPT,
                        .code = "",
                        .requirement = "REQ-73",
                        .status = "2.0.0",
                        .words = ""};
    bool may;
    if (!answerable(&s) || sg_notice_is_bulk(t->m->arena, &t->m->headers))
        return true;
    if (!may_be_told(t, authenticated, &may, err))
        return false;
    return !may || post(&s, t->m->return_path, err);
}

bool sg_tell_unverified(const struct sg_tell *t, const char *code, struct sg_error *err)
{
    SG_AUTO_SAYING s = {.t = t,
                        .kind = SG_NOTICE_UNVERIFIED,
                        .code = code,
                        .requirement = "REQ-41",
                        .status = "2.0.0",
                        .words = ""};
    return from_nobody(t) || post(&s, postmaster_of(t->m, t->domain->name), err);
}

bool sg_tell_administrator(const struct sg_tell *t, enum sg_notice_kind kind, const char *code,
                           const char *words, struct sg_error *err)
{
    SG_AUTO_SAYING s = {.t = t,
                        .kind = kind,
                        .code = code,
                        .requirement = kind == SG_NOTICE_BREACH ? "REQ-113" : "REQ-110",
                        .status = "5.7.0",
                        .words = words};
    struct sg_domain_policy policy;
    if (!policy_load(t, &policy, err))
        return false;
    if (!policy.administrator_notices)
        return true;
    return post(&s,
                *policy.administrator_address ? policy.administrator_address
                                              : postmaster_of(t->m, t->domain->name),
                err);
}

bool sg_tell_partner(const struct sg_tell *t, const char *partner_domain, struct sg_error *err)
{
    SG_AUTO_SAYING s = {.t = t,
                        .kind = SG_NOTICE_CERTIFICATE,
                        .code = "",
                        .requirement = "REQ-41",
                        .status = "2.0.0",
                        .words = ""};
    return from_nobody(t) || post(&s, postmaster_of(t->m, partner_domain), err);
}
