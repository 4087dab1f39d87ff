#include "domain/domain_internal.h"

#include "common/id.h"
#include "schema/domain.h"
#include "schema/next_hop.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct send {
    struct sg_job *job;
    const struct sg_ownership *ownership;
    struct sg_domain_row domain;
    struct sg_next_hop_row hop;
    char code[9];
    uint8_t hash[32];
};

static bool target_find(struct send *s, struct sg_error *err)
{
    const char *id;
    bool found, hop;
    if (!sg_job_string(s->job, "domain_id", &id, err) ||
        !sg_domain_find(s->job->db, s->job->arena, id, &s->domain, &found, err) ||
        !sg_next_hop_find(s->job->db, s->job->arena, id, &s->hop, &hop, err))
        return false;
    if (!found)
        return sg_fail(err, SG_E_NOT_FOUND, "there is no such domain");
    /* Only to where the domain's owner wants its mail: nobody else's servers are written to. */
    if (!sg_domain_active(&s->domain))
        return sg_fail(err, SG_E_CONFLICT, "the domain is %s", s->domain.state);
    return hop || sg_fail(err, SG_E_CONFLICT, "the domain has no next hop");
}

static bool code_make(struct send *s, struct sg_error *err)
{
    uint64_t bits;
    if (RAND_bytes((unsigned char *)&bits, sizeof bits) != 1)
        return sg_fail_openssl(err, SG_E_CRYPTO, "no randomness");
    snprintf(s->code, sizeof s->code, "%08u", (unsigned)(bits % 100000000));
    return sg_postmaster_hash(s->domain.id, s->code, s->hash, err);
}

/* Before the mail is sent: whoever has it in hand can confirm it. */
static bool note(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct send *s = arg;
    return sg_postmaster_sent(tx, s->domain.id, sg_bytes_of(s->hash, sizeof s->hash),
                              sg_tx_now(tx) + s->ownership->code_ms * 1000, err);
}

static const char *text_of(struct send *s, const char *address)
{
    char date[40];
    struct sg_id id = sg_id_new("mid");
    const char *sender = *s->ownership->mail->sender ? s->ownership->mail->sender : address;
    sg_time_rfc5322(sg_clock_now(), date);
    return sg_arena_printf(
        s->job->arena,
        "Date: %s\r\nFrom: Sealgate <%s>\r\nTo: <%s>\r\nSubject: The code for %s\r\n"
        "Message-ID: <%s%s>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=us-ascii\r\n\r\n"
        "This mail shows that the postmaster account of %s is read.\r\n\r\n"
        "The code is %.4s-%.4s. Please enter it where you asked for it, or hand it to\r\n"
        "who administers your organisation's secure mail.\r\n\r\n"
        "If nobody of yours asked for it, nothing is to be done.\r\n",
        date, sender, address, s->domain.name, id.text, strrchr(sender, '@'), s->domain.name,
        s->code, s->code + 4);
}

static enum sg_smtp_tls tls_of(const char *name)
{
    return strcmp(name, "none") == 0       ? SG_SMTP_TLS_NONE
           : strcmp(name, "required") == 0 ? SG_SMTP_TLS_REQUIRED
           : strcmp(name, "verified") == 0 ? SG_SMTP_TLS_VERIFIED
                                           : SG_SMTP_TLS_OPPORTUNISTIC;
}

static bool deliver(struct send *s, struct sg_error *err)
{
    const char *address = sg_arena_printf(s->job->arena, "postmaster@%s", s->domain.name);
    const char *const recipients[] = {address};
    struct sg_smtp_destination to = {.host = s->hop.host,
                                     .port = s->hop.port,
                                     .lmtp = strcmp(s->hop.protocol, "lmtp") == 0,
                                     .tls = tls_of(s->hop.tls),
                                     .ca_pem = s->hop.ca_pem};
    /* The null sender: a notice that cannot be delivered comes back to nobody. */
    struct sg_smtp_envelope envelope = {
        .sender = "", .recipients = recipients, .recipient_count = 1};
    struct sg_smtp_piece piece = {.bytes = sg_bytes_str(text_of(s, address))};
    struct sg_smtp_reply reply;
    if (!sg_smtp_client_send(s->ownership->smtp, &to, &envelope, &piece, 1, &reply, err))
        return false;
    if (reply.code / 100 == 2)
        return true;
    return sg_fail_lib(err, reply.code / 100 == 5 ? SG_E_SMTP_REJECTED : SG_E_SMTP_DEFERRED,
                       SG_LIB_SMTP, reply.code, "%s was refused by the next hop: %d %.150s",
                       address, reply.code, reply.text);
}

bool postmaster_send_job(struct sg_job *job, struct sg_error *err)
{
    struct send s = {.job = job, .ownership = job->ctx};
    bool ok = target_find(&s, err) && code_make(&s, err) && sg_job_step(job, note, &s, err) &&
              deliver(&s, err);
    if (ok) {
        json_t *result = json_pack("{s:s}", "domain_id", s.domain.id);
        ok = sg_job_commit(job, NULL, NULL, &result, err);
        json_decref(result);
    }
    explicit_bzero(s.code, sizeof s.code);
    return ok;
}

bool postmaster_send_give_up(struct sg_job *job, struct sg_tx *tx, struct sg_error *err)
{
    const char *id = json_string_value(json_object_get(job->payload, "domain_id"));
    return !id || sg_postmaster_failed(tx, id, "the mail was not taken: see the job", err);
}
