#include "common/scan.h"
#include "smime/smime_internal.h"

#include <ctype.h>
#include <stdlib.h>

/*
 * Within an envelope content may be anything (RFC 8551 §3.1.2); SMTP carries lines that end in
 * CRLF, of at most 998 octets, without NUL (RFC 5321 §2.3.8, §4.5.3.1.6). What does not fit, and
 * what is made of it.
 */

#define LINE_MAX_BYTES 998

/* Line ends ------------------------------------------------------------------------------------ */

/* Looks at the line ends, and makes bare CR and LF into CRLF on the way into a spool. */
struct line_ends {
    struct sg_spool *to; /* NULL: only looks */
    uint8_t last;
    uint64_t at, line; /* octets before this piece; where the line begins */
    bool bare, beyond;
};

static void line_look(struct line_ends *l, uint64_t at)
{
    l->beyond |= at - l->line > LINE_MAX_BYTES + (l->last == '\r' ? 1U : 0U);
    l->line = at + 1;
}

static bool line_ends_write(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    struct line_ends *l = ctx;
    const uint8_t *start = data, *p = start, *done = p, *end = p + len;
    for (; p < end; p++) {
        if (l->last != '\r' && *p != '\r' && *p != '\n') {
            p = sg_scan_line_break(p, end);
            l->last = p[-1];
            if (p == end)
                break;
        }
        if (*p == '\n')
            line_look(l, l->at + (uint64_t)(p - start));
        bool lone_lf = *p == '\n' && l->last != '\r', lone_cr = l->last == '\r' && *p != '\n';
        l->last = *p;
        if (!lone_lf && !lone_cr)
            continue;
        l->bare = true;
        if (!l->to)
            continue;
        if (!sg_spool_write(l->to, done, (size_t)(p - done), err) ||
            !sg_spool_write(l->to, lone_lf ? "\r" : "\n", 1, err))
            return false;
        done = p;
    }
    l->at += len;
    return !l->to || sg_spool_write(l->to, done, (size_t)(end - done), err);
}

static bool look_write(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    struct line_ends *l = ctx;
    l->beyond |= len && memchr(data, 0, len);
    return line_ends_write(ctx, data, len, err);
}

bool sg_smime_carried_look(const struct sg_spool *spool, uint64_t from, uint64_t end,
                           struct sg_smime_carried *carried_r, struct sg_error *err)
{
    struct line_ends l = {0};
    const struct sg_sink sink = {look_write, &l};
    if (!sg_spool_copy(spool, from, end - from, &sink, err))
        return false;
    line_look(&l, l.at);
    carried_r->lines = !l.bare && l.last != '\r';
    carried_r->octets = carried_r->lines && !l.beyond;
    return true;
}

bool sg_smime_lines_mend(const struct sg_spool *spool, uint64_t from, uint64_t end,
                         struct sg_spool *to, struct sg_error *err)
{
    struct line_ends l = {.to = to};
    const struct sg_sink sink = {line_ends_write, &l};
    return sg_spool_copy(spool, from, end - from, &sink, err) &&
           (l.last != '\r' || sg_spool_write(to, "\n", 1, err));
}

/* Binary --------------------------------------------------------------------------------------- */

/* Looks for a field that names a transfer encoding as binary, wherever one could stand. */
struct label {
    enum { NAME, COLON, VALUE, REST } state;
    size_t matched;
    bool found;
};

static void label_step(struct label *l, uint8_t c)
{
    static const char name[] = "content-transfer-encoding", value[] = "binary";
    bool blank = c == ' ' || c == '\t', line_end = c == '\r' || c == '\n';
    c = (uint8_t)tolower(c);
    if (l->state == VALUE && l->matched == 0 && (blank || line_end))
        return; /* it may be folded */
    if (line_end) {
        l->state = NAME;
        l->matched = 0;
    } else if (l->state == NAME) {
        l->state = c != (uint8_t)name[l->matched++] ? REST : name[l->matched] ? NAME : COLON;
    } else if (l->state == COLON && !blank) {
        l->state = c == ':' ? VALUE : REST;
        l->matched = 0;
    } else if (l->state == VALUE) {
        l->found |= c == (uint8_t)value[l->matched] && !value[l->matched + 1];
        l->state = c == (uint8_t)value[l->matched++] && !l->found ? VALUE : REST;
    }
}

static bool label_write(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    struct label *l = ctx;
    const uint8_t *p = data, *end = p + len;
    (void)err;
    while (p < end && !l->found) {
        if (l->state == REST && (p = sg_scan_line_break(p, end)) == end)
            break;
        label_step(l, *p++);
    }
    return true;
}

bool sg_smime_binary_within(const struct sg_spool *spool, uint64_t from, uint64_t end,
                            bool *found_r, struct sg_error *err)
{
    struct label l = {.state = NAME};
    const struct sg_sink sink = {label_write, &l};
    bool ok = sg_spool_copy(spool, from, end - from, &sink, err);
    *found_r = l.found;
    return ok;
}

bool sg_smime_encode(const struct sg_header_block *headers, const struct sg_spool *spool,
                     uint64_t end, struct sg_spool *to, struct sg_error *err)
{
    static const char encoding[] = "Content-Transfer-Encoding";
    struct line_ends l = {.to = to};
    bool named = false;
    for (size_t i = 0; i < headers->count; i++) {
        struct sg_bytes field = headers->fields[i].whole;
        if (sg_bytes_iequal(headers->fields[i].name, encoding)) {
            field = named ? sg_bytes_of(NULL, 0)
                          : sg_bytes_str("Content-Transfer-Encoding: base64\r\n");
            named = true;
        }
        if (field.len && !line_ends_write(&l, field.data, field.len, err))
            return false;
    }
    const struct sg_sink out = sg_spool_sink(to);
    /* Where the header has all of the entity its last line may lack its end. */
    return (l.last == '\n' || sg_spool_write(to, "\r\n", 2, err)) &&
           sg_spool_write(to, "\r\n", 2, err) &&
           sg_base64_encode_spool(sg_bytes_of("", 0), spool, headers->body_offset,
                                  end - headers->body_offset, &out, err);
}
