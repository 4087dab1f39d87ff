/*
 * The lexical ground that structured header fields share (RFC 5322 §3.2): a cursor over the raw,
 * still folded value. Nothing is taken for a string before its octets were looked at.
 */
#ifndef SG_MIME_LEX_H
#define SG_MIME_LEX_H

#include "common/bytes.h"

struct sg_lex {
    const uint8_t *p, *end;
};

#define SG_LEX_COMMENT_DEPTH 32

static inline struct sg_lex sg_lex_of(struct sg_bytes value)
{
    return (struct sg_lex){value.data, value.len ? value.data + value.len : value.data};
}
static inline int sg_lex_peek(const struct sg_lex *lex)
{
    return lex->p < lex->end ? *lex->p : -1;
}
static inline bool sg_lex_take(struct sg_lex *lex, char c)
{
    if (sg_lex_peek(lex) != (uint8_t)c)
        return false;
    lex->p++;
    return true;
}

/* Skips white space, folds and comments (CFWS). false: a comment that does not end or nests too
 * deeply, a control character, a bare CR or LF. */
bool sg_lex_skip(struct sg_lex *lex);
/* The inside of a quoted string whose opening quote is next, quotes taken off but the quoted pairs
 * still in it. false where it does not end or holds a control character. */
bool sg_lex_quoted(struct sg_lex *lex, struct sg_bytes *inside_r);
/* Length of the line break (CRLF or LF) at p, 0 where there is none. */
static inline size_t sg_lex_break(const uint8_t *p, const uint8_t *end)
{
    if (p < end && *p == '\n')
        return 1;
    return end - p >= 2 && p[0] == '\r' && p[1] == '\n' ? 2 : 0;
}
/* Is all of it well-formed UTF-8 (RFC 3629)? */
bool sg_lex_utf8(struct sg_bytes s);

#endif
