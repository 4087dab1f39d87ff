/*
 * What a mail is encrypted with (REQ-23, 24, 25, 26, 85): the strongest that both sides can do. GCM
 * and OAEP only where the partner says that it can read them: much software cannot. Weak ciphers
 * only where the sender's domain allows it and the partner can do no better; RC2 and DES never.
 */
#include "policy/policy_internal.h"

typedef struct sg_sealing_facts facts;

#define ANY_AES                                                                                    \
    (SG_SMIME_CAN_AES128_CBC | SG_SMIME_CAN_AES192_CBC | SG_SMIME_CAN_AES256_CBC |                 \
     SG_SMIME_CAN_AES128_GCM | SG_SMIME_CAN_AES192_GCM | SG_SMIME_CAN_AES256_GCM)
#define ANY_CIPHER (ANY_AES | SG_SMIME_CAN_3DES | SG_SMIME_CAN_DES | SG_SMIME_CAN_RC2)

static bool aes256_gcm(const facts *f)
{
    return f->capabilities & SG_SMIME_CAN_AES256_GCM;
}
static bool aes256_cbc(const facts *f)
{
    return f->capabilities & SG_SMIME_CAN_AES256_CBC;
}
static bool aes128_gcm(const facts *f)
{
    return f->capabilities & SG_SMIME_CAN_AES128_GCM;
}
static bool aes128_cbc(const facts *f)
{
    return f->capabilities & SG_SMIME_CAN_AES128_CBC;
}
static bool weak_allowed(const facts *f)
{
    return f->allow_weak && (f->capabilities & SG_SMIME_CAN_3DES) && !(f->capabilities & ANY_AES);
}
/* RFC 8551 section 2.7.2: better what the partner may not be able to read than what others can. */
static bool nothing_in_common(const facts *f)
{
    return f->capabilities & ANY_CIPHER;
}
static bool always(const facts *f)
{
    (void)f;
    return true;
}

static const struct {
    bool (*when)(const facts *);
    struct sg_sealing then;
} rules[] = {
    {aes256_gcm,
     {SG_SEALING_AES256_GCM, 0, "aes256-gcm", "REQ-26",
      "the strongest that we have, and the partner can do it"}},
    {aes256_cbc,
     {SG_SEALING_AES256_CBC, 0, "aes256-cbc", "REQ-26",
      "the strongest that both can do: the partner does not say that it can do AES-256-GCM"}},
    {aes128_gcm,
     {SG_SEALING_AES128_GCM, 0, "aes128-gcm", "REQ-26",
      "the strongest that both can do: the partner says nothing of AES-256"}},
    {aes128_cbc,
     {SG_SEALING_AES128_CBC, 0, "aes128-cbc", "REQ-26",
      "the strongest that both can do: the partner says nothing of AES-256 and of GCM"}},
    {weak_allowed,
     {SG_SEALING_3DES_CBC, 0, "3des", "REQ-24",
      "the partner can do no better than triple DES, and the domain's policy allows it"}},
    {nothing_in_common,
     {SG_SEALING_AES256_CBC, 0, "nothing-in-common", "REQ-23",
      "the partner names no cipher that we may send: AES-256-CBC, which it may be unable to read"}},
    {always,
     {SG_SEALING_AES256_CBC, 0, "unknown", "REQ-26",
      "nothing is known of what the partner can do: what every current S/MIME software reads"}},
};

SG_POLICY_FIRST_OF(struct sg_sealing, first, facts, rules, sealing)

struct sg_sealing sg_policy_sealing(const struct sg_sealing_facts *f)
{
    struct sg_sealing chosen = first(f);
    chosen.transport = f->ec                                     ? SG_SEALING_ECDH
                       : f->capabilities & SG_SMIME_CAN_RSA_OAEP ? SG_SEALING_OAEP
                                                                 : SG_SEALING_PKCS1;
    return chosen;
}

const char *sg_sealing_cipher_name(enum sg_sealing_cipher cipher)
{
    static const char *const names[] = {"aes-256-gcm", "aes-256-cbc", "aes-128-gcm", "aes-128-cbc",
                                        "des-ede3-cbc"};
    return names[cipher];
}

const char *sg_sealing_transport_name(enum sg_sealing_transport transport)
{
    static const char *const names[] = {"rsa-pkcs1", "rsa-oaep", "ecdh"};
    return names[transport];
}
