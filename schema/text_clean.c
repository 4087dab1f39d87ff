#include "schema/text_clean.h"

/* Length of the UTF-8 character at s, 0 where there is none (RFC 3629: no surrogates, no overlong
 * forms, at most U+10FFFF). s ends in NUL, which no continuation byte is. */
static size_t utf8_length(const unsigned char *s)
{
    if (s[0] < 0x80)
        return 1;
    size_t len = s[0] >= 0xc2 && s[0] <= 0xdf   ? 2
                 : s[0] >= 0xe0 && s[0] <= 0xef ? 3
                 : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
                                                : 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return len;
}

const char *sg_text_clean(struct sg_arena *arena, const char *s, size_t limit)
{
    const unsigned char *in = (const unsigned char *)(s ? s : "");
    size_t len = strlen((const char *)in), at = 0, n;
    while (at < len && (n = utf8_length(in + at)))
        at += n;
    if (at == len && (!limit || len <= limit))
        return (const char *)in;
    char *out = sg_arena_alloc(arena, 3 * len + 1); /* a bad byte becomes three */
    size_t used = 0;
    for (at = 0; at < len; at += n ? n : 1) {
        n = utf8_length(in + at);
        const char *piece = n ? (const char *)in + at : "\xef\xbf\xbd";
        size_t piece_len = n ? n : 3;
        if (limit && used + piece_len > limit)
            break;
        memcpy(out + used, piece, piece_len);
        used += piece_len;
    }
    out[used] = 0;
    return out;
}

const char *sg_json_clean(struct sg_arena *arena, const char *json)
{
    json = sg_text_clean(arena, json && *json ? json : "{}", 0);
    if (!strstr(json, "\\u0000"))
        return json;
    char *out = sg_arena_strdup(arena, json);
    for (char *p = out; (p = strchr(p, '\\')) && p[1]; p += 2)
        if (strncmp(p, "\\u0000", 6) == 0)
            memcpy(p + 2, "fffd", 4);
    return out;
}
