#include "mime/lex.h"

/* A fold is a line break with white space behind it; alone it is nothing. */
static size_t fold_length(const uint8_t *p, const uint8_t *end)
{
    size_t n = sg_lex_break(p, end);
    return n && p + n < end && (p[n] == ' ' || p[n] == '\t') ? n : 0;
}

static bool is_control(uint8_t c)
{
    return c < 0x20 || c == 0x7f;
}

static bool comment_skip(struct sg_lex *lex)
{
    int depth = 0;
    while (lex->p < lex->end) {
        uint8_t c = *lex->p;
        size_t fold = fold_length(lex->p, lex->end);
        if (fold) {
            lex->p += fold;
            continue;
        }
        if (c == '\\' && lex->p + 1 < lex->end) {
            c = *++lex->p;
            if (is_control(c) && c != '\t')
                return false;
        } else if (is_control(c) && c != '\t') {
            return false;
        } else if (c == '(') {
            if (++depth > SG_LEX_COMMENT_DEPTH)
                return false;
        } else if (c == ')') {
            depth--;
        }
        lex->p++;
        if (depth == 0)
            return true;
    }
    return false;
}

bool sg_lex_skip(struct sg_lex *lex)
{
    while (lex->p < lex->end) {
        uint8_t c = *lex->p;
        size_t fold = fold_length(lex->p, lex->end);
        if (c == ' ' || c == '\t')
            lex->p++;
        else if (fold)
            lex->p += fold;
        else if (c == '(') {
            if (!comment_skip(lex))
                return false;
        } else {
            return !is_control(c);
        }
    }
    return true;
}

bool sg_lex_quoted(struct sg_lex *lex, struct sg_bytes *inside_r)
{
    if (!sg_lex_take(lex, '"'))
        return false;
    const uint8_t *start = lex->p;
    while (lex->p < lex->end) {
        uint8_t c = *lex->p;
        size_t fold = fold_length(lex->p, lex->end);
        if (fold) {
            lex->p += fold;
            continue;
        }
        if (c == '"') {
            *inside_r = sg_bytes_of(start, (size_t)(lex->p - start));
            lex->p++;
            return true;
        }
        if (c == '\\' && lex->p + 1 < lex->end)
            c = *++lex->p;
        if (is_control(c) && c != '\t')
            return false;
        lex->p++;
    }
    return false;
}

static size_t utf8_length(const uint8_t *s, size_t left)
{
    uint8_t c = s[0];
    size_t n = c < 0x80                ? 1
               : c >= 0xc2 && c < 0xe0 ? 2
               : c >= 0xe0 && c < 0xf0 ? 3
               : c >= 0xf0 && c < 0xf5 ? 4
                                       : 0;
    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((c == 0xe0 && s[1] < 0xa0) || (c == 0xed && s[1] > 0x9f) || (c == 0xf0 && s[1] < 0x90) ||
        (c == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

bool sg_lex_utf8(struct sg_bytes s)
{
    for (size_t i = 0; i < s.len;) {
        size_t n = utf8_length(s.data + i, s.len - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}
