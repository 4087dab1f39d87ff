#include "trigger/charset.h"

#include "mime/digits.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#define OUT_BYTES 4096

/* Labels -------------------------------------------------------------------------------------- */

/* Supersets of ASCII in which no octet of a longer character is ASCII; and ASCII. */
static const char *const supersets[] = {
    "us-ascii",    "ascii",       "ansi_x3.4", "iso-ir-6",     "646",       "iso646-us",
    "iso_646.irv", "cp367",       "ibm367",    "utf-8",        "utf8",      "unicode-1-1-utf-8",
    "iso-8859",    "iso8859",     "iso_8859",  "8859",         "latin",     "l1",
    "windows-125", "cp125",       "x-cp125",   "cp-125",       "1250",      "1251",
    "1252",        "windows-874", "cp874",     "tis-620",      "tis620",    "koi8",
    "koi-8",       "cp437",       "ibm437",    "cp850",        "ibm850",    "cp-850",
    "cp852",       "ibm852",      "cp858",     "cp866",        "ibm866",    "macintosh",
    "x-mac",       "mac-roman",   "macroman",  "unknown-8bit", "x-unknown", "unknown",
    "default",     "none",        "8bit",      "7bit",         "binary",    "x-user-defined"};

/* Names that are in use and that iconv has under another name, or of which readers know a larger
 * set. */
static const struct {
    const char *label, *name;
} aliases[] = {
    {"x-sjis", "CP932"},
    {"shift_jis", "CP932"},
    {"shift-jis", "CP932"},
    {"sjis", "CP932"},
    {"windows-31j", "CP932"},
    {"ms_kanji", "CP932"},
    {"x-gbk", "GB18030"},
    {"gb2312", "GB18030"},
    {"gb_2312-80", "GB18030"},
    {"csgb2312", "GB18030"},
    {"euc-kr", "CP949"},
    {"x-euc-jp", "EUC-JP"},
    {"x-euc-kr", "CP949"},
    {"gbk", "GB18030"},
    {"cp936", "GB18030"},
    {"ks_c_5601-1987", "CP949"},
    {"ks_c_5601", "CP949"},
    {"ksc5601", "CP949"},
    {"windows-949", "CP949"},
    {"x-windows-949", "CP949"},
    {"big5", "BIG5-HKSCS"},
    {"x-x-big5", "BIG5-HKSCS"},
    {"iso-2022-jp", "ISO-2022-JP-3"},
    {"utf-7", "UTF-7"},
    {"utf7", "UTF-7"},
    {"unicode-1-1-utf-7", "UTF-7"},
    {"unicode-2-0-utf-7", "UTF-7"},
    {"x-unicode-2-0-utf-7", "UTF-7"},
    {"x-unicode-1-1-utf-7", "UTF-7"},
    {"csunicode11utf7", "UTF-7"},
    {"csutf7", "UTF-7"},
    {"65000", "UTF-7"},
    {"cp65000", "UTF-7"},
};

/* Labels that do not say which order the octets are in, or say it and are not always right. */
static const struct {
    const char *prefix, *big, *little;
} wide[] = {
    {"utf-16", "UTF-16BE", "UTF-16LE"},
    {"utf16", "UTF-16BE", "UTF-16LE"},
    {"ucs-2", "UTF-16BE", "UTF-16LE"},
    {"ucs2", "UTF-16BE", "UTF-16LE"},
    {"iso-10646-ucs-2", "UTF-16BE", "UTF-16LE"},
    {"csunicode", "UTF-16BE", "UTF-16LE"},
    {"unicode", "UTF-16BE", "UTF-16LE"},
    {"utf-32", "UTF-32BE", "UTF-32LE"},
    {"utf32", "UTF-32BE", "UTF-32LE"},
    {"ucs-4", "UTF-32BE", "UTF-32LE"},
    {"ucs4", "UTF-32BE", "UTF-32LE"},
    {"iso-10646-ucs-4", "UTF-32BE", "UTF-32LE"},
};

static bool begins(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* In lower case, without what does not belong into a name and what iconv would leave out: else a
 * charset that we read ourselves would be read by iconv. */
static void clean(const char *label, char name[SG_CHARSET_NAME])
{
    size_t n = 0;
    for (; label && *label && n < SG_CHARSET_NAME - 1; label++) {
        unsigned char c = (unsigned char)*label;
        if ((c < 0x80 && isalnum(c)) || (c && strchr("-_.:", c)))
            name[n++] = (char)tolower(c);
    }
    name[n] = 0;
}

static void add(struct sg_charset_readings *r, const char *name)
{
    r->names[r->count++] = name;
}

void sg_charset_readings(const char *label, struct sg_charset_readings *readings_r)
{
    *readings_r = (struct sg_charset_readings){.count = 0};
    clean(label, readings_r->name);
    const char *name = readings_r->name;
    add(readings_r, NULL);
    if (!*name)
        return;
    if (begins(name, "internal") || begins(name, "wchar")) { /* iconv's own, no charset of mail */
        readings_r->unknown = true;
        return;
    }
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (strcmp(name, aliases[i].label) == 0) {
            add(readings_r, aliases[i].name);
            return;
        }
    for (size_t i = 0; i < sizeof supersets / sizeof *supersets; i++)
        if (begins(name, supersets[i]))
            return;
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (begins(name, wide[i].prefix)) {
            add(readings_r, wide[i].big);
            add(readings_r, wide[i].little);
            return;
        }
    add(readings_r, name);
}

/* Unicode as octets -----------------------------------------------------------------------------
 */

static size_t to_utf8(uint32_t u, uint8_t *out)
{
    if (u < 0x80) {
        out[0] = (uint8_t)u;
        return 1;
    }
    if (u < 0x800) {
        out[0] = (uint8_t)(0xc0 | u >> 6);
        out[1] = (uint8_t)(0x80 | (u & 0x3f));
        return 2;
    }
    size_t n = 0;
    if (u < 0x10000) {
        out[n++] = (uint8_t)(0xe0 | u >> 12);
    } else {
        out[n++] = (uint8_t)(0xf0 | u >> 18);
        out[n++] = (uint8_t)(0x80 | (u >> 12 & 0x3f));
    }
    out[n++] = (uint8_t)(0x80 | (u >> 6 & 0x3f));
    out[n++] = (uint8_t)(0x80 | (u & 0x3f));
    return n;
}

/* A unit of UTF-16 or UTF-32. A half without its other half is nothing. */
static size_t unit_octets(struct sg_charset *c, uint32_t u, uint8_t *out)
{
    uint32_t high = c->high;
    c->high = 0;
    if (u >= 0xd800 && u < 0xdc00) {
        c->high = u;
        return 0;
    }
    if (u >= 0xdc00 && u < 0xe000) {
        if (high)
            return to_utf8(0x10000 + ((high & 0x3ff) << 10 | (u & 0x3ff)), out);
    } else if (u <= 0x10ffff) {
        return to_utf8(u, out);
    }
    c->bad++;
    return 0;
}

static void wide_push(struct sg_charset *c, const uint8_t *in, size_t len, sg_utf8_out *out,
                      void *ctx)
{
    uint8_t text[OUT_BYTES];
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        c->held[c->held_len++] = in[i];
        if (c->held_len < c->unit)
            continue;
        uint32_t u = 0;
        for (size_t k = 0; k < c->unit; k++)
            u = u << 8 | c->held[c->little ? c->unit - 1 - k : k];
        c->held_len = 0;
        n += unit_octets(c, u, text + n);
        if (n > sizeof text - 4) {
            out(ctx, text, n);
            n = 0;
        }
    }
    out(ctx, text, n);
}

/* UTF-7 (RFC 2152) ---------------------------------------------------------------------------- */

static size_t utf7_octet(struct sg_charset *c, uint8_t in, uint8_t *out)
{
    int value = c->shifted ? sg_base64_digit(in) : -1;
    bool fresh = c->fresh;
    c->fresh = false;
    if (value >= 0) {
        c->bits = c->bits << 6 | (uint32_t)value;
        c->bit_count += 6;
        if (c->bit_count < 16)
            return 0;
        c->bit_count -= 16;
        return unit_octets(c, c->bits >> c->bit_count & 0xffff, out);
    }
    if (c->shifted) {
        c->shifted = false;
        if (in == '-') {
            *out = '+';
            return fresh;
        }
    }
    if (in == '+') {
        c->shifted = c->fresh = true;
        c->bits = 0;
        c->bit_count = 0;
        return 0;
    }
    *out = in;
    return 1;
}

static void utf7_push(struct sg_charset *c, const uint8_t *in, size_t len, sg_utf8_out *out,
                      void *ctx)
{
    uint8_t text[OUT_BYTES];
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        n += utf7_octet(c, in[i], text + n);
        if (n > sizeof text - 4) {
            out(ctx, text, n);
            n = 0;
        }
    }
    out(ctx, text, n);
}

/* iconv --------------------------------------------------------------------------------------- */

/* Converts what it can; what is left is an unfinished character. */
static size_t iconv_run(struct sg_charset *c, const uint8_t *in, size_t len, sg_utf8_out *out,
                        void *ctx)
{
    char *from = (char *)(uintptr_t)in;
    while (len) {
        char text[OUT_BYTES], *to = text;
        size_t room = sizeof text, before = len;
        size_t rc = iconv(c->cd, &from, &len, &to, &room);
        int error = rc == (size_t)-1 ? errno : 0;
        out(ctx, (uint8_t *)text, sizeof text - room);
        if (error == EINVAL && len < sizeof c->held)
            break;
        bool stuck = len == before && room == sizeof text;
        if (error && (error != E2BIG || stuck)) {
            c->bad++;
            if (len == 0) /* glibc's may complain about what it has already taken */
                break;
            from++; /* no character: on with the next octet */
            len--;
        }
    }
    return len;
}

static void iconv_push(struct sg_charset *c, const uint8_t *in, size_t len, sg_utf8_out *out,
                       void *ctx)
{
    /* A character that began before: octet by octet, until it is whole. */
    while (c->held_len && len) {
        c->held[c->held_len++] = *in++;
        len--;
        size_t left = iconv_run(c, c->held, c->held_len, out, ctx);
        memmove(c->held, c->held + c->held_len - left, left);
        c->held_len = left;
    }
    if (len == 0)
        return;
    size_t left = iconv_run(c, in, len, out, ctx);
    memcpy(c->held, in + len - left, left);
    c->held_len = left;
}

/* ---------------------------------------------------------------------------------------------- */

bool sg_charset_open(struct sg_charset *c, const char *name)
{
    *c = (struct sg_charset){.kind = SG_CHARSET_AS_IS};
    if (!name)
        return true;
    if (strcmp(name, "UTF-7") == 0) {
        c->kind = SG_CHARSET_UTF7;
        return true;
    }
    if (begins(name, "UTF-16") || begins(name, "UTF-32")) {
        c->kind = SG_CHARSET_WIDE;
        c->unit = name[4] == '1' ? 2 : 4;
        c->little = strcmp(name + 6, "LE") == 0;
        return true;
    }
    c->cd = iconv_open("UTF-8", name);
    if (c->cd == (iconv_t)-1)
        return false;
    c->kind = SG_CHARSET_ICONV;
    return true;
}

void sg_charset_close(struct sg_charset *c)
{
    if (c->kind == SG_CHARSET_ICONV)
        iconv_close(c->cd);
    c->kind = SG_CHARSET_AS_IS;
}

void sg_charset_push(struct sg_charset *c, const uint8_t *in, size_t len, sg_utf8_out *out,
                     void *ctx)
{
    c->octets += len;
    if (c->kind == SG_CHARSET_WIDE)
        wide_push(c, in, len, out, ctx);
    else if (c->kind == SG_CHARSET_UTF7)
        utf7_push(c, in, len, out, ctx);
    else if (c->kind == SG_CHARSET_ICONV)
        iconv_push(c, in, len, out, ctx);
    else
        out(ctx, in, len);
}
