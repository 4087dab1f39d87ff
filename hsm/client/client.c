#include "hsmclient/client.h"

#include "hsmclient/connections.h"

#include <openssl/crypto.h>
#include <stdlib.h>

struct sg_hsm {
    struct sg_hsm_connections *connections;
};

struct sg_hsm *sg_hsm_new(const struct sg_hsm_options *options)
{
    struct sg_hsm *hsm = calloc(1, sizeof *hsm);
    if (!hsm)
        abort();
    hsm->connections = sg_hsm_connections_new(options);
    return hsm;
}

void sg_hsm_free(struct sg_hsm **hsm)
{
    if (!hsm || !*hsm)
        return;
    sg_hsm_connections_free(&(*hsm)->connections);
    free(*hsm);
    *hsm = NULL;
}

/* A request on its way and its reply, wiped when it leaves its scope. */
struct call {
    struct sg_hsm_request request;
    struct sg_hsm_reply reply;
    size_t frame_len;
    struct sg_bytes body; /* of buf */
    uint8_t frame[SG_HSM_FRAME_MAX + 4], buf[SG_HSM_FRAME_MAX + 4];
};

static void call_wipe(struct call *call)
{
    OPENSSL_cleanse(call->frame, call->frame_len);
    OPENSSL_cleanse((uint8_t *)call->body.data, call->body.len);
}
#define AUTO_CALL __attribute__((cleanup(call_wipe))) struct call

static void call_init(struct call *call, enum sg_hsm_op op, const struct sg_hsm_key *key)
{
    memset(&call->request, 0, sizeof call->request);
    call->frame_len = 0;
    call->body = sg_bytes_of(NULL, 0);
    call->request.op = op;
    if (!key)
        return;
    call->request.class = key->class;
    call->request.kind = key->kind;
    call->request.id = sg_bytes_str(key->id);
    call->request.tenant = sg_bytes_str(key->tenant);
    call->request.domain = sg_bytes_str(key->domain);
    if (key->kind == SG_HSM_WRAPPED && op != SG_HSM_OP_GENERATE)
        call->request.blob = key->blob;
}

static bool call_do(struct sg_hsm *hsm, struct call *call, struct sg_error *err)
{
    if (!sg_hsm_request_encode(&call->request, call->frame, &call->frame_len, err) ||
        !sg_hsm_exchange(hsm->connections, sg_bytes_of(call->frame, call->frame_len), call->buf,
                         &call->body, err) ||
        !sg_hsm_reply_decode(call->body, &call->reply, err))
        return false;
    if (call->reply.error.code == SG_OK)
        return true;
    if (err)
        *err = call->reply.error;
    return false;
}

static bool keep(struct sg_buf *out, struct sg_bytes data, struct sg_error *err)
{
    sg_buf_clear(out);
    return sg_buf_add(out, data.data, data.len) ||
           sg_fail(err, SG_E_LIMIT, "hsmd's answer of %zu bytes does not fit", data.len);
}

static bool keep_secret(struct sg_secret *out, struct sg_bytes data, size_t want,
                        struct sg_error *err)
{
    if (data.len != want)
        return sg_fail(err, SG_E_HSM_PROTOCOL, "hsmd's key has %zu bytes, not %zu", data.len, want);
    return sg_secret_set(out, data.data, data.len, err);
}

bool sg_hsm_health(struct sg_hsm *hsm, struct sg_error *err)
{
    AUTO_CALL call;
    call_init(&call, SG_HSM_OP_HEALTH, NULL);
    return call_do(hsm, &call, err);
}

bool sg_hsm_generate(struct sg_hsm *hsm, const struct sg_hsm_key *key, int bits,
                     struct sg_buf *spki_r, struct sg_buf *blob_r, struct sg_error *err)
{
    AUTO_CALL call;
    call_init(&call, SG_HSM_OP_GENERATE, key);
    call.request.number = bits > 0 && bits <= UINT16_MAX ? (unsigned)bits : 0;
    return call_do(hsm, &call, err) && keep(spki_r, call.reply.first, err) &&
           keep(blob_r, call.reply.second, err);
}

bool sg_hsm_public_key(struct sg_hsm *hsm, const struct sg_hsm_key *key, struct sg_buf *spki_r,
                       struct sg_error *err)
{
    AUTO_CALL call;
    call_init(&call, SG_HSM_OP_PUBLIC, key);
    return call_do(hsm, &call, err) && keep(spki_r, call.reply.first, err);
}

bool sg_hsm_destroy(struct sg_hsm *hsm, const struct sg_hsm_key *key, struct sg_error *err)
{
    AUTO_CALL call;
    call_init(&call, SG_HSM_OP_DESTROY, key);
    return call_do(hsm, &call, err);
}

bool sg_hsm_sign(struct sg_hsm *hsm, const struct sg_hsm_key *key, enum sg_hsm_scheme scheme,
                 enum sg_hsm_digest digest, struct sg_bytes hash, struct sg_buf *sig_r,
                 struct sg_error *err)
{
    AUTO_CALL call;
    call_init(&call, SG_HSM_OP_SIGN, key);
    call.request.scheme = scheme;
    call.request.digest = digest;
    call.request.input = hash;
    return call_do(hsm, &call, err) && keep(sig_r, call.reply.first, err);
}

bool sg_hsm_sign_csr(struct sg_hsm *hsm, const struct sg_hsm_key *key, struct sg_bytes request_info,
                     struct sg_buf *csr_r, struct sg_error *err)
{
    AUTO_CALL call;
    call_init(&call, SG_HSM_OP_CSR, key);
    call.request.input = request_info;
    return call_do(hsm, &call, err) && keep(csr_r, call.reply.first, err);
}

bool sg_hsm_decrypt_cek(struct sg_hsm *hsm, const struct sg_hsm_key *key,
                        const struct sg_hsm_cek *cek, struct sg_secret *cek_r, struct sg_error *err)
{
    AUTO_CALL call;
    uint8_t input[SG_HSM_AGREEMENT_MAX];
    call_init(&call, SG_HSM_OP_DECRYPT, key);
    call.request.scheme = cek->scheme;
    call.request.digest = cek->digest;
    call.request.mask = cek->mask;
    call.request.wrap = cek->wrap;
    call.request.number = cek->key_bytes <= SG_HSM_CEK_MAX ? (unsigned)cek->key_bytes : 0;
    call.request.input = cek->encrypted;
    if (cek->scheme == SG_HSM_ECDH) {
        const struct sg_hsm_agreement agreement = {cek->point, cek->info, cek->encrypted};
        size_t len = sg_hsm_agreement_encode(&agreement, input);
        if (len == 0)
            return sg_fail(err, SG_E_USAGE, "a field is too long for hsmd's protocol");
        call.request.input = sg_bytes_of(input, len);
    }
    return call_do(hsm, &call, err) && keep_secret(cek_r, call.reply.first, cek->key_bytes, err);
}

bool sg_hsm_data_key_make(struct sg_hsm *hsm, enum sg_hsm_class class, const char *binding,
                          struct sg_secret *key_r, struct sg_buf *wrapped_r, struct sg_error *err)
{
    AUTO_CALL call;
    call_init(&call, SG_HSM_OP_MAKE, NULL);
    call.request.class = class;
    call.request.binding = sg_bytes_str(binding);
    return call_do(hsm, &call, err) && keep_secret(key_r, call.reply.first, SG_HSM_DATA_KEY, err) &&
           keep(wrapped_r, call.reply.second, err);
}

bool sg_hsm_data_key_open(struct sg_hsm *hsm, enum sg_hsm_class class, const char *binding,
                          struct sg_bytes wrapped, struct sg_secret *key_r, struct sg_error *err)
{
    AUTO_CALL call;
    call_init(&call, SG_HSM_OP_OPEN, NULL);
    call.request.class = class;
    call.request.binding = sg_bytes_str(binding);
    call.request.input = wrapped;
    return call_do(hsm, &call, err) && keep_secret(key_r, call.reply.first, SG_HSM_DATA_KEY, err);
}
