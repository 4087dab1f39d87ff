#include "smime/der.h"
#include "smime/smime_internal.h"

#include <openssl/err.h>
#include <openssl/rsa.h>

/* RecipientInfo of a message that is sealed: its content-encryption key to one certificate. */

void sg_smime_oaep_add(struct sg_buf *out)
{
    SG_AUTO_BUF digest;
    sg_buf_init(&digest, 0);
    SG_AUTO_BUF params;
    sg_buf_init(&params, 0);
    sg_der_algorithm(&digest, sg_oid_sha256, sg_der_null);
    sg_buf_add(&params, digest.data, digest.len);
    sg_der_wrap(&params, 0, SG_BER_EXPLICIT(0));
    size_t mask = params.len;
    sg_der_algorithm(&params, sg_oid_mgf1, sg_buf_bytes(&digest));
    sg_der_wrap(&params, mask, SG_BER_EXPLICIT(1));
    sg_der_wrap(&params, 0, SG_BER_SEQUENCE);
    sg_der_algorithm(out, sg_oid_rsaes_oaep, sg_buf_bytes(&params));
}

static bool rsa_encrypt(EVP_PKEY *key, bool oaep, struct sg_bytes cek, uint8_t *out, size_t *len)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    bool ok =
        ctx && EVP_PKEY_encrypt_init(ctx) > 0 &&
        EVP_PKEY_CTX_set_rsa_padding(ctx, oaep ? RSA_PKCS1_OAEP_PADDING : RSA_PKCS1_PADDING) > 0;
    if (oaep)
        ok = ok && EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) > 0 &&
             EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) > 0;
    ok = ok && EVP_PKEY_encrypt(ctx, out, len, cek.data, cek.len) > 0;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

/* KeyTransRecipientInfo (RFC 5652 §6.2.1). */
static bool transport_add(struct sg_buf *out, const struct sg_smime_recipient *recipient,
                          EVP_PKEY *key, struct sg_bytes cek, struct sg_error *err)
{
    uint8_t encrypted[SG_SMIME_RSA_BITS_MAX / 8];
    size_t len = sizeof encrypted, start = out->len;
    if (!rsa_encrypt(key, recipient->oaep, cek, encrypted, &len))
        return sg_fail_openssl(err, SG_E_CRYPTO, "encryption to the recipient's key");
    sg_der_tlv(out, SG_BER_INTEGER, sg_bytes_of("\0", 1));
    if (!sg_smime_issuer_and_serial(out, recipient->certificate, err))
        return false;
    if (recipient->oaep)
        sg_smime_oaep_add(out);
    else
        sg_der_algorithm(out, sg_oid_rsa_encryption, sg_der_null);
    sg_der_tlv(out, SG_BER_OCTETS, sg_bytes_of(encrypted, len));
    sg_der_wrap(out, start, SG_BER_SEQUENCE);
    return true;
}

bool sg_smime_recipient_add(struct sg_buf *out, const struct sg_smime_recipient *recipient,
                            struct sg_bytes cek, struct sg_error *err)
{
    EVP_PKEY *key = X509_get0_pubkey(recipient->certificate);
    const struct sg_curve *curve = sg_curve_of(key);
    if (curve)
        return sg_smime_agreement_add(out, recipient->certificate, curve, cek, err);
    if (!key || !EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_get_bits(key) < SG_SMIME_RSA_BITS_MIN ||
        EVP_PKEY_get_bits(key) > SG_SMIME_RSA_BITS_MAX)
        return sg_fail_openssl(err, SG_E_CERT, "the recipient's certificate has no usable key");
    return transport_add(out, recipient, key, cek, err);
}
