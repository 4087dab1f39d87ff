/*
 * Certificates and revocation lists as strangers make them: parsing, names, facts, our policy, the
 * distribution points. Nothing is fetched: cached lists alone are asked for. The first byte says
 * what the rest is: an even one a certificate, an odd one a revocation list.
 */
#include "cert/cert_internal.h"

#include <stdlib.h>

static bool away(void *ctx, struct sg_arena *arena, struct sg_cert_der_list *list_r,
                 struct sg_error *err)
{
    (void)ctx, (void)arena, (void)list_r;
    return sg_fail(err, SG_E_DB_UNAVAILABLE, "there is none");
}

static struct sg_certs *certs_get(void)
{
    static struct sg_certs *certs;
    static const struct sg_cert_limits limits = {.max_certificates = 8, .max_crl_bytes = 1 << 20};
    static const struct sg_cert_storage storage = {.anchors = away};
    if (!certs)
        certs = sg_certs_new(&limits, &storage);
    return certs;
}

static void certificate(struct sg_bytes der)
{
    SG_AUTO_X509 x = sg_x509_decode(der);
    if (!x)
        return;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_cert_facts facts;
    char why[SG_CERT_WHY];
    sg_facts_fill(arena, x, "agency.test", &facts);
    for (const char *p = facts.subject; *p; p++)
        if (*p < ' ' || *p == 0x7f)
            abort(); /* it goes into logs */
    if (sg_cert_names_domain(x, "agency.test") !=
        (facts.address && strchr(facts.address, '@') &&
         strcasecmp(strchr(facts.address, '@') + 1, "agency.test") == 0))
        abort(); /* what is shown is what matched */
    (void)sg_cert_is_domain_authority(x);
    (void)sg_naming_is_dca_of(x, "agency.test");
    (void)sg_suitable_leaf(x, SG_CERT_SIGN, why);
    (void)sg_suitable_leaf(x, SG_CERT_ENCRYPT, why);
    (void)sg_suitable_issuer(x, false, why);
    struct sg_revocation_facts revocation;
    sg_revocation_check(certs_get(), x, x, &(struct sg_crl_ask){SG_CRL_CACHED, 0, 0},
                        SG_CRL_FOREVER, &revocation);
    if (revocation.answer != SG_REVOCATION_UNKNOWN)
        abort();
}

static void list(struct sg_bytes data)
{
    char why[SG_CERT_WHY] = "";
    SG_AUTO_BUF der;
    sg_buf_init(&der, 0);
    sg_buf_add(&der, data.data, data.len);
    sg_crl_unwrap(&der);
    struct sg_crl *crl = sg_crl_read(sg_buf_bytes(&der), NULL, why);
    if (!crl == !*why)
        abort(); /* a list, or why there is none */
    if (crl && !sg_crl_same_entries(crl, crl))
        abort();
    sg_crl_free(&crl);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct sg_bytes rest = sg_bytes_of(data + 1, size - 1);
    if (data[0] & 1)
        list(rest);
    else
        certificate(rest);
    return 0;
}
