#include "pipeline/bounce.h"

#include "common/log.h"
#include "pipeline/message.h"
#include "pipeline/receive.h"
#include "pipeline/tell.h"
#include "schema/domain.h"
#include "schema/message.h"
#include "smtp/address.h"

#include <openssl/evp.h>

#define REPORT_MAX ((size_t)262144) /* of a bounce that is read; Postfix's are a few KB */

void sg_bounce_mail(void *gateway, const struct sg_smtp_transaction *t, struct sg_smtp_reply *reply)
{
    (void)gateway;
    /* Mail for a domain that is not ours just now (suspended?) comes here too: it waits. */
    if (*t->sender)
        sg_smtp_reply_set(reply, 451, "4.3.0", "bounces alone, from the null sender");
}

/* Whose message it was, as far as the retention log knows. */
struct subject {
    struct sg_domain_row domain;
    struct sg_message_row row;
    struct sg_recipient_row *recipients;
    size_t count;
    bool ours, known, sender_is_ours;
};

/*
 * Of a message that was never judged. Where Postfix had no connection (this gateway was away for as
 * long as the message was kept) the sender shall know: no stranger can choose that. But a stranger
 * can choose what we answer 4xx or refuse, and whom it names as its sender (REQ-75).
 */
static bool benefit_of_doubt(const struct subject *s, const struct sg_notice_failure *failure)
{
    return s->sender_is_ours || (strcmp(failure->status, "4.4.1") == 0 && !failure->replied);
}

/* Was it shown to come from who it says, and is that the domain that gets the report? */
static bool authenticated(const struct subject *s, const char *recipient,
                          const struct sg_notice_failure *failure)
{
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->recipients[i].recipient, recipient) != 0 || !*s->recipients[i].verdict)
            continue;
        const char *from = sg_address_domain(s->row.header_from);
        return strcmp(s->recipients[i].verdict, "verified") == 0 && from &&
               strcmp(from, s->row.sender_domain) == 0;
    }
    return benefit_of_doubt(s, failure);
}

/* The id of a message that never came here: the same whenever Postfix reports of it. */
static struct sg_id id_of_unknown(const char *queue_id, const char *tenant, const char *sender)
{
    SG_AUTO_BUF text = {0};
    uint8_t digest[EVP_MAX_MD_SIZE] = {0};
    sg_buf_addf(&text, "%s/%s/%s", queue_id, tenant, sender);
    EVP_Digest(text.data, text.len, digest, NULL, EVP_sha256(), NULL);
    return sg_id_from("msg", digest);
}

/* Its header as Postfix returns it: what is shown of it, and whether it may be answered. */
static void headers_set(struct sg_message *m, const struct sg_notice_report *report)
{
    m->headers.count = report->field_count;
    m->headers.fields = SG_ARENA_ARRAY(m->arena, struct sg_header, report->field_count + 1);
    for (size_t i = 0; i < report->field_count; i++)
        m->headers.fields[i] = (struct sg_header){.name = sg_bytes_str(report->fields[i].name),
                                                  .value = sg_bytes_str(report->fields[i].value)};
}

static bool subject_find(struct sg_gateway *gw, struct sg_arena *arena, const char *queue_id,
                         const char *domain_name, const char *sender, struct subject *s,
                         struct sg_error *err)
{
    struct sg_domain_row of_sender;
    return sg_domain_find_by_name(gw->db, arena, domain_name, &s->domain, &s->ours, err) &&
           (!s->ours ||
            (sg_domain_find_by_name(gw->db, arena, sg_address_domain(sender), &of_sender,
                                    &s->sender_is_ours, err) &&
             sg_message_find_by_queue(gw->db, arena, queue_id, "inbound", s->domain.tenant_id,
                                      &s->row, &s->recipients, &s->count, &s->known, err)));
}

/* One recipient that failed becomes a notice to the original's sender, and an outcome. */
static bool failed_settle(struct sg_gateway *gw, struct sg_arena *arena, const char *sender,
                          const struct sg_notice_report *report,
                          const struct sg_notice_failure *failure, struct sg_error *err)
{
    const char *recipient = sg_address_normalise(arena, failure->recipient);
    const char *normalised = sg_address_normalise(arena, sender);
    const char *domain_name = sg_address_domain(recipient);
    struct subject s = {0};
    if (!domain_name || !sg_address_valid(sg_bytes_str(failure->recipient)))
        return true;
    if (!subject_find(gw, arena, report->queue_id, domain_name, normalised, &s, err))
        return false;
    /* Postfix reports to the sender alone: a report to another is not about that message. */
    if (!s.ours || (s.known && strcmp(s.row.sender, normalised) != 0))
        return true;
    struct sg_id unknown = id_of_unknown(report->queue_id, s.domain.tenant_id, normalised);
    struct sg_rcpt rcpt = {
        .address = failure->recipient,
        .normalised = recipient,
        .domain = domain_name,
        .remote = sg_arena_printf(arena, "%d %s expired in the queue", 450, failure->status)};
    struct sg_rcpt *list = &rcpt;
    struct sg_message m = {.gw = gw,
                           .arena = arena,
                           .direction = "inbound",
                           .tenant = s.domain.tenant_id,
                           .msg_id = s.known ? s.row.id : unknown.text,
                           .received_at = s.known ? s.row.received_at : sg_clock_now(),
                           .now = sg_clock_now(),
                           .queue_id = report->queue_id,
                           .sender = normalised,
                           .return_path = sender,
                           .rcpts = &rcpt,
                           .rcpt_count = 1};
    struct sg_tell tell = {.m = &m, .domain = &s.domain, .rcpts = &list, .count = 1, .partner = ""};
    sg_rcpt_decide(&rcpt, "expired", "", "");
    sg_trace_init(&m.trace);
    headers_set(&m, report);
    bool ok = sg_tell_undelivered(&tell, authenticated(&s, recipient, failure), err);
    if (ok && s.known) {
        sg_trace_add(&m.trace, "expired", "REQ-74", "queue_id", report->queue_id, "status",
                     failure->status, NULL);
        ok = sg_message_record_outcome(&m, err);
    }
    sg_trace_free(&m.trace);
    return ok;
}

/* Postfix's own mail was received from nobody: no Received field of it says "from". */
static bool made_here(struct sg_arena *arena, const struct sg_header_block *headers)
{
    const struct sg_header *field = NULL;
    while ((field = sg_header_next(headers, "Received", field)))
        if (strncasecmp(sg_header_unfold(arena, field), "from ", 5) == 0)
            return false;
    return true;
}

static bool report_settle(struct sg_gateway *gw, struct sg_smtp_transaction *t,
                          const struct sg_notice_report *report, struct sg_error *err)
{
    const char *sender = t->recipients[0].address;
    if (!*report->queue_id || !sg_address_valid(sg_bytes_str(sender)))
        return true;
    for (size_t i = 0; i < report->failure_count; i++)
        if (!failed_settle(gw, t->arena, sender, report, &report->failures[i], err))
            return false;
    return true;
}

static bool settle(struct sg_gateway *gw, struct sg_smtp_transaction *t, struct sg_error *err)
{
    size_t size = sg_spool_size(t->body) < REPORT_MAX ? (size_t)sg_spool_size(t->body) : REPORT_MAX;
    size_t n;
    uint8_t *text = sg_arena_alloc(t->arena, size + 1);
    struct sg_header_block headers;
    struct sg_notice_report report;
    if (!sg_header_read(t->arena, t->body, 0, size, &gw->headers, &headers, err) ||
        !sg_spool_read(t->body, headers.body_offset, text, size - headers.body_offset, &n, err))
        return false;
    if (!made_here(t->arena, &headers))
        return sg_fail(err, SG_E_BUSY, "no report of Postfix's own: it waits");
    sg_notice_report_read(t->arena, &headers, sg_bytes_of(text, n), &report);
    return report_settle(gw, t, &report, err);
}

static void message(struct sg_gateway *gw, struct sg_smtp_transaction *t,
                    struct sg_smtp_reply *replies)
{
    struct sg_error err = {0};
    sg_db_fresh(gw->db);
    bool ok = settle(gw, t, &err);
    if (!ok)
        sg_log_error(SG_LOG_WARNING, "bounce.deferred", &err, NULL);
    for (size_t i = 0; i < t->recipient_count; i++) {
        if (ok)
            sg_smtp_reply_set(&replies[i], 250, "2.0.0", "noted");
        else
            sg_smtp_reply_set(&replies[i], 451, "4.3.0", "try again later");
    }
}

void sg_bounce_message(void *gateway, struct sg_smtp_transaction *t, struct sg_smtp_reply *replies)
{
    sg_receive_guarded(SG_CRASH_BOUNCE, message, gateway, t, replies);
}
