/* Sealing: signed once a message, encrypted once a recipient domain, by what its partner can do. */
#include "pipeline/outbound.h"

#include "common/log.h"
#include "pipeline/deliver.h"
#include "pipeline/metrics.h"
#include "pipeline/receive.h"
#include "pipeline/rewrite.h"
#include "schema/partner_capability.h"

static struct sg_smime_entity entity_of(struct sg_outbound *o)
{
    struct sg_message *m = o->m;
    return (struct sg_smime_entity){
        .headers = sg_buf_bytes(&o->entity),
        .body = m->body,
        .offset = m->headers.body_offset,
        .len = sg_spool_size(m->body) - m->headers.body_offset,
    };
}

/* One private operation for the whole message. */
bool sg_outbound_sign(struct sg_outbound *o, struct sg_error *err)
{
    if (o->signature.len)
        return true;
    struct sg_smime_entity entity = entity_of(o);
    struct sg_smime_signer signer = {.certificate = o->signer->certificate,
                                     .chain = o->signer->chain,
                                     .sign = sg_keyring_sign,
                                     .ctx = o->signer};
    return sg_smime_sign(&entity, &signer, o->m->now, &o->signature, err);
}

static bool is_visible(struct sg_outbound *o, const struct sg_rcpt *r)
{
    const char *line = sg_arena_printf(o->m->arena, "\n%s\n", r->normalised);
    return o->visible.len && memmem(o->visible.data, o->visible.len, line, strlen(line)) != NULL;
}

/* The visible recipients in one transaction; each blind copy in its own. */
static bool sealed_send(struct sg_outbound *o, struct sg_outbound_group *g,
                        const struct sg_smtp_piece *pieces, size_t count, struct sg_error *err)
{
    struct sg_rcpt **visible = SG_ARENA_ARRAY(o->m->arena, struct sg_rcpt *, g->count + 1);
    size_t visible_count = 0;
    for (size_t i = 0; i < g->count; i++) {
        if (is_visible(o, g->rcpts[i])) {
            visible[visible_count++] = g->rcpts[i];
            continue;
        }
        sg_deliver_reentry(o->m, &g->rcpts[i], 1, pieces, count, "sealed");
        if (!sg_receive_checkpoint(o->m, err))
            return false;
    }
    if (visible_count)
        sg_deliver_reentry(o->m, visible, visible_count, pieces, count, "sealed");
    return true;
}

/* How one recipient domain is sealed to, and what that was decided by. */
struct sealing {
    struct sg_sealing chosen;
    char capabilities[SG_CAPABILITY_TEXT];
    const char *source;
};

/* REQ-26, 85 */
static bool sealing_choose(struct sg_outbound *o, const struct sg_outbound_group *g,
                           struct sealing *s, struct sg_error *err)
{
    struct sg_message *m = o->m;
    struct sg_partner_capability row;
    bool found;
    if (!sg_partner_capability_find(m->gw->db, m->arena, g->domain, &row, &found, err))
        return false;
    const EVP_PKEY *key = X509_get0_pubkey(g->found.certificate);
    const struct sg_sealing_facts facts = {.capabilities = sg_partner_capabilities(&row),
                                           .ec = key && EVP_PKEY_is_a(key, "EC"),
                                           .allow_weak = o->policy.weak_algorithms};
    s->chosen = sg_policy_sealing(&facts);
    sg_capability_text(facts.capabilities, s->capabilities);
    /* Which mail it was is not said here: it may have been another tenant's. */
    s->source = row.is_by_hand ? "set by hand" : row.signed_at ? "its mail" : "nothing is known";
    return true;
}

static bool sign_and_envelop(struct sg_outbound *o, struct sg_outbound_group *g,
                             const struct sg_sealing *chosen, struct sg_buf *content,
                             struct sg_sink *sink, struct sg_error *err)
{
    SG_MEASURE(SG_STAGE_SEAL);
    static const enum sg_smime_cipher ciphers[] = {
        [SG_SEALING_AES256_GCM] = SG_SMIME_AES256_GCM,
        [SG_SEALING_AES256_CBC] = SG_SMIME_AES256_CBC,
        [SG_SEALING_AES128_GCM] = SG_SMIME_AES128_GCM,
        [SG_SEALING_AES128_CBC] = SG_SMIME_AES128_CBC,
        [SG_SEALING_3DES_CBC] = SG_SMIME_3DES_CBC,
    };
    struct sg_smime_entity entity = entity_of(o);
    const struct sg_smime_recipient recipient = {.certificate = g->found.certificate,
                                                 .oaep = chosen->transport == SG_SEALING_OAEP};
    return sg_outbound_sign(o, err) &&
           sg_smime_envelop(&entity, sg_buf_bytes(&o->signature), &recipient, 1,
                            ciphers[chosen->cipher], content, sink, err);
}

static bool seal(struct sg_outbound *o, struct sg_outbound_group *g, struct sg_error *err)
{
    struct sg_message *m = o->m;
    SG_AUTO_BUF content = {0};
    SG_AUTO_BUF head = {0};
    SG_AUTO_SPOOL sealed = sg_spool_new(&m->gw->spool);
    struct sg_sink sink = sg_spool_sink(sealed);
    struct sealing how;
    if (!sealing_choose(o, g, &how, err) ||
        !sign_and_envelop(o, g, &how.chosen, &content, &sink, err))
        return false;
    sg_rewrite_sealed(m, g->environment, sg_buf_bytes(&content), &head);
    sg_buf_adds(&head, "\r\n");
    sg_trace_add(&m->trace, "sealed", how.chosen.requirement, "recipient_domain", g->domain,
                 "signature", sg_smime_signature_name(o->signer->certificate), "cipher",
                 sg_sealing_cipher_name(how.chosen.cipher), "key_transport",
                 sg_sealing_transport_name(how.chosen.transport), "rule", how.chosen.rule,
                 "because", how.chosen.explanation, "capabilities", how.capabilities, "known_from",
                 how.source, NULL);
    struct sg_smtp_piece pieces[] = {{.bytes = sg_buf_bytes(&head)},
                                     {.spool = sealed, .len = UINT64_MAX}};
    return sealed_send(o, g, pieces, 2, err);
}

void sg_outbound_seal(struct sg_outbound *o, struct sg_outbound_group *group)
{
    struct sg_error err = {0};
    if (seal(o, group, &err))
        return;
    sg_log_error(SG_LOG_ERROR, "seal.failed", &err, "msg_id", o->m->msg_id, "tenant", o->m->tenant,
                 NULL);
    sg_trace_error(&o->m->trace, "seal.failed", &err);
    for (size_t i = 0; i < group->count; i++)
        if (!group->rcpts[i]->decided)
            sg_rcpt_defer(group->rcpts[i], &err);
}
