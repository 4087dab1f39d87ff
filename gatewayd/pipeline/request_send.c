/* A message of ours that is signed and not encrypted: who asks for a certificate, or gives one, has
 * nothing to encrypt with yet, and nothing to hide. */
#include "pipeline/request.h"

#include "pipeline/deliver.h"
#include "pipeline/rewrite.h"
#include "schema/member_domain.h"
#include "smtp/address.h"

static bool deliver(struct sg_outbound *o, struct sg_rcpt *rcpt, const char *environment,
                    struct sg_error *err)
{
    struct sg_message *m = o->m;
    SG_AUTO_BUF fields = {0}, head = {0};
    struct sg_smime_wrapping w = {0};
    bool ok = sg_smime_wrap(sg_buf_bytes(&o->signature), &w, err);
    if (ok) {
        sg_buf_adds(&fields, "MIME-Version: 1.0\r\n");
        sg_buf_add(&fields, w.field.data, w.field.len);
        sg_rewrite_sealed(m, environment, sg_buf_bytes(&fields), &head);
        sg_buf_adds(&head, "\r\n");
        sg_buf_add(&head, w.before.data, w.before.len);
        sg_buf_add(&head, o->entity.data, o->entity.len);
        sg_buf_adds(&head, "\r\n");
        struct sg_smtp_piece pieces[] = {
            {.bytes = sg_buf_bytes(&head)},
            {.spool = m->body, .offset = m->headers.body_offset, .len = UINT64_MAX},
            {.bytes = sg_buf_bytes(&w.behind)}};
        sg_deliver_reentry(m, &rcpt, 1, pieces, 3, "sealed");
    }
    sg_smime_wrapping_free(&w);
    if (!ok)
        return false;
    return (rcpt->decided && strcmp(rcpt->outcome, "delivered") == 0) ||
           sg_fail(err, SG_E_SMTP_DEFERRED, "it could not be sent: %.150s", rcpt->remote);
}

static bool sign_and_deliver(struct sg_message *m, struct sg_rcpt *rcpt, struct sg_error *err)
{
    struct sg_outbound o;
    const char *environment = "";
    bool member = false;
    bool ok = sg_outbound_begin(&o, m, true, err) && sg_outbound_own_certificate(&o, err) &&
              sg_member_domain_find(m->gw->db, m->arena, rcpt->domain, &environment, &member, err);
    if (ok && !o.signer)
        ok = sg_fail(err, SG_E_CERT_NONE, "our own domain has no valid certificate");
    ok = ok && sg_outbound_sign(&o, err) && deliver(&o, rcpt, member ? environment : "", err);
    sg_outbound_end(&o);
    return ok;
}

bool sg_request_send(struct sg_gateway *gw, struct sg_arena *arena,
                     const struct sg_request_envelope *envelope, struct sg_bytes text,
                     struct sg_courier_sent **sent, struct sg_error *err)
{
    SG_AUTO_SPOOL body = sg_spool_new(&gw->spool);
    struct sg_rcpt rcpt = {.address = envelope->recipient,
                           .normalised = sg_address_normalise(arena, envelope->recipient),
                           .outcome = "",
                           .verdict = "",
                           .code = "",
                           .remote = ""};
    rcpt.domain = sg_address_domain(rcpt.normalised);
    if (!rcpt.domain)
        return sg_fail(err, SG_E_INVALID, "the recipient has no domain");
    struct sg_message m = {.gw = gw,
                           .arena = arena,
                           .direction = "outbound",
                           .tenant = envelope->tenant,
                           .msg_id = envelope->msg_id,
                           .received_at = sg_clock_now(),
                           .now = sg_clock_now(),
                           .queue_id = "",
                           .sender = sg_address_normalise(arena, envelope->return_path),
                           .return_path = envelope->return_path,
                           .client_address = "",
                           .client_name = "",
                           .smtputf8 = !sg_address_ascii(envelope->recipient),
                           .body = body,
                           .rcpts = &rcpt,
                           .rcpt_count = 1,
                           .purpose = envelope->purpose};
    sg_trace_init(&m.trace);
    bool ok = sg_spool_write(body, text.data, text.len, err) &&
              sg_header_read(arena, body, 0, sg_spool_size(body), &gw->headers, &m.headers, err) &&
              sign_and_deliver(&m, &rcpt, err);
    sg_message_sent_move(&m, sent);
    sg_trace_free(&m.trace);
    return ok;
}
