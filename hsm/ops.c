#include "hsm/ops.h"

#include "hsm/cek.h"
#include "hsm/ec.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FALLBACK_SECRET 32
#define EVICTIONS_MAX   3 /* for one piece of work: others may take the room that was made */

struct counter {
    atomic_ulong done, failed;
};

struct sg_ops {
    struct sg_ops_options options;
    uint8_t fallback_secret[FALLBACK_SECRET];
    struct counter counters[SG_HSM_CLASSES][SG_HSM_OPS];
};

struct sg_ops *sg_ops_new(const struct sg_ops_options *options)
{
    struct sg_ops *ops = calloc(1, sizeof *ops);
    if (!ops)
        abort();
    ops->options = *options;
    if (RAND_bytes(ops->fallback_secret, sizeof ops->fallback_secret) != 1)
        abort();
    return ops;
}

void sg_ops_free(struct sg_ops **ops)
{
    if (!*ops)
        return;
    OPENSSL_cleanse((*ops)->fallback_secret, sizeof(*ops)->fallback_secret);
    free(*ops);
    *ops = NULL;
}

/* One run of one operation: what the pool hands to the work. */
struct job {
    sg_pool_work work;
    struct sg_ops *ops;
    const struct sg_hsm_request *request;
    struct sg_result *result;
};

/* With a key ----------------------------------------------------------------------------------- */

static CK_RV type_refuse(struct sg_error *err)
{
    sg_fail(err, SG_E_HSM_KEY, "the key is of another kind than the scheme");
    return SG_RV_REFUSED;
}

static CK_RV rsa_sign(const struct sg_session *s, const struct sg_entry *key,
                      enum sg_hsm_scheme scheme, enum sg_hsm_digest digest, struct sg_bytes hash,
                      uint8_t *out, size_t *len)
{
    static const CK_MECHANISM_TYPE hashes[] = {[SG_HSM_SHA1] = CKM_SHA_1,
                                               [SG_HSM_SHA256] = CKM_SHA256,
                                               [SG_HSM_SHA384] = CKM_SHA384,
                                               [SG_HSM_SHA512] = CKM_SHA512};
    static const CK_RSA_PKCS_MGF_TYPE masks[] = {[SG_HSM_SHA1] = CKG_MGF1_SHA1,
                                                 [SG_HSM_SHA256] = CKG_MGF1_SHA256,
                                                 [SG_HSM_SHA384] = CKG_MGF1_SHA384,
                                                 [SG_HSM_SHA512] = CKG_MGF1_SHA512};
    uint8_t info[SG_DIGEST_INFO_MAX];
    CK_RSA_PKCS_PSS_PARAMS pss = {hashes[digest], masks[digest], hash.len};
    CK_MECHANISM mechanism = {CKM_RSA_PKCS, NULL, 0};
    if (scheme == SG_HSM_PSS)
        mechanism = (CK_MECHANISM){CKM_RSA_PKCS_PSS, &pss, sizeof pss};
    else
        hash = sg_bytes_of(info, sg_digest_info(digest, hash, info));
    *len = SG_RSA_BYTES_MAX;
    return sg_p11_sign(s->p11, s->handle, sg_entry_handle(key), &mechanism, hash, out, len);
}

static CK_RV ec_sign(const struct sg_session *s, const struct sg_entry *key, struct sg_bytes hash,
                     uint8_t *out, size_t *len)
{
    uint8_t rs[2 * SG_POINT_MAX];
    size_t rs_len = sizeof rs;
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    CK_RV rv = sg_p11_sign(s->p11, s->handle, sg_entry_handle(key), &mechanism, hash, rs, &rs_len);
    *len = rv == CKR_OK ? sg_ecdsa_encode(sg_bytes_of(rs, rs_len), out) : 0;
    return rv == CKR_OK && *len == 0 ? CKR_FUNCTION_FAILED : rv;
}

static CK_RV sign_with(const struct sg_session *s, const struct sg_entry *key,
                       enum sg_hsm_scheme scheme, enum sg_hsm_digest digest, struct sg_bytes hash,
                       uint8_t *out, size_t *len, struct sg_error *err)
{
    enum sg_key_type type = sg_entry_public(key)->type;
    if ((type == SG_KEY_RSA) != (scheme != SG_HSM_ECDSA))
        return type_refuse(err);
    if (type == SG_KEY_RSA)
        return rsa_sign(s, key, scheme, digest, hash, out, len);
    if (hash.len > sg_ec_field_size(type)) /* what modules cut off, and not all alike */
        return type_refuse(err);
    return ec_sign(s, key, hash, out, len);
}

static CK_RV sign(const struct sg_session *s, const struct job *job, const struct sg_entry *key,
                  struct sg_error *err)
{
    const struct sg_hsm_request *q = job->request;
    return sign_with(s, key, q->scheme, q->digest, q->input, job->result->first,
                     &job->result->first_len, err);
}

static CK_RV csr(const struct sg_session *s, const struct job *job, const struct sg_entry *key,
                 struct sg_error *err)
{
    const struct sg_public_key *public = sg_entry_public(key);
    enum sg_hsm_digest digest = sg_csr_digest(public->type);
    uint8_t hash[EVP_MAX_MD_SIZE], signature[SG_RSA_BYTES_MAX];
    size_t len;
    struct sg_csr *request = NULL;
    struct sg_result *r = job->result;
    if (!sg_csr_prepare(job->request->input, public, &request, hash, err))
        return SG_RV_REFUSED;
    CK_RV rv = sign_with(s, key, public->type == SG_KEY_RSA ? SG_HSM_PKCS1 : SG_HSM_ECDSA, digest,
                         sg_bytes_of(hash, sg_hsm_digest_size(digest)), signature, &len, err);
    if (rv == CKR_OK && !sg_csr_finish(request, sg_bytes_of(signature, len), r->first,
                                       sizeof r->first, &r->first_len, err))
        rv = SG_RV_REFUSED;
    sg_csr_free(&request);
    return rv;
}

static CK_RV public_key(const struct sg_session *s, const struct job *job,
                        const struct sg_entry *key, struct sg_error *err)
{
    (void)s;
    return sg_spki_encode(sg_entry_public(key), job->result->first, &job->result->first_len, err)
               ? CKR_OK
               : SG_RV_REFUSED;
}

/* The key that answers what does not open: random to everybody, the same for the same question. */
static bool fallback_key(const struct sg_ops *ops, const struct sg_hsm_request *q,
                         const struct sg_public_key *public, uint8_t out[EVP_MAX_MD_SIZE])
{
    uint8_t data[SG_RSA_BYTES_MAX + SG_HSM_INPUT_MAX + 9];
    unsigned len;
    /* The modulus or the point is enough to tell keys apart, and encoding them costs. */
    struct sg_bytes named = public->type == SG_KEY_RSA
                                ? sg_bytes_of(public->rsa.n, public->rsa.n_len)
                                : sg_bytes_of(public->ec.point, public->ec.len);
    const uint8_t head[] = {
        (uint8_t)(q->number >> 8), (uint8_t)q->number,        (uint8_t)q->scheme,
        (uint8_t)q->digest,        (uint8_t)q->mask,          (uint8_t)q->wrap,
        (uint8_t) public->type,    (uint8_t)(named.len >> 8), (uint8_t)named.len};
    size_t n = sizeof head;
    memcpy(data, head, n);
    memcpy(data + n, named.data, named.len);
    n += named.len;
    memcpy(data + n, q->input.data, q->input.len);
    n += q->input.len;
    return HMAC(EVP_sha512(), ops->fallback_secret, sizeof ops->fallback_secret, data, n, out,
                &len) != NULL;
}

static CK_RV decrypt(const struct sg_session *s, const struct job *job, const struct sg_entry *key,
                     struct sg_error *err)
{
    const struct sg_hsm_request *q = job->request;
    uint8_t fallback[EVP_MAX_MD_SIZE];
    bool rsa = sg_entry_public(key)->type == SG_KEY_RSA;
    if (rsa != (q->scheme != SG_HSM_ECDH))
        return type_refuse(err);
    if (!fallback_key(job->ops, q, sg_entry_public(key), fallback)) {
        sg_fail_openssl(err, SG_E_CRYPTO, "HMAC");
        return SG_RV_REFUSED;
    }
    CK_RV rv = rsa ? sg_cek_transported(s, key, q, fallback, job->result->first, err)
                   : sg_cek_agreed(s, key, q, fallback, job->result->first);
    if (rv == CKR_OK)
        job->result->first_len = q->number;
    OPENSSL_cleanse(fallback, sizeof fallback);
    return rv;
}

typedef CK_RV (*key_work)(const struct sg_session *s, const struct job *job,
                          const struct sg_entry *key, struct sg_error *err);

static CK_RV with_key(const struct sg_session *s, void *arg, struct sg_error *err)
{
    static const key_work works[SG_HSM_OPS] = {[SG_HSM_OP_SIGN] = sign,
                                               [SG_HSM_OP_DECRYPT] = decrypt,
                                               [SG_HSM_OP_CSR] = csr,
                                               [SG_HSM_OP_PUBLIC] = public_key};
    const struct job *job = arg;
    struct sg_entry *key;
    CK_RV rv = sg_keystore_acquire(job->ops->options.store, s, job->request, &key, err);
    if (rv != CKR_OK)
        return rv;
    rv = works[job->request->op](s, job, key, err);
    sg_keystore_release(job->ops->options.store, s, job->request, key, rv);
    return rv;
}

/* Without one ---------------------------------------------------------------------------------- */

static CK_RV generate(const struct sg_session *s, void *arg, struct sg_error *err)
{
    const struct job *job = arg;
    return sg_keystore_generate(job->ops->options.store, s, job->request, job->result, err);
}

static CK_RV destroy(const struct sg_session *s, void *arg, struct sg_error *err)
{
    const struct job *job = arg;
    return sg_keystore_destroy(job->ops->options.store, s, job->request, err);
}

static CK_RV data_key_make(const struct sg_session *s, void *arg, struct sg_error *err)
{
    const struct job *job = arg;
    return sg_data_key_make(job->ops->options.store, s, job->request, job->result, err);
}

static CK_RV data_key_open(const struct sg_session *s, void *arg, struct sg_error *err)
{
    const struct job *job = arg;
    return sg_data_key_open(job->ops->options.store, s, job->request, job->result, err);
}

static CK_RV health(const struct sg_session *s, void *arg, struct sg_error *err)
{
    const struct job *job = arg;
    struct sg_result *r = job->result;
    r->first_len = sg_ops_counters(job->ops, (char *)r->first, sizeof r->first);
    return sg_keystore_check(job->ops->options.store, s, err);
}

/*
 * Unwrapped keys, data keys and agreed secrets share what room the token has for objects. A key
 * that is to stay on the token needs room of another kind, and no key goes for it.
 */
static CK_RV work_with_room(const struct sg_session *s, void *arg, struct sg_error *err)
{
    const struct job *job = arg;
    bool stays = job->request->op == SG_HSM_OP_GENERATE && job->request->kind == SG_HSM_TOKEN;
    int left = stays ? 0 : EVICTIONS_MAX;
    CK_RV rv = job->work(s, arg, err);
    while (rv == CKR_DEVICE_MEMORY && left-- > 0 && sg_keystore_evict(job->ops->options.store, s))
        rv = job->work(s, arg, err);
    return rv;
}

sg_deadline sg_ops_deadline(const struct sg_ops *ops, enum sg_hsm_op op)
{
    return sg_deadline_in(op == SG_HSM_OP_GENERATE ? ops->options.generate_ms
                                                   : ops->options.answer_ms);
}

bool sg_ops_run(struct sg_ops *ops, const struct sg_hsm_request *request, sg_deadline deadline,
                struct sg_result *result, struct sg_error *err)
{
    static const sg_pool_work works[SG_HSM_OPS] = {
        [SG_HSM_OP_HEALTH] = health,      [SG_HSM_OP_GENERATE] = generate,
        [SG_HSM_OP_SIGN] = with_key,      [SG_HSM_OP_DECRYPT] = with_key,
        [SG_HSM_OP_CSR] = with_key,       [SG_HSM_OP_PUBLIC] = with_key,
        [SG_HSM_OP_MAKE] = data_key_make, [SG_HSM_OP_OPEN] = data_key_open,
        [SG_HSM_OP_DESTROY] = destroy};
    struct job job = {.work = works[request->op], .ops = ops, .request = request, .result = result};
    result->first_len = result->second_len = 0;
    bool ok = sg_pool_run(ops->options.pool, work_with_room, &job, deadline, err);
    struct counter *counter = &ops->counters[request->class][request->op];
    atomic_fetch_add_explicit(ok ? &counter->done : &counter->failed, 1, memory_order_relaxed);
    return ok;
}

size_t sg_ops_counters(struct sg_ops *ops, char *out, size_t size)
{
    size_t n = 0;
    out[0] = 0;
    for (unsigned class = 1; class < SG_HSM_CLASSES; class ++) {
        for (unsigned op = 1; op < SG_HSM_OPS; op++) {
            const struct counter *c = &ops->counters[class][op];
            unsigned long done = atomic_load_explicit(&c->done, memory_order_relaxed);
            unsigned long failed = atomic_load_explicit(&c->failed, memory_order_relaxed);
            const char *name = sg_hsm_class_name(class), *verb = sg_hsm_op_name(op);
            int len = 0;
            if (done && n < size)
                len = snprintf(out + n, size - n, "%s%s.%s=%lu", n ? " " : "", name, verb, done);
            n += (size_t)len;
            len = 0;
            if (failed && n < size)
                len = snprintf(out + n, size - n, "%s%s.%s.failed=%lu", n ? " " : "", name, verb,
                               failed);
            n += (size_t)len;
        }
    }
    return n < size ? n : size - 1;
}
