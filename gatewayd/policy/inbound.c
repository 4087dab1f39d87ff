#include "policy/policy.h"

#include "policy/policy_internal.h"

typedef struct sg_inbound_facts facts;

/* Is this a message that Secure Email has to say something about? Others' mail is left alone. */
static bool concerns_us(const facts *f)
{
    return f->from_member || f->for_us || f->domain_signed;
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
    return f->domain_signed &&
           (!f->signer_is_domain || !f->signer_names_from || f->signer != SG_POLICY_CERT_VALID);
}
static bool from_unreadable(const facts *f)
{
    return !f->from_readable;
}
static bool own_from_outside(const facts *f)
{
    return f->from_own && !f->domain_signed;
}
static bool member_unsigned(const facts *f)
{
    return f->from_member && !f->domain_signed;
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
    return f->own_revoked;
}
static bool verified(const facts *f)
{
    return f->domain_signed;
}
static bool opened_intact(const facts *f)
{
    return f->for_us && f->integrity;
}
static bool always(const facts *f)
{
    (void)f;
    return true;
}

static const struct {
    bool (*when)(const facts *);
    struct sg_plan then;
} rules[] = {
    {unopened,
     {SG_ACT_WARN_ORIGINAL, "not-opened", "REQ-80", "003",
      "the message is encrypted to this domain and could not be decrypted"}},
    {altered_opened,
     {SG_ACT_WARN_OPENED, "altered-inside", "REQ-22", "003",
      "the signature inside the envelope does not fit what it signs"}},
    {altered,
     {SG_ACT_WARN_OPENED, "altered", "REQ-22", "003",
      "the domain signature does not fit the message: it was altered on the way"}},
    {unsupported,
     {SG_ACT_WARN_ORIGINAL, "unsupported", "REQ-18", "002",
      "a layer of the message uses what this gateway does not do"}},
    {malformed,
     {SG_ACT_WARN_ORIGINAL, "malformed", "REQ-80", "003", "a layer of the message is malformed"}},
    {signer_revoked,
     {SG_ACT_WARN_OPENED, "signer-revoked", "REQ-36", "101",
      "the sender's domain certificate is revoked or suspended"}},
    {signer_untrusted,
     {SG_ACT_WARN_OPENED, "signer-untrusted", "REQ-36", "102",
      "the sender's domain certificate has no chain to an accredited root"}},
    {signer_expired,
     {SG_ACT_WARN_OPENED, "signer-expired", "REQ-36", "103",
      "the sender's domain certificate has expired"}},
    {signer_unknown,
     {SG_ACT_WARN_OPENED, "signer-unknown", "REQ-36", "104",
      "the status of the sender's domain certificate could not be verified"}},
    {signer_not_yet,
     {SG_ACT_WARN_OPENED, "signer-not-yet", "REQ-36", "105",
      "the sender's domain certificate is not yet valid"}},
    {from_unreadable,
     {SG_ACT_WARN_OPENED, "from-unreadable", "REQ-47", "002",
      "From cannot be read, or there are several: nobody can be said to have sent this"}},
    {signer_other,
     {SG_ACT_WARN_OPENED, "signer-mismatch", "REQ-48", "002",
      "the signing certificate does not name the domain in From"}},
    {own_from_outside,
     {SG_ACT_WARN_OPENED, "own-domain-from-outside", "REQ-42", "005",
      "From names the recipient's own domain and the message came from outside"}},
    {foreign_envelope_member,
     {SG_ACT_WARN_ORIGINAL, "envelope-for-others", "REQ-80", "002",
      "encrypted to somebody else's key, and nothing shows which domain sent it"}},
    {member_unsigned,
     {SG_ACT_WARN_OPENED, "member-unsigned", "REQ-42", "002",
      "From names a participating agency and nothing shows that it came from there"}},
    {not_signed_enveloped,
     {SG_ACT_WARN_OPENED, "encrypted-unsigned", "REQ-87", "002",
      "encrypted to this domain without a signature: nothing shows its origin or integrity"}},
    {claim_unproved,
     {SG_ACT_WARN_OPENED, "claim-unproved", "REQ-76", "002",
      "the message claims to be Secure Email and is not"}},
    {member_not_encrypted,
     {SG_ACT_WARN_OPENED, "member-not-encrypted", "REQ-42", "008",
      "from a participating agency, signed by its domain but not encrypted"}},
    {own_revoked,
     {SG_ACT_WARN_OPENED, "own-certificate-revoked", "REQ-174", "111",
      "encrypted to a certificate of this domain that is revoked"}},
    {verified,
     {SG_ACT_DELIVER, "verified", "REQ-76", "",
      "signature, certificate and From agree: opened and delivered"}},
    {opened_intact,
     {SG_ACT_DELIVER, "opened", "REQ-87", "",
      "encrypted to this domain by somebody outside; what is inside is intact, no domain is "
      "claimed"}},
    {always,
     {SG_ACT_PLAIN, "not-secure-email", "REQ-12", "", "not Secure Email: delivered unchanged"}},
};

SG_POLICY_DECIDE(sg_policy_inbound, struct sg_inbound_facts, rules, inbound)

const char *sg_action_name(enum sg_action action)
{
    static const char *const names[] = {"refuse",  "plain",       "seal",         "hold",
                                        "deliver", "warn-opened", "warn-original"};
    return names[action];
}

const char *sg_policy_certificate_name(enum sg_policy_certificate status)
{
    static const char *const names[] = {"valid",   "revoked",       "untrusted", "expired",
                                        "unknown", "not-yet-valid", "unfit",     "none"};
    return names[status];
}
