/*
 * Policy: facts in, plan out. Pure functions over ordered const tables of rules; the first rule
 * that applies decides, and its requirement stands in the plan. No I/O, no clock, no allocation.
 */
#ifndef SG_POLICY_POLICY_H
#define SG_POLICY_POLICY_H

#include "common/capability.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sg_environment { SG_ENV_NONE, SG_ENV_SEEMAIL, SG_ENV_SECUREMAIL };

/* What is known of a certificate that is needed; the order is that of table 3. */
enum sg_policy_certificate {
    SG_POLICY_CERT_VALID,
    SG_POLICY_CERT_REVOKED,
    SG_POLICY_CERT_UNTRUSTED,
    SG_POLICY_CERT_EXPIRED,
    SG_POLICY_CERT_UNKNOWN,
    SG_POLICY_CERT_NOT_YET,
    SG_POLICY_CERT_UNFIT, /* wrong domain, no address, not for this use */
    SG_POLICY_CERT_NONE
};

/* Trigger words (REQ-109, 110); the values are those of trigger/trigger.h. */
enum sg_policy_trigger {
    SG_POLICY_IN_CONFIDENCE = 1,
    SG_POLICY_SENSITIVE = 2,
    SG_POLICY_RESTRICTED = 4,
    SG_POLICY_CONFIDENTIAL = 8,
    SG_POLICY_SECRET = 16,
    SG_POLICY_TOP_SECRET = 32,
    SG_POLICY_RSVPDR = 64 /* asks for a receipt; says nothing of secrecy (REQ-35) */
};

enum sg_action {
    SG_ACT_REFUSE,        /* 5xx: never was a message for us */
    SG_ACT_PLAIN,         /* on, unchanged in every byte */
    SG_ACT_SEAL,          /* sign and encrypt to the recipient domain */
    SG_ACT_HOLD,          /* keep, sealed, and try again */
    SG_ACT_QUARANTINE,    /* keep, sealed, until an administrator has looked */
    SG_ACT_FAIL,          /* not sent: SECURE DELIVERY FAILURE */
    SG_ACT_DELIVER,       /* opened and verified */
    SG_ACT_WARN_OPENED,   /* warning in front, what was opened behind it */
    SG_ACT_WARN_ORIGINAL, /* warning in front, the message as it came attached */
    SG_ACT_WARN_ONLY,     /* the warning, without the message */
    SG_ACT_WARN_SOFT,     /* a header, and a note behind the text */
    SG_ACT_DELETE         /* an entry in log and audit, and nothing else */
};

/* Who is told besides the recipient; where, and whether at all, is the domain's setting. */
enum sg_policy_tell {
    SG_TELL_SENDER = 1,
    SG_TELL_POSTMASTER = 2, /* of our own side's domain, never of the other's (REQ-95) */
    SG_TELL_ADMINISTRATOR = 4
};

struct sg_plan {
    enum sg_action action;
    const char *rule;        /* a word for the trace: "member-without-certificate" */
    const char *requirement; /* "REQ-56" */
    const char *code;        /* of table 3; "" for none; "101,111" where several apply */
    const char *explanation; /* a sentence for an operator */
    unsigned tell;           /* OR of sg_policy_tell */
};

/* Facts of an outbound message towards one recipient domain. */
struct sg_outbound_facts {
    bool submission_valid;    /* the edge vouched for tenant and sender (REQ-136) */
    size_t from_fields;       /* how many From fields */
    size_t from_mailboxes;    /* in them; 0: blank or not readable */
    bool from_domain_owned;   /* every From domain is an active domain of the tenant */
    bool from_matches_sender; /* the envelope sender has From's domain, or is null */
    bool recipient_literal;   /* the recipient's domain is no name but an address literal */
    bool notice;              /* our own; of others' words it quotes four header fields alone */
    unsigned triggers;        /* OR of sg_policy_trigger */
    bool undecodable;         /* text is in it that could not be read */
    bool send_undecodable;    /* the domain's policy for it */
    bool approved;            /* an administrator has released it from quarantine */
    enum sg_environment sender_environment;
    enum sg_environment recipient_environment; /* NONE: takes no part in Secure Email */
    bool excepted;      /* the recipient is on the sending domain's exception list (REQ-91) */
    bool correspondent; /* … is an outsider with a domain certificate in the store (REQ-72) */
    enum sg_policy_certificate own;       /* our domain's certificate for signing */
    enum sg_policy_certificate recipient; /* the recipient domain's for encryption */
};

/* Facts of an inbound message for one of our domains. */
struct sg_inbound_facts {
    bool from_readable; /* exactly one From field that parses, or none at all */
    bool from_stranger; /* one that does not parse, and whatever any reader may see in it, it is the
                           address of nobody in Secure Email and none of the recipient's domain */
    bool from_member;   /* a From domain takes part in Secure Email, or they were too many to say */
    bool from_own;      /* a From domain is the recipient's own */
    bool from_excepted; /* all From domains are on the recipient's exception list (REQ-91) */
    bool workspace;     /* all From domains are on the WORKSPACE list (REQ-108) */
    bool list_mail;     /* a list server's header stands in it (REQ-199) */
    bool x_header;      /* X-NZ-Secure-email stands in it (REQ-76) */
    bool claims_secure; /* that, or a header of ours */
    bool encrypted;     /* an envelope was there */
    bool for_us;        /* … for one of our certificates */
    bool opened;        /* … and it was opened to a readable entity */
    enum sg_policy_certificate own; /* … that certificate; NONE: no envelope was for us */
    bool unsupported;               /* a layer uses what we do not do */
    bool malformed;
    bool domain_signed;     /* a signature that claims to be a domain's, good or bad */
    bool signature_good;    /* digest and signature fit the certificate it carries */
    bool signer_is_domain;  /* the signer's certificate has a domain authority's name (REQ-46) */
    bool signer_names_from; /* … and names the From domain (REQ-47) */
    enum sg_policy_certificate signer;
    bool integrity;    /* the ciphertext's integrity is proved (AEAD, or a good inner signature) */
    unsigned triggers; /* OR of sg_policy_trigger, in what would be delivered */
    bool delete_unverified; /* the domain's policies: REQ-76 … */
    bool warning_only;      /* … and REQ-80 */
};

/* What a mail is encrypted with towards one partner (REQ-26, 85): facts in, choice out. */
struct sg_sealing_facts {
    uint32_t capabilities; /* OR of sg_smime_can: learned of the partner, or set by hand; 0: none */
    bool ec;               /* the partner's certificate has an elliptic-curve key */
    bool allow_weak;       /* the sending domain's policy (REQ-24) */
};
enum sg_sealing_cipher {
    SG_SEALING_AES256_GCM,
    SG_SEALING_AES256_CBC,
    SG_SEALING_AES128_GCM,
    SG_SEALING_AES128_CBC,
    SG_SEALING_3DES_CBC
};
enum sg_sealing_transport { SG_SEALING_PKCS1, SG_SEALING_OAEP, SG_SEALING_ECDH };
struct sg_sealing {
    enum sg_sealing_cipher cipher;
    enum sg_sealing_transport transport;
    const char *rule, *requirement, *explanation; /* as in a plan; of the cipher */
};
struct sg_sealing sg_policy_sealing(const struct sg_sealing_facts *facts);
const char *sg_sealing_cipher_name(enum sg_sealing_cipher cipher);          /* "aes-256-gcm" */
const char *sg_sealing_transport_name(enum sg_sealing_transport transport); /* "rsa-oaep" */

struct sg_plan sg_policy_outbound(const struct sg_outbound_facts *facts);
struct sg_plan sg_policy_inbound(const struct sg_inbound_facts *facts);

const char *sg_action_name(enum sg_action action);
const char *sg_policy_certificate_name(enum sg_policy_certificate status);
/* The words of tests/policy/ *.cases: what holds, with a space between; cut off where it does not
 * fit. */
void sg_policy_outbound_words(const struct sg_outbound_facts *facts, char *out, size_t size);
void sg_policy_inbound_words(const struct sg_inbound_facts *facts, char *out, size_t size);
#define SG_POLICY_WORDS_MAX 512

#ifdef SG_RULE_SWITCH
/* Test builds: the rule of that index in its table is passed over (-1: none). */
extern int sg_policy_rule_off_outbound, sg_policy_rule_off_inbound, sg_policy_rule_off_ways,
    sg_policy_rule_off_sealing;
size_t sg_policy_rule_count_outbound(void), sg_policy_rule_count_inbound(void),
    sg_policy_rule_count_ways(void), sg_policy_rule_count_sealing(void);
const char *sg_policy_rule_name_outbound(size_t i), *sg_policy_rule_name_inbound(size_t i),
    *sg_policy_rule_name_ways(size_t i), *sg_policy_rule_name_sealing(size_t i);
#endif

#endif
