#include "pipeline/warning.h"

#include "common/log.h"
#include "notice/notice.h"
#include "pipeline/deliver.h"
#include "pipeline/quoted.h"
#include "pipeline/rewrite.h"
#include "smime/base64.h"

#include <stdlib.h>

/* Where the message stands that the warning is about. */
enum form {
    FORM_ATTACHED, /* behind the text, as a message */
    FORM_OPAQUE,   /* … so that no client renders it */
    FORM_PREFIXED, /* its entity, intact, behind the text */
    FORM_SOFT,     /* … before it (REQ-199) */
    FORM_ONLY      /* nowhere (REQ-80) */
};

static enum form form_of(const struct sg_inbound_judgement *j)
{
    switch (j->plan.action) {
    case SG_ACT_WARN_SOFT:
        return FORM_SOFT;
    case SG_ACT_WARN_ONLY:
        return FORM_ONLY;
    case SG_ACT_WARN_OPENED:
        if (j->facts.opened && !j->facts.integrity)
            return FORM_OPAQUE;
        return strcmp(j->policy.unverified_form, "prefixed") == 0 ? FORM_PREFIXED : FORM_ATTACHED;
    default:
        return FORM_ATTACHED;
    }
}

static const char *form_name(enum form form)
{
    static const char *const names[] = {"as message", "not rendered", "behind the text",
                                        "before the text", "no"};
    return names[form];
}

/* What is delivered, a piece behind the other; heads live here, bodies in the spools. */
struct parts {
    char boundary[64];
    struct sg_buf text; /* of all heads, in order: pieces are cut out of it in the end */
    struct {
        size_t from, to;              /* of text; or */
        struct sg_smtp_piece spooled; /* … a range of a spool */
    } list[8];
    size_t count;
};

static void text_end(struct parts *p)
{
    size_t from = 0;
    for (size_t i = 0; i < p->count; i++)
        if (!p->list[i].spooled.spool)
            from = p->list[i].to;
    p->list[p->count].from = from;
    p->list[p->count++].to = p->text.len;
}

static void spool_add(struct parts *p, struct sg_smtp_piece piece)
{
    text_end(p);
    p->list[p->count++].spooled = piece;
}

static void boundary_add(struct parts *p, bool last)
{
    sg_buf_addf(&p->text, "\r\n--%s%s\r\n", p->boundary, last ? "--" : "");
}

static void text_add(struct parts *p, struct sg_message *m, const struct sg_inbound_judgement *j,
                     enum form form)
{
    static const char *const where[] = {"The message is attached.", "The message is attached.",
                                        "The message follows.", "This is about the message above.",
                                        "The message itself is not delivered."};
    boundary_add(p, false);
    sg_buf_adds(&p->text, "Content-Type: text/plain; charset=utf-8\r\n"
                          "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
    SG_AUTO_BUF text = {0};
    struct sg_notice_warning warning = {sg_inbound_codes(m->arena, &j->plan), j->plan.explanation,
                                        j->policy.notice_addition,
                                        strcmp(j->policy.notice_form, "brief") == 0};
    sg_notice_warning_text(&warning, &text);
    sg_buf_addf(&text, "\r\n%s\r\n", where[form]);
    sg_quoted_add(sg_buf_bytes(&text), &p->text);
}

static bool is_opened(const struct sg_inbound_judgement *j)
{
    return j->is_smime && j->opened.changed && j->plan.action != SG_ACT_WARN_ORIGINAL;
}

/* The body of the message: the one that was opened, or the one that came. */
static struct sg_smtp_piece body_of(const struct sg_message *m,
                                    const struct sg_inbound_judgement *j)
{
    if (is_opened(j))
        return (struct sg_smtp_piece){
            .spool = j->opened.body, .offset = j->opened.offset, .len = j->opened.len};
    return (struct sg_smtp_piece){
        .spool = m->body, .offset = m->headers.body_offset, .len = UINT64_MAX};
}

static void entity_add(struct parts *p, const struct sg_message *m,
                       const struct sg_inbound_judgement *j)
{
    boundary_add(p, false);
    sg_rewrite_entity(is_opened(j) ? &j->opened.headers : &m->headers, &p->text);
    sg_buf_adds(&p->text, "\r\n");
    spool_add(p, body_of(m, j));
}

static void message_add(struct parts *p, struct sg_message *m, const struct sg_inbound_judgement *j)
{
    boundary_add(p, false);
    sg_buf_adds(&p->text, "Content-Type: message/rfc822\r\n"
                          "Content-Transfer-Encoding: 8bit\r\n"
                          "Content-Disposition: attachment; filename=\"message.eml\"\r\n\r\n");
    sg_rewrite_attached(m, is_opened(j) ? &j->opened.headers : NULL, &p->text);
    sg_buf_adds(&p->text, "\r\n");
    spool_add(p, body_of(m, j));
}

/* What was decrypted and not proved intact: no client may render it (ARCHITECTURE). */
static bool opaque_add(struct parts *p, struct sg_message *m, const struct sg_inbound_judgement *j,
                       struct sg_spool *encoded, struct sg_error *err)
{
    SG_AUTO_BUF head = {0};
    struct sg_smtp_piece body = body_of(m, j);
    boundary_add(p, false);
    sg_buf_adds(&p->text, "Content-Type: application/octet-stream; name=\"message.eml\"\r\n"
                          "Content-Transfer-Encoding: base64\r\n"
                          "Content-Disposition: attachment; filename=\"message.eml\"\r\n\r\n");
    sg_rewrite_attached(m, is_opened(j) ? &j->opened.headers : NULL, &head);
    sg_buf_adds(&head, "\r\n");
    spool_add(p, (struct sg_smtp_piece){.spool = encoded, .len = UINT64_MAX});
    const struct sg_sink out = sg_spool_sink(encoded);
    return sg_base64_encode_spool(sg_buf_bytes(&head), body.spool, body.offset, body.len, &out,
                                  err);
}

static bool parts_make(struct parts *p, struct sg_message *m, const struct sg_inbound_judgement *j,
                       enum form form, struct sg_spool *encoded, struct sg_error *err)
{
    sg_rewrite_warning(m, j->plan.code, p->boundary, &p->text);
    if (form == FORM_SOFT)
        entity_add(p, m, j);
    text_add(p, m, j, form);
    if (form == FORM_PREFIXED)
        entity_add(p, m, j);
    else if (form == FORM_ATTACHED)
        message_add(p, m, j);
    else if (form == FORM_OPAQUE && !opaque_add(p, m, j, encoded, err))
        return false;
    boundary_add(p, true);
    text_end(p);
    return true;
}

static void defer(struct sg_message *m, struct sg_rcpt **rcpts, size_t count,
                  const struct sg_error *err)
{
    sg_log_error(SG_LOG_ERROR, "warning.failed", err, "msg_id", m->msg_id, NULL);
    for (size_t i = 0; i < count; i++)
        sg_rcpt_defer(rcpts[i], err);
}

void sg_warning_deliver(struct sg_message *m, const char *domain_id, struct sg_rcpt **rcpts,
                        size_t count, const struct sg_inbound_judgement *j)
{
    struct sg_id boundary = sg_id_new("bnd");
    struct sg_spool_limits limits = m->gw->spool;
    struct sg_error err = {0};
    struct parts p = {.count = 0};
    enum form form = form_of(j);
    limits.max_bytes *= 4; /* base64, and what mended line ends have added */
    SG_AUTO_SPOOL encoded = form == FORM_OPAQUE ? sg_spool_new(&limits) : NULL;
    snprintf(p.boundary, sizeof p.boundary, "%s", boundary.text);
    if (!parts_make(&p, m, j, form, encoded, &err)) {
        defer(m, rcpts, count, &err);
        sg_buf_free(&p.text);
        return;
    }
    struct sg_smtp_piece pieces[8];
    for (size_t i = 0; i < p.count; i++) {
        struct sg_bytes text = sg_buf_bytes(&p.text);
        pieces[i] =
            p.list[i].spooled.spool
                ? p.list[i].spooled
                : (struct sg_smtp_piece){
                      .bytes = sg_bytes_slice(text, p.list[i].from, p.list[i].to - p.list[i].from)};
    }
    sg_trace_add(&m->trace, "warned", j->plan.requirement, "code", j->plan.code, "attached",
                 form_name(form), NULL);
    sg_deliver_next_hop(m, domain_id, rcpts, count, pieces, p.count, "unverified", j->plan.code);
    sg_buf_free(&p.text);
}
