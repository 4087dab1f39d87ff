#include "mail/mail_internal.h"

#include <openssl/evp.h>
#include <string.h>

#define WORD_BYTES 42 /* of UTF-8 in an encoded word: 56 characters of base64, 68 in all */

bool mail_is_line(const char *text)
{
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return false;
    return true;
}

bool sg_mail_is_address(const char *text)
{
    const char *at = strrchr(text, '@');
    if (!at || at == text || !at[1] || strlen(text) > 254)
        return false;
    for (const char *p = text; *p; p++)
        if (*p <= 0x20 || *p >= 0x7f || strchr("<>\"(),:;[]\\", *p) || (*p == '@' && p != at))
            return false;
    return true;
}

const char *mail_words(struct sg_arena *arena, const char *text)
{
    const char *p = text;
    while (*p && (unsigned char)*p < 0x80)
        p++;
    if (!*p && !strstr(text, "=?"))
        return text;
    const char *out = "";
    for (size_t left = strlen(text), n; left > 0; text += n, left -= n) {
        n = left < WORD_BYTES ? left : WORD_BYTES;
        while (n < left && n > 1 && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--; /* a character stays whole */
        unsigned char encoded[4 * (WORD_BYTES / 3 + 1) + 1];
        EVP_EncodeBlock(encoded, (const unsigned char *)text, (int)n);
        out = sg_arena_printf(arena, "%s%s=?UTF-8?B?%s?=", out, *out ? "\r\n " : "", encoded);
    }
    return out;
}

const char *mail_crlf(struct sg_arena *arena, const char *text)
{
    char *out = sg_arena_alloc(arena, 2 * strlen(text) + 1), *o = out;
    for (const char *p = text; *p; p++) {
        if (*p == '\n' && (p == text || p[-1] != '\r'))
            *o++ = '\r';
        *o++ = *p;
    }
    *o = 0;
    return out;
}
