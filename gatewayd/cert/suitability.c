/*
 * Our own policy of algorithms and uses (REQ-1, 23, 24), whatever OpenSSL would accept: foreign
 * keys and providers do not change it. Encrypting is stricter than verifying, for what we send is
 * ours to choose: RSA of 2048 bits or more and SHA-2 up to the anchor, unless the sending domain
 * takes less of a partner that has no better. MD5 never.
 */
#include "cert/cert_internal.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define MAX_RSA_BITS      8192 /* more only costs time */
#define MAX_EXPONENT_BITS 64   /* the same */

static bool digest_allowed(int digest_nid, bool sha1)
{
    switch (digest_nid) {
    case NID_sha224:
    case NID_sha256:
    case NID_sha384:
    case NID_sha512:
    case NID_sha3_224:
    case NID_sha3_256:
    case NID_sha3_384:
    case NID_sha3_512:
        return true;
    case NID_sha1:
        return sha1;
    default:
        return false;
    }
}

static bool signature_allowed(X509 *x, bool sha1, char why[SG_CERT_WHY])
{
    int digest = NID_undef, key = NID_undef, bits = 0;
    uint32_t flags = 0;
    bool known = X509_get_signature_info(x, &digest, &key, &bits, &flags);
    if (known && (key == NID_ED25519 || key == NID_ED448))
        return true;
    if (known && digest_allowed(digest, sha1))
        return true;
    const char *name = OBJ_nid2ln(X509_get_signature_nid(x));
    snprintf(why, SG_CERT_WHY, "signed with %s, which is not accepted here",
             name ? name : "an unknown algorithm");
    return false;
}

/* What is raised to the power of one, everybody reads and everybody signs. */
static bool exponent_allowed(const EVP_PKEY *key)
{
    BIGNUM *e = NULL;
    bool ok = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) && BN_is_odd(e) &&
              !BN_is_one(e) && BN_num_bits(e) <= MAX_EXPONENT_BITS;
    BN_free(e);
    return ok;
}

static bool rsa_allowed(const EVP_PKEY *key, int min_bits, char why[SG_CERT_WHY])
{
    int bits = EVP_PKEY_get_bits(key);
    if (!exponent_allowed(key)) {
        snprintf(why, SG_CERT_WHY, "an RSA key whose public exponent is not accepted here");
        return false;
    }
    if (bits >= min_bits && bits <= MAX_RSA_BITS)
        return true;
    snprintf(why, SG_CERT_WHY, "an RSA key of %d bits, where %d to %d are accepted", bits, min_bits,
             MAX_RSA_BITS);
    return false;
}

/* A named curve: one whose parameters come along can be made to fit a forged key
 * (CVE-2020-0601). */
static bool curve_allowed(const EVP_PKEY *key, bool encrypt)
{
    static const char *const curves[] = {"prime256v1", "secp384r1", "secp521r1"};
    char name[64] = "";
    int explicit_parameters = 0;
    size_t most = encrypt ? 2 : 3; /* those that a content-encryption key is agreed on (RFC 5753) */
    if (EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
                               &explicit_parameters) &&
        explicit_parameters)
        return false;
    if (!EVP_PKEY_get_group_name(key, name, sizeof name, NULL))
        return false;
    for (size_t i = 0; i < most; i++)
        if (strcmp(name, curves[i]) == 0)
            return true;
    return false;
}

static bool key_allowed(X509 *x, bool encrypt, int min_rsa_bits, char why[SG_CERT_WHY])
{
    const EVP_PKEY *key = X509_get0_pubkey(x);
    if (!key) {
        snprintf(why, SG_CERT_WHY, "its public key cannot be read");
        return false;
    }
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
        return rsa_allowed(key, min_rsa_bits, why);
    case EVP_PKEY_RSA_PSS:
        if (!encrypt)
            return rsa_allowed(key, min_rsa_bits, why);
        break;
    case EVP_PKEY_EC:
        if (curve_allowed(key, encrypt))
            return true;
        break;
    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448:
        if (!encrypt)
            return true;
        break;
    default:
        break;
    }
    const char *name = EVP_PKEY_get0_type_name(key);
    snprintf(why, SG_CERT_WHY, "a key of type %s (%d bits), which is not accepted for %s",
             name ? name : "unknown", EVP_PKEY_get_bits(key),
             encrypt ? "encryption" : "signatures");
    return false;
}

/* An extendedKeyUsage that is there must allow mail (RFC 8550 section 4.4.4). */
static bool extended_usage_allowed(X509 *x)
{
    int critical;
    EXTENDED_KEY_USAGE *usages = X509_get_ext_d2i(x, NID_ext_key_usage, &critical, NULL);
    if (!usages)
        return critical == -1;
    bool ok = false;
    for (int i = 0; i < sk_ASN1_OBJECT_num(usages); i++) {
        int nid = OBJ_obj2nid(sk_ASN1_OBJECT_value(usages, i));
        ok |= nid == NID_email_protect || nid == NID_anyExtendedKeyUsage;
    }
    EXTENDED_KEY_USAGE_free(usages);
    return ok;
}

/* Where less than we would choose is taken (REQ-24), why says what of it is weak. */
static bool strength_allowed(X509 *leaf, enum sg_cert_use use, char why[SG_CERT_WHY])
{
    bool encrypt = use != SG_CERT_SIGN;
    char weak[SG_CERT_WHY] = "";
    if (signature_allowed(leaf, !encrypt, weak) &&
        key_allowed(leaf, encrypt, encrypt ? 2048 : 1024, weak))
        return true;
    if (use == SG_CERT_ENCRYPT_WEAK) {
        if (!signature_allowed(leaf, true, why) || !key_allowed(leaf, true, 1024, why))
            return false;
        snprintf(why, SG_CERT_WHY, "weak, and the partner has no better: %.*s", SG_CERT_WHY - 50,
                 weak);
        return true;
    }
    memcpy(why, weak, SG_CERT_WHY);
    return false;
}

bool sg_suitable_leaf(X509 *leaf, enum sg_cert_use use, char why[SG_CERT_WHY])
{
    bool encrypt = use != SG_CERT_SIGN;
    *why = 0;
    if (!strength_allowed(leaf, use, why))
        return false;
    bool agrees = EVP_PKEY_get_base_id(X509_get0_pubkey(leaf)) == EVP_PKEY_EC;
    uint32_t wanted = !encrypt ? KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION
                      : agrees ? KU_KEY_AGREEMENT /* RFC 5480 §3 */
                               : KU_KEY_ENCIPHERMENT;
    if (!(X509_get_key_usage(leaf) & wanted)) { /* all bits are set where the extension is absent */
        snprintf(why, SG_CERT_WHY, "its key usage does not allow %s",
                 !encrypt ? "digitalSignature"
                 : agrees ? "keyAgreement"
                          : "keyEncipherment");
        return false;
    }
    if (!extended_usage_allowed(leaf)) {
        snprintf(why, SG_CERT_WHY, "its extended key usage does not allow emailProtection");
        return false;
    }
    return true;
}

/* Stricter than for end certificates: whoever forges a CA forges everything below it. */
bool sg_suitable_issuer(X509 *issuer, bool anchor, char why[SG_CERT_WHY])
{
    /* What an anchor's signature is worth does not matter: it is trusted by decree. */
    if (!anchor && !signature_allowed(issuer, false, why))
        return false;
    if (!key_allowed(issuer, false, 2048, why))
        return false;
    if (!extended_usage_allowed(issuer)) {
        snprintf(why, SG_CERT_WHY, "its extended key usage does not allow emailProtection");
        return false;
    }
    return true;
}

static int pss_digest(const X509_ALGOR *algorithm)
{
    const void *parameters = NULL;
    int type;
    X509_ALGOR_get0(NULL, &type, &parameters, algorithm);
    if (type != V_ASN1_SEQUENCE)
        return NID_undef;
    RSA_PSS_PARAMS *pss = ASN1_item_unpack(parameters, ASN1_ITEM_rptr(RSA_PSS_PARAMS));
    if (!pss)
        return NID_undef;
    int digest = NID_sha1; /* RFC 4055: the default */
    if (pss->hashAlgorithm) {
        const ASN1_OBJECT *object;
        X509_ALGOR_get0(&object, NULL, NULL, pss->hashAlgorithm);
        digest = OBJ_obj2nid(object);
    }
    RSA_PSS_PARAMS_free(pss);
    return digest;
}

bool sg_suitable_crl_algorithm(const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *object;
    int digest = NID_undef, key = NID_undef;
    X509_ALGOR_get0(&object, NULL, NULL, algorithm);
    int nid = OBJ_obj2nid(object);
    if (nid == NID_ED25519 || nid == NID_ED448)
        return true;
    if (nid == NID_rsassaPss)
        return digest_allowed(pss_digest(algorithm), true);
    return OBJ_find_sigid_algs(nid, &digest, &key) && digest_allowed(digest, true);
}
