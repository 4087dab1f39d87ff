/* Facts and plans in words, for the trace and for the cases of the tests. */
#include "policy/policy.h"

#include <stdio.h>

const char *sg_action_name(enum sg_action action)
{
    static const char *const names[] = {"refuse",        "plain",     "seal",      "hold",
                                        "quarantine",    "fail",      "deliver",   "warn-opened",
                                        "warn-original", "warn-only", "warn-soft", "delete"};
    return names[action];
}

const char *sg_policy_certificate_name(enum sg_policy_certificate status)
{
    static const char *const names[] = {"valid",   "revoked",       "untrusted", "expired",
                                        "unknown", "not-yet-valid", "unfit",     "none"};
    return names[status];
}

struct words {
    char *out;
    size_t size, len;
};

static void word_add(struct words *w, const char *name, const char *value)
{
    if (w->len >= w->size)
        return;
    int n = snprintf(w->out + w->len, w->size - w->len, "%s%s%s", w->len ? " " : "", name, value);
    w->len += n > 0 ? (size_t)n : 0;
}

static void flag_add(struct words *w, const char *name, bool on)
{
    if (on)
        word_add(w, name, "");
}

static void triggers_add(struct words *w, unsigned triggers)
{
    static const struct {
        unsigned bit;
        const char *name;
    } all[] = {{SG_POLICY_IN_CONFIDENCE, "IN-CONFIDENCE"},
               {SG_POLICY_SENSITIVE, "SENSITIVE"},
               {SG_POLICY_RESTRICTED, "RESTRICTED"},
               {SG_POLICY_CONFIDENTIAL, "CONFIDENTIAL"},
               {SG_POLICY_SECRET, "SECRET"},
               {SG_POLICY_TOP_SECRET, "TOP-SECRET"},
               {SG_POLICY_RSVPDR, "RSVPDR"}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (triggers & all[i].bit)
            word_add(w, "trigger=", all[i].name);
}

static const char *environment_name(enum sg_environment environment)
{
    static const char *const names[] = {"none", "seemail", "securemail"};
    return environment <= SG_ENV_SECUREMAIL ? names[environment] : "other";
}

void sg_policy_outbound_words(const struct sg_outbound_facts *f, char *out, size_t size)
{
    struct words w = {out, size, 0};
    char from[64];
    out[0] = 0;
    snprintf(from, sizeof from, "%zu:%zu", f->from_fields, f->from_mailboxes);
    flag_add(&w, "submitted", f->submission_valid);
    word_add(&w, "from=", from);
    flag_add(&w, "owned", f->from_domain_owned);
    flag_add(&w, "matches", f->from_matches_sender);
    flag_add(&w, "literal", f->recipient_literal);
    flag_add(&w, "notice", f->notice);
    triggers_add(&w, f->triggers);
    flag_add(&w, "undecodable", f->undecodable);
    flag_add(&w, "send_undecodable", f->send_undecodable);
    flag_add(&w, "approved", f->approved);
    word_add(&w, "sender=", environment_name(f->sender_environment));
    word_add(&w, "to=", environment_name(f->recipient_environment));
    flag_add(&w, "excepted", f->excepted);
    flag_add(&w, "correspondent", f->correspondent);
    word_add(&w, "own=", sg_policy_certificate_name(f->own));
    word_add(&w, "recipient=", sg_policy_certificate_name(f->recipient));
}

void sg_policy_inbound_words(const struct sg_inbound_facts *f, char *out, size_t size)
{
    struct words w = {out, size, 0};
    out[0] = 0;
#define FLAG(name) flag_add(&w, #name, f->name)
    FLAG(from_readable);
    FLAG(from_stranger);
    FLAG(from_member);
    FLAG(from_own);
    FLAG(from_excepted);
    FLAG(workspace);
    FLAG(list_mail);
    FLAG(x_header);
    FLAG(claims_secure);
    FLAG(encrypted);
    FLAG(for_us);
    FLAG(opened);
    FLAG(unsupported);
    FLAG(malformed);
    FLAG(domain_signed);
    FLAG(signature_good);
    FLAG(signer_is_domain);
    FLAG(signer_names_from);
    FLAG(integrity);
    FLAG(delete_unverified);
    FLAG(warning_only);
#undef FLAG
    triggers_add(&w, f->triggers);
    if (f->own != SG_POLICY_CERT_NONE)
        word_add(&w, "own=", sg_policy_certificate_name(f->own));
    if (f->signer != SG_POLICY_CERT_NONE)
        word_add(&w, "signer=", sg_policy_certificate_name(f->signer));
}
