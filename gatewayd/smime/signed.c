#include "smime/smime_internal.h"
#include "x509/x509.h"

#include <openssl/err.h>
#include <stdlib.h>

/* SignedData (RFC 5652 §5): its structure, the certificates it carries, the content's digests. */

void sg_smime_signed_init(struct sg_smime_signed *sd)
{
    memset(sd, 0, sizeof *sd);
}

void sg_smime_signed_free(struct sg_smime_signed *sd)
{
    sg_buf_free(&sd->content_type);
    sg_buf_free(&sd->certificates);
    sg_buf_free(&sd->lists);
    sg_buf_free(&sd->signer_infos);
}

static bool oid_take(struct sg_ber_stream *ber, struct sg_buf *oid, struct sg_error *err)
{
    SG_AUTO_BUF whole;
    sg_buf_init(&whole, 0);
    if (!sg_ber_stream_take(ber, SG_BER_OID, &whole, err))
        return false;
    struct sg_ber in = sg_ber_of(sg_buf_bytes(&whole));
    struct sg_tlv tlv;
    if (!sg_ber_expect(&in, SG_BER_OID, &tlv))
        return sg_fail(err, SG_E_CMS, "the content type is unreadable");
    sg_buf_add(oid, tlv.content.data, tlv.content.len);
    return true;
}

bool sg_smime_content_info(struct sg_ber_stream *ber, struct sg_buf *type_r, struct sg_error *err)
{
    return sg_ber_stream_enter(ber, SG_BER_SEQUENCE, err) && oid_take(ber, type_r, err) &&
           sg_ber_stream_enter(ber, SG_BER_EXPLICIT(0), err);
}

static bool encapsulated_read(struct sg_ber_stream *ber, const struct sg_sink *content,
                              struct sg_smime_signed *sd, struct sg_error *err)
{
    int tag;
    if (!sg_ber_stream_enter(ber, SG_BER_SEQUENCE, err) || !oid_take(ber, &sd->content_type, err) ||
        !sg_ber_stream_peek(ber, &tag, err))
        return false;
    /* What a key signed as something else than mail (a request to its CA, a time stamp) is no mail.
     */
    struct sg_bytes type = sg_buf_bytes(&sd->content_type);
    if (!sg_bytes_equal(type, sg_oid_data))
        return sg_fail(err, SG_E_CMS_UNSUPPORTED,
                       sg_bytes_equal(type, sg_oid_receipt)
                           ? "a signed receipt (RFC 2634), which is for its reader's software"
                           : "signed content that is no MIME entity");
    sd->has_content = tag == SG_BER_EXPLICIT(0);
    if (sd->has_content) {
        if (!content)
            return sg_fail(err, SG_E_CMS, "a detached signature that has a content of its own");
        if (!sg_ber_stream_enter(ber, SG_BER_EXPLICIT(0), err) ||
            !sg_ber_stream_octets(ber, SG_BER_OCTETS, content, err) ||
            !sg_ber_stream_leave(ber, err))
            return false;
    }
    return sg_ber_stream_leave(ber, err);
}

bool sg_smime_signed_read(struct sg_ber_stream *ber, const struct sg_sink *content,
                          struct sg_smime_signed *sd, struct sg_error *err)
{
    int tag;
    if (!sg_ber_stream_enter(ber, SG_BER_SEQUENCE, err) ||
        !sg_ber_stream_take(ber, SG_BER_INTEGER, NULL, err) ||
        !sg_ber_stream_take(ber, SG_BER_SET, NULL, err) ||
        !encapsulated_read(ber, content, sd, err) || !sg_ber_stream_peek(ber, &tag, err))
        return false;
    if (tag == SG_BER_EXPLICIT(0) && (!sg_ber_stream_take(ber, tag, &sd->certificates, err) ||
                                      !sg_ber_stream_peek(ber, &tag, err)))
        return false;
    if (tag == SG_BER_EXPLICIT(1) && !sg_ber_stream_take(ber, tag, &sd->lists, err))
        return false;
    return sg_ber_stream_take(ber, SG_BER_SET, &sd->signer_infos, err) &&
           sg_ber_stream_leave(ber, err);
}

bool sg_smime_signed_is_bare(const struct sg_smime_signed *sd)
{
    struct sg_ber in = sg_ber_of(sg_buf_bytes(&sd->signer_infos));
    struct sg_tlv set;
    return !sd->has_content && sg_ber_expect(&in, SG_BER_SET, &set) && set.content.len == 0;
}

/* Decoded, an element of two octets takes a hundred: what certificates take is bounded by their
 * number. */
#define FEW 16 /* one alone may have more than its share */

/*
 * How many elements a decoder may find in it at the most, in octet strings too: extensions are
 * there. What cannot be read here may be anything.
 */
static size_t elements_in(struct sg_bytes der, int depth)
{
    struct sg_ber in = sg_ber_of(der);
    struct sg_tlv one;
    size_t n = 0;
    while (depth <= SG_BER_DEPTH && sg_ber_next(&in, &one)) {
        n++;
        if (one.tag & SG_BER_CONSTRUCTED || one.tag == SG_BER_OCTETS)
            n += elements_in(one.content, depth + 1);
    }
    return n + (size_t)(in.end - in.p + 1) / 2;
}

/* REQ-81: any number, any order. What is no X.509 certificate is passed over. */
static bool certificates_read(const struct sg_buf *raw, const struct sg_smime_options *options,
                              STACK_OF(X509) *out, struct sg_error *err)
{
    size_t most = options->max_certificates;
    struct sg_ber in = sg_ber_of(sg_buf_bytes(raw));
    struct sg_tlv set, one;
    if (raw->len == 0)
        return true;
    if (!sg_ber_next(&in, &set))
        return sg_fail(err, SG_E_CMS, "the certificates are unreadable");
    size_t elements = (most < FEW ? FEW : most) * options->max_elements;
    if (raw->len / 2 > elements && elements_in(set.content, 0) > elements)
        return sg_fail(err, SG_E_LIMIT, "certificates of more than %zu elements", elements);
    in = sg_ber_of(set.content);
    for (size_t n = 0; sg_ber_more(&in); n++) {
        if (n == most)
            return sg_fail(err, SG_E_LIMIT, "more than %zu certificates", most);
        if (!sg_ber_next(&in, &one))
            return sg_fail(err, SG_E_CMS, "the certificates are unreadable");
        if (!sg_budget_check(options->budget, err))
            return false;
        X509 *certificate = one.tag == SG_BER_SEQUENCE ? sg_x509_decode(one.whole) : NULL;
        if (certificate && sk_X509_push(out, certificate) <= 0)
            abort();
    }
    ERR_clear_error();
    return true;
}

/* Revocation lists; those beyond the limit and other kinds of revocation are passed over. */
static void lists_read(struct sg_arena *arena, const struct sg_buf *raw,
                       struct sg_smime_layer *layer)
{
    struct sg_ber in = sg_ber_of(sg_buf_bytes(raw));
    struct sg_tlv set, one;
    if (raw->len == 0 || !sg_ber_next(&in, &set))
        return;
    in = sg_ber_of(set.content);
    layer->lists = SG_ARENA_ARRAY(arena, struct sg_bytes, SG_SMIME_MAX_LISTS);
    while (layer->list_count < SG_SMIME_MAX_LISTS && sg_ber_next(&in, &one))
        if (one.tag == SG_BER_SEQUENCE)
            layer->lists[layer->list_count++] = sg_arena_copy(arena, one.whole);
}

/* Hashes what is written to it, as it is or with bare LF made CRLF (RFC 8551 §3.1.1). */
struct hashing {
    EVP_MD_CTX *ctx[8];
    size_t count;
    bool canonical;
    uint8_t last;
    bool bare; /* a LF without CR was seen */
};

static bool update(struct hashing *h, const void *data, size_t len, struct sg_error *err)
{
    for (size_t i = 0; i < h->count; i++)
        if (!EVP_DigestUpdate(h->ctx[i], data, len))
            return sg_fail_openssl(err, SG_E_CRYPTO, "digest");
    return true;
}

static bool hash_write(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    struct hashing *h = ctx;
    const uint8_t *p = data, *end = p + len, *done = p;
    for (const uint8_t *lf = p; lf < end && (lf = memchr(lf, '\n', (size_t)(end - lf))); lf++) {
        if ((lf > p ? lf[-1] : h->last) == '\r')
            continue;
        h->bare = true;
        if (!h->canonical)
            break;
        if (!update(h, done, (size_t)(lf - done), err) || !update(h, "\r", 1, err))
            return false;
        done = lf;
    }
    if (len)
        h->last = end[-1];
    return update(h, done, (size_t)(end - done), err);
}

static bool hash_range(struct hashing *h, struct sg_smime_hash *hashes,
                       const struct sg_spool *spool, uint64_t from, uint64_t end,
                       struct sg_error *err)
{
    const struct sg_sink sink = {hash_write, h};
    bool ok = true;
    for (size_t i = 0; ok && i < h->count; i++)
        ok = ((h->ctx[i] = EVP_MD_CTX_new()) &&
              EVP_DigestInit_ex(h->ctx[i], hashes[i].algorithm->md(), NULL)) ||
             sg_fail_openssl(err, SG_E_CRYPTO, "digest");
    ok = ok && sg_spool_copy(spool, from, end - from, &sink, err);
    for (size_t i = 0; ok && i < h->count; i++) {
        unsigned n;
        ok =
            EVP_DigestFinal_ex(h->ctx[i], h->canonical ? hashes[i].canonical : hashes[i].raw, &n) ||
            sg_fail_openssl(err, SG_E_CRYPTO, "digest");
        hashes[i].len = n;
    }
    for (size_t i = 0; i < h->count; i++)
        EVP_MD_CTX_free(h->ctx[i]);
    return ok;
}

/* The digests that the signers want, each once. */
static size_t hashes_wanted(struct sg_bytes signer_infos, struct sg_smime_hash *hashes, size_t room)
{
    struct sg_ber in = sg_ber_of(signer_infos);
    struct sg_tlv info;
    size_t count = 0;
    while (sg_ber_next(&in, &info)) {
        const struct sg_digest_algorithm *algorithm = sg_smime_signer_digest(&info);
        size_t i = 0;
        while (i < count && hashes[i].algorithm != algorithm)
            i++;
        if (algorithm && i == count && count < room)
            hashes[count++].algorithm = algorithm;
    }
    return count;
}

/* The layer's result: good where a signer is and none is known to be bad. */
static void layer_judge(struct sg_smime_layer *layer)
{
    const struct sg_smime_signer_info *worst = NULL, *good = NULL;
    for (size_t i = 0; i < layer->signer_count; i++) {
        const struct sg_smime_signer_info *s = &layer->signers[i];
        if (s->result == SG_SMIME_OK)
            good = good ? good : s;
        else if (!worst || s->result == SG_SMIME_ALTERED)
            worst = s;
    }
    const struct sg_smime_signer_info *verdict =
        worst && (!good || worst->result == SG_SMIME_ALTERED) ? worst : good;
    layer->result = verdict->result;
    layer->detail = verdict->detail;
}

/* What a SignedData is checked over. */
struct verification {
    struct sg_arena *arena;
    const struct sg_smime_signed *sd;
    const struct sg_smime_options *options;
    struct sg_bytes signer_infos;
    struct sg_smime_hash hashes[8];
    size_t hash_count;
    bool canonical;
};

/* again: further certificates are there than the last time. Who was good then is so still. */
static bool signers_check(struct verification *v, bool again, struct sg_smime_layer *layer,
                          struct sg_error *err)
{
    struct sg_ber in = sg_ber_of(v->signer_infos);
    struct sg_tlv one;
    size_t most = v->options->max_signers;
    if (!again)
        layer->signers = SG_ARENA_ARRAY(v->arena, struct sg_smime_signer_info, most);
    layer->signer_count = 0;
    while (sg_ber_more(&in)) {
        if (layer->signer_count == most)
            return sg_fail(err, SG_E_LIMIT, "more than %zu signers", most);
        if (!sg_ber_next(&in, &one))
            return sg_fail(err, SG_E_CMS, "the signers are unreadable");
        struct sg_smime_signer_info *info = &layer->signers[layer->signer_count++];
        if (again && info->result == SG_SMIME_OK)
            continue;
        if (!sg_budget_check(v->options->budget, err))
            return false;
        *info = (struct sg_smime_signer_info){0};
        sg_smime_signer_check(v->arena, &one, sg_buf_bytes(&v->sd->content_type), v->hashes,
                              v->hash_count, v->canonical, layer->certificates, info);
    }
    if (layer->signer_count == 0)
        return sg_fail(err, SG_E_CMS, "signed by nobody");
    layer_judge(layer);
    return true;
}

/* REQ-82: is a signer's certificate wanting, so that nobody can be said to have signed? */
static bool certificate_missing(const struct sg_smime_layer *layer)
{
    for (size_t i = 0; i < layer->signer_count; i++) {
        const struct sg_smime_signer_info *s = &layer->signers[i];
        if (!s->certificate &&
            (s->result == SG_SMIME_NO_CERTIFICATE || s->result == SG_SMIME_ALTERED))
            return true;
    }
    return false;
}

static void certificates_add(STACK_OF(X509) *to, STACK_OF(X509) *found)
{
    for (int i = 0; i < sk_X509_num(found); i++) {
        X509 *x = sk_X509_value(found, i);
        if (!X509_up_ref(x) || sk_X509_push(to, x) <= 0)
            abort();
    }
}

static bool elsewhere_look(struct verification *v, struct sg_smime_layer *layer,
                           struct sg_error *err)
{
    const struct sg_smime_options *options = v->options;
    for (unsigned round = 0; certificate_missing(layer); round++) {
        STACK_OF(X509) *found = NULL;
        if (!options->certificates_elsewhere(options->ctx, round, &found, err))
            return false;
        if (!found)
            break;
        certificates_add(layer->certificates, found);
        if (!signers_check(v, true, layer, err))
            return false;
    }
    return true;
}

static bool content_check(struct verification *v, const struct sg_spool *spool, uint64_t from,
                          uint64_t end, bool detached, struct sg_smime_layer *layer,
                          struct sg_error *err)
{
    struct hashing h = {.count = v->hash_count};
    if (!hash_range(&h, v->hashes, spool, from, end, err) || !signers_check(v, false, layer, err))
        return false;
    if (layer->result != SG_SMIME_ALTERED || !detached || !h.bare)
        return true;
    /* Many a tool signs the canonical form and then hands on its own line ends. */
    h = (struct hashing){.count = h.count, .canonical = true};
    v->canonical = true;
    return hash_range(&h, v->hashes, spool, from, end, err) && signers_check(v, false, layer, err);
}

bool sg_smime_signed_verify(struct sg_arena *arena, const struct sg_smime_signed *sd,
                            const struct sg_smime_options *options, bool elsewhere,
                            const struct sg_spool *spool, uint64_t from, uint64_t end,
                            bool detached, struct sg_smime_layer *layer, struct sg_error *err)
{
    struct verification v = {.arena = arena, .sd = sd, .options = options};
    struct sg_ber in = sg_ber_of(sg_buf_bytes(&sd->signer_infos));
    struct sg_tlv set;
    layer->certificates = sk_X509_new_null();
    if (!layer->certificates)
        abort();
    if (!certificates_read(&sd->certificates, options, layer->certificates, err))
        return false;
    lists_read(arena, &sd->lists, layer);
    if (!sg_ber_expect(&in, SG_BER_SET, &set))
        return sg_fail(err, SG_E_CMS, "the signers are unreadable");
    v.signer_infos = set.content;
    v.hash_count = hashes_wanted(set.content, v.hashes, 8);
    return content_check(&v, spool, from, end, detached, layer, err) &&
           (!elsewhere || elsewhere_look(&v, layer, err));
}
