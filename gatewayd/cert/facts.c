/* What a person is told about a certificate. */
#include "cert/cert_internal.h"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

const char *sg_cert_status_name(enum sg_cert_status status)
{
    switch (status) {
    case SG_CERT_VALID:
        return "valid";
    case SG_CERT_REVOKED:
        return "revoked";
    case SG_CERT_UNTRUSTED:
        return "untrusted";
    case SG_CERT_EXPIRED:
        return "expired";
    case SG_CERT_STATUS_UNKNOWN:
        return "status-unknown";
    case SG_CERT_NOT_YET_VALID:
        return "not-yet-valid";
    case SG_CERT_MISMATCH:
        return "mismatch";
    case SG_CERT_UNSUITABLE:
        return "unsuitable";
    }
    return "unknown";
}

#define TEXT_MAX 1000 /* octets: whoever makes a certificate chooses the lengths in it */

/* RFC 2253, everything beyond printable ASCII escaped. */
const char *sg_facts_name(struct sg_arena *arena, const X509_NAME *name)
{
    BIO *out = BIO_new(BIO_s_mem());
    if (!out || X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253) < 0) {
        BIO_free(out);
        return "";
    }
    char *data = NULL;
    long len = BIO_get_mem_data(out, &data);
    size_t most = len > TEXT_MAX ? TEXT_MAX : len > 0 ? (size_t)len : 0;
    const char *text = sg_arena_str(arena, sg_bytes_of(data, most));
    BIO_free(out);
    return text;
}

const char *sg_facts_date(sg_time time, char text[SG_TIME_TEXT])
{
    sg_time_rfc3339(time, text);
    text[19] = 'Z'; /* the milliseconds of a certificate are always zero */
    text[20] = 0;
    return text;
}

const char *sg_facts_time(struct sg_arena *arena, sg_time time)
{
    char text[SG_TIME_TEXT];
    return sg_arena_strdup(arena, sg_facts_date(time, text));
}

const char *sg_facts_span(sg_time span, char text[SG_TIME_TEXT])
{
    static const struct {
        sg_time length;
        const char *name;
    } units[] = {{SG_DAY, "day"}, {3600 * SG_SECOND, "hour"}, {60 * SG_SECOND, "minute"}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        long count = (long)(span / units[i].length);
        if (count > 0) {
            snprintf(text, SG_TIME_TEXT, "%ld %s%s", count, units[i].name, count == 1 ? "" : "s");
            return text;
        }
    }
    snprintf(text, SG_TIME_TEXT, "less than a minute");
    return text;
}

static const char *serial_text(struct sg_arena *arena, const X509 *certificate)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *hex = number ? BN_bn2hex(number) : NULL;
    char *text = sg_arena_str(arena, sg_bytes_of(hex, hex ? strnlen(hex, TEXT_MAX) : 0));
    for (char *p = text; *p; p++)
        if (*p >= 'A' && *p <= 'F')
            *p = (char)(*p - 'A' + 'a');
    OPENSSL_free(hex);
    BN_free(number);
    return text;
}

struct choice {
    const char *domain;
    struct sg_arena *arena;
    const char *address;
};

/* The first address, unless one of the domain comes. */
static bool choose_address(void *ctx, struct sg_bytes address)
{
    struct choice *choice = ctx;
    const uint8_t *at = memchr(address.data, '@', address.len);
    size_t local = (size_t)(at - address.data) + 1;
    bool matches = choice->domain &&
                   sg_bytes_iequal(sg_bytes_slice(address, local, address.len), choice->domain);
    if (matches || !choice->address)
        choice->address = sg_arena_str(choice->arena, address);
    return !matches;
}

void sg_facts_fill(struct sg_arena *arena, X509 *certificate, const char *domain,
                   struct sg_cert_facts *facts_r)
{
    uint8_t digest[SG_SHA256];
    char hex[2 * SG_SHA256 + 1];
    sg_x509_sha256(certificate, digest);
    sg_hex_lower(digest, sizeof digest, hex);
    struct choice choice = {domain, arena, NULL};
    sg_naming_addresses(certificate, choose_address, &choice);
    *facts_r = (struct sg_cert_facts){
        .status = SG_CERT_UNTRUSTED,
        .detail = "",
        .subject = sg_facts_name(arena, X509_get_subject_name(certificate)),
        .issuer = sg_facts_name(arena, X509_get_issuer_name(certificate)),
        .serial = serial_text(arena, certificate),
        .sha256 = sg_arena_strdup(arena, hex),
        .address = choice.address,
    };
}

static const char *place(const char *source)
{
    return strcmp(source, "store") == 0 ? "the store" : source;
}

static void candidate_add(const struct sg_cert_candidate *c, const char *how, struct sg_buf *out)
{
    sg_buf_addf(out, "%s%.8s… of %s: %s", how, c->facts.serial, place(c->source), c->facts.detail);
}

/* "uses 1f2e3d4c… of ldap://d.example: valid until …; not 0a1b2c3d… of the store: expired 3 days
 * ago, on …" */
const char *sg_facts_conclusion(struct sg_arena *arena, const struct sg_cert_found *found)
{
    SG_AUTO_BUF text;
    sg_buf_init(&text, 4096);
    bool first = true;
    for (size_t i = 0; i < found->candidate_count; i++)
        if (found->candidates[i].facts.status == SG_CERT_VALID) {
            candidate_add(&found->candidates[i], "uses ", &text);
            first = false;
        }
    if (first)
        sg_buf_adds(&text, found->candidate_count ? "none can be used" : "there is none");
    for (size_t i = 0; i < found->candidate_count; i++)
        if (found->candidates[i].facts.status != SG_CERT_VALID)
            candidate_add(&found->candidates[i], "; not ", &text);
    return sg_arena_str(arena, sg_buf_bytes(&text));
}
