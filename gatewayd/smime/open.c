#include "smime/smime.h"

#include "smime/smime_internal.h"

#include <openssl/err.h>
#include <stdlib.h>

/* An entity on the way inwards. */
struct entity {
    struct sg_header_block headers;
    const struct sg_spool *spool;
    uint64_t start, end; /* header included */
};

/* What lives as long as the opened message; spools are kept because layers inside are ranges of
 * them. */
struct owned {
    struct sg_spool **spools;
    size_t count;
};

struct work {
    struct sg_arena *arena;
    const struct sg_smime_options *options;
    struct owned *owned;
    bool spoken_for; /* a domain's signature was taken off, and no envelope inside of it */
    struct sg_source source;
};

/* What an error says about the message; false where it says nothing (our own trouble). */
static bool result_of(enum sg_error_code code, enum sg_smime_result *result_r)
{
    switch (code) {
    case SG_E_CMS:
    case SG_E_MIME:
        *result_r = SG_SMIME_MALFORMED;
        return true;
    case SG_E_CMS_UNSUPPORTED:
    case SG_E_LIMIT:
        *result_r = SG_SMIME_UNSUPPORTED;
        return true;
    case SG_E_CMS_NOT_FOR_US:
        *result_r = SG_SMIME_NOT_FOR_US;
        return true;
    case SG_E_CMS_DECRYPT:
        *result_r = SG_SMIME_UNDECRYPTABLE;
        return true;
    default:
        return false;
    }
}

/* times: how often the limit of a message. */
static struct sg_spool *spool_add(struct work *w, unsigned times)
{
    struct sg_spool_limits limits = w->options->spool;
    limits.max_bytes *= times;
    struct sg_spool *spool = sg_spool_new(&limits);
    sg_spool_count(spool, w->options->taken_out);
    w->owned->spools[w->owned->count++] = spool;
    return spool;
}

static bool entity_read(struct work *w, const struct sg_spool *spool, uint64_t start, uint64_t end,
                        struct entity *entity_r, struct sg_error *err)
{
    entity_r->spool = spool;
    entity_r->start = start;
    entity_r->end = end;
    if (!sg_header_read(w->arena, spool, start, end, &w->options->headers, &entity_r->headers, err))
        return false;
    /* An entity may have no field at all, but then it says so by an empty line. A lone LF does not
     * do: garbage from a wrong key begins with one too often. */
    uint8_t first = 0;
    size_t got;
    if (entity_r->headers.count == 0 && !sg_spool_read(spool, start, &first, 1, &got, err))
        return false;
    if ((entity_r->headers.count == 0 && first != '\r') || sg_smime_has_bare_cr(&entity_r->headers))
        return sg_fail(err, SG_E_MIME, "the content is no MIME entity");
    return true;
}

/* Puts the verified layer's content in its place, if the signer is a domain (REQ-88, 89). */
static bool signed_strip(struct work *w, struct sg_smime_layer *layer, const struct sg_spool *spool,
                         uint64_t start, uint64_t end, struct entity *inner_r, struct sg_error *err)
{
    bool domain = false;
    for (size_t i = 0; i < layer->signer_count && !domain; i++)
        domain = layer->signers[i].result == SG_SMIME_OK &&
                 w->options->is_domain_signer(w->options->ctx, layer->signers[i].certificate);
    if (layer->result != SG_SMIME_OK || !domain)
        return true;
    if (!entity_read(w, spool, start, end, inner_r, err))
        return false;
    layer->stripped = true;
    return true;
}

/* Whose a signature inside a domain's is, nobody has to know (REQ-12). */
static bool elsewhere(const struct work *w)
{
    return !w->spoken_for && w->options->certificates_elsewhere;
}

static bool is_left_on(const struct sg_smime_layer *layer)
{
    return layer->result == SG_SMIME_OK && !layer->stripped;
}

static bool detached_open(struct work *w, const struct entity *outer, const char *boundary,
                          struct sg_smime_layer *layer, struct entity *inner_r,
                          struct sg_error *err)
{
    struct sg_smime_parts parts;
    struct sg_header_block headers;
    struct sg_smime_signed sd;
    struct sg_ber_stream ber;
    layer->kind = SG_SMIME_SIGNED;
    layer->detached = true;
    if (!sg_smime_parts_find(outer->spool, outer->headers.body_offset, outer->end, boundary, &parts,
                             err) ||
        !sg_header_read(w->arena, outer->spool, parts.signature, parts.signature_end,
                        &w->options->headers, &headers, err) ||
        !sg_source_open(&w->source, w->arena, &headers, outer->spool, headers.body_offset,
                        parts.signature_end - headers.body_offset, err))
        return false;
    sg_smime_signed_init(&sd);
    sg_ber_stream_begin(&ber, &w->source, w->options->max_cms_bytes);
    SG_AUTO_BUF oid;
    sg_buf_init(&oid, 0);
    bool ok =
        sg_smime_content_info(&ber, &oid, err) &&
        (sg_bytes_equal(sg_buf_bytes(&oid), sg_oid_signed_data) ||
         sg_fail(err, SG_E_CMS, "the signature is no SignedData")) &&
        sg_smime_signed_read(&ber, NULL, &sd, err) &&
        sg_smime_signed_verify(w->arena, &sd, w->options, elsewhere(w), outer->spool, parts.content,
                               parts.content_end, true, layer, err) &&
        signed_strip(w, layer, outer->spool, parts.content, parts.content_end, inner_r, err) &&
        (!is_left_on(layer) ||
         sg_smime_parts_alone(w->arena, &w->source, outer->headers.body_offset, outer->end, &parts,
                              &headers, &layer->alone, err));
    sg_smime_signed_free(&sd);
    return ok;
}

static bool opaque_open(struct work *w, const struct entity *outer, struct sg_ber_stream *ber,
                        struct sg_smime_layer *layer, struct entity *inner_r, struct sg_error *err)
{
    struct sg_smime_signed sd;
    struct sg_spool *spool = spool_add(w, 1);
    const struct sg_sink sink = sg_spool_sink(spool);
    layer->kind = SG_SMIME_SIGNED;
    sg_smime_signed_init(&sd);
    bool ok = sg_smime_signed_read(ber, &sink, &sd, err);
    if (ok && sg_smime_signed_is_bare(&sd)) {
        layer->kind = SG_SMIME_CERTIFICATES;
        layer->detail = "certificates alone, which sign nothing";
    } else {
        ok = ok && (sd.has_content || sg_fail(err, SG_E_CMS, "signed, but without content")) &&
             sg_smime_signed_verify(w->arena, &sd, w->options, elsewhere(w), spool, 0,
                                    sg_spool_size(spool), false, layer, err) &&
             signed_strip(w, layer, spool, 0, sg_spool_size(spool), inner_r, err) &&
             (!is_left_on(layer) || sg_smime_object_alone(w->arena, &w->source, &outer->headers,
                                                          outer->end, &layer->alone, err));
    }
    sg_smime_signed_free(&sd);
    return ok;
}

static bool enveloped_open(struct work *w, struct sg_ber_stream *ber, bool authenticated,
                           struct sg_smime_layer *layer, struct entity *inner_r,
                           struct sg_error *err)
{
    struct sg_spool *spool = spool_add(w, 1);
    const struct sg_sink sink = sg_spool_sink(spool);
    layer->kind = SG_SMIME_ENVELOPED;
    if (!sg_smime_enveloped_open(ber, authenticated, w->options, &sink, layer, err))
        return false;
    if (!entity_read(w, spool, 0, sg_spool_size(spool), inner_r, err)) {
        /* With a wrong key the padding fits now and then: that must look no different. */
        enum sg_smime_result any;
        return result_of(err->code, &any) ? sg_smime_fail_decrypt(err) : false;
    }
    layer->stripped = true;
    return true;
}

/* What is neither signed nor enveloped, in an operator's words. */
static bool unsupported_object(struct sg_bytes kind, struct sg_smime_layer *layer,
                               struct sg_error *err)
{
    static const struct {
        const struct sg_bytes *oid;
        const char *words;
        bool secret;
    } known[] = {
        {&sg_oid_compressed_data, "compressed data (RFC 3274), which this gateway does not unpack",
         false},
        {&sg_oid_data, "bare data in place of a signature or an envelope", false},
        {&sg_oid_digested_data, "digested data, which nobody has signed", false},
        {&sg_oid_authenticated_data, "authenticated data, which no certificate stands for", false},
        {&sg_oid_encrypted_data, "data encrypted under a key that is agreed upon elsewhere", true},
    };
    char name[80];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!sg_bytes_equal(kind, *known[i].oid))
            continue;
        layer->kind = known[i].secret ? SG_SMIME_ENVELOPED : SG_SMIME_OTHER;
        return sg_fail(err, SG_E_CMS_UNSUPPORTED, "%s", known[i].words);
    }
    sg_oid_text(kind, name, sizeof name);
    return sg_fail(err, SG_E_CMS_UNSUPPORTED, "content type %s", name);
}

static bool cms_open(struct work *w, const struct entity *outer, struct sg_smime_layer *layer,
                     struct entity *inner_r, struct sg_error *err)
{
    struct sg_ber_stream ber;
    SG_AUTO_BUF oid;
    sg_buf_init(&oid, 0);
    layer->kind = SG_SMIME_ENVELOPED; /* until it says otherwise */
    if (!sg_source_open(&w->source, w->arena, &outer->headers, outer->spool,
                        outer->headers.body_offset, outer->end - outer->headers.body_offset, err))
        return false;
    sg_ber_stream_begin(&ber, &w->source, w->options->max_cms_bytes);
    if (!sg_smime_content_info(&ber, &oid, err))
        return false;
    struct sg_bytes kind = sg_buf_bytes(&oid);
    if (sg_bytes_equal(kind, sg_oid_signed_data))
        return opaque_open(w, outer, &ber, layer, inner_r, err);
    bool authenticated = sg_bytes_equal(kind, sg_oid_auth_enveloped_data);
    if (authenticated || sg_bytes_equal(kind, sg_oid_enveloped_data))
        return enveloped_open(w, &ber, authenticated, layer, inner_r, err);
    return unsupported_object(kind, layer, err);
}

/* Opens one layer; its result goes into it. false: nothing is known. */
static bool layer_open(struct work *w, enum sg_smime_form form, const char *boundary,
                       const struct entity *outer, struct sg_smime_layer *layer,
                       struct entity *inner_r, struct sg_error *err)
{
    struct sg_error why = {0};
    bool ok = form == SG_SMIME_FORM_DETACHED
                  ? detached_open(w, outer, boundary, layer, inner_r, &why)
                  : cms_open(w, outer, layer, inner_r, &why);
    if (ok) {
        if (layer->kind == SG_SMIME_ENVELOPED)
            layer->detail = "decrypted";
        return true;
    }
    layer->stripped = false;
    if (!result_of(why.code, &layer->result)) {
        if (err)
            *err = why;
        return false;
    }
    layer->detail = sg_arena_strdup(w->arena, why.detail);
    return true;
}

static bool layers_open(struct work *w, struct entity *current, struct sg_smime_opened *opened,
                        struct sg_error *err)
{
    const char *boundary;
    enum sg_smime_form form;
    while ((form = sg_smime_classify(w->arena, &current->headers, &boundary))) {
        struct sg_smime_layer *layer = &opened->layers[opened->layer_count++];
        bool many = opened->layer_count > (size_t)w->options->max_layers;
        if (many || !sg_budget_left(w->options->budget)) {
            layer->kind = form == SG_SMIME_FORM_DETACHED ? SG_SMIME_SIGNED : SG_SMIME_ENVELOPED;
            layer->result = SG_SMIME_UNSUPPORTED;
            layer->beyond = true;
            layer->detail = many ? "more layers than we open" : "more work than we do";
            return true;
        }
        struct entity inner;
        if (!layer_open(w, form, boundary, current, layer, &inner, err))
            return false;
        if (!layer->stripped)
            return true;
        opened->changed = true;
        w->spoken_for = layer->kind == SG_SMIME_SIGNED;
        *current = inner;
    }
    return true;
}

static bool entity_reread(struct work *w, const struct sg_spool *spool, struct entity *entity,
                          struct sg_error *err)
{
    struct sg_header_limits limits = w->options->headers;
    limits.max_bytes += entity->headers.raw.len; /* it was within them, and has grown */
    entity->spool = spool;
    entity->start = 0;
    entity->end = sg_spool_size(spool);
    return sg_header_read(w->arena, spool, 0, entity->end, &limits, &entity->headers, err);
}

static void layers_free(struct sg_smime_opened *opened, size_t from)
{
    for (size_t i = from; i < opened->layer_count; i++)
        sk_X509_pop_free(opened->layers[i].certificates, X509_free);
    opened->layer_count = from;
}

/* What cannot go on stays in its layers, which are as if never taken off. */
static void refuse(struct sg_smime_opened *opened, const char *why)
{
    struct sg_smime_layer *outermost = &opened->layers[0];
    layers_free(opened, 1);
    opened->changed = outermost->stripped = false;
    outermost->result = SG_SMIME_UNSUPPORTED;
    outermost->detail = why;
}

/* Makes of the entity what SMTP carries (RFC 8551 §3.1.2), in a spool of its own where it is not
 * that already. */
static bool canonical_make(struct work *w, struct entity *entity, struct sg_smime_opened *opened,
                           struct sg_error *err)
{
    const struct sg_header_block *headers = &entity->headers;
    struct sg_smime_carried carried;
    bool composite = sg_smime_is_composite(w->arena, headers), binary = false;
    if (!sg_smime_carried_look(entity->spool, entity->start, entity->end, &carried, err))
        return false;
    if (carried.octets)
        return true;
    if (composite && !carried.lines &&
        !sg_smime_binary_within(entity->spool, headers->body_offset, entity->end, &binary, err))
        return false;
    if (binary) {
        refuse(opened, "a part of the content is binary, which SMTP does not carry");
        return true;
    }
    bool encoded = !composite && sg_smime_is_binary(w->arena, headers);
    if (!encoded && carried.lines)
        return true;
    struct sg_spool *to = spool_add(w, 2); /* of LF alone there is twice as much then */
    struct sg_error why = {0};
    if (encoded ? sg_smime_encode(headers, entity->spool, entity->end, to, &why)
                : sg_smime_lines_mend(entity->spool, entity->start, entity->end, to, &why))
        return entity_reread(w, to, entity, err);
    if (why.code != SG_E_LIMIT) {
        if (err)
            *err = why;
        return false;
    }
    refuse(opened, "what is in it is too long in the form that SMTP carries");
    return true;
}

static void opened_fill(struct sg_smime_opened *opened, const struct entity *entity)
{
    opened->headers = entity->headers;
    opened->body = entity->spool;
    opened->offset = entity->headers.body_offset;
    opened->len = entity->end - entity->headers.body_offset;
}

bool sg_smime_open(struct sg_arena *arena, const struct sg_header_block *headers,
                   const struct sg_spool *body, uint64_t offset, uint64_t len,
                   const struct sg_smime_options *options, struct sg_smime_opened *opened_r,
                   struct sg_error *err)
{
    uint64_t size = sg_spool_size(body);
    memset(opened_r, 0, sizeof *opened_r);
    ERR_clear_error();
    offset = offset < size ? offset : size;
    len = len < size - offset ? len : size - offset;
    size_t room = (size_t)options->max_layers + 1;
    opened_r->layers = SG_ARENA_ARRAY(arena, struct sg_smime_layer, room);
    struct owned *owned = SG_ARENA_NEW(arena, struct owned);
    owned->spools = SG_ARENA_ARRAY(arena, struct sg_spool *, room + 1);
    opened_r->owned = owned;

    struct work *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->arena = arena;
    w->options = options;
    w->owned = owned;
    struct entity outer = {*headers, body, offset, offset + len}, current;
    outer.headers.body_offset = offset;
    current = outer;
    bool ok = layers_open(w, &current, opened_r, err) &&
              (!opened_r->changed || canonical_make(w, &current, opened_r, err));
    opened_fill(opened_r, opened_r->changed ? &current : &outer);
    explicit_bzero(w, sizeof *w);
    free(w);
    if (!ok)
        sg_smime_opened_free(opened_r);
    return ok;
}

void sg_smime_opened_free(struct sg_smime_opened *opened)
{
    struct owned *owned = opened->owned;
    layers_free(opened, 0);
    for (size_t i = 0; owned && i < owned->count; i++)
        sg_spool_free(&owned->spools[i]);
    memset(opened, 0, sizeof *opened);
}
