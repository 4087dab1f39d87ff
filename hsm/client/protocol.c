#include "hsmclient/protocol.h"

#include <string.h>

enum {
    USES_KEY = 1,     /* kind, id, tenant, domain, and the blob of a wrapped key */
    USES_SCHEME = 2,  /* scheme, and what it takes of digest, mask and wrap */
    USES_BINDING = 4, /* binding */
    MAKES_KEY = 8     /* a key without a blob */
};

#define CLASS(c) (1u << SG_HSM_##c)

/* What a request of an operation must look like. */
static const struct spec {
    const char *name;
    unsigned uses, classes; /* classes 0: the operation has none */
    unsigned number_max;
    size_t input_min, input_max;
} specs[SG_HSM_OPS] = {
    [SG_HSM_OP_HEALTH] = {"health", 0, 0, 0, 0, 0},
    [SG_HSM_OP_GENERATE] = {"generate", USES_KEY | MAKES_KEY,
                            CLASS(DCA) | CLASS(ARCHIVE) | CLASS(EVIDENCE), 4096, 0, 0},
    [SG_HSM_OP_SIGN] = {"sign", USES_KEY | USES_SCHEME, CLASS(DCA) | CLASS(EVIDENCE), 0, 20, 64},
    [SG_HSM_OP_DECRYPT] = {"decrypt", USES_KEY | USES_SCHEME, CLASS(DCA) | CLASS(ARCHIVE),
                           SG_HSM_CEK_MAX, 1, 1024},
    [SG_HSM_OP_CSR] = {"csr", USES_KEY, CLASS(DCA), 0, 1, SG_HSM_INPUT_MAX},
    [SG_HSM_OP_PUBLIC] = {"public", USES_KEY, CLASS(DCA) | CLASS(ARCHIVE) | CLASS(EVIDENCE), 0, 0,
                          0},
    [SG_HSM_OP_MAKE] = {"make", USES_BINDING, CLASS(HOLD) | CLASS(JOURNAL), 0, 0, 0},
    [SG_HSM_OP_OPEN] = {"open", USES_BINDING, CLASS(HOLD) | CLASS(JOURNAL), 0, 1, 256},
    [SG_HSM_OP_DESTROY] = {"destroy", USES_KEY, CLASS(DCA) | CLASS(ARCHIVE) | CLASS(EVIDENCE), 0, 0,
                           0},
};

static const char *const class_names[SG_HSM_CLASSES] = {
    [SG_HSM_DCA] = "dca",         [SG_HSM_HOLD] = "hold",         [SG_HSM_JOURNAL] = "journal",
    [SG_HSM_ARCHIVE] = "archive", [SG_HSM_EVIDENCE] = "evidence",
};

const char *sg_hsm_op_name(enum sg_hsm_op op)
{
    return (unsigned)op < SG_HSM_OPS ? specs[op].name : NULL;
}

const char *sg_hsm_class_name(enum sg_hsm_class class)
{
    return (unsigned)class < SG_HSM_CLASSES ? class_names[class] : NULL;
}

bool sg_hsm_op_parse(struct sg_bytes name, enum sg_hsm_op *op_r)
{
    for (unsigned op = SG_HSM_OP_HEALTH; op < SG_HSM_OPS; op++) {
        if (sg_bytes_equal(name, sg_bytes_str(specs[op].name))) {
            *op_r = (enum sg_hsm_op)op;
            return true;
        }
    }
    return false;
}

bool sg_hsm_class_parse(struct sg_bytes name, enum sg_hsm_class *class_r)
{
    for (unsigned c = SG_HSM_DCA; c < SG_HSM_CLASSES; c++) {
        if (sg_bytes_equal(name, sg_bytes_str(class_names[c]))) {
            *class_r = (enum sg_hsm_class)c;
            return true;
        }
    }
    return false;
}

bool sg_hsm_op_fits(enum sg_hsm_op op, enum sg_hsm_class class)
{
    return sg_hsm_op_name(op) && sg_hsm_class_name(class) && (specs[op].classes >> class & 1);
}

size_t sg_hsm_digest_size(enum sg_hsm_digest digest)
{
    static const uint8_t sizes[] = {
        [SG_HSM_SHA1] = 20, [SG_HSM_SHA256] = 32, [SG_HSM_SHA384] = 48, [SG_HSM_SHA512] = 64};
    return (unsigned)digest < sizeof sizes ? sizes[digest] : 0;
}

/* Writing and reading: one cursor each, checked once at the end -------------------------------- */

struct writer {
    uint8_t *data;
    size_t len;
    bool failed;
};

static void put(struct writer *w, const void *data, size_t len)
{
    if (len > SG_HSM_FRAME_MAX + 4 - w->len) {
        w->failed = true;
        return;
    }
    if (len)
        memcpy(w->data + w->len, data, len);
    w->len += len;
}

static void put_number(struct writer *w, uint32_t n, unsigned octets)
{
    uint8_t be[4] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
    put(w, be + 4 - octets, octets);
}

static void put_view(struct writer *w, struct sg_bytes view, unsigned length_octets, size_t max)
{
    if (view.len > max) {
        w->failed = true;
        return;
    }
    put_number(w, (uint32_t)view.len, length_octets);
    put(w, view.data, view.len);
}

static bool finish(struct writer *w, size_t *len_r, struct sg_error *err)
{
    if (w->failed)
        return sg_fail(err, SG_E_USAGE, "a field is too long for hsmd's protocol");
    size_t body = w->len - 4;
    w->len = 0;
    put_number(w, (uint32_t)body, 4);
    *len_r = body + 4;
    return true;
}

struct reader {
    struct sg_bytes rest;
    bool failed;
};

static uint32_t get_number(struct reader *r, unsigned octets)
{
    uint32_t n = 0;
    if (r->rest.len < octets) {
        r->failed = true;
        return 0;
    }
    for (unsigned i = 0; i < octets; i++)
        n = n << 8 | r->rest.data[i];
    r->rest = sg_bytes_slice(r->rest, octets, r->rest.len);
    return n;
}

static struct sg_bytes get_view(struct reader *r, unsigned length_octets, size_t max)
{
    size_t len = get_number(r, length_octets);
    if (r->failed || len > max || len > r->rest.len) {
        r->failed = true;
        return sg_bytes_of(NULL, 0);
    }
    struct sg_bytes view = sg_bytes_slice(r->rest, 0, len);
    r->rest = sg_bytes_slice(r->rest, len, r->rest.len);
    return view;
}

static struct sg_bytes get_text(struct reader *r, size_t max)
{
    struct sg_bytes text = get_view(r, 1, max);
    if (text.len && memchr(text.data, 0, text.len))
        r->failed = true;
    return text;
}

/* Agreements ----------------------------------------------------------------------------------- */

size_t sg_hsm_agreement_encode(const struct sg_hsm_agreement *a, uint8_t *out)
{
    struct writer w = {.data = out};
    put_view(&w, a->point, 2, SG_HSM_POINT_MAX);
    put_view(&w, a->info, 2, SG_HSM_INFO_MAX);
    put_view(&w, a->wrapped, 2, SG_HSM_WRAPPED_MAX);
    return w.failed ? 0 : w.len;
}

bool sg_hsm_agreement_decode(struct sg_bytes input, struct sg_hsm_agreement *a)
{
    struct reader r = {.rest = input};
    a->point = get_view(&r, 2, SG_HSM_POINT_MAX);
    a->info = get_view(&r, 2, SG_HSM_INFO_MAX);
    a->wrapped = get_view(&r, 2, SG_HSM_WRAPPED_MAX);
    return !r.failed && r.rest.len == 0;
}

/* Requests ------------------------------------------------------------------------------------- */

bool sg_hsm_request_encode(const struct sg_hsm_request *q, uint8_t *buf, size_t *len_r,
                           struct sg_error *err)
{
    struct writer w = {.data = buf, .len = 4};
    put_number(&w, SG_HSM_VERSION, 1);
    put_number(&w, q->op, 1);
    put_number(&w, q->class, 1);
    put_number(&w, q->kind, 1);
    put_number(&w, q->scheme, 1);
    put_number(&w, q->digest, 1);
    put_number(&w, q->mask, 1);
    put_number(&w, q->wrap, 1);
    put_number(&w, q->number, 2);
    put_view(&w, q->id, 1, SG_HSM_TEXT_MAX);
    put_view(&w, q->tenant, 1, SG_HSM_TEXT_MAX);
    put_view(&w, q->domain, 1, SG_HSM_TEXT_MAX);
    put_view(&w, q->binding, 1, SG_HSM_BINDING_MAX);
    put_view(&w, q->blob, 2, SG_HSM_BLOB_MAX);
    put_view(&w, q->input, 2, SG_HSM_INPUT_MAX);
    return finish(&w, len_r, err);
}

/* An id of any prefix: its 16 bytes become the CKA_ID. */
static bool id_valid(struct sg_bytes id)
{
    char prefix[4] = "";
    if (id.len < 4)
        return false;
    for (int i = 0; i < 3; i++) {
        if (id.data[i] < 'a' || id.data[i] > 'z')
            return false;
        prefix[i] = (char)id.data[i];
    }
    return sg_id_valid(id, prefix);
}

static bool key_check(const struct sg_hsm_request *q, unsigned uses, struct sg_error *err)
{
    if (!(uses & USES_KEY)) {
        if (q->kind || q->id.len || q->tenant.len || q->domain.len || q->blob.len)
            return sg_fail(err, SG_E_USAGE, "this operation takes no key");
        return true;
    }
    if (q->kind != SG_HSM_TOKEN && q->kind != SG_HSM_WRAPPED)
        return sg_fail(err, SG_E_USAGE, "no such kind of key");
    if (!id_valid(q->id) || (q->tenant.len && !id_valid(q->tenant)) ||
        (q->domain.len && !id_valid(q->domain)))
        return sg_fail(err, SG_E_USAGE, "the ids of the key are malformed");
    bool wants_blob = q->kind == SG_HSM_WRAPPED && !(uses & MAKES_KEY);
    if (wants_blob != (q->blob.len > 0))
        return sg_fail(err, SG_E_USAGE,
                       wants_blob ? "a wrapped key without its blob" : "a blob that is not wanted");
    return true;
}

static bool number_check(const struct sg_hsm_request *q, struct sg_error *err)
{
    unsigned n = q->number;
    bool curve = q->class == SG_HSM_DCA && (n == 256 || n == 384);
    if (q->op == SG_HSM_OP_GENERATE && n != 2048 && n != 3072 && n != 4096 && !curve)
        return sg_fail(err, SG_E_USAGE,
                       "RSA keys have 2048, 3072 or 4096 bits; keys of class dca may have 256 or "
                       "384 on a curve");
    if (n > specs[q->op].number_max || (specs[q->op].number_max && n == 0))
        return sg_fail(err, SG_E_USAGE, "number out of range");
    return true;
}

static bool sign_check(const struct sg_hsm_request *q, struct sg_error *err)
{
    size_t size = sg_hsm_digest_size(q->digest);
    bool ec = q->scheme == SG_HSM_ECDSA;
    if ((!ec && q->scheme != SG_HSM_PKCS1 && q->scheme != SG_HSM_PSS) || size == 0 ||
        (ec && q->digest != SG_HSM_SHA256 && q->digest != SG_HSM_SHA384))
        return sg_fail(err, SG_E_USAGE, "no such signature scheme or digest");
    if (q->mask || q->wrap)
        return sg_fail(err, SG_E_USAGE, "mask and wrap belong to decryption");
    return q->input.len == size || sg_fail(err, SG_E_USAGE, "the hash has the wrong length");
}

/* What a decryption may ask for: nothing else is tried with a private key. */
static bool decrypt_check(const struct sg_hsm_request *q, struct sg_error *err)
{
    struct sg_hsm_agreement agreement;
    bool digest = sg_hsm_digest_size(q->digest) > 0, mask = sg_hsm_digest_size(q->mask) > 0;
    switch (q->scheme) {
    case SG_HSM_PKCS1:
        return (!q->digest && !q->mask && !q->wrap) ||
               sg_fail(err, SG_E_USAGE, "PKCS #1 v1.5 has no parameters");
    case SG_HSM_OAEP:
        return (digest && mask && !q->wrap) ||
               sg_fail(err, SG_E_USAGE, "no such digest or mask of OAEP");
    case SG_HSM_ECDH:
        if (!digest || q->digest == SG_HSM_SHA512 || q->mask || q->class != SG_HSM_DCA ||
            q->wrap < SG_HSM_AES128_WRAP || q->wrap > SG_HSM_3DES_WRAP)
            return sg_fail(err, SG_E_USAGE, "no such key derivation or key wrap of ECDH");
        return sg_hsm_agreement_decode(q->input, &agreement) ||
               sg_fail(err, SG_E_USAGE, "the key agreement is malformed");
    default:
        return sg_fail(err, SG_E_USAGE, "no such decryption scheme");
    }
}

static bool scheme_check(const struct sg_hsm_request *q, unsigned uses, struct sg_error *err)
{
    if (uses & USES_SCHEME)
        return q->op == SG_HSM_OP_SIGN ? sign_check(q, err) : decrypt_check(q, err);
    return (!q->scheme && !q->digest && !q->mask && !q->wrap) ||
           sg_fail(err, SG_E_USAGE, "schemes belong to signing and decryption");
}

static bool request_check(const struct sg_hsm_request *q, struct sg_error *err)
{
    if (!sg_hsm_op_name(q->op))
        return sg_fail(err, SG_E_HSM_PROTOCOL, "no such operation");
    const struct spec *spec = &specs[q->op];
    if (spec->classes ? !sg_hsm_op_fits(q->op, q->class) : q->class != 0)
        return sg_fail(err, SG_E_USAGE, "%s is no operation of that class", spec->name);
    if (!key_check(q, spec->uses, err) || !number_check(q, err))
        return false;
    if (!(spec->uses & USES_BINDING) && q->binding.len)
        return sg_fail(err, SG_E_USAGE, "the binding belongs to data keys");
    if (q->input.len < spec->input_min || q->input.len > spec->input_max)
        return sg_fail(err, SG_E_USAGE, "input of %zu bytes", q->input.len);
    return scheme_check(q, spec->uses, err);
}

bool sg_hsm_request_decode(struct sg_bytes body, struct sg_hsm_request *q, struct sg_error *err)
{
    struct reader r = {.rest = body};
    memset(q, 0, sizeof *q);
    if (get_number(&r, 1) != SG_HSM_VERSION)
        return sg_fail(err, SG_E_HSM_PROTOCOL, "another version of the protocol");
    q->op = (enum sg_hsm_op)get_number(&r, 1);
    q->class = (enum sg_hsm_class)get_number(&r, 1);
    q->kind = (enum sg_hsm_kind)get_number(&r, 1);
    q->scheme = (enum sg_hsm_scheme)get_number(&r, 1);
    q->digest = (enum sg_hsm_digest)get_number(&r, 1);
    q->mask = (enum sg_hsm_digest)get_number(&r, 1);
    q->wrap = (enum sg_hsm_wrap)get_number(&r, 1);
    q->number = get_number(&r, 2);
    q->id = get_text(&r, SG_HSM_TEXT_MAX);
    q->tenant = get_text(&r, SG_HSM_TEXT_MAX);
    q->domain = get_text(&r, SG_HSM_TEXT_MAX);
    q->binding = get_text(&r, SG_HSM_BINDING_MAX);
    q->blob = get_view(&r, 2, SG_HSM_BLOB_MAX);
    q->input = get_view(&r, 2, SG_HSM_INPUT_MAX);
    if (r.failed || r.rest.len)
        return sg_fail(err, SG_E_HSM_PROTOCOL, "malformed request");
    return request_check(q, err);
}

/* Replies -------------------------------------------------------------------------------------- */

bool sg_hsm_reply_encode(const struct sg_hsm_reply *reply, uint8_t *buf, size_t *len_r,
                         struct sg_error *err)
{
    struct writer w = {.data = buf, .len = 4};
    bool ok = reply->error.code == SG_OK;
    struct sg_bytes first = ok ? reply->first : sg_bytes_str(reply->error.detail);
    put_number(&w, SG_HSM_VERSION, 1);
    put_number(&w, reply->error.lib, 1);
    put_number(&w, reply->error.code, 2);
    put_number(&w, (uint32_t)reply->error.lib_code, 4);
    put_view(&w, first, 2, SG_HSM_FIRST_MAX);
    put_view(&w, ok ? reply->second : sg_bytes_of(NULL, 0), 2, SG_HSM_SECOND_MAX);
    return finish(&w, len_r, err);
}

bool sg_hsm_reply_decode(struct sg_bytes body, struct sg_hsm_reply *reply, struct sg_error *err)
{
    struct reader r = {.rest = body};
    memset(reply, 0, sizeof *reply);
    if (get_number(&r, 1) != SG_HSM_VERSION)
        return sg_fail(err, SG_E_HSM_PROTOCOL, "hsmd speaks another version of the protocol");
    uint32_t lib = get_number(&r, 1);
    reply->error.code = (enum sg_error_code)get_number(&r, 2);
    reply->error.lib = lib <= SG_LIB_SMTP ? (enum sg_error_lib)lib : SG_LIB_NONE;
    reply->error.lib_code = (long)get_number(&r, 4);
    reply->first = get_view(&r, 2, SG_HSM_FIRST_MAX);
    reply->second = get_view(&r, 2, SG_HSM_SECOND_MAX);
    if (r.failed || r.rest.len)
        return sg_fail(err, SG_E_HSM_PROTOCOL, "malformed reply of hsmd");
    if (reply->error.code != SG_OK) {
        struct sg_bytes text = sg_bytes_slice(reply->first, 0, sizeof reply->error.detail - 1);
        for (size_t i = 0; i < text.len; i++)
            reply->error.detail[i] =
                text.data[i] < 0x20 || text.data[i] > 0x7e ? '?' : (char)text.data[i];
    }
    return true;
}

bool sg_hsm_frame_read(int fd, uint8_t *buf, struct sg_bytes *body_r, sg_deadline deadline,
                       struct sg_error *err)
{
    size_t got;
    *body_r = sg_bytes_of(NULL, 0);
    if (!sg_io_read(fd, buf, SG_HSM_FRAME_MAX + 4, &got, deadline, err))
        return false;
    if (got == 0)
        return true;
    if (got < 4) {
        if (!sg_io_read_full(fd, buf + got, 4 - got, deadline, err))
            return false;
        got = 4;
    }
    size_t len = (size_t)buf[0] << 24 | (size_t)buf[1] << 16 | (size_t)buf[2] << 8 | buf[3];
    if (len == 0 || len > SG_HSM_FRAME_MAX || len < got - 4)
        return sg_fail(err, SG_E_HSM_PROTOCOL, "frame of %zu bytes", len);
    size_t more = len - (got - 4);
    if (more && !sg_io_read_full(fd, buf + got, more, deadline, err))
        return false;
    *body_r = sg_bytes_of(buf + 4, len);
    return true;
}
