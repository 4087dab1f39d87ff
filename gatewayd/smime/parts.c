#include "smime/smime_internal.h"

#include <stdlib.h>

#define WINDOW 65536

/*
 * Looks for delimiter lines (RFC 2046 §5.1.1) through a window onto the spool. A line is one only
 * as a whole: "--boundary", perhaps "--", white space, line end. Readers that go by the beginning
 * of a line see other parts than we do; the signature then fails for one of us, never for none.
 */
struct scan {
    const struct sg_spool *spool;
    uint64_t end;
    const char *mark; /* "--boundary" */
    size_t mark_len;
    uint64_t base; /* of the window */
    size_t len;
    uint8_t *window;
};

struct delimiter {
    uint64_t line; /* where it begins */
    uint64_t next; /* behind its line end */
    bool closing;
};

static bool window_move(struct scan *s, uint64_t to, struct sg_error *err)
{
    uint64_t left = s->end - to;
    s->base = to;
    return sg_spool_read(s->spool, to, s->window, left < WINDOW ? (size_t)left : WINDOW, &s->len,
                         err);
}

/* Is the rest of the line, behind the mark at p, that of a delimiter? */
static bool delimiter_tail(const uint8_t *p, const uint8_t *stop, bool last, size_t *len_r,
                           bool *closing_r)
{
    const uint8_t *start = p;
    *closing_r = stop - p >= 2 && p[0] == '-' && p[1] == '-';
    if (*closing_r)
        p += 2;
    while (p < stop && (*p == ' ' || *p == '\t'))
        p++;
    if (p < stop && *p == '\r')
        p++;
    bool ended = p < stop ? *p == '\n' : last;
    *len_r = (size_t)(p - start) + (p < stop);
    return ended;
}

/* By its first dash: what is encoded has none, and memchr() is quicker than memmem(). */
static const uint8_t *mark_find(const struct scan *s, const uint8_t *p, const uint8_t *stop)
{
    while ((size_t)(stop - p) >= s->mark_len && (p = memchr(p, '-', (size_t)(stop - p)))) {
        if ((size_t)(stop - p) >= s->mark_len && memcmp(p, s->mark, s->mark_len) == 0)
            return p;
        p++;
    }
    return NULL;
}

/* The first delimiter at or behind from. Not found is SG_E_MIME. */
static bool delimiter_find(struct scan *s, uint64_t from, uint64_t floor, struct delimiter *d,
                           struct sg_error *err)
{
    /* One octet of context in front tells whether a mark begins its line. */
    uint64_t at = from > floor ? from - 1 : from;
    for (;;) {
        if (!window_move(s, at, err))
            return false;
        bool last = s->len < WINDOW || s->base + s->len >= s->end;
        const uint8_t *p = s->window, *stop = s->window + s->len;
        const uint8_t *resume = stop;
        while ((p = mark_find(s, p, stop))) {
            uint64_t line = s->base + (uint64_t)(p - s->window);
            bool begins = line == floor || (p > s->window && p[-1] == '\n');
            size_t tail;
            /* What the window cuts off is looked at again from a window of its own. */
            if (!last && stop - p < WINDOW / 2) {
                resume = p;
                break;
            }
            if (begins && line >= from &&
                delimiter_tail(p + s->mark_len, stop, last, &tail, &d->closing)) {
                d->line = line;
                d->next = line + s->mark_len + tail;
                return true;
            }
            p++;
        }
        if (last)
            return sg_fail(err, SG_E_MIME, "a delimiter of the signed message is missing");
        uint64_t reached = s->base + (uint64_t)(resume - s->window);
        /* A mark may hang over the end of the window; and the octet in front of it counts. */
        at = resume < stop ? reached - 1 : reached - s->mark_len - 1;
    }
}

/* Where the line end in front of a delimiter begins: it belongs to the delimiter. */
static bool content_end(struct scan *s, uint64_t content, uint64_t line, uint64_t *end_r,
                        struct sg_error *err)
{
    uint8_t tail[2] = {0};
    size_t want = line - content < 2 ? (size_t)(line - content) : 2, got = 0;
    *end_r = line;
    if (want == 0)
        return true;
    if (!sg_spool_read(s->spool, line - want, tail + 2 - want, want, &got, err))
        return false;
    *end_r = line - (tail[0] == '\r' ? 2 : 1);
    return true;
}

bool sg_smime_parts_find(const struct sg_spool *spool, uint64_t from, uint64_t end,
                         const char *boundary, struct sg_smime_parts *parts_r, struct sg_error *err)
{
    char mark[2 + 200 + 1];
    size_t len = boundary ? strlen(boundary) : 0;
    if (len == 0 || len > 200) /* 70 by RFC 2046; not everybody counts */
        return sg_fail(err, SG_E_MIME, "the signed message has no usable boundary");
    memcpy(mark, "--", 2);
    memcpy(mark + 2, boundary, len + 1);
    struct scan s = {.spool = spool, .end = end, .mark = mark, .mark_len = len + 2};
    s.window = malloc(WINDOW);
    if (!s.window)
        abort();

    struct delimiter first, second, third;
    bool ok = delimiter_find(&s, from, from, &first, err) &&
              delimiter_find(&s, first.next, from, &second, err) &&
              delimiter_find(&s, second.next, from, &third, err);
    if (ok && (first.closing || second.closing || !third.closing))
        ok = sg_fail(err, SG_E_MIME, "the signed message has not exactly two parts");
    parts_r->preamble_end = ok ? first.line : 0;
    parts_r->content = ok ? first.next : 0;
    parts_r->signature = ok ? second.next : 0;
    parts_r->behind = ok ? third.next : 0;
    ok = ok && content_end(&s, first.next, second.line, &parts_r->content_end, err) &&
         content_end(&s, second.next, third.line, &parts_r->signature_end, err);
    explicit_bzero(s.window, end - from < WINDOW ? (size_t)(end - from) : WINDOW);
    free(s.window);
    return ok;
}
