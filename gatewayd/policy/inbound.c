/*
 * What becomes of a mail for one of our domains: first what is said of it (rules), then in which
 * way a warning is given (ways), by what the domain has chosen.
 */
#include "policy/policy_internal.h"

#include <string.h>

typedef struct sg_inbound_facts facts;

#define CLASSIFIED                                                                                 \
    (SG_POLICY_IN_CONFIDENCE | SG_POLICY_SENSITIVE | SG_POLICY_RESTRICTED |                        \
     SG_POLICY_CONFIDENTIAL | SG_POLICY_SECRET | SG_POLICY_TOP_SECRET)

/* Is this a message that Secure Email has to say something about? Others' mail is left alone. */
static bool concerns_us(const facts *f)
{
    return f->from_member || f->for_us || f->domain_signed;
}
/* A signature by a good certificate of the domain in From, and it fits. */
static bool proved(const facts *f)
{
    return f->domain_signed && f->signature_good && f->signer_is_domain && f->signer_names_from &&
           f->signer == SG_POLICY_CERT_VALID;
}

static bool foreign_envelope_member(const facts *f)
{
    return f->encrypted && !f->for_us && (f->from_member || f->claims_secure);
}
static bool unsupported(const facts *f)
{
    return f->unsupported && concerns_us(f);
}
static bool unopened(const facts *f)
{
    return f->for_us && (!f->opened || f->malformed);
}
static bool altered_opened(const facts *f)
{
    return f->for_us && f->domain_signed && !f->signature_good;
}
static bool altered(const facts *f)
{
    return f->domain_signed && !f->signature_good;
}
static bool malformed(const facts *f)
{
    return f->malformed && concerns_us(f);
}
static bool not_signed_enveloped(const facts *f)
{
    return f->for_us && !f->domain_signed && !f->integrity;
}
static bool certificate_is(const facts *f, enum sg_policy_certificate status)
{
    return f->domain_signed && f->signature_good && f->signer == status;
}
static bool signer_revoked(const facts *f)
{
    return certificate_is(f, SG_POLICY_CERT_REVOKED);
}
static bool signer_untrusted(const facts *f)
{
    return certificate_is(f, SG_POLICY_CERT_UNTRUSTED);
}
static bool signer_expired(const facts *f)
{
    return certificate_is(f, SG_POLICY_CERT_EXPIRED);
}
static bool signer_unknown(const facts *f)
{
    return certificate_is(f, SG_POLICY_CERT_UNKNOWN);
}
static bool signer_not_yet(const facts *f)
{
    return certificate_is(f, SG_POLICY_CERT_NOT_YET);
}
static bool signer_other(const facts *f)
{
    return f->domain_signed && !proved(f);
}
static bool from_unreadable(const facts *f)
{
    return !f->from_readable && !f->from_stranger;
}
static bool own_from_outside(const facts *f)
{
    return f->from_own && !f->domain_signed;
}
static bool member_unsigned(const facts *f)
{
    return f->from_member && !f->domain_signed;
}
/* What was encrypted comes from no list server that knows nothing of Secure Email. */
static bool open_and_unsigned(const facts *f)
{
    return !f->encrypted && !f->for_us && (own_from_outside(f) || member_unsigned(f));
}
/* Not where it claims to be Secure Email: REQ-76 wants the warning then. */
static bool workspace(const facts *f)
{
    return f->workspace && !f->claims_secure && open_and_unsigned(f);
}
static bool list_own(const facts *f)
{
    return f->list_mail && own_from_outside(f) && open_and_unsigned(f);
}
static bool list_member(const facts *f)
{
    return f->list_mail && open_and_unsigned(f);
}
static bool claim_unproved(const facts *f)
{
    return f->claims_secure && !f->domain_signed;
}
static bool member_not_encrypted(const facts *f)
{
    return f->from_member && f->domain_signed && !f->for_us;
}
static bool own_revoked(const facts *f)
{
    return f->own == SG_POLICY_CERT_REVOKED;
}
static bool own_untrusted(const facts *f)
{
    return f->own == SG_POLICY_CERT_UNTRUSTED || f->own == SG_POLICY_CERT_UNFIT;
}
static bool own_expired(const facts *f)
{
    return f->own == SG_POLICY_CERT_EXPIRED;
}
static bool own_unknown(const facts *f)
{
    return f->own == SG_POLICY_CERT_UNKNOWN;
}
static bool own_not_yet(const facts *f)
{
    return f->own == SG_POLICY_CERT_NOT_YET;
}
/* A partner on the exception list may write them, if it is proved and nobody else could read it. */
static bool outsider_trigger(const facts *f)
{
    bool allowed = f->from_excepted && proved(f) && f->for_us;
    return (f->triggers & CLASSIFIED) && !f->from_member && !allowed;
}
static bool verified_without_header(const facts *f)
{
    return proved(f) && f->from_member && !f->x_header;
}
static bool verified(const facts *f)
{
    return proved(f);
}
static bool opened_intact(const facts *f)
{
    return f->for_us && f->opened && f->integrity && !f->domain_signed && !f->from_member;
}
static bool not_ours(const facts *f)
{
    return !from_unreadable(f) && !concerns_us(f) && !f->from_own && !f->claims_secure;
}
static bool always(const facts *f)
{
    (void)f;
    return true;
}

/* Table 1: what is wrong with a certificate, the recipient's postmaster hears too. */
#define CERTIFICATE SG_TELL_POSTMASTER
#define ADMIN       SG_TELL_ADMINISTRATOR

static const struct {
    bool (*when)(const facts *);
    struct sg_plan then;
} rules[] = {
    /* What we cannot do is no sign of tampering, and no failure of the sender's. */
    {unsupported,
     {SG_ACT_WARN_ORIGINAL, "unsupported", "REQ-18", "002",
      "a layer of the message uses what this gateway does not do", 0}},
    {unopened,
     {SG_ACT_WARN_ORIGINAL, "not-opened", "REQ-80", "003",
      "the message is encrypted to this domain and could not be decrypted", 0}},
    {altered_opened,
     {SG_ACT_WARN_OPENED, "altered-inside", "REQ-22", "003",
      "the signature inside the envelope does not fit what it signs", 0}},
    {altered,
     {SG_ACT_WARN_OPENED, "altered", "REQ-22", "003",
      "the domain signature does not fit the message: it was altered on the way", 0}},
    {malformed,
     {SG_ACT_WARN_ORIGINAL, "malformed", "REQ-80", "003", "a layer of the message is malformed",
      0}},
    {signer_revoked,
     {SG_ACT_WARN_OPENED, "signer-revoked", "REQ-36", "101",
      "the sender's domain certificate is revoked or suspended", CERTIFICATE}},
    {signer_untrusted,
     {SG_ACT_WARN_OPENED, "signer-untrusted", "REQ-36", "102",
      "the sender's domain certificate has no chain to an accredited root", CERTIFICATE}},
    {signer_expired,
     {SG_ACT_WARN_OPENED, "signer-expired", "REQ-36", "103",
      "the sender's domain certificate has expired", CERTIFICATE}},
    {signer_unknown,
     {SG_ACT_WARN_OPENED, "signer-unknown", "REQ-36", "104",
      "the status of the sender's domain certificate could not be verified", CERTIFICATE}},
    {signer_not_yet,
     {SG_ACT_WARN_OPENED, "signer-not-yet", "REQ-36", "105",
      "the sender's domain certificate is not yet valid", CERTIFICATE}},
    {from_unreadable,
     {SG_ACT_WARN_OPENED, "from-unreadable", "REQ-47", "002",
      "From cannot be read, or there are several: nobody can be said to have sent this", 0}},
    {signer_other,
     {SG_ACT_WARN_OPENED, "signer-mismatch", "REQ-48", "002",
      "the signing certificate does not name the domain in From", 0}},
    {workspace,
     {SG_ACT_PLAIN, "workspace", "REQ-108", "",
      "From names a domain of the WORKSPACE list: delivered without a warning", 0}},
    {list_own,
     {SG_ACT_WARN_SOFT, "list-own-domain", "REQ-199", "005",
      "a list server brought mail in which From names the recipient's own domain", 0}},
    {own_from_outside,
     {SG_ACT_WARN_OPENED, "own-domain-from-outside", "REQ-42", "005",
      "From names the recipient's own domain and the message came from outside", 0}},
    {foreign_envelope_member,
     {SG_ACT_WARN_ORIGINAL, "envelope-for-others", "REQ-80", "002",
      "encrypted to somebody else's key, and nothing shows which domain sent it", 0}},
    {list_member,
     {SG_ACT_WARN_SOFT, "list-member", "REQ-199", "002",
      "a list server brought mail in which From names a participating agency", 0}},
    {member_unsigned,
     {SG_ACT_WARN_OPENED, "member-unsigned", "REQ-42", "002",
      "From names a participating agency and nothing shows that it came from there", 0}},
    {not_signed_enveloped,
     {SG_ACT_WARN_OPENED, "encrypted-unsigned", "REQ-87", "002",
      "encrypted to this domain without a signature: nothing shows its origin or integrity", 0}},
    {claim_unproved,
     {SG_ACT_WARN_OPENED, "claim-unproved", "REQ-76", "002",
      "the message claims to be Secure Email and is not", 0}},
    {member_not_encrypted,
     {SG_ACT_WARN_OPENED, "member-not-encrypted", "REQ-42", "008",
      "from a participating agency, signed by its domain but not encrypted", 0}},
    {own_revoked,
     {SG_ACT_WARN_OPENED, "own-certificate-revoked", "REQ-174", "111",
      "encrypted to a certificate of this domain that is revoked", ADMIN}},
    {own_untrusted,
     {SG_ACT_WARN_OPENED, "own-certificate-untrusted", "REQ-42", "112",
      "encrypted to a certificate of this domain that has no chain to an accredited root", ADMIN}},
    {own_expired,
     {SG_ACT_WARN_OPENED, "own-certificate-expired", "REQ-86", "113",
      "encrypted to a certificate of this domain that has expired", ADMIN}},
    {own_unknown,
     {SG_ACT_WARN_OPENED, "own-certificate-unknown", "REQ-42", "114",
      "encrypted to a certificate of this domain whose status could not be verified", ADMIN}},
    {own_not_yet,
     {SG_ACT_WARN_OPENED, "own-certificate-not-yet", "REQ-42", "115",
      "encrypted to a certificate of this domain that is not yet valid", ADMIN}},
    {outsider_trigger,
     {SG_ACT_WARN_OPENED, "outsider-trigger", "REQ-113", "004",
      "a trigger word, and the sender's domain takes no part in Secure Email", ADMIN}},
    {verified_without_header,
     {SG_ACT_DELIVER, "verified-without-header", "REQ-42", "",
      "verified and delivered, though without the field X-NZ-Secure-email", SG_TELL_POSTMASTER}},
    {verified,
     {SG_ACT_DELIVER, "verified", "REQ-76", "",
      "signature, certificate and From agree: opened and delivered", 0}},
    {opened_intact,
     {SG_ACT_DELIVER, "opened", "REQ-87", "",
      "encrypted to this domain by somebody outside; what is inside is intact, no domain is "
      "claimed",
      0}},
    {not_ours,
     {SG_ACT_PLAIN, "not-secure-email", "REQ-12", "", "not Secure Email: delivered unchanged", 0}},
    {always,
     {SG_ACT_WARN_ORIGINAL, "rule-set", "REQ-42", "009",
      "no rule speaks of such a message: delivered with the warning", ADMIN}},
};

SG_POLICY_FIRST(first, facts, rules, inbound)

/* Ways ----------------------------------------------------------------------------------------- */

static bool cannot_be_read(const facts *f, const struct sg_plan *plan)
{
    return plan->action == SG_ACT_WARN_ORIGINAL && f->encrypted;
}
static bool warning_only(const facts *f, const struct sg_plan *plan)
{
    return f->warning_only && cannot_be_read(f, plan);
}
/* Codes of our own failing: nothing is deleted for that. */
static bool ours(const struct sg_plan *plan)
{
    return strncmp(plan->code, "11", 2) == 0 || strcmp(plan->code, "009") == 0;
}
/* What cannot be decrypted has a policy of its own; whose origin is proved is not lost. */
static bool delete_unverified(const facts *f, const struct sg_plan *plan)
{
    bool warned = plan->action == SG_ACT_WARN_OPENED || plan->action == SG_ACT_WARN_ORIGINAL;
    return f->delete_unverified && warned && !f->x_header && !proved(f) &&
           !cannot_be_read(f, plan) && !ours(plan);
}

static const struct {
    bool (*when)(const facts *, const struct sg_plan *);
    struct sg_plan then; /* its code and rule stay those of the rule that warned */
} ways[] = {
    {warning_only,
     {SG_ACT_WARN_ONLY, "warning-only", "REQ-80", "",
      "it cannot be decrypted: by the domain's policy the warning alone is delivered", 0}},
    {delete_unverified,
     {SG_ACT_DELETE, "delete-unverified", "REQ-76", "",
      "it is not verified and does not claim to be Secure Email: by the domain's policy deleted",
      0}},
};

SG_POLICY_SWITCH(ways, ways)

/* The certificates of both sides are one thing to warn of: one warning, with both codes. */
static const char *both_codes(const char *signer, enum sg_policy_certificate own)
{
    static const char *const codes[5][5] = {
        {"101,111", "101,112", "101,113", "101,114", "101,115"},
        {"102,111", "102,112", "102,113", "102,114", "102,115"},
        {"103,111", "103,112", "103,113", "103,114", "103,115"},
        {"104,111", "104,112", "104,113", "104,114", "104,115"},
        {"105,111", "105,112", "105,113", "105,114", "105,115"}};
    bool sender = signer[0] == '1' && signer[1] == '0';
    bool ours = own >= SG_POLICY_CERT_REVOKED && own <= SG_POLICY_CERT_NOT_YET;
    return sender && ours ? codes[signer[2] - '1'][own - SG_POLICY_CERT_REVOKED] : signer;
}

struct sg_plan sg_policy_inbound(const struct sg_inbound_facts *f)
{
    struct sg_plan plan = first(f);
    plan.code = both_codes(plan.code, f->own);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        if (SG_POLICY_IS_OFF(ways, i) || !ways[i].when(f, &plan))
            continue;
        plan.action = ways[i].then.action;
        plan.requirement = ways[i].then.requirement;
        plan.explanation = ways[i].then.explanation;
        break;
    }
    return plan;
}
