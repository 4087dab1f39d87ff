#include "smime/smime_internal.h"

/*
 * Does anything stand beside what a signature covers that some reader might render? Of what was
 * decrypted without integrity everything that is not covered may be an attacker's choice and
 * somebody else's secret, joined (EFAIL). So all of it has to be what every reader passes over: a
 * few lines of plain words, delimiters, a part that says that it is a signature, base64, white
 * space.
 */

/* "This is a cryptographically signed message in MIME format.", or two or three lines of the kind.
 */
#define PREAMBLE_BYTES 400
#define PREAMBLE_LINES 5

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_base64(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

/* A few lines of words, and no other kinds of line ends: what is made of these on the way out
 * must not become a delimiter. */
static bool is_preamble(const uint8_t *p, size_t len)
{
    size_t lines = 0;
    for (size_t i = 0; i < len; i++) {
        bool begins = i == 0 || p[i - 1] == '\n';
        if (p[i] == '\n' || (p[i] == '\r' && i + 1 < len && p[i + 1] == '\n'))
            continue;
        if (p[i] < ' ' || p[i] > '~' || p[i] == '<' || (begins && p[i] == '-'))
            return false;
        lines += begins;
    }
    return lines <= PREAMBLE_LINES;
}

static bool preamble_look(const struct sg_spool *spool, uint64_t from, uint64_t end, bool *clean,
                          struct sg_error *err)
{
    uint8_t text[PREAMBLE_BYTES];
    size_t got = 0;
    *clean = end - from <= sizeof text;
    if (*clean && !sg_spool_read(spool, from, text, (size_t)(end - from), &got, err))
        return false;
    *clean = *clean && is_preamble(text, got);
    return true;
}

struct looking {
    enum { BASE64, PADDING, NOTHING } state; /* beside white space */
    bool clean;
};

static bool look_write(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    struct looking *l = ctx;
    const uint8_t *p = data, *end = p + len;
    (void)err;
    for (; p < end && l->clean; p++) {
        if (*p == '=' && l->state == BASE64)
            l->state = PADDING;
        l->clean = is_space(*p) || (l->state == BASE64 && is_base64(*p)) ||
                   (l->state == PADDING && *p == '=');
    }
    return true;
}

static bool look(const struct sg_spool *spool, uint64_t from, uint64_t end, bool base64,
                 bool *clean, struct sg_error *err)
{
    struct looking l = {.state = base64 ? BASE64 : NOTHING, .clean = *clean};
    const struct sg_sink sink = {look_write, &l};
    if (*clean && !sg_spool_copy(spool, from, end - from, &sink, err))
        return false;
    *clean = l.clean;
    return true;
}

/* Nothing in a body, from..end, but the CMS object that was read from it? */
static bool object_look(struct sg_source *source, uint64_t from, uint64_t end, bool *clean,
                        struct sg_error *err)
{
    return sg_source_ends(source, clean, err) &&
           (!source->base64 || look(source->spool, from, end, true, clean, err));
}

bool sg_smime_object_alone(struct sg_arena *arena, struct sg_source *source,
                           const struct sg_header_block *headers, uint64_t end, bool *alone_r,
                           struct sg_error *err)
{
    *alone_r = source->base64 || sg_smime_is_binary(arena, headers); /* it goes on as it is */
    return !*alone_r || object_look(source, headers->body_offset, end, alone_r, err);
}

bool sg_smime_parts_alone(struct sg_arena *arena, struct sg_source *source, uint64_t from,
                          uint64_t end, const struct sg_smime_parts *parts,
                          const struct sg_header_block *signature, bool *alone_r,
                          struct sg_error *err)
{
    /* Behind a line that is no field others read on. */
    bool ended = signature->body_offset - parts->signature > signature->raw.len;
    *alone_r = ended && source->base64 && !sg_smime_is_ambiguous(arena, signature) &&
               sg_smime_is_signature_part(arena, signature);
    if (!*alone_r)
        return true;
    bool object, preamble, epilogue = true;
    if (!object_look(source, signature->body_offset, parts->signature_end, &object, err) ||
        !preamble_look(source->spool, from, parts->preamble_end, &preamble, err) ||
        !look(source->spool, parts->behind, end, false, &epilogue, err))
        return false;
    *alone_r = object && preamble && epilogue;
    return true;
}
