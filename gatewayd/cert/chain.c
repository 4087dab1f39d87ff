/*
 * The way from a certificate to an accredited root (REQ-15, 67 to 69, 178 to 180), by RFC 5280 and
 * then by our own policy. Time is the caller's, with a tolerance for clocks.
 */
#include "cert/cert_internal.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define MAX_DEPTH 8

struct walk {
    sg_time now, tolerance;
    int leaf_time; /* X509_V_ERR_… of the leaf's own validity, noted while the walk goes on */
    int error, depth;
    char subject[120], issuer[120]; /* of the certificate at fault */
};

static bool time_tolerable(const struct walk *walk, const X509 *x, int error)
{
    sg_time bound;
    if (error == X509_V_ERR_CERT_NOT_YET_VALID)
        return sg_asn1_time(X509_get0_notBefore(x), &bound) && walk->now + walk->tolerance >= bound;
    return sg_asn1_time(X509_get0_notAfter(x), &bound) && walk->now - walk->tolerance <= bound;
}

static int verify_callback(int ok, X509_STORE_CTX *ctx)
{
    if (ok)
        return 1;
    struct walk *walk = X509_STORE_CTX_get_app_data(ctx);
    int error = X509_STORE_CTX_get_error(ctx), depth = X509_STORE_CTX_get_error_depth(ctx);
    X509 *x = X509_STORE_CTX_get_current_cert(ctx);
    if (x && (error == X509_V_ERR_CERT_NOT_YET_VALID || error == X509_V_ERR_CERT_HAS_EXPIRED)) {
        if (time_tolerable(walk, x, error))
            return 1;
        if (depth == 0) { /* told apart from the rest: first see whether the chain is good */
            walk->leaf_time = error;
            return 1;
        }
    }
    if (walk->error == X509_V_OK) {
        walk->error = error;
        walk->depth = depth;
        if (x) {
            X509_NAME_oneline(X509_get_subject_name(x), walk->subject, sizeof walk->subject);
            X509_NAME_oneline(X509_get_issuer_name(x), walk->issuer, sizeof walk->issuer);
        }
    }
    return 0;
}

static STACK_OF(X509) *helpers(struct sg_certs *certs, STACK_OF(X509) *untrusted)
{
    STACK_OF(X509) *all = sk_X509_new_null();
    if (!all)
        return NULL;
    for (int i = 0; i < sk_X509_num(untrusted); i++) {
        X509 *x = sk_X509_value(untrusted, i);
        if (X509_up_ref(x) && !sk_X509_push(all, x))
            X509_free(x);
    }
    sg_certs_issuers_get(certs, all);
    return all;
}

static void untrusted_why(const struct walk *walk, struct sg_chain *chain)
{
    chain->status = SG_CERT_UNTRUSTED;
    chain->issuer_missing = walk->error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
                            walk->error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
                            walk->error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE;
    bool at_ca = walk->depth > 0, self_signed = strcmp(walk->subject, walk->issuer) == 0;
    snprintf(chain->why, sizeof chain->why,
             "no chain to an accredited root: %s (X509_V_ERR %d%s%.110s)%s%.110s%s",
             X509_verify_cert_error_string(walk->error), walk->error, at_ca ? ", at the CA " : "",
             at_ca ? walk->subject : "",
             !chain->issuer_missing ? ""
             : self_signed          ? "; it is signed by itself"
                                    : "; missing is the certificate of the CA ",
             chain->issuer_missing && !self_signed ? walk->issuer : "",
             chain->issuer_missing && !self_signed ? ", which is neither known here nor came along"
                                                   : "");
}

/* What OpenSSL leaves to us: algorithms, and that a certificate is no anchor of its own. */
static void policy_check(struct sg_chain *chain)
{
    int count = sk_X509_num(chain->chain);
    char why[SG_CERT_WHY] = "";
    if (count < 2)
        snprintf(why, sizeof why, "it is itself an accredited root");
    for (int i = 1; i < count && !why[0]; i++) {
        char part[SG_CERT_WHY];
        X509 *ca = sk_X509_value(chain->chain, i);
        if (i < count - 1 && X509_check_ca(ca) != 1)
            snprintf(why, sizeof why,
                     "CA %d above it: its basic constraints do not say that it is one", i);
        else if (!sg_suitable_issuer(ca, i == count - 1, part))
            snprintf(why, sizeof why, "CA %d above it: %.200s", i, part);
    }
    if (!why[0])
        return;
    chain->status = SG_CERT_UNTRUSTED;
    snprintf(chain->why, sizeof chain->why, "no acceptable chain to an accredited root: %.180s",
             why);
    sk_X509_pop_free(chain->chain, X509_free);
    chain->chain = NULL;
}

static bool walk_chain(X509_STORE_CTX *ctx, struct walk *walk, sg_time now)
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_add0_policy(param, OBJ_nid2obj(NID_any_policy)); /* a constant */
    X509_VERIFY_PARAM_set_time(param, sg_time_seconds(now));
    X509_VERIFY_PARAM_set_depth(param, MAX_DEPTH);
    /* An accredited CA need not be self-signed; sg_certs_anchors() takes in CAs alone. Any policy
     * will do for us, but a CA that demands or forbids some is heard (RFC 5280 section 6.1). */
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST |
                                           X509_V_FLAG_POLICY_CHECK);
    X509_STORE_CTX_set_app_data(ctx, walk);
    X509_STORE_CTX_set_verify_cb(ctx, verify_callback);
    bool good = X509_verify_cert(ctx) == 1;
    if (!good && walk->error == X509_V_OK)
        walk->error = X509_STORE_CTX_get_error(ctx);
    return good;
}

/* The chain to one of these roots. */
static bool build(const struct sg_certs *certs, X509_STORE *roots, STACK_OF(X509) *all, X509 *leaf,
                  sg_time now, struct sg_chain *chain_r, struct sg_error *err)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    struct walk walk = {.now = now, .tolerance = certs->limits.clock_tolerance_ms * 1000};
    bool ok = ctx && X509_STORE_CTX_init(ctx, roots, leaf, all);
    if (!ok) {
        sg_fail_openssl(err, SG_E_CRYPTO, "cannot verify a certificate");
    } else if (walk_chain(ctx, &walk, now)) {
        chain_r->chain = X509_STORE_CTX_get1_chain(ctx);
        chain_r->status = walk.leaf_time == X509_V_OK                     ? SG_CERT_VALID
                          : walk.leaf_time == X509_V_ERR_CERT_HAS_EXPIRED ? SG_CERT_EXPIRED
                                                                          : SG_CERT_NOT_YET_VALID;
        policy_check(chain_r);
    } else {
        untrusted_why(&walk, chain_r);
    }
    X509_STORE_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

/* REQ-180: by the roots that the relying domain alone has. */
static bool build_further(struct sg_certs *certs, const struct sg_cert_question *q,
                          STACK_OF(X509) *all, struct sg_chain *chain_r, struct sg_error *err)
{
    X509_STORE *roots;
    if (!sg_certs_domain_anchors(certs, q->relying, &roots, err))
        return false;
    if (!roots)
        return true;
    struct sg_chain further = {.further = true};
    bool ok = build(certs, roots, all, q->certificate, q->now, &further, err);
    X509_STORE_free(roots);
    if (!ok)
        return false;
    if (further.status != SG_CERT_UNTRUSTED) {
        *chain_r = further;
        return true;
    }
    chain_r->issuer_missing |= further.issuer_missing;
    snprintf(chain_r->why, sizeof chain_r->why, "not by the domain's own roots either: %.200s",
             further.why);
    return true;
}

bool sg_chain_build(struct sg_certs *certs, const struct sg_cert_question *q,
                    struct sg_chain *chain_r, struct sg_error *err)
{
    memset(chain_r, 0, sizeof *chain_r);
    SG_AUTO_CHAIN all = helpers(certs, q->untrusted);
    if (!all)
        return sg_fail(err, SG_E_NO_MEMORY, "certificates");
    X509_STORE *anchors;
    if (!sg_certs_anchors(certs, &anchors, err))
        return false;
    bool ok = build(certs, anchors, all, q->certificate, q->now, chain_r, err);
    X509_STORE_free(anchors);
    if (ok && chain_r->status == SG_CERT_UNTRUSTED && q->relying)
        ok = build_further(certs, q, all, chain_r, err);
    return ok;
}
