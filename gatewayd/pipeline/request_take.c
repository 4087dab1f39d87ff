/*
 * Taking the answers to our requests. Who sent one says nothing: each certificate in it is judged
 * as one that a directory brought, for the domain that it names, and only where that was asked.
 */
#include "common/log.h"
#include "pipeline/inbound.h"
#include "pipeline/request.h"
#include "request/request.h"
#include "schema/certificate_request.h"

#include <openssl/x509v3.h>
#include <stdlib.h>

struct taking {
    struct sg_message *m;
    const struct sg_domain_row *domain;
    struct sg_domain_policy policy;
    STACK_OF(X509) *came;
    size_t taken, looked_at;
};

static void tell(struct taking *t, const char *partner, X509 *x, const char *state, const char *why)
{
    char *serial = i2s_ASN1_INTEGER(NULL, X509_get_serialNumber(x));
    sg_trace_add(&t->m->trace, "certificate-answer", "REQ-44", "domain", partner, "serial", serial,
                 "state", state, "detail", why, NULL);
    OPENSSL_free(serial);
}

/* Why it was not kept: it is not good, or it was known. */
static bool refusal(struct taking *t, const char *partner, X509 *x, struct sg_error *err)
{
    struct sg_cert_facts facts;
    struct sg_cert_question question = {.certificate = x,
                                        .untrusted = t->came,
                                        .use = SG_CERT_ENCRYPT,
                                        .domain = partner,
                                        .relying = t->domain->id,
                                        .ours = t->domain->id,
                                        .now = t->m->now};
    if (!sg_cert_check(t->m->gw->certs, t->m->arena, &question, &facts, err))
        return false;
    bool valid = facts.status == SG_CERT_VALID;
    tell(t, partner, x, valid ? "known" : "refused", valid ? "it was known already" : facts.detail);
    return true;
}

static bool take(struct taking *t, X509 *x, struct sg_error *err)
{
    struct sg_message *m = t->m;
    const char *partner = sg_cert_authority_of(m->arena, x); /* it is judged by that afterwards */
    struct sg_cert_harvested harvested;
    bool asked = false;
    if (!partner)
        return true; /* a CA's, or somebody's */
    t->looked_at++;
    if (!sg_certificate_request_find(m->gw->db, partner, t->domain->id, &asked, err))
        return false;
    if (!asked) {
        tell(t, partner, x, "refused", "this domain did not ask for it");
        return true;
    }
    struct sg_cert_wanted wanted = sg_outbound_wanted(&t->policy, partner, m->now);
    wanted.relying = t->domain->id;
    if (!sg_cert_harvest(m->gw->certs, m->arena, x, t->came, &wanted, m->msg_id, &harvested, err))
        return false;
    if (!harvested.kept)
        return refusal(t, partner, x, err);
    t->taken++;
    tell(t, partner, x, harvested.usable ? "in use" : "to be approved",
         harvested.usable || harvested.waits ? NULL : "it waits already, or was refused");
    return sg_certificate_request_answered(m->gw->db, partner, m->now, err);
}

/* Of what was opened, or of the message as it came; so much of it as an answer may have. */
static bool certificates_read(struct taking *t, const struct sg_inbound_judgement *j,
                              struct sg_error *err)
{
    struct sg_message *m = t->m;
    bool opened = j->is_smime && j->opened.changed;
    const struct sg_spool *spool = opened ? j->opened.body : m->body;
    uint64_t offset = opened ? j->opened.offset : m->headers.body_offset;
    uint64_t len = opened ? j->opened.len : sg_spool_size(m->body) - offset;
    const struct sg_request_limits *limits = &m->gw->request;
    size_t got = 0, most = len < limits->max_bytes ? (size_t)len : limits->max_bytes;
    uint8_t *body = malloc(most + 1);
    if (!body)
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    sg_budget_begin(&m->budget, m->gw->message_cpu_ms);
    bool ok = sg_spool_read(spool, offset, body, most, &got, err);
    if (ok)
        t->came = sg_request_certificates(m->arena, opened ? &j->opened.headers : &m->headers,
                                          sg_bytes_of(body, got), limits, &m->budget);
    free(body);
    return ok && (t->came || sg_fail(err, SG_E_NO_MEMORY, "certificates"));
}

static bool take_all(struct taking *t, struct sg_error *err)
{
    for (int i = 0; i < sk_X509_num(t->came); i++)
        if (!take(t, sk_X509_value(t->came, i), err))
            return false;
    return true;
}

bool sg_request_take(struct sg_message *m, const struct sg_domain_row *domain, struct sg_rcpt *rcpt,
                     struct sg_error *err)
{
    struct sg_inbound_judgement j;
    struct taking t = {.m = m, .domain = domain};
    if (!sg_inbound_gather(m, domain, &j, err))
        return false;
    m->even |= j.facts.for_us; /* whatever was found in it */
    bool ok = sg_domain_policy_load(m->gw->db, m->arena, domain->id, &t.policy, err) &&
              certificates_read(&t, &j, err) && take_all(&t, err);
    if (ok) {
        sg_rcpt_decide(rcpt, t.taken ? "delivered" : "discarded", "", "");
        rcpt->remote = t.taken       ? "certificate taken"
                       : t.looked_at ? "no certificate in it was taken"
                                     : "no domain's certificate in it";
        sg_trace_add(&m->trace, "certificate-answer", "REQ-44", "address", rcpt->normalised,
                     "taken", t.taken ? "yes" : "no", "because", t.taken ? NULL : rcpt->remote,
                     NULL);
    }
    sk_X509_pop_free(t.came, X509_free);
    sg_inbound_judgement_free(&j);
    return ok;
}
