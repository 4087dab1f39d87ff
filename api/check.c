#include "api/check.h"

#include "common/id.h"
#include "schema/access.h"
#include "schema/api_ownership.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <idn2.h>
#include <libpsl.h>
#include <stdlib.h>
#include <string.h>

#define INVALID(err, ...) sg_fail(err, SG_E_INVALID, __VA_ARGS__)

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* ASCII alone: what is not ASCII stays as it is. */
static char *lower(struct sg_arena *arena, const char *s)
{
    char *copy = sg_arena_strdup(arena, s);
    for (char *p = copy; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p += 'a' - 'A';
    return copy;
}

bool api_check_name(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    (void)arena;
    const char *s = *value;
    if (!*s || blank(*s) || blank(s[strlen(s) - 1]))
        return INVALID(err, "must not begin or end with white space");
    return true;
}

static bool label_valid(const char *s, size_t n)
{
    if (n == 0 || n > 63 || s[0] == '-' || s[n - 1] == '-')
        return false;
    for (size_t i = 0; i < n; i++)
        if (!(s[i] >= 'a' && s[i] <= 'z') && !(s[i] >= '0' && s[i] <= '9') && s[i] != '-')
            return false;
    return true;
}

static bool digits_only(const char *s)
{
    return strspn(s, "0123456789") == strlen(s);
}

bool api_check_dns_name(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    char *name = lower(arena, *value);
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p >= 0x80)
            return INVALID(err, "must be ASCII: write an internationalised name in its A-label "
                                "form (xn--…)");
    if (strlen(name) > 253)
        return INVALID(err, "is longer than 253 characters");
    if (strchr(name, '*'))
        return INVALID(err, "must not be a wildcard");
    size_t labels = 0;
    const char *last = name;
    for (const char *p = name;; p++) {
        size_t n = strcspn(p, ".");
        if (!label_valid(p, n))
            return INVALID(err, "is not a domain name: labels have 1 to 63 letters, digits and "
                                "hyphens, with no hyphen at their ends");
        labels++;
        last = p;
        p += n;
        if (!*p)
            break;
    }
    if (labels < 2)
        return INVALID(err, "must have two labels or more");
    if (digits_only(last))
        return INVALID(err, "must be a name, not an address");
    *value = name;
    return true;
}

static const char *a_labels(struct sg_arena *arena, const char *name, struct sg_error *err)
{
    uint8_t *out = NULL;
    int rc = idn2_lookup_u8((const uint8_t *)name, &out,
                            IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL | IDN2_USE_STD3_ASCII_RULES);
    if (rc != IDN2_OK) {
        INVALID(err, "is not an internationalised domain name: %s", idn2_strerror(rc));
        return NULL;
    }
    const char *copy = sg_arena_strdup(arena, (const char *)out);
    idn2_free(out);
    return copy;
}

bool api_check_domain(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    const char *name = lower(arena, *value), *p = name;
    while (*p && (unsigned char)*p < 0x80)
        p++;
    if (*p || strstr(name, "xn--"))
        name = a_labels(arena, name, err);
    if (!name || !api_check_dns_name(arena, &name, err))
        return false;
    if (strlen(SG_CHALLENGE_LABEL ".") + strlen(name) > 253)
        return INVALID(err, "is too long: " SG_CHALLENGE_LABEL " in front of it must be a name");
    if (psl_is_public_suffix(psl_builtin(), name))
        return INVALID(err, "is a public suffix, in which anybody may have a domain");
    *value = name;
    return true;
}

bool api_check_host(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    unsigned char bits[16];
    char text[INET6_ADDRSTRLEN];
    int family = strchr(*value, ':') ? AF_INET6 : AF_INET;
    if (inet_pton(family, *value, bits) == 1) {
        *value = sg_arena_strdup(arena, inet_ntop(family, bits, text, sizeof text));
        return true;
    }
    if (family == AF_INET6)
        return INVALID(err, "is neither a domain name nor an address");
    return api_check_dns_name(arena, value, err);
}

static bool prefix_parse(const char *s, int max, int *prefix_r)
{
    if (!*s || strlen(s) > 3 || !digits_only(s) || (*s == '0' && s[1]))
        return false;
    *prefix_r = (int)strtol(s, NULL, 10);
    return *prefix_r <= max;
}

bool api_check_network(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    char *address = sg_arena_strdup(arena, *value);
    char *slash = strchr(address, '/');
    int family = strchr(address, ':') ? AF_INET6 : AF_INET;
    int max = family == AF_INET6 ? 128 : 32, least = family == AF_INET6 ? 32 : 8, prefix = max;
    unsigned char bits[16] = {0}, masked[16];
    if (slash)
        *slash++ = 0;
    if (inet_pton(family, address, bits) != 1 || (slash && !prefix_parse(slash, max, &prefix)))
        return INVALID(err, "is not a network in CIDR form, as 192.0.2.0/24 or 2001:db8::/48");
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (family == AF_INET6 && memcmp(bits, mapped, sizeof mapped) == 0)
        return INVALID(err, "is an IPv4-mapped address: write it as IPv4");
    if (prefix < least)
        return INVALID(err, "is too wide: /%d or longer", least);
    for (int i = 0; i < max / 8; i++) {
        int keep = prefix - 8 * i;
        int mask = keep >= 8 ? 0xff : keep <= 0 ? 0 : 0xff << (8 - keep);
        masked[i] = (unsigned char)(bits[i] & mask);
    }
    char text[INET6_ADDRSTRLEN];
    inet_ntop(family, masked, text, sizeof text);
    if (memcmp(bits, masked, (size_t)max / 8) != 0)
        return INVALID(err, "has host bits set: is %s/%d meant?", text, prefix);
    *value = sg_arena_printf(arena, "%s/%d", text, prefix);
    return true;
}

bool api_check_fingerprint(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    char *out = sg_arena_alloc(arena, 65);
    size_t n = 0;
    bool colons = strchr(*value, ':') != NULL, ok = true;
    for (const char *p = *value; *p && ok; p++) {
        if (*p == ':') /* between two octets alone */
            ok = p > *value && (p - *value) % 3 == 2 && p[1];
        else
            ok = isxdigit((unsigned char)*p) && n < 64 && !(colons && (p - *value) % 3 == 2);
        if (ok && *p != ':')
            out[n++] = (char)tolower((unsigned char)*p);
    }
    if (!ok || n != 64)
        return INVALID(err, "must be the SHA-256 of the certificate: 64 hexadecimal digits");
    *value = out;
    return true;
}

bool api_check_ldap_url(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    const char *scheme = strncasecmp(*value, "ldaps://", 8) == 0  ? "ldaps"
                         : strncasecmp(*value, "ldap://", 7) == 0 ? "ldap"
                                                                  : NULL;
    if (!scheme)
        return INVALID(err, "must begin with ldap:// or ldaps://");
    char *host = sg_arena_strdup(arena, *value + strlen(scheme) + 3);
    size_t n = strlen(host);
    if (n && host[n - 1] == '/')
        host[n - 1] = 0;
    char *port = NULL, *end = host;
    bool brackets = *host == '[';
    if (brackets) {
        host++;
        end = strchr(host, ']');
        if (!end)
            return INVALID(err, "has a bracket that is not closed");
        *end++ = 0;
    }
    end = strchr(end, ':');
    if (end) {
        *end = 0;
        port = end + 1;
        if (!*port || strlen(port) > 5 || !digits_only(port) || strtol(port, NULL, 10) < 1 ||
            strtol(port, NULL, 10) > 65535)
            return INVALID(err, "has a bad port");
    }
    const char *name = host;
    struct sg_error why = {0};
    if ((brackets && !strchr(host, ':')) || !api_check_host(arena, &name, &why))
        return INVALID(err, "must have a host name or address, perhaps a port, and nothing behind");
    *value = sg_arena_printf(arena, "%s://%s%s%s%s%s", scheme, brackets ? "[" : "", name,
                             brackets ? "]" : "", port ? ":" : "", port ? port : "");
    return true;
}

bool api_check_dn(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    (void)arena;
    const char *p = *value;
    for (;;) {
        while (*p == ' ')
            p++;
        size_t n = 0;
        while (isalnum((unsigned char)p[n]) || p[n] == '-' || p[n] == '.')
            n++;
        if (n == 0 || p[n] != '=')
            return INVALID(err, "is not a distinguished name, as ou=certificates,c=NZ");
        p += n + 1;
        const char *from = p;
        for (; *p && *p != ','; p++)
            if (*p == '\\' && !*++p)
                return INVALID(err, "ends in an escape");
        if (p == from)
            return INVALID(err, "has an empty value");
        if (!*p++)
            return true;
    }
}

bool api_check_credential(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    (void)arena;
    bool ok = **value != '.' && **value != '-' && **value != '_';
    for (const char *p = *value; *p; p++)
        ok &= (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
              *p == '.' || *p == '-' || *p == '_';
    return ok || INVALID(err, "must be the name of a file, without its folder");
}

bool api_check_address(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    (void)err;
    *value = strcmp(*value, "<>") == 0 ? "" : lower(arena, *value);
    return true;
}

bool api_check_message_id(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    (void)err;
    size_t n = strlen(*value);
    if (n > 2 && **value == '<' && (*value)[n - 1] == '>')
        *value = sg_arena_str(arena, sg_bytes_of(*value + 1, n - 2));
    return true;
}

bool api_check_scope(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    struct sg_access access;
    if (!sg_access_parse(*value, &access, err))
        return false;
    *value = sg_access_text(arena, &access);
    return true;
}

bool api_check_month(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    const char *s = *value;
    bool good = strlen(s) == 7 && strspn(s, "0123456789") == 4 && s[4] == '-' &&
                strspn(s + 5, "0123456789") == 2 && s[0] >= '2' &&
                ((s[5] == '0' && s[6] != '0') || (s[5] == '1' && s[6] <= '2'));
    if (!good)
        return INVALID(err, "is not a month (as 2026-11)");
    *value = sg_arena_printf(arena, "%s-01", s);
    return true;
}

bool api_check_tenant_id(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    (void)arena;
    return sg_id_valid(sg_bytes_str(*value), "ten") || INVALID(err, "is not the id of a tenant");
}

bool api_check_mailbox(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    const char *at = strrchr(*value, '@'), *domain = at ? at + 1 : "";
    if (!at || at == *value || strcspn(*value, " <>\",;") != strlen(*value) ||
        strchr(*value, '@') != at)
        return sg_fail(err, SG_E_INVALID, "must be an address of mail alone");
    if (!api_check_dns_name(arena, &domain, err))
        return false;
    return api_check_address(arena, value, err);
}
