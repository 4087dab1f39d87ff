#include "tnef/tnef_internal.h"

#include "common/buf.h"
#include "rtf/codepage.h"
#include "tnefreader/protocol.h"
#include "tnefreader/reader.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>

#define PIECE      65536
#define NAME_BYTES 1024 /* of a file name or type; what is longer is cut */

struct answer {
    const struct sg_tnef_options *options;
    int fd;
    sg_deadline deadline;
    struct sg_arena *arena;
    struct sg_error *err;
    bool *closed;
    uint8_t piece[PIECE];
    size_t from, to; /* what of piece is still to be read */
    struct sg_tnef_part *parts;
    size_t count, room;
    size_t used; /* of answer_bytes */
    struct sg_buf data;
    enum sg_tnef_damage damage;
    const char *left_out; /* NULL: all that the helper said is in the answer */
};

static const char *const damages[SG_TNEF_DAMAGES] = {
    [SG_TNEF_NOT_TNEF] = "no TNEF signature",
    [SG_TNEF_TRUNCATED] = "the TNEF stream ends within an attribute",
    [SG_TNEF_BAD_CHECKSUM] = "the checksum of a TNEF attribute is wrong",
    [SG_TNEF_BAD_ATTRIBUTES] = "the TNEF attributes cannot be followed",
    [SG_TNEF_BAD_PROPERTIES] = "the MAPI properties cannot be followed",
    [SG_TNEF_BAD_RTF] = "the compressed RTF is malformed",
    [SG_TNEF_BAD_RTF_CRC] = "the checksum of the compressed RTF is wrong",
    [SG_TNEF_TOO_DEEP] = "messages are nested too deeply",
};

/* A helper that ended says why by its wait status; a lost connection is the same. */
static bool receive(struct answer *a, void *to, size_t len)
{
    for (uint8_t *p = to; len;) {
        if (a->from == a->to) {
            size_t n = 0;
            if (!sg_io_read(a->fd, a->piece, PIECE, &n, a->deadline, a->err)) {
                *a->closed = a->err->code != SG_E_TIMEOUT;
                return false;
            }
            if (n == 0) {
                *a->closed = true;
                return sg_fail(a->err, SG_E_MALFORMED, "the TNEF helper closed its connection");
            }
            a->from = 0;
            a->to = n;
        }
        size_t n = a->to - a->from < len ? a->to - a->from : len;
        memcpy(p, a->piece + a->from, n);
        a->from += n;
        p += n;
        len -= n;
    }
    return true;
}

static bool garbage(struct answer *a)
{
    return sg_fail(a->err, SG_E_MALFORMED, "the answer of the TNEF helper is not understood");
}

static bool spend(struct answer *a, size_t bytes)
{
    if (bytes > a->options->answer_bytes - a->used)
        return sg_fail(a->err, SG_E_LIMIT, "the TNEF stream has more than %zu bytes in it",
                       a->options->answer_bytes);
    a->used += bytes;
    return true;
}

static const char *charset_of(struct sg_arena *arena, unsigned codepage)
{
    const char *charset = sg_codepage_charset(codepage);
    return charset ? charset : sg_arena_printf(arena, "CP%u", codepage);
}

/* In UTF-8; what cannot be told is a question mark. */
static char *utf8_of(struct sg_arena *arena, unsigned codepage, struct sg_bytes bytes)
{
    char text[3 * NAME_BYTES + 1], *from = (char *)bytes.data, *to = text;
    size_t from_left = bytes.len, to_left = sizeof text - 1;
    iconv_t cd = iconv_open("UTF-8", charset_of(arena, codepage));
    if (cd == (iconv_t)-1)
        return sg_arena_strdup(arena, "");
    while (from_left && to_left && iconv(cd, &from, &from_left, &to, &to_left) == (size_t)-1 &&
           errno != E2BIG) {
        if (!from_left || !to_left)
            break;
        from++;
        from_left--;
        *to++ = '?';
        to_left--;
    }
    iconv_close(cd);
    return sg_arena_str(arena, sg_bytes_of(text, strnlen(text, (size_t)(to - text))));
}

/* The part that was read last is complete. */
static void complete(struct answer *a)
{
    if (a->count)
        a->parts[a->count - 1].bytes = sg_arena_copy(a->arena, sg_buf_bytes(&a->data));
    sg_buf_clear(&a->data);
}

static bool begin(struct answer *a, const struct sg_tnef_frame *frame)
{
    if (frame->kind >= SG_TNEF_KINDS || frame->depth > a->options->max_depth || frame->len)
        return garbage(a);
    if (!spend(a, sizeof *a->parts))
        return false;
    complete(a);
    if (a->count == a->room) {
        a->room = a->room ? 2 * a->room : 16;
        a->parts = realloc(a->parts, a->room * sizeof *a->parts);
        if (!a->parts)
            abort();
    }
    bool text = frame->kind != SG_TNEF_RTF && frame->kind != SG_TNEF_ATTACHMENT;
    a->parts[a->count++] = (struct sg_tnef_part){
        .kind = (enum sg_tnef_kind)frame->kind,
        .charset = text ? charset_of(a->arena, frame->codepage) : NULL,
        .name = "",
        .type = "",
        .depth = frame->depth,
    };
    return true;
}

static bool name(struct answer *a, const struct sg_tnef_frame *frame)
{
    uint8_t bytes[NAME_BYTES], rest[NAME_BYTES];
    size_t kept = frame->len < NAME_BYTES ? frame->len : NAME_BYTES;
    if (!a->count || a->parts[a->count - 1].kind != SG_TNEF_ATTACHMENT)
        return garbage(a);
    if (!spend(a, frame->len) || !receive(a, bytes, kept))
        return false;
    for (size_t left = frame->len - kept; left;) {
        size_t n = left < sizeof rest ? left : sizeof rest;
        if (!receive(a, rest, n))
            return false;
        left -= n;
    }
    if (kept < frame->len)
        a->left_out = "the name of a file is longer than is read";
    char *text = utf8_of(a->arena, frame->codepage, sg_bytes_of(bytes, kept));
    if (frame->type == SG_TNEF_NAME) {
        a->parts[a->count - 1].name = text;
        return spend(a, strlen(text)); /* up to three times what came */
    }
    for (char *p = text; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p += 'a' - 'A';
    a->parts[a->count - 1].type = text;
    return spend(a, strlen(text));
}

static bool data(struct answer *a, const struct sg_tnef_frame *frame)
{
    uint8_t bytes[16384];
    if (!a->count)
        return garbage(a);
    if (!spend(a, frame->len))
        return false;
    for (size_t left = frame->len; left;) {
        size_t n = left < sizeof bytes ? left : sizeof bytes;
        if (!receive(a, bytes, n))
            return false;
        sg_buf_add(&a->data, bytes, n);
        left -= n;
    }
    return true;
}

/* The first one is told. */
static bool damage(struct answer *a, const struct sg_tnef_frame *frame)
{
    if (frame->kind == SG_TNEF_WHOLE || frame->kind >= SG_TNEF_DAMAGES || frame->len)
        return garbage(a);
    if (a->damage == SG_TNEF_WHOLE)
        a->damage = (enum sg_tnef_damage)frame->kind;
    return true;
}

static void finish(struct answer *a, struct sg_tnef_content *content_r)
{
    complete(a);
    content_r->count = a->count;
    content_r->parts = SG_ARENA_ARRAY(a->arena, struct sg_tnef_part, a->count);
    if (a->count)
        memcpy(content_r->parts, a->parts, a->count * sizeof *a->parts);
    content_r->damage = a->damage == SG_TNEF_WHOLE ? a->left_out : damages[a->damage];
}

static bool frames(struct answer *a, struct sg_tnef_content *content_r)
{
    struct sg_tnef_frame frame;
    bool ok = true;
    /* Frames count, however empty: a stream of them has an end. */
    while (ok && (ok = receive(a, &frame, sizeof frame) && spend(a, sizeof frame)))
        switch (frame.type) {
        case SG_TNEF_BEGIN:
            if (a->count == a->options->max_parts) {
                a->left_out = "the TNEF stream has more parts than are read";
                finish(a, content_r);
                return true;
            }
            ok = begin(a, &frame);
            break;
        case SG_TNEF_NAME:
        case SG_TNEF_TYPE:
            ok = name(a, &frame);
            break;
        case SG_TNEF_DATA:
            ok = data(a, &frame);
            break;
        case SG_TNEF_DAMAGE:
            ok = damage(a, &frame);
            break;
        case SG_TNEF_END:
            finish(a, content_r);
            return true;
        default:
            ok = garbage(a);
            break;
        }
    return false;
}

bool sg_tnef_answer_ready(int fd, sg_deadline deadline, bool *closed_r, struct sg_error *err)
{
    struct sg_tnef_frame frame;
    *closed_r = false;
    if (!sg_io_read_full(fd, &frame, sizeof frame, deadline, err)) {
        *closed_r = err->code != SG_E_TIMEOUT;
        return false;
    }
    if (frame.type != SG_TNEF_READY)
        return sg_fail(err, SG_E_MALFORMED, "the answer of the TNEF helper is not understood");
    return true;
}

bool sg_tnef_answer_read(const struct sg_tnef_options *options, int fd, sg_deadline deadline,
                         struct sg_arena *arena, struct sg_tnef_content *content_r, bool *closed_r,
                         struct sg_error *err)
{
    struct answer *a = calloc(1, sizeof *a);
    if (!a)
        abort();
    a->options = options;
    a->fd = fd;
    a->deadline = deadline;
    a->arena = arena;
    a->err = err;
    a->closed = closed_r;
    *closed_r = false;
    bool ok = frames(a, content_r);
    sg_buf_free(&a->data);
    free(a->parts);
    free(a);
    return ok;
}
