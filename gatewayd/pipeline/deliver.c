#include "pipeline/deliver.h"

#include "common/log.h"
#include "pipeline/egress.h"
#include "pipeline/metrics.h"
#include "pipeline/next_hop.h"
#include "schema/incident.h"

#include <openssl/evp.h>
#include <stdio.h>

static const char **addresses_of(struct sg_message *m, struct sg_rcpt **rcpts, size_t count)
{
    const char **list = SG_ARENA_ARRAY(m->arena, const char *, count + 1);
    for (size_t i = 0; i < count; i++)
        list[i] = rcpts[i]->address;
    return list;
}

static const char *reply_text(struct sg_message *m, const struct sg_smtp_reply *reply)
{
    return sg_arena_printf(m->arena, "%d %s %s", reply->code, reply->enhanced, reply->text);
}

static void defer_all(struct sg_message *m, struct sg_rcpt **rcpts, size_t count,
                      const char *remote, const struct sg_error *err)
{
    sg_log_error(SG_LOG_WARNING, "delivery.deferred", err, "msg_id", m->msg_id, "tenant", m->tenant,
                 "next_hop", remote, NULL);
    sg_trace_error(&m->trace, "delivery.deferred", err);
    for (size_t i = 0; i < count; i++) {
        sg_rcpt_defer(rcpts[i], err);
        rcpts[i]->remote = sg_arena_strdup(m->arena, err->detail);
    }
}

static const char *destination_name(struct sg_message *m, const struct sg_smtp_destination *d)
{
    return sg_arena_printf(m->arena, "%s:[%s]:%d", d->lmtp ? "lmtp" : "smtp", d->host, d->port);
}

/* The same for each try of this message to this recipient, and for nothing else. */
static void sending_id(const struct sg_message *m, const struct sg_rcpt *r,
                       uint8_t id_r[SG_COURIER_ID])
{
    SG_AUTO_BUF text = {0};
    const char *parts[] = {m->direction, m->msg_id, m->purpose ? m->purpose : "", r->normalised};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        sg_buf_add(&text, parts[i], strlen(parts[i]) + 1);
    EVP_Digest(text.data, text.len, id_r, NULL, EVP_sha256(), NULL);
}

/* What an earlier gatewayd's courier heard counts as if we had heard it; what it may hear yet is
 * waited for. False: it is to be sent. */
static bool heard_before(struct sg_message *m, const struct sg_rcpt *r,
                         const uint8_t id[SG_COURIER_ID], struct sg_smtp_reply *reply_r)
{
    switch (sg_courier_fate(m->gw->courier, id)) {
    case SG_COURIER_TAKEN:
        sg_smtp_reply_set(reply_r, 250, "2.0.0",
                          "taken before; gatewayd was killed, its courier heard it");
        sg_log(SG_LOG_INFO, "delivery.heard", "msg_id", m->msg_id, "tenant", m->tenant, NULL);
        sg_trace_add(&m->trace, "not-sent-again", "", "recipient", r->normalised, "because",
                     "the next hop had taken it when gatewayd was killed; its courier heard so",
                     NULL);
        return true;
    case SG_COURIER_PENDING:
        sg_smtp_reply_set(reply_r, 451, "4.4.2", "an earlier sending is not answered yet");
        return true;
    default:
        return false;
    }
}

struct sending {
    const struct sg_smtp_destination *to;
    const struct sg_smtp_piece *pieces;
    size_t piece_count;
    bool notify_never;
};

static bool send_to(struct sg_message *m, const struct sending *s, struct sg_rcpt **rcpts,
                    size_t count, const uint8_t (*ids)[SG_COURIER_ID],
                    struct sg_smtp_reply *replies, struct sg_error *err)
{
    struct sg_smtp_envelope envelope = {.sender = m->return_path,
                                        .recipients = addresses_of(m, rcpts, count),
                                        .recipient_count = count,
                                        .smtputf8 = m->smtputf8,
                                        .body_8bit = true,
                                        .notify_never = s->notify_never};
    return sg_courier_send(m->gw->courier, &m->sent, s->to, &envelope, ids, s->pieces,
                           s->piece_count, replies, err);
}

/* Those are sent to of whom nothing was heard before. */
static bool send_rest(struct sg_message *m, const struct sending *s, struct sg_rcpt **rcpts,
                      size_t count, const uint8_t (*ids)[SG_COURIER_ID],
                      struct sg_smtp_reply *replies, struct sg_error *err)
{
    struct sg_rcpt **rest = SG_ARENA_ARRAY(m->arena, struct sg_rcpt *, count + 1);
    size_t *places = SG_ARENA_ARRAY(m->arena, size_t, count + 1), left = 0;
    uint8_t(*rest_ids)[SG_COURIER_ID] = sg_arena_alloc(m->arena, (count + 1) * sizeof *rest_ids);
    for (size_t i = 0; i < count; i++) {
        if (heard_before(m, rcpts[i], ids[i], &replies[i]))
            continue;
        memcpy(rest_ids[left], ids[i], sizeof *ids);
        places[left] = i;
        rest[left++] = rcpts[i];
    }
    if (left == 0)
        return true;
    struct sg_smtp_reply *found = SG_ARENA_ARRAY(m->arena, struct sg_smtp_reply, left);
    struct sg_error why = {0};
    bool ok = send_to(m, s, rest, left, (const uint8_t(*)[SG_COURIER_ID])rest_ids, found, &why);
    if (!ok && left == count) {
        *err = why;
        return false;
    }
    for (size_t i = 0; i < left; i++) {
        if (!ok)
            sg_smtp_reply_set(&found[i], 451, "4.4.1", "%s", why.detail);
        replies[places[i]] = found[i];
    }
    return true;
}

/*
 * What is sent while the journal takes nothing is owed to it, and known in memory alone: a message
 * that is tried again, whose `received` is there already, would be. Its deferral is the next thing
 * that the journal is asked to take.
 */
static bool may_send(struct sg_message *m, struct sg_error *err)
{
    if (!sg_message_in_time(m, err) || !sg_message_on_disk(m, err))
        return false;
    return sg_journal_takes(m->gw->journal) ||
           sg_fail(err, SG_E_JOURNAL, "what becomes of the message could not be recorded");
}

/* One transaction; replies_r NULL: nobody was answered for, and all are deferred. */
static struct sg_smtp_reply *transact(struct sg_message *m, const struct sending *s,
                                      struct sg_rcpt **rcpts, size_t count, struct sg_error *err)
{
    SG_MEASURE(SG_STAGE_DELIVER);
    uint8_t(*ids)[SG_COURIER_ID] = sg_arena_alloc(m->arena, (count + 1) * sizeof *ids);
    struct sg_smtp_reply *replies = SG_ARENA_ARRAY(m->arena, struct sg_smtp_reply, count + 1);
    for (size_t i = 0; i < count; i++)
        sending_id(m, rcpts[i], ids[i]);
    const uint8_t(*fixed)[SG_COURIER_ID] = (const uint8_t(*)[SG_COURIER_ID])ids;
    if (may_send(m, err) &&
        (sg_courier_knows(m->gw->courier) ? send_rest(m, s, rcpts, count, fixed, replies, err)
                                          : send_to(m, s, rcpts, count, fixed, replies, err)))
        return replies;
    defer_all(m, rcpts, count, destination_name(m, s->to), err);
    return NULL;
}

void sg_deliver_reentry(struct sg_message *m, struct sg_rcpt **rcpts, size_t count,
                        const struct sg_smtp_piece *pieces, size_t piece_count, const char *verdict)
{
    struct sg_error err = {0};
    bool sealed = strcmp(verdict, "sealed") == 0;
    const struct sending s = {sealed ? &m->gw->reentry_sealed : &m->gw->reentry, pieces,
                              piece_count, false};
    struct sg_smtp_reply *replies = transact(m, &s, rcpts, count, &err);
    for (size_t i = 0; replies && i < count; i++) {
        struct sg_rcpt *r = rcpts[i];
        r->remote = reply_text(m, &replies[i]);
        if (replies[i].code / 100 == 2) {
            sg_rcpt_decide(r, "delivered", verdict, "");
            sg_smtp_reply_set(&r->reply, 250, "2.0.0", "%s, sent on as %s", m->msg_id, verdict);
        } else {
            sg_rcpt_decide(r, "deferred", verdict, "");
            sg_smtp_reply_set(&r->reply, 451, "4.3.0", "re-entry refused, will be tried again");
            sg_log(SG_LOG_WARNING, "reentry.refused", "msg_id", m->msg_id, "tenant", m->tenant,
                   "code", sg_log_num(replies[i].code), NULL);
        }
    }
    if (replies)
        sg_trace_add(&m->trace, "sent", "", "to", "Postfix out", "form", verdict, "reply",
                     reply_text(m, &replies[0]), NULL);
}

static void next_hop_answer(struct sg_message *m, struct sg_rcpt *r,
                            const struct sg_smtp_reply *reply, const char *verdict,
                            const char *code)
{
    r->remote = reply_text(m, reply);
    switch (reply->code / 100) {
    case 2:
        sg_rcpt_decide(r, "delivered", verdict, code);
        sg_smtp_reply_set(&r->reply, 250, "2.0.0", "%s delivered", m->msg_id);
        break;
    case 5:
        sg_rcpt_decide(r, "refused", verdict, code);
        sg_smtp_reply_set(&r->reply, 250, "2.0.0", "%s refused by the next hop, sender notified",
                          m->msg_id);
        break;
    default:
        sg_rcpt_decide(r, "deferred", verdict, code);
        sg_smtp_reply_set(&r->reply, 451, reply->enhanced[0] == '4' ? reply->enhanced : "4.4.0",
                          "the next hop said: %d %.180s", reply->code, reply->text);
    }
}

struct outside {
    const struct sg_message *m;
    const char *domain_id, *next_hop;
};

static bool outside_open(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    const struct outside *o = arg;
    char key[80], summary[400];
    snprintf(key, sizeof key, "egress.outside %s", o->domain_id);
    snprintf(summary, sizeof summary,
             "secure mail waits: the next hop %.200s is outside of the egress networks",
             o->next_hop);
    const struct sg_incident_new incident = {.tenant_id = o->m->tenant,
                                             .domain_id = o->domain_id,
                                             .kind = "egress.outside",
                                             .severity = "critical",
                                             .summary = summary,
                                             .dedup_key = key};
    return sg_incident_open(tx, &incident, err);
}

/* REQ-125: it waits in Postfix "in", sealed, until next hop or networks are put right. */
static void outside_tell(struct sg_message *m, const char *domain_id, const char *next_hop)
{
    struct outside o = {m, domain_id, next_hop};
    struct sg_error err = {0};
    sg_trace_add(&m->trace, "egress", "REQ-125", "to", next_hop, "outcome", "deferred", "because",
                 "none of its addresses lies in the egress networks", NULL);
    if (!sg_db_transact(m->gw->db, NULL, outside_open, &o, &err))
        sg_log_error(SG_LOG_WARNING, "egress.incident-failed", &err, "msg_id", m->msg_id, NULL);
}

void sg_deliver_next_hop(struct sg_message *m, const char *domain_id, struct sg_rcpt **rcpts,
                         size_t count, const struct sg_smtp_piece *pieces, size_t piece_count,
                         const char *verdict, const char *code)
{
    struct sg_smtp_destination d;
    struct sg_networks *within = NULL;
    struct sg_error err = {0};
    bool found = false, secure = strcmp(verdict, "plain") != 0;
    if (!sg_next_hop(m->gw, m->arena, domain_id, &d, &found, &err) ||
        (!found && !sg_fail(&err, SG_E_SMTP_CONNECT, "the domain has no next hop")) ||
        (secure && !sg_egress_get(m->gw->egress, &within, &err))) {
        defer_all(m, rcpts, count, "", &err);
        return;
    }
    d.within = within;
    d.owner = m->tenant;
    const struct sending s = {&d, pieces, piece_count, true};
    struct sg_smtp_reply *replies = transact(m, &s, rcpts, count, &err);
    sg_networks_unref(&within);
    if (!replies && err.code == SG_E_EGRESS)
        outside_tell(m, domain_id, destination_name(m, &d));
    for (size_t i = 0; !replies && i < count; i++)
        rcpts[i]->verdict = verdict; /* who may be told, should it expire in Postfix's queue */
    for (size_t i = 0; replies && i < count; i++) {
        next_hop_answer(m, rcpts[i], &replies[i], verdict, code);
        sg_trace_add(&m->trace, "next-hop", "", "to", destination_name(m, &d), "recipient",
                     rcpts[i]->normalised, "outcome", rcpts[i]->outcome, "reply", rcpts[i]->remote,
                     "content",
                     replies[i].undeclared ? "8bit, which it does not offer to take (8BITMIME)"
                                           : NULL,
                     NULL);
    }
}
