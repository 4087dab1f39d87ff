/*
 * What becomes of a mail towards one recipient domain. Nothing here seals or sends: a rule that
 * says so names all it needs, so that facts which no rule has thought of fall through to the last.
 */
#include "policy/policy_internal.h"

typedef struct sg_outbound_facts facts;

/* What the source lets go to SEEMail alone (REQ-111); the higher words, once released, no further.
 */
#define SEEMAIL_WORDS                                                                              \
    (SG_POLICY_SENSITIVE | SG_POLICY_RESTRICTED | SG_POLICY_CONFIDENTIAL | SG_POLICY_SECRET |      \
     SG_POLICY_TOP_SECRET)
#define QUARANTINE_WORDS (SG_POLICY_CONFIDENTIAL | SG_POLICY_SECRET | SG_POLICY_TOP_SECRET)

static bool member(const facts *f)
{
    return f->recipient_environment == SG_ENV_SEEMAIL ||
           f->recipient_environment == SG_ENV_SECUREMAIL;
}
static bool outside(const facts *f)
{
    return f->recipient_environment == SG_ENV_NONE && !f->excepted;
}
/* Mail to these is sealed or not sent. */
static bool secured(const facts *f)
{
    return member(f) || f->excepted || (outside(f) && f->correspondent);
}
/* A notice to a member is sealed, and its words are the recipient's own: those of a Subject. */
static bool notice_inside(const facts *f)
{
    return f->notice && member(f);
}

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
static bool trigger_quarantine(const facts *f)
{
    return (f->triggers & QUARANTINE_WORDS) && !f->approved && !f->notice;
}
static bool trigger_seemail_only(const facts *f)
{
    return (f->triggers & SEEMAIL_WORDS) && f->recipient_environment != SG_ENV_SEEMAIL &&
           !f->excepted && !notice_inside(f);
}
static bool trigger_secure_only(const facts *f)
{
    return (f->triggers & SG_POLICY_IN_CONFIDENCE) && !member(f) && !f->excepted;
}
/* It may hide a word that must not reach this recipient: SENSITIVE to SecureMail, unless the sender
 * too is of SecureMail and has only IN-CONFIDENCE to give (REQ-114). */
static bool undecodable(const facts *f)
{
    bool may_have_all = f->excepted || f->recipient_environment == SG_ENV_SEEMAIL ||
                        (f->recipient_environment == SG_ENV_SECUREMAIL &&
                         f->sender_environment == SG_ENV_SECUREMAIL);
    return f->undecodable && !f->send_undecodable && !f->approved && !f->notice && !may_have_all;
}
static bool outsider(const facts *f)
{
    return outside(f) && !f->correspondent;
}
/* A domain that never had a certificate does not take part yet: REQ-11. */
static bool correspondent_early(const facts *f)
{
    return outside(f) && f->correspondent && f->own == SG_POLICY_CERT_NONE;
}
static bool correspondent_lapsed(const facts *f)
{
    return outside(f) && f->correspondent && f->recipient != SG_POLICY_CERT_VALID &&
           f->recipient != SG_POLICY_CERT_UNKNOWN;
}
static bool own_unknown(const facts *f)
{
    return secured(f) && f->own == SG_POLICY_CERT_UNKNOWN;
}
static bool own_missing(const facts *f)
{
    return secured(f) && f->own != SG_POLICY_CERT_VALID;
}
static bool recipient_unknown(const facts *f)
{
    return secured(f) && f->recipient == SG_POLICY_CERT_UNKNOWN;
}
static bool recipient_missing(const facts *f)
{
    return secured(f) && f->recipient != SG_POLICY_CERT_VALID;
}
static bool can_seal(const facts *f)
{
    return f->own == SG_POLICY_CERT_VALID && f->recipient == SG_POLICY_CERT_VALID;
}
static bool seal_member(const facts *f)
{
    return member(f) && can_seal(f);
}
static bool seal_excepted(const facts *f)
{
    return f->recipient_environment == SG_ENV_NONE && f->excepted && can_seal(f);
}
static bool seal_correspondent(const facts *f)
{
    return outside(f) && f->correspondent && can_seal(f);
}
static bool always(const facts *f)
{
    (void)f;
    return true;
}

#define DELAYED (SG_TELL_SENDER | SG_TELL_POSTMASTER)    /* table 1 */
#define BREACH  (SG_TELL_SENDER | SG_TELL_ADMINISTRATOR) /* REQ-113 */

static const struct {
    bool (*when)(const facts *);
    struct sg_plan then;
} rules[] = {
    {not_submitted,
     {SG_ACT_REFUSE, "not-submitted", "REQ-136", "",
      "the message bears no valid proof of the edge that a tenant submitted it", 0}},
    {from_not_one,
     {SG_ACT_REFUSE, "from-missing", "REQ-65", "",
      "the message needs exactly one From field that names a mailbox", 0}},
    {from_foreign,
     {SG_ACT_REFUSE, "from-foreign", "REQ-136", "",
      "From names a domain that is not an active domain of the submitting tenant", 0}},
    {from_differs,
     {SG_ACT_REFUSE, "from-differs", "REQ-66", "",
      "From and the envelope sender name different domains", 0}},
    {recipient_literal,
     {SG_ACT_REFUSE, "recipient-literal", "REQ-62", "",
      "an address literal names no domain, so nobody can say whether it must be sealed", 0}},
    {trigger_quarantine,
     {SG_ACT_QUARANTINE, "trigger-quarantine", "REQ-110", "",
      "the message holds a trigger word that an administrator has to look at: quarantined",
      SG_TELL_ADMINISTRATOR}},
    {trigger_seemail_only,
     {SG_ACT_FAIL, "trigger-seemail-only", "REQ-111", "001",
      "the message holds a trigger word that may go to SEEMail domains and the domain's exception "
      "list alone: not sent",
      BREACH}},
    {trigger_secure_only,
     {SG_ACT_FAIL, "trigger-secure-only", "REQ-112", "001",
      "the message holds the trigger word IN-CONFIDENCE, and the recipient's domain takes no part "
      "in Secure Email: not sent",
      BREACH}},
    {undecodable,
     {SG_ACT_QUARANTINE, "undecodable", "REQ-33", "",
      "the message holds text that cannot be read and may hide a trigger word: quarantined",
      SG_TELL_ADMINISTRATOR}},
    {outsider,
     {SG_ACT_PLAIN, "outsider", "REQ-11", "",
      "the recipient's domain takes no part in Secure Email: sent on unchanged", 0}},
    {correspondent_early,
     {SG_ACT_PLAIN, "correspondent-unsealed", "REQ-11", "",
      "there is a certificate of the recipient's domain, our own domain never had one: sent on "
      "unchanged",
      0}},
    {correspondent_lapsed,
     {SG_ACT_PLAIN, "correspondent-lapsed", "REQ-72", "",
      "the certificate that is known of this outsider is no longer good: sent on unchanged", 0}},
    {own_unknown,
     {SG_ACT_HOLD, "own-certificate-unknown", "REQ-67", "212",
      "the status of our own domain's certificate is not known: held", DELAYED}},
    {own_missing,
     {SG_ACT_HOLD, "own-certificate-missing", "REQ-67", "211",
      "our own domain has no valid certificate: held", DELAYED}},
    {recipient_unknown,
     {SG_ACT_HOLD, "recipient-certificate-unknown", "REQ-69", "202",
      "the recipient domain's certificate is there, its status is not known: held", DELAYED}},
    {recipient_missing,
     {SG_ACT_HOLD, "recipient-certificate-missing", "REQ-56", "201",
      "no valid certificate of the recipient's domain was found: held", DELAYED}},
    {seal_member,
     {SG_ACT_SEAL, "member", "REQ-62", "",
      "the recipient's domain takes part in Secure Email: signed and encrypted", 0}},
    {seal_excepted,
     {SG_ACT_SEAL, "exception", "REQ-91", "",
      "the recipient's domain is on the domain's exception list: signed and encrypted", 0}},
    {seal_correspondent,
     {SG_ACT_SEAL, "correspondent", "REQ-72", "",
      "a valid certificate of the recipient's domain is known: signed and encrypted", 0}},
    {always,
     {SG_ACT_QUARANTINE, "rule-set", "REQ-42", "009",
      "no rule speaks of such a message: quarantined", SG_TELL_ADMINISTRATOR}},
};

SG_POLICY_FIRST(first, facts, rules, outbound)

struct sg_plan sg_policy_outbound(const struct sg_outbound_facts *f)
{
    return first(f);
}
