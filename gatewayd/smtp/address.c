#include "smtp/address.h"

#include "idna/idna.h"

#include <stdlib.h>

#define DOMAIN_MAX 255
#define LABEL_MAX  63

/* Length of the UTF-8 sequence at the start of s and its code point; 0 where it is not well-formed
 * (RFC 3629). */
static size_t utf8_decode(struct sg_bytes s, uint32_t *point_r)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t c = s.len ? s.data[0] : 0xff;
    if (c < 0x80) {
        *point_r = c;
        return 1;
    }
    size_t n = c >= 0xc2 && c < 0xe0   ? 2
               : c >= 0xe0 && c < 0xf0 ? 3
               : c >= 0xf0 && c < 0xf5 ? 4
                                       : 0;
    if (n == 0 || n > s.len)
        return 0;
    uint32_t point = c & (0x7f >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s.data[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (s.data[i] & 0x3f);
    }
    *point_r = point;
    return point < least[n] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000) ? 0 : n;
}

/* Controls and white space beyond ASCII: nobody sees them, so nobody may be named by them. */
static bool invisible(uint32_t p)
{
    return (p >= 0x80 && p <= 0xa0) || p == 0xad || p == 0x1680 || (p >= 0x2000 && p <= 0x200f) ||
           (p >= 0x2028 && p <= 0x202f) || (p >= 0x205f && p <= 0x206f) || p == 0x3000 ||
           p == 0xfeff;
}

static bool letter_or_digit(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool atext(uint8_t c)
{
    return letter_or_digit(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* Dot-string (RFC 5321 §4.1.2) with UTF8-non-ascii (RFC 6531 §3.3). */
static bool dot_string(struct sg_bytes s)
{
    bool dot = true; /* an atom must follow */
    while (s.len) {
        uint32_t p;
        size_t n = utf8_decode(s, &p);
        if (n == 0 || (p < 0x80 && p != '.' && !atext((uint8_t)p)) || invisible(p) ||
            (p == '.' && dot))
            return false;
        dot = p == '.';
        s = sg_bytes_slice(s, n, s.len);
    }
    return !dot;
}

/* Quoted-string with its quotes. */
static bool quoted_string(struct sg_bytes s)
{
    if (s.len < 2 || s.data[0] != '"' || s.data[s.len - 1] != '"')
        return false;
    s = sg_bytes_of(s.data + 1, s.len - 2);
    while (s.len) {
        uint32_t p;
        size_t n = utf8_decode(s, &p);
        if (p == '\\' && n == 1) {
            s = sg_bytes_slice(s, 1, s.len);
            n = utf8_decode(s, &p);
            if (n != 1)
                return false;
        } else if (p == '"') {
            return false;
        }
        if (n == 0 || p < 0x20 || p == 0x7f || invisible(p))
            return false;
        s = sg_bytes_slice(s, n, s.len);
    }
    return true;
}

static bool address_literal(struct sg_bytes s)
{
    if (s.len < 3 || s.data[0] != '[' || s.data[s.len - 1] != ']')
        return false;
    for (size_t i = 1; i + 1 < s.len; i++)
        if (!letter_or_digit(s.data[i]) && !strchr(".:-", s.data[i] ? s.data[i] : ' '))
            return false;
    return true;
}

/* Labels of letters, digits, hyphens (and underscores, which occur), or U-labels. */
static bool domain_valid(struct sg_bytes s)
{
    if (s.len == 0 || s.len > DOMAIN_MAX)
        return false;
    if (s.data[0] == '[')
        return address_literal(s);
    size_t label = 0;
    uint32_t last = '-';
    while (s.len) {
        uint32_t p;
        size_t n = utf8_decode(s, &p);
        if (n == 0 || invisible(p))
            return false;
        if (p == '.') {
            if (label == 0 || last == '-')
                return false;
            label = 0;
        } else {
            if (p < 0x80 && !letter_or_digit((uint8_t)p) && p != '_' && (p != '-' || label == 0))
                return false;
            label += n;
            if (label > LABEL_MAX)
                return false;
        }
        last = p;
        s = sg_bytes_slice(s, n, s.len);
    }
    return label > 0 && last != '-';
}

/* A-labels are longer than the U-labels they are made of: what is stored has to fit as well. */
static bool normalised_fits(size_t local_len, struct sg_bytes domain)
{
    bool u_label = false;
    for (size_t i = 0; i < domain.len; i++)
        u_label |= domain.data[i] >= 0x80;
    if (!u_label)
        return true;
    SG_AUTO_ARENA arena = sg_arena_new();
    const char *ascii = sg_idna_ascii(arena, sg_arena_str(arena, domain));
    size_t len = ascii ? strlen(ascii) : domain.len;
    return len <= DOMAIN_MAX && local_len + 1 + len <= SG_ADDRESS_MAX;
}

/*
 * RFC 5321 §4.5.3.1.1 gives a local part 64 octets; bounce addresses of list servers have more, and
 * the same section asks not to impose limits where none is needed. The whole is bounded.
 */
bool sg_address_valid(struct sg_bytes address)
{
    if (address.len == 0 || address.len > SG_ADDRESS_MAX)
        return false;
    const uint8_t *at = memrchr(address.data, '@', address.len);
    if (!at)
        return false;
    struct sg_bytes local = {address.data, (size_t)(at - address.data)};
    struct sg_bytes domain = sg_bytes_slice(address, local.len + 1, address.len);
    return (dot_string(local) || quoted_string(local)) && domain_valid(domain) &&
           normalised_fits(local.len, domain);
}

const char *sg_address_domain(const char *address)
{
    const char *at = strrchr(address, '@');
    return at ? at + 1 : NULL;
}

bool sg_address_ascii(const char *address)
{
    for (const unsigned char *p = (const unsigned char *)address; *p; p++)
        if (*p >= 0x80)
            return false;
    return true;
}

/* "joe"@x names the same mailbox as joe@x (RFC 5321 §4.1.2): quotes go where they may. */
static size_t unquote(char *local, size_t len)
{
    if (!quoted_string(sg_bytes_of(local, len)))
        return len;
    char plain[SG_ADDRESS_MAX];
    size_t n = 0;
    if (len > sizeof plain)
        return len;
    for (size_t i = 1; i + 1 < len; i++) {
        if (local[i] == '\\')
            i++;
        plain[n++] = local[i];
    }
    if (!dot_string(sg_bytes_of(plain, n)))
        return len;
    memcpy(local, plain, n);
    return n;
}

char *sg_address_normalise(struct sg_arena *arena, const char *address)
{
    char *s = sg_arena_strdup(arena, address);
    char *at = strrchr(s, '@');
    if (at) {
        size_t n = unquote(s, (size_t)(at - s));
        memmove(s + n, at, strlen(at) + 1);
    }
    for (char *p = s; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + 32);
    const char *domain = sg_address_domain(s);
    const char *ascii = domain ? sg_idna_ascii(arena, domain) : NULL;
    if (!ascii || ascii == domain)
        return s;
    return sg_arena_printf(arena, "%.*s%s", (int)(domain - s), s, ascii);
}

char *sg_address_quote(struct sg_arena *arena, const char *internal)
{
    const char *at = strrchr(internal, '@');
    size_t len = strlen(internal);
    if (!at || len > SG_ADDRESS_MAX)
        return NULL;
    char *s = sg_arena_alloc(arena, 2 * len + 3), *to = s;
    bool quotes = !dot_string(sg_bytes_of(internal, (size_t)(at - internal)));
    if (quotes)
        *to++ = '"';
    for (const char *p = internal; p < at; p++) {
        if (quotes && (*p == '"' || *p == '\\'))
            *to++ = '\\';
        *to++ = *p;
    }
    if (quotes)
        *to++ = '"';
    memcpy(to, at, len - (size_t)(at - internal) + 1);
    return sg_address_valid(sg_bytes_str(s)) ? s : NULL;
}
