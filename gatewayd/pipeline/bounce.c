#include "pipeline/bounce.h"

#include "common/log.h"
#include "pipeline/keep.h"
#include "pipeline/message.h"
#include "schema/domain.h"
#include "schema/message.h"
#include "smtp/address.h"

#define REPORT_MAX ((size_t)262144) /* of a bounce that is read; Postfix's are a few KB */

/* One recipient block of a delivery status (RFC 3464 §2.3). */
struct report {
    const char *queue_id, *recipient, *action, *status, *diagnostic;
};

void sg_bounce_mail(void *gateway, const struct sg_smtp_transaction *t, struct sg_smtp_reply *reply)
{
    (void)gateway;
    /* Mail for a domain that is not ours just now (suspended?) comes here too: it waits. */
    if (*t->sender)
        sg_smtp_reply_set(reply, 451, "4.3.0", "bounces alone, from the null sender");
}

/* The value of "Name: …" where line is such a field; NULL else. "rfc822;" is taken off. */
static const char *field_value(struct sg_arena *arena, struct sg_bytes line, const char *name)
{
    size_t n = strlen(name);
    if (line.len <= n || line.data[n] != ':' || !sg_bytes_iequal(sg_bytes_slice(line, 0, n), name))
        return NULL;
    const char *value = sg_arena_str(arena, sg_bytes_slice(line, n + 1, line.len));
    const char *semicolon = strchr(value, ';');
    if (semicolon && semicolon - value < 12)
        value = semicolon + 1;
    return value + strspn(value, " \t");
}

static struct sg_bytes line_next(struct sg_bytes *rest)
{
    const uint8_t *end = memchr(rest->data, '\n', rest->len);
    size_t len = end ? (size_t)(end - rest->data) + 1 : rest->len;
    struct sg_bytes line = sg_bytes_slice(*rest, 0, len);
    *rest = sg_bytes_slice(*rest, len, rest->len);
    while (line.len && (line.data[line.len - 1] == '\n' || line.data[line.len - 1] == '\r'))
        line.len--;
    return line;
}

static void report_field(struct sg_arena *arena, struct report *r, struct sg_bytes line)
{
    const struct {
        const char *name;
        const char **at;
    } fields[] = {{"Final-Recipient", &r->recipient},
                  {"Action", &r->action},
                  {"Status", &r->status},
                  {"Diagnostic-Code", &r->diagnostic}};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const char *value = field_value(arena, line, fields[i].name);
        if (value)
            *fields[i].at = value;
    }
}

/* Was it found, when it was last tried, that nobody can be said to have sent it? */
static bool unverified(const struct sg_recipient_row *rows, size_t count, const char *recipient)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].recipient, recipient) == 0)
            return strcmp(rows[i].verdict, "unverified") == 0;
    return false;
}

/* The status of a recipient that failed becomes a notice to the original's sender. */
static bool failed_settle(struct sg_gateway *gw, struct sg_arena *arena, const char *sender,
                          const struct report *r, struct sg_error *err)
{
    const char *recipient = sg_address_normalise(arena, r->recipient);
    const char *domain_name = sg_address_domain(recipient);
    struct sg_domain_row domain;
    bool found = false;
    if (!domain_name || !sg_domain_find_by_name(gw->db, arena, domain_name, &domain, &found, err))
        return domain_name == NULL;
    if (!found)
        return true;
    struct sg_message_row row = {0};
    struct sg_recipient_row *recipients = NULL;
    size_t count = 0;
    bool known = false;
    if (!sg_message_find_by_queue(gw->db, arena, r->queue_id, "inbound", domain.tenant_id, &row,
                                  &recipients, &count, &known, err))
        return false;
    const char *normalised = sg_address_normalise(arena, sender);
    if (known && strcmp(row.sender, normalised) != 0)
        return true; /* Postfix reports to the sender alone: this is not about that message */
    struct sg_id fresh = sg_id_new("msg");
    struct sg_rcpt rcpt = {.address = recipient,
                           .normalised = recipient,
                           .domain = domain_name,
                           .remote = r->diagnostic ? r->diagnostic : "not delivered in time"};
    sg_rcpt_decide(&rcpt, "expired", "", "");
    sg_smtp_reply_set(&rcpt.reply, 550, r->status ? r->status : "5.4.7", "expired");
    struct sg_message m = {.gw = gw,
                           .arena = arena,
                           .direction = "inbound",
                           .tenant = domain.tenant_id,
                           .msg_id = known ? row.id : fresh.text,
                           .received_at = known ? row.received_at : sg_clock_now(),
                           .now = sg_clock_now(),
                           .queue_id = r->queue_id,
                           .sender = normalised,
                           .return_path = sender,
                           .rcpts = &rcpt,
                           .rcpt_count = 1};
    struct sg_rcpt *list = &rcpt;
    struct sg_notice_content content;
    sg_trace_init(&m.trace);
    sg_notice_content_of(&m, "non-delivery", "", &list, 1, &content);
    content.from = known ? row.header_from : "";
    content.to = recipient;
    bool ok = strncmp(normalised, "postmaster@", 11) == 0 ||
              (known && unverified(recipients, count, recipient)) ||
              sg_keep_notice(&m, domain.id, sender, &content, err);
    if (ok && known) {
        sg_trace_add(&m.trace, "expired", "REQ-74", "queue_id", r->queue_id, "detail", rcpt.remote,
                     NULL);
        ok = sg_message_record_outcome(&m, err);
    }
    sg_trace_free(&m.trace);
    return ok;
}

static bool block_settle(struct sg_gateway *gw, struct sg_arena *arena, const char *sender,
                         struct report *r, struct sg_error *err)
{
    bool ok = true;
    if (r->recipient && r->action && strcasecmp(r->action, "failed") == 0 && r->queue_id &&
        sg_address_valid(sg_bytes_str(sender)))
        ok = failed_settle(gw, arena, sender, r, err);
    *r = (struct report){.queue_id = r->queue_id};
    return ok;
}

/* Postfix's own mail was received from nobody: no Received field of it says "from". */
static bool made_here(struct sg_arena *arena, const struct sg_header_block *headers)
{
    const struct sg_header *field;
    for (size_t n = 0; (field = sg_header_find(headers, "Received", n)); n++)
        if (strncasecmp(sg_header_unfold(arena, field), "from ", 5) == 0)
            return false;
    return true;
}

/* The lines of the delivery status alone: what else a report holds is a stranger's. */
static bool status_settle(struct sg_gateway *gw, struct sg_arena *arena, const char *sender,
                          struct sg_bytes *rest, const char *end, struct sg_error *err)
{
    struct report r = {0};
    bool ok = true, head = true; /* of the part, up to its first empty line */
    while (ok && rest->len) {
        struct sg_bytes line = line_next(rest);
        if (sg_bytes_starts(line, end))
            break;
        const char *id = head ? NULL : field_value(arena, line, "X-Postfix-Queue-ID");
        if (id)
            r.queue_id = id;
        if (!head)
            report_field(arena, &r, line);
        if (line.len == 0 && !head)
            ok = block_settle(gw, arena, sender, &r, err);
        head = head && line.len > 0;
    }
    return ok && block_settle(gw, arena, sender, &r, err);
}

/* Is the part that begins here the delivery status? Looks at its header alone. */
static bool is_status(struct sg_arena *arena, struct sg_bytes rest)
{
    while (rest.len) {
        struct sg_bytes line = line_next(&rest);
        const char *type = field_value(arena, line, "Content-Type");
        if (line.len == 0)
            return false;
        if (type)
            return strncasecmp(type, "message/delivery-status", 23) == 0 ||
                   strncasecmp(type, "message/global-delivery-status", 30) == 0;
    }
    return false;
}

static bool report_settle(struct sg_gateway *gw, struct sg_smtp_transaction *t,
                          const struct sg_header_block *headers, struct sg_bytes rest,
                          struct sg_error *err)
{
    struct sg_content_type type;
    sg_content_type_parse(t->arena, sg_header_find(headers, "Content-Type", 0), &type);
    const char *boundary = sg_content_type_parameter(&type, "boundary");
    if (strcmp(type.type, "multipart/report") != 0 || !boundary || !*boundary)
        return true;
    const char *mark = sg_arena_printf(t->arena, "--%s", boundary);
    while (rest.len) {
        struct sg_bytes line = line_next(&rest);
        if (sg_bytes_starts(line, mark) && is_status(t->arena, rest))
            return status_settle(gw, t->arena, t->recipients[0].address, &rest, mark, err);
    }
    return true;
}

static bool settle(struct sg_gateway *gw, struct sg_smtp_transaction *t, struct sg_error *err)
{
    size_t size = sg_spool_size(t->body) < REPORT_MAX ? (size_t)sg_spool_size(t->body) : REPORT_MAX;
    size_t n;
    uint8_t *text = sg_arena_alloc(t->arena, size + 1);
    struct sg_header_block headers;
    if (!sg_header_read(t->arena, t->body, 0, size, &gw->headers, &headers, err) ||
        !sg_spool_read(t->body, headers.body_offset, text, size - headers.body_offset, &n, err))
        return false;
    if (!made_here(t->arena, &headers))
        return sg_fail(err, SG_E_BUSY, "no report of Postfix's own: it waits");
    return report_settle(gw, t, &headers, sg_bytes_of(text, n), err);
}

void sg_bounce_message(void *gateway, struct sg_smtp_transaction *t, struct sg_smtp_reply *replies)
{
    struct sg_error err = {0};
    bool ok = settle(gateway, t, &err);
    if (!ok)
        sg_log_error(SG_LOG_WARNING, "bounce.deferred", &err, NULL);
    for (size_t i = 0; i < t->recipient_count; i++) {
        if (ok)
            sg_smtp_reply_set(&replies[i], 250, "2.0.0", "noted");
        else
            sg_smtp_reply_set(&replies[i], 451, "4.3.0", "try again later");
    }
}
