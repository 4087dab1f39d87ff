#include "certlife/check.h"

#include "certlife/csr.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <strings.h>

#define MONTHS_MAX 13 /* REQ-160 */

/* An ASN.1 string as a view; one with NUL or white space in it is no name of ours. */
static struct sg_bytes string_view(const ASN1_STRING *s)
{
    return sg_bytes_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

static bool address_matches(struct sg_bytes address, const char *domain)
{
    char expected[400];
    int n = snprintf(expected, sizeof expected, "%s@%s", SG_DCA_NAME, domain);
    return n > 0 && (size_t)n < sizeof expected && sg_bytes_iequal(address, expected);
}

/* RFC 3183 §4.1: CN=domain-confidentiality-authority, once. */
static bool check_name(X509 *certificate, struct sg_error *err)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at >= 0 && X509_NAME_get_index_by_NID(subject, NID_commonName, at) < 0 &&
        sg_bytes_iequal(string_view(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))),
                        SG_DCA_NAME))
        return true;
    return sg_fail(err, SG_E_CERT, "the subject's CN is not %s (REQ-164)", SG_DCA_NAME);
}

/* The addresses it has must all be this domain's, and there must be one (REQ-47, 163, 166). */
static bool check_address(X509 *certificate, const char *domain, struct sg_error *err)
{
    int found = 0, others = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_EMAIL)
            *(address_matches(string_view(name->d.rfc822Name), domain) ? &found : &others) += 1;
    }
    GENERAL_NAMES_free(names);
    const X509_NAME *subject = X509_get_subject_name(certificate);
    for (int at = -1;
         (at = X509_NAME_get_index_by_NID(subject, NID_pkcs9_emailAddress, at)) >= 0;) {
        const ASN1_STRING *s = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
        *(address_matches(string_view(s), domain) ? &found : &others) += 1;
    }
    if (found && !others)
        return true;
    return sg_fail(err, SG_E_CERT, "%s %s@%.100s (REQ-166)",
                   found ? "it has addresses besides" : "it has not the address", SG_DCA_NAME,
                   domain);
}

static bool check_crl_point(X509 *certificate, struct sg_error *err)
{
    bool found = false;
    STACK_OF(DIST_POINT) *points =
        X509_get_ext_d2i(certificate, NID_crl_distribution_points, NULL, NULL);
    for (int i = 0; i < sk_DIST_POINT_num(points); i++) {
        const DIST_POINT_NAME *name = sk_DIST_POINT_value(points, i)->distpoint;
        GENERAL_NAMES *full = name && name->type == 0 ? name->name.fullname : NULL;
        for (int j = 0; j < sk_GENERAL_NAME_num(full); j++)
            found |= sk_GENERAL_NAME_value(full, j)->type == GEN_URI;
    }
    sk_DIST_POINT_pop_free(points, DIST_POINT_free);
    return found ||
           sg_fail(err, SG_E_CERT, "it has no CRL distribution point with an address (REQ-158)");
}

static bool time_of(const ASN1_TIME *t, struct tm *tm, time_t *seconds)
{
    if (ASN1_TIME_to_tm(t, tm) != 1)
        return false;
    *seconds = timegm(tm);
    return true;
}

static bool check_validity(X509 *certificate, sg_time now, const char **cause, struct sg_error *err)
{
    struct tm from, until;
    time_t begins, ends;
    char text[SG_TIME_TEXT];
    if (!time_of(X509_get0_notBefore(certificate), &from, &begins) ||
        !time_of(X509_get0_notAfter(certificate), &until, &ends))
        return sg_fail(err, SG_E_CERT, "its validity cannot be read");
    *cause = "expired";
    if (ends < sg_time_seconds(now)) {
        sg_time_rfc3339(ends * SG_SECOND, text);
        return sg_fail(err, SG_E_CERT, "it expired on %s", text);
    }
    *cause = "not-yet-valid";
    if (begins > sg_time_seconds(now)) {
        sg_time_rfc3339(begins * SG_SECOND, text);
        return sg_fail(err, SG_E_CERT, "it is not valid before %s", text);
    }
    *cause = "too-long";
    from.tm_mon += MONTHS_MAX; /* timegm() carries over */
    return ends <= timegm(&from) ||
           sg_fail(err, SG_E_CERT, "it is valid for more than %d months (REQ-160)", MONTHS_MAX);
}

/* One certificate signs and decrypts (REQ-45, 163). */
static bool check_use(X509 *certificate, struct sg_error *err)
{
    uint32_t flags = X509_get_extension_flags(certificate);
    bool agrees = EVP_PKEY_is_a(X509_get0_pubkey(certificate), "EC"); /* RFC 5480 §3 */
    uint32_t both = KU_DIGITAL_SIGNATURE | (agrees ? KU_KEY_AGREEMENT : KU_KEY_ENCIPHERMENT);
    if (flags & EXFLAG_INVALID)
        return sg_fail(err, SG_E_CERT, "its extensions are malformed");
    if (flags & EXFLAG_CA)
        return sg_fail(err, SG_E_CERT, "it is a CA's certificate, not a domain's");
    if ((flags & EXFLAG_KUSAGE) && (X509_get_key_usage(certificate) & both) != both)
        return sg_fail(err, SG_E_CERT, "its key usage must allow digitalSignature and %s (REQ-163)",
                       agrees ? "keyAgreement" : "keyEncipherment");
    if ((flags & EXFLAG_XKUSAGE) &&
        !(X509_get_extended_key_usage(certificate) & (XKU_SMIME | XKU_ANYEKU)))
        return sg_fail(err, SG_E_CERT, "its extended key usage does not allow emailProtection");
    return true;
}

static bool chain_keep(X509_STORE_CTX *ctx, STACK_OF(X509) **chain_r, struct sg_error *err)
{
    STACK_OF(X509) *chain = X509_STORE_CTX_get1_chain(ctx);
    if (sk_X509_num(chain) < 2) {
        sk_X509_pop_free(chain, X509_free);
        return sg_fail(err, SG_E_CERT, "it is self-signed");
    }
    X509_free(sk_X509_shift(chain)); /* the leaf */
    X509_free(sk_X509_pop(chain));   /* the anchor */
    *chain_r = chain;
    return true;
}

static bool check_chain(const struct sg_install_check *c, STACK_OF(X509) **chain_r,
                        struct sg_error *err)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    bool ok = store && ctx;
    for (int i = 0; ok && i < sk_X509_num(c->anchors); i++)
        ok = X509_STORE_add_cert(store, sk_X509_value(c->anchors, i)) == 1;
    ok = ok && X509_STORE_CTX_init(ctx, store, c->certificate, c->intermediates) == 1;
    if (!ok) {
        sg_fail_openssl(err, SG_E_CRYPTO, "cannot check the chain");
    } else {
        X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
        X509_VERIFY_PARAM_set_time(param, sg_time_seconds(c->now));
        X509_VERIFY_PARAM_set_auth_level(param, 2); /* no SHA-1, no RSA below 2048 bits */
        int rc = X509_verify_cert(ctx);
        int why = X509_STORE_CTX_get_error(ctx);
        ERR_clear_error();
        ok = rc == 1 ? chain_keep(ctx, chain_r, err)
                     : sg_fail_lib(err, SG_E_CERT, SG_LIB_X509, why,
                                   "no chain to an accredited root: %s",
                                   X509_verify_cert_error_string(why));
    }
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return ok;
}

/* Tells the cause beside the words; the last one that is set stands. */
static bool because(struct sg_install_check *c, const char *cause)
{
    c->cause = cause;
    return true;
}

bool sg_install_check(struct sg_install_check *c, STACK_OF(X509) **chain_r, struct sg_error *err)
{
    c->cause = "untrusted";
    if (X509_self_signed(c->certificate, 0) == 1)
        return sg_fail(err, SG_E_CERT, "it is self-signed");
    bool ok = because(c, "unfit") && check_use(c->certificate, err) && because(c, "wrong-name") &&
              check_name(c->certificate, err) && because(c, "wrong-domain") &&
              check_address(c->certificate, c->domain, err) && because(c, "no-revocation-list") &&
              check_crl_point(c->certificate, err) && because(c, "unfit") &&
              check_validity(c->certificate, c->now, &c->cause, err) && because(c, "untrusted") &&
              check_chain(c, chain_r, err);
    if (ok)
        c->cause = NULL;
    return ok;
}
