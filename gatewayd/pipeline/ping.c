#include "pipeline/ping.h"

#include "common/id.h"
#include "common/log.h"
#include "pipeline/even.h"
#include "pipeline/inbound.h"
#include "pipeline/outbound.h"
#include "schema/member_domain.h"
#include "schema/policy.h"
#include "smtp/address.h"

#include <string.h>

bool sg_ping_is(const struct sg_gateway *gw, const char *address)
{
    size_t n = strlen(gw->ping_local_part);
    return strncasecmp(address, gw->ping_local_part, n) == 0 && address[n] == '@' &&
           sg_address_domain(address) == address + n + 1;
}

/* RFC 3834 §2: what was made by a machine is not answered. */
static bool made_by_machine(struct sg_message *m)
{
    const struct sg_header *field = sg_header_find(&m->headers, "Auto-Submitted", 0);
    return field && strncasecmp(sg_header_unfold(m->arena, field), "no", 2) != 0;
}

static bool signer_trusted(const struct sg_inbound_facts *f)
{
    return f->signer != SG_POLICY_CERT_UNTRUSTED && f->signer != SG_POLICY_CERT_UNFIT;
}

/*
 * Is a domain's signature shown to be over what is innermost? If not, then of what is in an
 * envelope nothing is told, not even whether it opened: whoever has somebody else's ciphertext
 * would learn by many pings what it says (Bleichenbacher, Vaudenay).
 */
static bool proved(const struct sg_inbound_facts *f)
{
    bool inside = !f->for_us || (f->opened && !f->malformed && !f->unsupported);
    return inside && f->domain_signed && f->signature_good && f->signer_is_domain &&
           f->signer_names_from && signer_trusted(f);
}

/*
 * Why nobody is answered; NULL: the sender is. From the envelope sender's domain must come what it
 * is told, or a stranger could have any member written to.
 */
static const char *unanswered(struct sg_message *m, const struct sg_inbound_judgement *j)
{
    const struct sg_inbound_facts *f = &j->facts;
    const char *domain = *m->sender ? sg_address_domain(m->sender) : NULL;
    if (!domain)
        return "the null sender is not answered";
    if (made_by_machine(m))
        return "a machine's message is not answered";
    if (!f->from_readable || strcmp(j->from_domain, domain) != 0)
        return "From and the envelope sender name different domains";
    if (f->for_us)
        return NULL;
    if (!f->domain_signed)
        return "neither signed by a domain nor encrypted to this one";
    if (!f->signature_good)
        return "the signature does not fit the message";
    if (!f->signer_is_domain || !f->signer_names_from)
        return "the signer's certificate does not name the domain in From";
    if (!signer_trusted(f))
        return "the signer's certificate is not of a Secure Email CA";
    return NULL;
}

/* To whom the answer is encrypted: the certificate of the domain that is found as for any mail of
 * the one that was asked; where there is none the one that signed, as long as it would be of use to
 * that one if it had come with a mail (REQ-54). */
static bool certificate_find(struct sg_message *m, const struct sg_inbound_judgement *j,
                             const char *relying, struct sg_outbound_group *g, struct sg_error *err)
{
    X509 *signer = proved(&j->facts) ? j->signer : NULL;
    struct sg_domain_policy policy;
    struct sg_cert_harvested harvested;
    if (!sg_domain_policy_load(m->gw->db, m->arena, relying, &policy, err))
        return false;
    struct sg_cert_wanted wanted = sg_outbound_wanted(&policy, g->domain, m->now);
    wanted.relying = relying;
    if (!sg_outbound_discover(m->gw, m->arena, &wanted, &g->found, err))
        return false;
    if (g->found.certificate || !signer)
        return true;
    wanted.dry = true;
    if (!sg_cert_harvest(m->gw->certs, m->arena, signer, j->signer_came_with, &wanted, m->msg_id,
                         &harvested, err))
        return false;
    if (harvested.usable && X509_up_ref(signer))
        g->found.certificate = signer;
    g->found.awaits_approval |= harvested.good && !harvested.usable;
    return true;
}

static void seen_add(const struct sg_inbound_judgement *j, struct sg_buf *out)
{
    const struct sg_inbound_facts *f = &j->facts;
    sg_buf_addf(out, "Signed by a domain: %s\r\n", proved(f) ? "yes" : "no");
    if (proved(f))
        sg_buf_addf(out, "Signer's certificate: %s\r\n", sg_policy_certificate_name(f->signer));
    sg_buf_addf(out, "Encrypted to this domain: %s\r\n", f->for_us ? "yes" : "no");
}

static bool agencies_add(struct sg_message *m, struct sg_buf *out, struct sg_error *err)
{
    const char **names;
    size_t count, most = (size_t)m->gw->ping_agencies;
    if (!most)
        return true;
    if (!sg_member_domain_agencies(m->gw->db, m->arena, m->gw->ping_agencies + 1, &names, &count,
                                   err))
        return false;
    sg_buf_adds(out, "\r\nSEEMail agencies known here:\r\n");
    for (size_t i = 0; i < count && i < most; i++)
        sg_buf_addf(out, "  %s\r\n", names[i]);
    if (count > most)
        sg_buf_adds(out, "  and more\r\n");
    return true;
}

/* REQ-99: the environment's version, our name and version, whom we know. */
static bool answer_write(struct sg_message *m, const struct sg_domain_row *domain,
                         const struct sg_rcpt *rcpt, const struct sg_inbound_judgement *j,
                         struct sg_buf *out, struct sg_error *err)
{
    bool seemail = strcmp(domain->environment, "seemail") == 0;
    const char *message_id = sg_message_message_id(m);
    char date[40], received[40];
    sg_time_rfc5322(m->now, date);
    sg_time_rfc5322(m->received_at, received);
    sg_buf_addf(out,
                "From: %s\r\n"
                "To: %s\r\n"
                "Subject: Secure Email ping answered by %s\r\n"
                "Date: %s\r\n"
                "Message-ID: <%s@%s>\r\n",
                rcpt->normalised, m->return_path, domain->name, date, sg_id_new("png").text,
                m->gw->hostname);
    if (*message_id)
        sg_buf_addf(out, "In-Reply-To: <%s>\r\n", message_id);
    sg_buf_addf(out,
                "Auto-Submitted: auto-replied\r\n"
                "MIME-Version: 1.0\r\n"
                "Content-Type: text/plain; charset=utf-8\r\n"
                "Content-Transfer-Encoding: 8bit\r\n"
                "\r\n"
                "Secure Email ping: the gateway of %s has your message.\r\n"
                "\r\n"
                "Environment: %s\r\n"
                "Software: Sealgate %s\r\n"
                "Received: %s\r\n",
                domain->name, seemail ? "SEEMail 2.0" : "SecureMail 1.0", SG_VERSION, received);
    seen_add(j, out);
    return agencies_add(m, out, err);
}

static const char *unsealed(const struct sg_cert_found *found)
{
    return found->awaits_approval ? "an administrator has yet to approve of the certificate to "
                                    "seal the answer with, or has refused it"
                                  : "there is no valid certificate to seal the answer with";
}

/* The answer as a message of the domain's from the null sender; it is sealed whatever the rules say
 * of its recipient. *unsent_r: why it was not sent; NULL: it was. */
static bool answer_send(struct sg_message *m, const struct sg_inbound_judgement *j,
                        const char *pinged, const struct sg_spool *text, const char **unsent_r,
                        struct sg_error *err)
{
    struct sg_rcpt to = {.address = m->return_path,
                         .normalised = m->sender,
                         .domain = j->from_domain,
                         .outcome = "",
                         .verdict = "",
                         .code = "",
                         .remote = ""};
    struct sg_rcpt *list = &to;
    struct sg_message answer = {.gw = m->gw,
                                .arena = m->arena,
                                .direction = "outbound",
                                .tenant = m->tenant,
                                .msg_id = m->msg_id,
                                .received_at = m->now,
                                .now = m->now,
                                .queue_id = "",
                                .sender = "",
                                .return_path = "",
                                .client_address = "",
                                .client_name = "",
                                .smtputf8 = !sg_address_ascii(m->return_path),
                                .body = text,
                                .rcpts = &to,
                                .rcpt_count = 1,
                                .purpose = sg_arena_printf(m->arena, "answer of %s", pinged)};
    struct sg_outbound o = {0};
    struct sg_outbound_group g = {
        .domain = j->from_domain, .environment = "", .rcpts = &list, .count = 1};
    bool member;
    sg_trace_init(&answer.trace);
    bool ok = sg_header_read(m->arena, text, 0, sg_spool_size(text), &m->gw->headers,
                             &answer.headers, err) &&
              sg_outbound_begin(&o, &answer, true, err) &&
              sg_member_domain_find(m->gw->db, m->arena, g.domain, &g.environment, &member, err) &&
              sg_outbound_own_certificate(&o, err) && certificate_find(m, j, o.own.id, &g, err);
    bool sealed = ok && o.signer && g.found.certificate;
    *unsent_r = sealed ? NULL : unsealed(&g.found);
    if (sealed) {
        if (!member)
            g.environment = "";
        sg_outbound_seal(&o, &g);
        if (!to.decided || strcmp(to.outcome, "delivered") != 0)
            ok =
                sg_fail(err, SG_E_SMTP_DEFERRED, "the answer could not be sent: %.150s", to.remote);
    }
    sg_outbound_group_free(&g);
    sg_outbound_end(&o);
    sg_message_sent_move(&answer, &m->sent);
    sg_trace_free(&answer.trace);
    return ok;
}

static bool answer(struct sg_message *m, const struct sg_domain_row *domain, struct sg_rcpt *rcpt,
                   const struct sg_inbound_judgement *j, struct sg_error *err)
{
    SG_AUTO_BUF text = {0};
    SG_AUTO_SPOOL spool = sg_spool_new(&m->gw->spool);
    const char *why = unanswered(m, j);
    if (!why && (!answer_write(m, domain, rcpt, j, &text, err) ||
                 !sg_spool_write(spool, text.data, text.len, err) ||
                 !answer_send(m, j, rcpt->normalised, spool, &why, err)))
        return false;
    sg_rcpt_decide(rcpt, why ? "discarded" : "delivered",
                   why                 ? ""
                   : proved(&j->facts) ? "verified"
                   : j->facts.opened   ? "opened"
                                       : "unverified",
                   "");
    rcpt->remote = why ? why : "ping answered";
    sg_smtp_reply_set(&rcpt->reply, 250, "2.0.0", "%s ping", m->msg_id);
    sg_trace_add(&m->trace, "ping", "REQ-96", "address", rcpt->normalised, "answered",
                 why ? "no" : "yes", "because", why, NULL);
    return true;
}

void sg_ping_answer(struct sg_message *m, const struct sg_domain_row *domain, struct sg_rcpt *rcpt)
{
    struct sg_inbound_judgement j;
    struct sg_error err = {0};
    if (!sg_domain_active(domain)) {
        sg_fail(&err, SG_E_BUSY, "the domain is suspended");
    } else if (sg_inbound_gather(m, domain, &j, &err)) {
        /* The answer may tell the time as well as a reply. */
        m->even |= j.facts.for_us && !proved(&j.facts);
        sg_even_wait(m);
        bool ok = answer(m, domain, rcpt, &j, &err);
        sg_inbound_judgement_free(&j);
        if (ok)
            return;
    }
    sg_log_error(SG_LOG_WARNING, "ping.deferred", &err, "msg_id", m->msg_id, "tenant", m->tenant,
                 NULL);
    sg_trace_error(&m->trace, "deferred", &err);
    sg_rcpt_defer(rcpt, &err);
}
