#include "policy/policy.h"

#include "policy/policy_internal.h"

typedef struct sg_outbound_facts facts;

static bool not_submitted(const facts *f)
{
    return !f->submission_valid;
}
static bool from_not_one(const facts *f)
{
    return f->from_fields != 1 || f->from_mailboxes == 0;
}
static bool from_foreign(const facts *f)
{
    return !f->from_domain_owned;
}
static bool from_differs(const facts *f)
{
    return !f->from_matches_sender;
}
static bool recipient_literal(const facts *f)
{
    return f->recipient_literal;
}
static bool outsider(const facts *f)
{
    return f->recipient_environment == SG_ENV_NONE;
}
static bool own_unknown(const facts *f)
{
    return f->own == SG_POLICY_CERT_UNKNOWN;
}
static bool own_missing(const facts *f)
{
    return f->own != SG_POLICY_CERT_VALID;
}
static bool recipient_unknown(const facts *f)
{
    return f->recipient == SG_POLICY_CERT_UNKNOWN;
}
static bool recipient_missing(const facts *f)
{
    return f->recipient != SG_POLICY_CERT_VALID;
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
    {not_submitted,
     {SG_ACT_REFUSE, "not-submitted", "REQ-136", "",
      "the message bears no valid proof of the edge that a tenant submitted it"}},
    {from_not_one,
     {SG_ACT_REFUSE, "from-missing", "REQ-65", "",
      "the message needs exactly one From field that names a mailbox"}},
    {from_foreign,
     {SG_ACT_REFUSE, "from-foreign", "REQ-136", "",
      "From names a domain that is not an active domain of the submitting tenant"}},
    {from_differs,
     {SG_ACT_REFUSE, "from-differs", "REQ-66", "",
      "From and the envelope sender name different domains"}},
    {recipient_literal,
     {SG_ACT_REFUSE, "recipient-literal", "REQ-62", "",
      "an address literal names no domain, so nobody can say whether it must be sealed"}},
    {outsider,
     {SG_ACT_PLAIN, "outsider", "REQ-11", "",
      "the recipient's domain takes no part in Secure Email: sent on unchanged"}},
    {own_unknown,
     {SG_ACT_HOLD, "own-certificate-unknown", "REQ-67", "212",
      "the status of our own domain's certificate is not known: held"}},
    {own_missing,
     {SG_ACT_HOLD, "own-certificate-missing", "REQ-67", "211",
      "our own domain has no valid certificate: held"}},
    {recipient_unknown,
     {SG_ACT_HOLD, "recipient-certificate-unknown", "REQ-69", "202",
      "the recipient domain's certificate is there, its status is not known: held"}},
    {recipient_missing,
     {SG_ACT_HOLD, "recipient-certificate-missing", "REQ-56", "201",
      "no valid certificate of the recipient's domain was found: held"}},
    {always,
     {SG_ACT_SEAL, "member", "REQ-62", "",
      "the recipient's domain takes part in Secure Email: signed and encrypted"}},
};

SG_POLICY_DECIDE(sg_policy_outbound, struct sg_outbound_facts, rules, outbound)
