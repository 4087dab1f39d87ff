/* A message of ours that is signed and not encrypted: who asks for a certificate, or gives one, has
 * nothing to encrypt with yet, and nothing to hide. */
#include "pipeline/request.h"

#include "common/id.h"
#include "pipeline/deliver.h"
#include "pipeline/rewrite.h"
#include "schema/member_domain.h"
#include "smime/base64.h"
#include "smtp/address.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <stdlib.h>

/* RFC 8551 §3.5.3.2: the digest that the signature went by. */
static const char *micalg_of(struct sg_bytes signature)
{
    const uint8_t *p = signature.data;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)signature.len);
    CMS_SignerInfo *signer = cms ? sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0) : NULL;
    X509_ALGOR *digest = NULL;
    const ASN1_OBJECT *name = NULL;
    if (signer)
        CMS_SignerInfo_get0_algs(signer, NULL, NULL, &digest, NULL);
    if (digest)
        X509_ALGOR_get0(&name, NULL, NULL, digest);
    int nid = name ? OBJ_obj2nid(name) : NID_undef;
    CMS_ContentInfo_free(cms);
    ERR_clear_error();
    return nid == NID_sha384 ? "sha-384" : nid == NID_sha512 ? "sha-512" : "sha-256";
}

static bool buf_write(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    (void)err;
    return sg_buf_add(ctx, data, len);
}

/* What stands around the entity in a multipart/signed (RFC 1847). */
static bool wrap(struct sg_bytes signature, struct sg_buf *fields, struct sg_buf *before,
                 struct sg_buf *behind, struct sg_error *err)
{
    struct sg_id boundary = sg_id_new("sig");
    struct sg_base64_encoder *encoder = malloc(sizeof *encoder);
    const struct sg_sink sink = {buf_write, behind};
    if (!encoder)
        return sg_fail(err, SG_E_NO_MEMORY, "base64");
    sg_buf_addf(fields,
                "MIME-Version: 1.0\r\n"
                "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\";\r\n"
                "\tmicalg=%s; boundary=\"=_%s\"\r\n",
                micalg_of(signature), boundary.text);
    sg_buf_addf(before, "\r\n--=_%s\r\n", boundary.text);
    sg_buf_addf(behind,
                "\r\n--=_%s\r\nContent-Type: application/pkcs7-signature; name=\"smime.p7s\"\r\n"
                "Content-Transfer-Encoding: base64\r\n"
                "Content-Disposition: attachment; filename=\"smime.p7s\"\r\n\r\n",
                boundary.text);
    sg_base64_encode_begin(encoder, &sink);
    bool ok = sg_base64_encode_write(encoder, signature.data, signature.len, err) &&
              sg_base64_encode_end(encoder, err);
    free(encoder);
    sg_buf_addf(behind, "--=_%s--\r\n", boundary.text);
    return ok;
}

static bool deliver(struct sg_outbound *o, struct sg_rcpt *rcpt, const char *environment,
                    struct sg_error *err)
{
    struct sg_message *m = o->m;
    SG_AUTO_BUF fields = {0}, head = {0}, before = {0}, behind = {0};
    if (!wrap(sg_buf_bytes(&o->signature), &fields, &before, &behind, err))
        return false;
    sg_rewrite_sealed(m, environment, sg_buf_bytes(&fields), &head);
    sg_buf_adds(&before, (const char *)o->entity.data);
    sg_buf_adds(&before, "\r\n");
    struct sg_smtp_piece pieces[] = {
        {.bytes = sg_buf_bytes(&head)},
        {.bytes = sg_buf_bytes(&before)},
        {.spool = m->body, .offset = m->headers.body_offset, .len = UINT64_MAX},
        {.bytes = sg_buf_bytes(&behind)}};
    sg_deliver_reentry(m, &rcpt, 1, pieces, 4, "sealed");
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
                     struct sg_error *err)
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
                           .rcpt_count = 1};
    sg_trace_init(&m.trace);
    bool ok = sg_spool_write(body, text.data, text.len, err) &&
              sg_header_read(arena, body, 0, sg_spool_size(body), &gw->headers, &m.headers, err) &&
              sign_and_deliver(&m, &rcpt, err);
    sg_trace_free(&m.trace);
    return ok;
}
