#include "smime/algorithm.h"

#include "smime/der.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <stdio.h>

#define LITERAL(s)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(s), sizeof(s) - 1                                                        \
    }

#define PKCS   "\x2a\x86\x48\x86\xf7\x0d"     /* 1.2.840.113549 */
#define NIST   "\x60\x86\x48\x01\x65\x03\x04" /* 2.16.840.1.101.3.4 */
#define OIW    "\x2b\x0e\x03\x02"             /* 1.3.14.3.2 */
#define RSADSI PKCS "\x01\x01"                /* PKCS #1 */
#define PKCS9  PKCS "\x01\x09"
#define X962   "\x2a\x86\x48\xce\x3d" /* 1.2.840.10045 */
#define ECDSA  X962 "\x04"
#define X963   "\x2b\x81\x05\x10\x86\x48\x3f\x00" /* 1.3.133.16.840.63.0 */
#define SECG   "\x2b\x81\x04\x01"                 /* 1.3.132.1 */
#define AES    NIST "\x01"
#define SHA2   NIST "\x02"

const struct sg_bytes sg_oid_data = LITERAL(PKCS "\x01\x07\x01");
const struct sg_bytes sg_oid_signed_data = LITERAL(PKCS "\x01\x07\x02");
const struct sg_bytes sg_oid_enveloped_data = LITERAL(PKCS "\x01\x07\x03");
const struct sg_bytes sg_oid_auth_enveloped_data = LITERAL(PKCS9 "\x10\x01\x17");
const struct sg_bytes sg_oid_encrypted_data = LITERAL(PKCS "\x01\x07\x06");
const struct sg_bytes sg_oid_digested_data = LITERAL(PKCS "\x01\x07\x05");
const struct sg_bytes sg_oid_authenticated_data = LITERAL(PKCS9 "\x10\x01\x02");
const struct sg_bytes sg_oid_compressed_data = LITERAL(PKCS9 "\x10\x01\x09");
const struct sg_bytes sg_oid_receipt = LITERAL(PKCS9 "\x10\x01\x01");
const struct sg_bytes sg_oid_content_type = LITERAL(PKCS9 "\x03");
const struct sg_bytes sg_oid_message_digest = LITERAL(PKCS9 "\x04");
const struct sg_bytes sg_oid_signing_time = LITERAL(PKCS9 "\x05");
const struct sg_bytes sg_oid_smime_capabilities = LITERAL(PKCS9 "\x0f");
const struct sg_bytes sg_oid_rsa_encryption = LITERAL(RSADSI "\x01");
const struct sg_bytes sg_oid_rsaes_oaep = LITERAL(RSADSI "\x07");
const struct sg_bytes sg_oid_mgf1 = LITERAL(RSADSI "\x08");
const struct sg_bytes sg_oid_p_specified = LITERAL(RSADSI "\x09");
const struct sg_bytes sg_oid_ec_public_key = LITERAL(X962 "\x02\x01");
const struct sg_bytes sg_oid_sha256 = LITERAL(SHA2 "\x01");
const struct sg_bytes sg_oid_sha384 = LITERAL(SHA2 "\x02");
const struct sg_bytes sg_oid_aes256_gcm = LITERAL(AES "\x2e");
const struct sg_bytes sg_oid_aes128_gcm = LITERAL(AES "\x06");
const struct sg_bytes sg_oid_aes256_cbc = LITERAL(AES "\x2a");
const struct sg_bytes sg_oid_aes192_cbc = LITERAL(AES "\x16");
const struct sg_bytes sg_oid_aes128_cbc = LITERAL(AES "\x02");
const struct sg_bytes sg_oid_des_ede3_cbc = LITERAL(PKCS "\x03\x07");
const struct sg_bytes sg_der_null = LITERAL("\x05\x00");

static const struct sg_digest_algorithm digests[] = {
    {LITERAL(SHA2 "\x01"), "sha256", EVP_sha256}, {LITERAL(SHA2 "\x02"), "sha384", EVP_sha384},
    {LITERAL(SHA2 "\x03"), "sha512", EVP_sha512}, {LITERAL(SHA2 "\x04"), "sha224", EVP_sha224},
    {LITERAL(OIW "\x1a"), "sha1", EVP_sha1},
};

static const struct sg_signature_algorithm signatures[] = {
    {LITERAL(RSADSI "\x01"), "rsaEncryption", NULL},
    {LITERAL(RSADSI "\x0a"), "rsassaPss", NULL},
    {LITERAL(RSADSI "\x05"), "rsaEncryption", EVP_sha1},
    {LITERAL(RSADSI "\x0b"), "rsaEncryption", EVP_sha256},
    {LITERAL(RSADSI "\x0c"), "rsaEncryption", EVP_sha384},
    {LITERAL(RSADSI "\x0d"), "rsaEncryption", EVP_sha512},
    {LITERAL(RSADSI "\x0e"), "rsaEncryption", EVP_sha224},
    {LITERAL(OIW "\x1d"), "rsaEncryption", EVP_sha1},
    {LITERAL(X962 "\x02\x01"), "ecdsa", NULL}, /* what some write: the key's own identifier */
    {LITERAL(ECDSA "\x01"), "ecdsa", EVP_sha1},
    {LITERAL(ECDSA "\x03\x01"), "ecdsa", EVP_sha224},
    {LITERAL(ECDSA "\x03\x02"), "ecdsa", EVP_sha256},
    {LITERAL(ECDSA "\x03\x03"), "ecdsa", EVP_sha384},
    {LITERAL(ECDSA "\x03\x04"), "ecdsa", EVP_sha512},
};

static const struct sg_cipher_algorithm ciphers[] = {
    {LITERAL(AES "\x2a"), "aes-256-cbc", 32, false, EVP_aes_256_cbc},
    {LITERAL(AES "\x16"), "aes-192-cbc", 24, false, EVP_aes_192_cbc},
    {LITERAL(AES "\x02"), "aes-128-cbc", 16, false, EVP_aes_128_cbc},
    {LITERAL(PKCS "\x03\x07"), "des-ede3-cbc", 24, false, EVP_des_ede3_cbc},
    {LITERAL(AES "\x2e"), "aes-256-gcm", 32, true, EVP_aes_256_gcm},
    {LITERAL(AES "\x1a"), "aes-192-gcm", 24, true, EVP_aes_192_gcm},
    {LITERAL(AES "\x06"), "aes-128-gcm", 16, true, EVP_aes_128_gcm},
};

static const struct sg_curve curves[] = {
    {"prime256v1", 32, "sha256", "ecdsa sha256", EVP_sha256, LITERAL(SHA2 "\x01"),
     LITERAL(ECDSA "\x03\x02"), LITERAL(SECG "\x0b\x01")},
    {"secp384r1", 48, "sha384", "ecdsa sha384", EVP_sha384, LITERAL(SHA2 "\x02"),
     LITERAL(ECDSA "\x03\x03"), LITERAL(SECG "\x0b\x02")},
};

static const struct {
    struct sg_bytes oid;
    const char *digest;
} agreements[] = {
    {LITERAL(X963 "\x02"), "sha1"},       {LITERAL(X963 "\x03"), "sha1"},
    {LITERAL(SECG "\x0b\x01"), "sha256"}, {LITERAL(SECG "\x0e\x01"), "sha256"},
    {LITERAL(SECG "\x0b\x02"), "sha384"}, {LITERAL(SECG "\x0e\x02"), "sha384"},
};

static const struct sg_wrap_algorithm wraps[] = {
    {LITERAL(AES "\x05"), "aes-128-wrap", 128, EVP_aes_128_wrap},
    {LITERAL(AES "\x19"), "aes-192-wrap", 192, EVP_aes_192_wrap},
    {LITERAL(AES "\x2d"), "aes-256-wrap", 256, EVP_aes_256_wrap},
    {LITERAL(PKCS9 "\x10\x03\x06"), "des-ede3-wrap", 192, EVP_des_ede3_wrap},
};

const struct sg_digest_algorithm *sg_digest_find(struct sg_bytes oid)
{
    for (size_t i = 0; i < sizeof digests / sizeof *digests; i++)
        if (sg_bytes_equal(digests[i].oid, oid))
            return &digests[i];
    return NULL;
}

const struct sg_signature_algorithm *sg_signature_find(struct sg_bytes oid)
{
    for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++)
        if (sg_bytes_equal(signatures[i].oid, oid))
            return &signatures[i];
    return NULL;
}

const struct sg_cipher_algorithm *sg_cipher_find(struct sg_bytes oid)
{
    for (size_t i = 0; i < sizeof ciphers / sizeof *ciphers; i++)
        if (sg_bytes_equal(ciphers[i].oid, oid))
            return &ciphers[i];
    return NULL;
}

const char *sg_agreement_find(struct sg_bytes oid)
{
    for (size_t i = 0; i < sizeof agreements / sizeof *agreements; i++)
        if (sg_bytes_equal(agreements[i].oid, oid))
            return agreements[i].digest;
    return NULL;
}

const struct sg_wrap_algorithm *sg_wrap_find(struct sg_bytes oid)
{
    for (size_t i = 0; i < sizeof wraps / sizeof *wraps; i++)
        if (sg_bytes_equal(wraps[i].oid, oid))
            return &wraps[i];
    return NULL;
}

const struct sg_wrap_algorithm *sg_wrap_for(size_t key_bytes)
{
    return key_bytes <= 16 ? &wraps[0] : &wraps[2];
}

const struct sg_curve *sg_curve_of(EVP_PKEY *key)
{
    char group[64];
    if (!key || !EVP_PKEY_is_a(key, "EC") ||
        !EVP_PKEY_get_group_name(key, group, sizeof group, NULL))
        return NULL;
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
        if (strcmp(curves[i].name, group) == 0)
            return &curves[i];
    return NULL;
}

void sg_oid_text(struct sg_bytes oid, char *out, size_t size)
{
    SG_AUTO_BUF der;
    sg_buf_init(&der, 0);
    sg_der_tlv(&der, 0x06, oid);
    const unsigned char *p = der.data;
    ASN1_OBJECT *object = oid.len <= 64 ? d2i_ASN1_OBJECT(NULL, &p, (long)der.len) : NULL;
    if (!object || OBJ_obj2txt(out, (int)size, object, 0) <= 0)
        snprintf(out, size, "an unreadable algorithm");
    ERR_clear_error();
    ASN1_OBJECT_free(object);
}
