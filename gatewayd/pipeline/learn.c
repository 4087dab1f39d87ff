#include "pipeline/learn.h"

#include "common/log.h"
#include "pipeline/outbound.h"
#include "schema/partner_capability.h"
#include "smime/capabilities.h"

#include <openssl/evp.h>

/* docs/decisions/0013: what was signed earlier, or by a clock that is further ahead, is not heeded;
 * and so long the time of a signature that says nothing new is not written down. */
#define SIGNED_AGO   (14 * SG_DAY)
#define SIGNED_AHEAD (3600 * SG_SECOND)
#define REMEMBERED   (6 * 3600 * SG_SECOND)

/*
 * REQ-72 and the note at 190: whoever seals to us is sealed to. false: the certificate is not good
 * for everybody, and nothing is to be learned.
 */
static bool certificate_learn(struct sg_message *m, const struct sg_inbound_judgement *j)
{
    struct sg_error err = {0};
    struct sg_cert_harvested h;
    struct sg_cert_wanted wanted = sg_outbound_wanted(&j->policy, j->from_domain, m->now);
    if (!sg_cert_harvest(m->gw->certs, m->arena, j->signer, j->signer_came_with, &wanted, m->msg_id,
                         &h, &err)) {
        sg_log_error(SG_LOG_WARNING, "harvest.failed", &err, "msg_id", m->msg_id, NULL);
        return false;
    }
    if (h.kept)
        sg_trace_add(&m->trace, "harvested", "REQ-50", "domain", j->from_domain, "state",
                     !h.usable ? "to be approved"
                     : wanted.change == SG_CERT_PIN
                         ? "kept; a known one stays in use until it lapses"
                         : "in use",
                     NULL);
    return h.good;
}

/* NULL: it may be heeded. */
static const char *time_unfit(const struct sg_message *m, sg_time signed_at)
{
    return !signed_at                          ? "it does not say when it was signed"
           : signed_at > m->now + SIGNED_AHEAD ? "it was signed in the future"
           : signed_at < m->now - SIGNED_AGO   ? "it was signed too long ago"
                                               : NULL;
}

static bool lesson_store(struct sg_message *m, const struct sg_inbound_judgement *j,
                         uint32_t capabilities, const char **outcome_r, struct sg_error *err)
{
    uint8_t sha256[32];
    bool learned;
    struct sg_partner_lesson lesson = {.domain = j->from_domain,
                                       .capabilities = capabilities,
                                       .signed_at = j->signature->signing_time,
                                       .now = m->now,
                                       .origin = m->msg_id,
                                       .sha256 = sg_bytes_of(sha256, sizeof sha256)};
    if (!X509_digest(j->signer, EVP_sha256(), sha256, NULL))
        return sg_fail_openssl(err, SG_E_CRYPTO, "digest");
    if (!sg_partner_capability_learn(m->gw->db, &lesson, &learned, err))
        return false;
    *outcome_r = learned ? "learned" : "the certificate is not in use, or a newer mail is known";
    return true;
}

/* *outcome_r NULL: nothing new. */
static bool capabilities_learn(struct sg_message *m, const struct sg_inbound_judgement *j,
                               uint32_t capabilities, const char **outcome_r, struct sg_error *err)
{
    struct sg_partner_capability known;
    bool found;
    sg_time signed_at = j->signature->signing_time;
    *outcome_r = time_unfit(m, signed_at);
    if (*outcome_r)
        return true;
    if (!sg_partner_capability_find(m->gw->db, m->arena, j->from_domain, &known, &found, err))
        return false;
    bool same = found && known.signed_at && known.learned == capabilities;
    if (same && signed_at < known.signed_at + REMEMBERED)
        return true;
    if (found && signed_at <= known.signed_at) {
        *outcome_r = "a newer mail says otherwise";
        return true;
    }
    return lesson_store(m, j, capabilities, outcome_r, err);
}

void sg_learn(struct sg_message *m, const struct sg_inbound_judgement *j)
{
    struct sg_error err = {0};
    const char *outcome = NULL;
    char text[SG_CAPABILITY_TEXT];
    if (!*j->signer_domain || !j->signer || !certificate_learn(m, j))
        return;
    uint32_t capabilities = sg_smime_capabilities_parse(j->signature->capabilities);
    if (!capabilities)
        return;
    if (!capabilities_learn(m, j, capabilities, &outcome, &err))
        sg_log_error(SG_LOG_WARNING, "capabilities.failed", &err, "msg_id", m->msg_id, NULL);
    else if (outcome) {
        sg_capability_text(capabilities, text);
        sg_trace_add(&m->trace, "capabilities", "REQ-84", "domain", j->from_domain, "says", text,
                     "outcome", outcome, NULL);
    }
}
