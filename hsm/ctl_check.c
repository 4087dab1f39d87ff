/* hsmctl check: hsmd's own operations on throw-away keys, their results judged by OpenSSL. */
#include "hsm/ctl.h"
#include "hsm/ec.h"
#include "hsm/ops.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CEK_BYTES 32

static bool mechanisms_check(struct sg_ctl *ctl, struct sg_error *err)
{
    static const struct {
        CK_MECHANISM_TYPE type;
        CK_FLAGS flags;
        const char *name;
    } wanted[] = {
        {CKM_RSA_PKCS_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR, "CKM_RSA_PKCS_KEY_PAIR_GEN"},
        {CKM_RSA_PKCS, CKF_SIGN, "CKM_RSA_PKCS (sign)"},
        {CKM_RSA_PKCS_PSS, CKF_SIGN, "CKM_RSA_PKCS_PSS (sign)"},
        {CKM_RSA_X_509, CKF_DECRYPT, "CKM_RSA_X_509 (decrypt)"},
        {CKM_AES_KEY_GEN, CKF_GENERATE, "CKM_AES_KEY_GEN"},
        {CKM_AES_KEY_WRAP, CKF_WRAP | CKF_UNWRAP, "CKM_AES_KEY_WRAP"},
        {CKM_AES_KEY_WRAP_PAD, CKF_WRAP | CKF_UNWRAP, "CKM_AES_KEY_WRAP_PAD"},
        {CKM_GENERIC_SECRET_KEY_GEN, CKF_GENERATE, "CKM_GENERIC_SECRET_KEY_GEN"},
        {CKM_SHA256_HMAC, CKF_SIGN, "CKM_SHA256_HMAC"},
    };
    struct sg_token_choice choice = sg_hsmd_token(&ctl->settings);
    CK_SLOT_ID slot = 0;
    if (!sg_token_find(&ctl->module, &choice, &slot, err))
        return false;
    printf("ok\ttoken\n");
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        CK_MECHANISM_INFO info;
        CK_RV rv = ctl->module.p11->C_GetMechanismInfo(slot, wanted[i].type, &info);
        if (rv != CKR_OK || (info.flags & wanted[i].flags) != wanted[i].flags)
            return sg_fail(err, SG_E_HSM_OPERATION, "the module has no %s", wanted[i].name);
    }
    printf("ok\tmechanisms\n");
    return true;
}

/* What keys on curves need: a module may do without. */
static bool curves_check(struct sg_ctl *ctl)
{
    static const struct {
        CK_MECHANISM_TYPE type;
        CK_FLAGS flags;
        const char *name;
    } wanted[] = {
        {CKM_EC_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR, "CKM_EC_KEY_PAIR_GEN"},
        {CKM_ECDSA, CKF_SIGN, "CKM_ECDSA (sign)"},
        {CKM_ECDH1_DERIVE, CKF_DERIVE, "CKM_ECDH1_DERIVE"},
    };
    struct sg_token_choice choice = sg_hsmd_token(&ctl->settings);
    CK_SLOT_ID slot = 0;
    if (!sg_token_find(&ctl->module, &choice, &slot, NULL))
        return false;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        CK_MECHANISM_INFO info;
        CK_RV rv = ctl->module.p11->C_GetMechanismInfo(slot, wanted[i].type, &info);
        if (rv != CKR_OK || (info.flags & wanted[i].flags) != wanted[i].flags) {
            printf("none\tkeys on curves: the module has no %s\n", wanted[i].name);
            return false;
        }
    }
    return true;
}

static bool verify(EVP_PKEY *key, struct sg_bytes hash, struct sg_bytes signature)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    bool ok = ctx && EVP_PKEY_verify_init(ctx) > 0 &&
              EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0 &&
              EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) > 0 &&
              EVP_PKEY_verify(ctx, signature.data, signature.len, hash.data, hash.len) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static bool encrypt(EVP_PKEY *key, struct sg_bytes cek, uint8_t *out, size_t *len)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    bool ok = ctx && EVP_PKEY_encrypt_init(ctx) > 0 &&
              EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0 &&
              EVP_PKEY_encrypt(ctx, out, len, cek.data, cek.len) > 0;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static bool run(struct sg_ops *ops, const struct sg_hsm_request *q, struct sg_result *result,
                struct sg_error *err)
{
    return sg_ops_run(ops, q, sg_ops_deadline(ops, q->op), result, err);
}

/* Signs and decrypts with a key that was just made; spki is its public half. */
static bool pair_use(struct sg_ops *ops, struct sg_hsm_request *q, struct sg_bytes spki,
                     struct sg_result *result, struct sg_error *err)
{
    static const uint8_t cek[CEK_BYTES] = "throw-away content-encryption k", hash[32] = {1, 2, 3};
    uint8_t encrypted[SG_RSA_BYTES_MAX];
    size_t len = sizeof encrypted;
    const uint8_t *p = spki.data;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)spki.len);
    bool encrypts = key && encrypt(key, sg_bytes_of(cek, sizeof cek), encrypted, &len);
    q->op = SG_HSM_OP_SIGN;
    q->scheme = SG_HSM_PKCS1;
    q->digest = SG_HSM_SHA256;
    q->input = sg_bytes_of(hash, sizeof hash);
    bool ok = run(ops, q, result, err);
    if (ok && !(key && verify(key, q->input, sg_bytes_of(result->first, result->first_len))))
        ok = sg_fail(err, SG_E_HSM_OPERATION, "the signature does not verify");
    q->op = SG_HSM_OP_DECRYPT;
    q->digest = (enum sg_hsm_digest)0;
    q->number = CEK_BYTES;
    q->input = sg_bytes_of(encrypted, len);
    ok = ok && run(ops, q, result, err);
    if (ok && !(encrypts && sg_bytes_equal(sg_bytes_of(cek, sizeof cek),
                                           sg_bytes_of(result->first, result->first_len))))
        ok = sg_fail(err, SG_E_HSM_OPERATION, "the decrypted key is another");
    EVP_PKEY_free(key);
    return ok;
}

static bool curve_use(struct sg_ops *ops, struct sg_hsm_request *q, struct sg_bytes spki,
                      struct sg_result *result, struct sg_error *err)
{
    static const uint8_t hash[32] = {1, 2, 3};
    struct sg_public_key public;
    q->op = SG_HSM_OP_SIGN;
    q->number = 0;
    q->scheme = SG_HSM_ECDSA;
    q->digest = SG_HSM_SHA256;
    q->input = sg_bytes_of(hash, sizeof hash);
    return sg_spki_decode(spki, &public, err) && run(ops, q, result, err) &&
           (sg_ecdsa_verify(&public, q->input, sg_bytes_of(result->first, result->first_len)) ||
            sg_fail(err, SG_E_HSM_OPERATION, "the signature does not verify"));
}

static bool pair_check(struct sg_ops *ops, enum sg_hsm_kind kind, unsigned bits,
                       struct sg_error *err)
{
    bool curve = bits == 256;
    static struct sg_result made, result;
    struct sg_error why = {0};
    struct sg_id id = sg_id_new("key");
    struct sg_hsm_request q = {.op = SG_HSM_OP_GENERATE,
                               .class = SG_HSM_DCA,
                               .kind = kind,
                               .number = bits,
                               .id = sg_bytes_str(id.text)};
    if (!run(ops, &q, &made, err))
        return false;
    q.blob = sg_bytes_of(made.second, made.second_len);
    struct sg_bytes spki = sg_bytes_of(made.first, made.first_len);
    bool ok =
        curve ? curve_use(ops, &q, spki, &result, err) : pair_use(ops, &q, spki, &result, err);
    q.op = SG_HSM_OP_DESTROY;
    if (!run(ops, &q, &result, &why)) {
        if (ok)
            *err = why;
        return false;
    }
    if (ok)
        printf("ok\t%s %s: generate, sign,%s destroy\n", kind == SG_HSM_TOKEN ? "token" : "wrapped",
               curve ? "key on P-256" : "key", curve ? "" : " decrypt,");
    return ok;
}

static bool data_key_check(struct sg_ops *ops, struct sg_error *err)
{
    static struct sg_result made, opened;
    struct sg_hsm_request q = {
        .op = SG_HSM_OP_MAKE, .class = SG_HSM_HOLD, .binding = sg_bytes_str("hsmctl check")};
    bool ok = run(ops, &q, &made, err);
    q.op = SG_HSM_OP_OPEN;
    q.input = sg_bytes_of(made.second, made.second_len);
    ok = ok && run(ops, &q, &opened, err);
    if (ok && !sg_secret_equal(sg_bytes_of(made.first, made.first_len),
                               sg_bytes_of(opened.first, opened.first_len)))
        ok = sg_fail(err, SG_E_HSM_OPERATION, "the opened data key is another");
    if (ok)
        printf("ok\tdata key: make, open\n");
    return ok;
}

bool sg_ctl_check(struct sg_ctl *ctl, struct sg_error *err)
{
    static struct sg_result result;
    printf("ok\tmodule %s\n", ctl->settings.module);
    if (!mechanisms_check(ctl, err))
        return false;
    struct sg_pool_options pool_options = {.module = &ctl->module,
                                           .token = sg_hsmd_token(&ctl->settings),
                                           .pin_file = ctl->settings.pin_file,
                                           .sessions = 1,
                                           .wait_ms = ctl->settings.session_wait,
                                           .retry_ms = ctl->settings.retry,
                                           .hang_ms = ctl->settings.answer_timeout};
    struct sg_keystore_options store_options = sg_hsmd_keystore(&ctl->settings);
    struct sg_hsm_request health = {.op = SG_HSM_OP_HEALTH};
    struct sg_pool *pool = sg_pool_new(&pool_options);
    struct sg_keystore *store = sg_keystore_new(&store_options);
    const struct sg_ops_options ops_options = {.pool = pool,
                                               .store = store,
                                               .answer_ms = ctl->settings.answer_timeout,
                                               .generate_ms = ctl->settings.generate_timeout};
    struct sg_ops *ops = sg_ops_new(&ops_options);
    bool ok = sg_pool_reopen(pool, sg_deadline_in(ctl->settings.generate_timeout), err);
    if (ok)
        printf("ok\tlogin\n");
    ok = ok && run(ops, &health, &result, err);
    if (ok)
        printf("ok\tkey-encryption and MAC keys\n");
    ok = ok && pair_check(ops, SG_HSM_TOKEN, 2048, err) &&
         pair_check(ops, SG_HSM_WRAPPED, 2048, err) && data_key_check(ops, err);
    if (ok && curves_check(ctl))
        ok = pair_check(ops, SG_HSM_TOKEN, 256, err) && pair_check(ops, SG_HSM_WRAPPED, 256, err);
    if (!sg_pool_close(pool, sg_deadline_in(ctl->settings.generate_timeout)))
        _exit(1);
    sg_ops_free(&ops);
    sg_pool_free(&pool);
    sg_keystore_free(&store);
    return ok;
}
