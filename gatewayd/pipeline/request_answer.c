/*
 * Answering a member's request for our certificate. It is nobody's secret; what is guarded is that
 * nobody is written to who did not ask. So the signature must prove the domain that is answered,
 * under a trusted chain; and since no signature covers the envelope, it must be a new one, for each
 * answer: a request that somebody captured brings nothing a second time. Revocation lists alone may
 * be missing: they are where directories are, and that these are away is what requests are for.
 */
#include "common/id.h"
#include "common/log.h"
#include "notice/notice.h"
#include "pipeline/inbound.h"
#include "pipeline/request.h"
#include "request/request.h"
#include "schema/certificate_request.h"
#include "schema/exception.h"
#include "smtp/address.h"

#define DCA "domain-confidentiality-authority@"

static bool signer_proved(const struct sg_inbound_facts *f)
{
    return f->domain_signed && f->signature_good && f->signer_is_domain && f->signer_names_from &&
           (f->signer == SG_POLICY_CERT_VALID || f->signer == SG_POLICY_CERT_UNKNOWN);
}

/* NULL: the signature is of our days. */
static const char *time_unfit(const struct sg_message *m, sg_time signed_at)
{
    return !signed_at ? "the signature does not say when it was made"
           : signed_at > m->now + m->gw->request_ahead ? "it was signed in the future"
           : signed_at < m->now - m->gw->request_age   ? "it was signed too long ago"
                                                       : NULL;
}

/* Why nobody is answered; NULL: the sender is. */
static const char *unanswered(struct sg_message *m, const struct sg_domain_row *domain,
                              const struct sg_inbound_judgement *j)
{
    const char *from = *m->sender ? sg_address_domain(m->sender) : NULL;
    const char *why = sg_notice_no_answer(m->arena, m->sender, &m->headers);
    const struct sg_header *subject = sg_header_find(&m->headers, "Subject", 0);
    const char *target =
        sg_request_target(m->arena, subject ? sg_header_unfold(m->arena, subject) : "");
    if (why)
        return why;
    if (!from || !j->facts.from_readable || strcmp(j->from_domain, from) != 0)
        return "From and the envelope sender name different domains";
    if (strcmp(target, sg_arena_printf(m->arena, DCA "%s", domain->name)) != 0)
        return "the subject is not the address of this domain's certificate";
    if (!signer_proved(&j->facts))
        return sg_arena_printf(m->arena,
                               "no good signature of the domain in From (certificate: %s)",
                               sg_policy_certificate_name(j->facts.signer));
    return time_unfit(m, j->signature->signing_time);
}

static bool listed(struct sg_message *m, const struct sg_domain_row *domain,
                   const struct sg_inbound_judgement *j, bool *listed_r, struct sg_error *err)
{
    size_t count = 0;
    *listed_r = j->facts.from_member;
    if (*listed_r)
        return true;
    if (!sg_exception_count(m->gw->db, m->arena, domain->id, &j->from_domain, 1, m->now, &count,
                            err))
        return false;
    *listed_r = count > 0;
    return true;
}

static bool send(struct sg_message *m, const struct sg_domain_row *domain,
                 const struct sg_keyring_item *own, struct sg_error *err)
{
    SG_AUTO_BUF text = {0};
    struct sg_id id = sg_id_new("crq");
    struct sg_request_mail mail = {.id = id.text,
                                   .hostname = m->gw->hostname,
                                   .from_domain = domain->name,
                                   .to = m->return_path,
                                   .in_reply_to = sg_message_message_id(m),
                                   .date = m->now};
    struct sg_request_envelope envelope = {
        .tenant = m->tenant,
        .msg_id = m->msg_id,
        .purpose = sg_arena_printf(m->arena, "answer of %s", domain->name),
        .return_path = "", /* RFC 3834 §3.3 */
        .recipient = m->return_path};
    return sg_request_answer_write(&mail, own->certificate, own->chain, &text, err) &&
           sg_request_send(m->gw, m->arena, &envelope, sg_buf_bytes(&text), &m->sent, err);
}

/* *why_r: not answered after all. */
static bool answer(struct sg_message *m, const struct sg_domain_row *domain,
                   const struct sg_inbound_judgement *j, const char **why_r, struct sg_error *err)
{
    SG_AUTO_KEYRING keyring = {0};
    struct sg_keyring_item *own = NULL;
    struct sg_cert_facts facts = {0};
    bool may = false, is_listed = false;
    const struct sg_certificate_answer row = {.domain_id = domain->id,
                                              .tenant_id = domain->tenant_id,
                                              .partner = j->from_domain,
                                              .answered_at = m->now,
                                              .signed_at = j->signature->signing_time};
    if (!listed(m, domain, j, &is_listed, err) ||
        !sg_keyring_load(m->gw, m->arena, domain->id, domain->name, &keyring, err) ||
        !sg_keyring_signer(&keyring, m->arena, m->now, &own, &facts, err))
        return false;
    if (!is_listed || !own) {
        *why_r = is_listed ? "this domain has no valid certificate itself"
                           : "the domain in From takes no part in Secure Email";
        return true;
    }
    if (!sg_certificate_answer_claim(m->gw->db, &row, m->now - m->gw->request_answer_every, &may,
                                     err))
        return false;
    if (!may) {
        *why_r = "this domain was answered a short while ago, or a request "
                 "that was signed no earlier than this one was";
        return true;
    }
    if (send(m, domain, own, err))
        return true;
    struct sg_error again = {0};
    if (!sg_certificate_answer_release(m->gw->db, &row, &again))
        sg_log_error(SG_LOG_WARNING, "request.not_released", &again, "msg_id", m->msg_id, NULL);
    return false;
}

bool sg_request_answer(struct sg_message *m, const struct sg_domain_row *domain,
                       struct sg_rcpt *rcpt, struct sg_error *err)
{
    struct sg_inbound_judgement j;
    if (!sg_inbound_gather(m, domain, &j, err))
        return false;
    m->even |= j.facts.for_us; /* whatever was found in it */
    const char *why = unanswered(m, domain, &j);
    bool proved = signer_proved(&j.facts), ok = why || answer(m, domain, &j, &why, err);
    if (ok) {
        sg_rcpt_decide(rcpt, why ? "discarded" : "delivered", proved ? "verified" : "unverified",
                       "");
        rcpt->remote = why ? why : "request answered";
        sg_trace_add(&m->trace, "certificate-request", "REQ-44", "address", rcpt->normalised,
                     "answered", why ? "no" : "yes", "because", why, NULL);
    }
    sg_inbound_judgement_free(&j);
    return ok;
}
