/*
 * Names in certificates (REQ-45 to 48, RFC 3183 section 4.1, RFC 8550 section 3): which addresses
 * a certificate carries and which domain they name. An address with a NUL, white space, a control
 * or 8-bit character, or with more than one @ names nothing.
 */
#include "cert/cert_internal.h"

#include <openssl/x509v3.h>
#include <stdlib.h>

static const char *const authorities[] = {"domain-confidentiality-authority",
                                          "domain-signing-authority"};

bool sg_domain_valid(struct sg_bytes domain)
{
    if (domain.len == 0 || domain.len > 253 || domain.data[0] == '.' ||
        domain.data[domain.len - 1] == '.')
        return false;
    for (size_t i = 0; i < domain.len; i++) {
        uint8_t c = domain.data[i];
        bool ldh = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   c == '-' || c == '_';
        if (!ldh && (c != '.' || domain.data[i - 1] == '.'))
            return false;
    }
    return true;
}

/* Splits an addr-spec without quoting or comments. */
static bool address_split(struct sg_bytes address, struct sg_bytes *local_r,
                          struct sg_bytes *domain_r)
{
    size_t at = 0, ats = 0;
    for (size_t i = 0; i < address.len; i++) {
        if (address.data[i] <= ' ' || address.data[i] >= 0x7f || address.data[i] == '"')
            return false;
        if (address.data[i] == '@') {
            at = i;
            ats++;
        }
    }
    if (ats != 1 || at == 0 || at > 64)
        return false;
    *local_r = sg_bytes_slice(address, 0, at);
    *domain_r = sg_bytes_slice(address, at + 1, address.len);
    return sg_domain_valid(*domain_r);
}

static bool string_address(const ASN1_STRING *string, struct sg_bytes *address_r)
{
    struct sg_bytes local, domain;
    *address_r = sg_bytes_of(ASN1_STRING_get0_data(string), (size_t)ASN1_STRING_length(string));
    return address_split(*address_r, &local, &domain);
}

/* false: the subject's addresses do not count. What a CA vouches for is the rfc822Name where there
 * is one, and an emailAddress that says something else is nobody's word (RFC 8550 section 3). */
static bool alternative_addresses(const X509 *certificate,
                                  bool (*each)(void *ctx, struct sg_bytes address), void *ctx)
{
    int critical;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, NULL);
    if (!names)
        return critical == -1; /* malformed or doubled: such a certificate names nothing */
    bool more = true, any = false;
    for (int i = 0; more && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        struct sg_bytes address;
        any |= name->type == GEN_EMAIL;
        if (name->type == GEN_EMAIL && string_address(name->d.rfc822Name, &address))
            more = each(ctx, address);
    }
    GENERAL_NAMES_free(names);
    return !any;
}

void sg_naming_addresses(const X509 *certificate, bool (*each)(void *ctx, struct sg_bytes address),
                         void *ctx)
{
    if (!alternative_addresses(certificate, each, ctx))
        return;
    const X509_NAME *subject = X509_get_subject_name(certificate);
    for (int i = -1; (i = X509_NAME_get_index_by_NID(subject, NID_pkcs9_emailAddress, i)) >= 0;) {
        const ASN1_STRING *value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i));
        int type = ASN1_STRING_type(value);
        struct sg_bytes address;
        /* Of the wide types not even ASCII characters are single octets. */
        if (type != V_ASN1_IA5STRING && type != V_ASN1_UTF8STRING && type != V_ASN1_PRINTABLESTRING)
            continue;
        if (string_address(value, &address) && !each(ctx, address))
            return;
    }
}

struct search {
    const char *local;  /* NULL: any of the authorities */
    const char *domain; /* NULL: any */
    bool any_local, found;
};

static bool search_each(void *ctx, struct sg_bytes address)
{
    struct search *search = ctx;
    struct sg_bytes local, domain;
    if (!address_split(address, &local, &domain))
        return true;
    bool right_local = search->any_local;
    for (size_t i = 0; !right_local && i < sizeof authorities / sizeof authorities[0]; i++)
        right_local = search->local ? sg_bytes_iequal(local, search->local)
                                    : sg_bytes_iequal(local, authorities[i]);
    search->found = right_local && (!search->domain || sg_bytes_iequal(domain, search->domain));
    return !search->found;
}

/* REQ-47: the domain itself, neither one above nor one below it. */
bool sg_cert_names_domain(const X509 *certificate, const char *domain)
{
    struct search search = {.domain = domain, .any_local = true};
    sg_naming_addresses(certificate, search_each, &search);
    return search.found;
}

bool sg_naming_is_dca_of(const X509 *certificate, const char *domain)
{
    struct search search = {.local = authorities[0], .domain = domain};
    sg_naming_addresses(certificate, search_each, &search);
    return search.found;
}

/* Domains that no address of an authority has named yet. */
struct unnamed {
    const char **domains;
    size_t count;
};

static bool unnamed_each(void *ctx, struct sg_bytes address)
{
    struct unnamed *u = ctx;
    struct sg_bytes local, domain;
    bool authority = false;
    if (!address_split(address, &local, &domain))
        return true;
    for (size_t i = 0; i < sizeof authorities / sizeof authorities[0]; i++)
        authority |= sg_bytes_iequal(local, authorities[i]);
    for (size_t i = 0; authority && i < u->count;)
        if (sg_bytes_iequal(domain, u->domains[i]))
            u->domains[i] = u->domains[--u->count];
        else
            i++;
    return u->count > 0;
}

bool sg_cert_speaks_for_all(const X509 *certificate, const char *const *domains, size_t count)
{
    struct unnamed u = {.count = count};
    if (count == 0)
        return false;
    u.domains = calloc(count, sizeof *u.domains);
    if (!u.domains)
        abort();
    memcpy(u.domains, domains, count * sizeof *u.domains);
    sg_naming_addresses(certificate, unnamed_each, &u);
    free(u.domains);
    return u.count == 0;
}

bool sg_cert_speaks_for(const X509 *certificate, const char *domain)
{
    return sg_cert_speaks_for_all(certificate, &domain, 1);
}

struct authority {
    struct sg_arena *arena;
    char *domain;
};

static bool authority_each(void *ctx, struct sg_bytes address)
{
    struct authority *authority = ctx;
    struct sg_bytes local, domain;
    if (!address_split(address, &local, &domain) || !sg_bytes_iequal(local, authorities[0]))
        return true;
    authority->domain = sg_arena_str(authority->arena, domain);
    for (char *p = authority->domain; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    return false;
}

const char *sg_cert_authority_of(struct sg_arena *arena, const X509 *certificate)
{
    struct authority authority = {.arena = arena};
    sg_naming_addresses(certificate, authority_each, &authority);
    return authority.domain;
}

/* REQ-46, 88, 89 */
bool sg_cert_is_domain_authority(const X509 *certificate)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    for (int i = -1; (i = X509_NAME_get_index_by_NID(subject, NID_commonName, i)) >= 0;) {
        unsigned char *text = NULL;
        int len =
            ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i)));
        bool found = false;
        for (size_t j = 0; len > 0 && j < sizeof authorities / sizeof authorities[0]; j++)
            found |= sg_bytes_iequal(sg_bytes_of(text, (size_t)len), authorities[j]);
        OPENSSL_free(text);
        if (found)
            return true;
    }
    struct search search = {0};
    sg_naming_addresses(certificate, search_each, &search);
    return search.found;
}
