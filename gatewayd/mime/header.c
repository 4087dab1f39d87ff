#include "mime/header.h"

#include "common/buf.h"
#include "mime/lex.h"

#define READ_CHUNK 4096

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* Length of the field name at the front of a line (RFC 5322 §2.2, and the white space that obsolete
 * syntax allows before the colon, since clients read such a From too), 0 where it is no field. */
static size_t name_length(const uint8_t *p, const uint8_t *end, size_t *colon_r)
{
    size_t n = 0, left = (size_t)(end - p);
    while (n < left && p[n] > 0x20 && p[n] < 0x7f && p[n] != ':')
        n++;
    size_t colon = n;
    while (colon < left && is_blank(p[colon]))
        colon++;
    *colon_r = colon;
    return colon < left && p[colon] == ':' ? n : 0;
}

/* Where the header block in data ends, as far as data tells. */
struct scan {
    size_t next; /* first octet of the line to look at */
    size_t seen; /* so far no end of that line was found: nothing is looked through twice */
    size_t end;  /* of the fields */
    size_t body; /* first octet of the body */
    size_t fields;
    bool done, bad;
};

/* Looks at the lines that are complete, or at all of them where no more will come. */
static void scan_lines(struct scan *s, const uint8_t *data, size_t len, bool last)
{
    while (!s->done && s->next < len) {
        const uint8_t *p = data + s->next, *end = data + len;
        const uint8_t *from = s->seen > s->next ? data + s->seen : p;
        const uint8_t *lf = memchr(from, '\n', (size_t)(end - from));
        if (!lf && !last) {
            s->seen = len;
            return;
        }
        size_t empty = sg_lex_break(p, end), colon;
        if (empty) {
            s->end = s->next;
            s->body = s->next + empty;
            s->done = true;
            return;
        }
        const uint8_t *line_end = lf ? lf : end;
        bool continued = is_blank(*p) && s->fields > 0;
        if (!continued && name_length(p, line_end, &colon) == 0) {
            s->bad = s->fields == 0;
            s->end = s->body = s->next;
            s->done = true;
            return;
        }
        s->fields += !continued;
        s->next = lf ? (size_t)(lf - data) + 1 : len;
    }
    if (last && !s->done) {
        s->end = s->body = len;
        s->done = true;
    }
}

static struct sg_header field_of(const uint8_t *p, const uint8_t *end)
{
    size_t colon;
    size_t name = name_length(p, end, &colon);
    const uint8_t *value = p + colon + 1, *stop = end;
    if (stop > value && stop[-1] == '\n') {
        stop--;
        if (stop > value && stop[-1] == '\r')
            stop--;
    }
    return (struct sg_header){sg_bytes_of(p, name), sg_bytes_of(value, (size_t)(stop - value)),
                              sg_bytes_of(p, (size_t)(end - p))};
}

static void fields_fill(struct sg_header_block *block)
{
    const uint8_t *p = block->raw.data, *end = p + block->raw.len;
    while (p < end) {
        const uint8_t *next = p;
        do {
            const uint8_t *lf = memchr(next, '\n', (size_t)(end - next));
            next = lf ? lf + 1 : end;
        } while (next < end && is_blank(*next));
        block->fields[block->count++] = field_of(p, next);
        p = next;
    }
}

bool sg_header_read(struct sg_arena *arena, const struct sg_spool *spool, uint64_t offset,
                    uint64_t end, const struct sg_header_limits *limits,
                    struct sg_header_block *block_r, struct sg_error *err)
{
    memset(block_r, 0, sizeof *block_r);
    uint64_t size = sg_spool_size(spool);
    end = end < size ? end : size;
    offset = offset < end ? offset : end;

    SG_AUTO_BUF data;
    sg_buf_init(&data, 0);
    struct scan scan = {0};
    while (!scan.done) {
        uint8_t chunk[READ_CHUNK];
        uint64_t left = end - offset - data.len;
        size_t got = 0, want = left < sizeof chunk ? (size_t)left : sizeof chunk;
        if (want && !sg_spool_read(spool, offset + data.len, chunk, want, &got, err))
            return false;
        sg_buf_add(&data, chunk, got);
        scan_lines(&scan, data.data, data.len, got < want || got == left);
        if (scan.done ? scan.end > limits->max_bytes : data.len > limits->max_bytes + READ_CHUNK)
            return sg_fail(err, SG_E_LIMIT, "the header is larger than %zu octets",
                           limits->max_bytes);
        if (scan.fields > limits->max_fields)
            return sg_fail(err, SG_E_LIMIT, "the header has more than %zu fields",
                           limits->max_fields);
    }
    if (scan.bad)
        return sg_fail(err, SG_E_MIME, "the first line is no header field");
    block_r->raw = sg_arena_copy(arena, sg_bytes_of(data.data, scan.end));
    block_r->body_offset = offset + scan.body;
    block_r->fields = SG_ARENA_ARRAY(arena, struct sg_header, scan.fields ? scan.fields : 1);
    fields_fill(block_r);
    return true;
}

const struct sg_header *sg_header_find(const struct sg_header_block *block, const char *name,
                                       size_t n)
{
    for (size_t i = 0; i < block->count; i++)
        if (sg_bytes_iequal(block->fields[i].name, name) && n-- == 0)
            return &block->fields[i];
    return NULL;
}

const struct sg_header *sg_header_next(const struct sg_header_block *block, const char *name,
                                       const struct sg_header *after)
{
    for (size_t i = after ? (size_t)(after - block->fields) + 1 : 0; i < block->count; i++)
        if (sg_bytes_iequal(block->fields[i].name, name))
            return &block->fields[i];
    return NULL;
}

size_t sg_header_count(const struct sg_header_block *block, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < block->count; i++)
        n += sg_bytes_iequal(block->fields[i].name, name);
    return n;
}

char *sg_header_unfold(struct sg_arena *arena, const struct sg_header *field)
{
    char *text = sg_arena_alloc(arena, field->value.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < field->value.len; i++) {
        uint8_t c = field->value.data[i];
        if (c == '\r' || c == '\n' || (n == 0 && is_blank(c)))
            continue;
        text[n++] = c ? (char)c : '?'; /* a NUL must not cut off what others go on to read */
    }
    while (n && is_blank((uint8_t)text[n - 1]))
        n--;
    text[n] = 0;
    return text;
}
