#include "pipeline/warning.h"

#include "common/log.h"
#include "notice/notice.h"
#include "pipeline/deliver.h"
#include "pipeline/rewrite.h"
#include "schema/policy.h"
#include "smime/base64.h"

#include <stdlib.h>

/* The text in front and the head of the attachment. */
static void parts_head(const struct sg_plan *plan, const struct sg_domain_policy *policy,
                       const char *boundary, bool opaque, struct sg_buf *out)
{
    sg_buf_addf(out,
                "\r\n--%s\r\n"
                "Content-Type: text/plain; charset=utf-8\r\n"
                "Content-Transfer-Encoding: 8bit\r\n\r\n",
                boundary);
    struct sg_notice_warning warning = {plan->code, plan->explanation, policy->notice_addition,
                                        strcmp(policy->notice_form, "brief") == 0};
    sg_notice_warning_text(&warning, out);
    sg_buf_adds(out, "\r\nThe message is attached.\r\n");
    sg_buf_addf(out, "\r\n--%s\r\n", boundary);
    if (opaque)
        sg_buf_adds(out, "Content-Type: application/octet-stream; name=\"message.eml\"\r\n"
                         "Content-Transfer-Encoding: base64\r\n"
                         "Content-Disposition: attachment; filename=\"message.eml\"\r\n\r\n");
    else
        sg_buf_adds(out, "Content-Type: message/rfc822\r\n"
                         "Content-Transfer-Encoding: 8bit\r\n"
                         "Content-Disposition: attachment; filename=\"message.eml\"\r\n\r\n");
}

/* The attached message: the one that was opened, or the one that came. */
static void attached_pieces(struct sg_message *m, const struct sg_inbound_judgement *j,
                            struct sg_buf *head, struct sg_smtp_piece pieces[2])
{
    bool opened = j->plan.action == SG_ACT_WARN_OPENED && j->is_smime && j->opened.changed;
    if (opened) {
        sg_rewrite_attached(m, &j->opened.headers, head);
        sg_buf_adds(head, "\r\n");
        pieces[1] = (struct sg_smtp_piece){
            .spool = j->opened.body, .offset = j->opened.offset, .len = j->opened.len};
    } else {
        sg_rewrite_attached(m, NULL, head);
        pieces[1] = (struct sg_smtp_piece){
            .spool = m->body, .offset = m->headers.raw.len, .len = UINT64_MAX};
    }
    pieces[0] = (struct sg_smtp_piece){.bytes = sg_buf_bytes(head)};
}

static bool encode_write(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    return sg_base64_encode_write(ctx, data, len, err);
}

static bool encode(const struct sg_smtp_piece *pieces, struct sg_spool *out, struct sg_error *err)
{
    struct sg_base64_encoder encoder;
    struct sg_sink to = sg_spool_sink(out);
    struct sg_sink sink = {encode_write, &encoder};
    sg_base64_encode_begin(&encoder, &to);
    return sg_sink_write(&sink, pieces[0].bytes.data, pieces[0].bytes.len, err) &&
           sg_spool_copy(pieces[1].spool, pieces[1].offset, pieces[1].len, &sink, err) &&
           sg_base64_encode_end(&encoder, err);
}

static void defer_all(struct sg_message *m, struct sg_rcpt **rcpts, size_t count,
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
    SG_AUTO_BUF head = {0};
    SG_AUTO_BUF inner = {0};
    SG_AUTO_SPOOL encoded = NULL;
    struct sg_smtp_piece attached[2];
    struct sg_error err = {0};
    bool opaque = j->plan.action == SG_ACT_WARN_OPENED && j->facts.opened && !j->facts.integrity;
    const char *end = sg_arena_printf(m->arena, "\r\n--%s--\r\n", boundary.text);

    struct sg_domain_policy policy;
    if (!sg_domain_policy_load(m->gw->db, m->arena, domain_id, &policy, &err)) {
        defer_all(m, rcpts, count, &err);
        return;
    }
    sg_rewrite_warning(m, j->plan.code, boundary.text, &head);
    parts_head(&j->plan, &policy, boundary.text, opaque, &head);
    attached_pieces(m, j, &inner, attached);
    struct sg_smtp_piece pieces[4] = {
        {.bytes = sg_buf_bytes(&head)}, attached[0], attached[1], {.bytes = sg_bytes_str(end)}};
    if (opaque) {
        struct sg_spool_limits limits = m->gw->spool;
        limits.max_bytes *= 2;
        encoded = sg_spool_new(&limits);
        if (!encode(attached, encoded, &err)) {
            defer_all(m, rcpts, count, &err);
            return;
        }
        pieces[1] = (struct sg_smtp_piece){.spool = encoded, .len = UINT64_MAX};
        pieces[2] = (struct sg_smtp_piece){.bytes = sg_bytes_of("", 0)};
    }
    sg_trace_add(&m->trace, "warned", j->plan.requirement, "code", j->plan.code, "attached",
                 opaque ? "not rendered" : "as message", NULL);
    sg_deliver_next_hop(m, domain_id, rcpts, count, pieces, 4, "unverified", j->plan.code);
}
