/*
 * One revocation list (RFC 5280 sections 5 and 6.3): whose it is, whether all of it is understood,
 * who is on it. Delta and indirect lists and lists of some reasons only are not supported: such a
 * list answers nothing.
 */
#include "cert/cert_internal.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

X509_CRL *sg_crl_parse(struct sg_bytes data, char why[SG_CERT_WHY])
{
    X509_CRL *crl = NULL;
    if (sg_bytes_starts(data, "-----BEGIN")) {
        BIO *in = data.len <= INT32_MAX ? BIO_new_mem_buf(data.data, (int)data.len) : NULL;
        crl = in ? PEM_read_bio_X509_CRL(in, NULL, NULL, NULL) : NULL;
        BIO_free(in);
    } else if (data.len <= INT32_MAX) {
        const uint8_t *p = data.data;
        crl = d2i_X509_CRL(NULL, &p, (long)data.len);
        if (crl && p != data.data + data.len) {
            X509_CRL_free(crl);
            crl = NULL;
        }
    }
    if (!crl)
        snprintf(why, SG_CERT_WHY, "what was fetched is not a revocation list");
    ERR_clear_error();
    return crl;
}

static bool point_supported(X509_CRL *crl)
{
    int critical;
    ISSUING_DIST_POINT *point =
        X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, &critical, NULL);
    if (!point)
        return critical == -1;
    bool ok = point->indirectCRL <= 0 && !point->onlysomereasons && point->onlyattr <= 0 &&
              (!point->distpoint || point->distpoint->type == 0);
    ISSUING_DIST_POINT_free(point);
    return ok;
}

static bool extensions_understood(X509_CRL *crl)
{
    for (int i = 0; i < X509_CRL_get_ext_count(crl); i++) {
        X509_EXTENSION *extension = X509_CRL_get_ext(crl, i);
        if (X509_EXTENSION_get_critical(extension) &&
            OBJ_obj2nid(X509_EXTENSION_get_object(extension)) != NID_issuing_distribution_point)
            return false; /* among them the delta indicator */
    }
    /* Section 5.3: an entry that is not understood spoils the list for every certificate. */
    STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(crl);
    for (int i = 0; i < sk_X509_REVOKED_num(entries); i++) {
        const X509_REVOKED *entry = sk_X509_REVOKED_value(entries, i);
        for (int j = 0; j < X509_REVOKED_get_ext_count(entry); j++) {
            X509_EXTENSION *extension = X509_REVOKED_get_ext(entry, j);
            if (X509_EXTENSION_get_critical(extension) &&
                OBJ_obj2nid(X509_EXTENSION_get_object(extension)) != NID_crl_reason)
                return false;
        }
    }
    return X509_CRL_get_ext_by_NID(crl, NID_delta_crl, -1) < 0;
}

bool sg_crl_understood(X509_CRL *crl, struct sg_crl_times *times_r, char why[SG_CERT_WHY])
{
    const char *fault = NULL;
    if (!point_supported(crl) || !extensions_understood(crl))
        fault = "the revocation list is of an unsupported kind (delta, indirect or partial)";
    else if (!sg_asn1_time(X509_CRL_get0_lastUpdate(crl), &times_r->this_update) ||
             !X509_CRL_get0_nextUpdate(crl) ||
             !sg_asn1_time(X509_CRL_get0_nextUpdate(crl), &times_r->next_update))
        fault = "the revocation list does not say for how long it holds";
    if (fault)
        snprintf(why, SG_CERT_WHY, "%s", fault);
    ERR_clear_error();
    return !fault;
}

bool sg_crl_acceptable(X509_CRL *crl, X509 *issuer, struct sg_crl_times *times_r,
                       char why[SG_CERT_WHY])
{
    const char *fault = NULL;
    if (X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(issuer)) != 0)
        fault = "the revocation list is of another issuer";
    else if (!(X509_get_key_usage(issuer) & KU_CRL_SIGN))
        fault = "the issuer's key may not sign revocation lists";
    else if (!sg_suitable_crl_digest(crl))
        fault = "the revocation list is signed with an algorithm that is not accepted";
    else if (X509_CRL_verify(crl, X509_get0_pubkey(issuer)) != 1)
        fault = "the signature of the revocation list is not the issuer's";
    if (fault)
        snprintf(why, SG_CERT_WHY, "%s", fault);
    ERR_clear_error();
    return !fault && sg_crl_understood(crl, times_r, why);
}

static bool names_meet(const GENERAL_NAMES *a, const GENERAL_NAMES *b)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(a); i++)
        for (int j = 0; j < sk_GENERAL_NAME_num(b); j++)
            if (GENERAL_NAME_cmp(sk_GENERAL_NAME_value(a, i), sk_GENERAL_NAME_value(b, j)) == 0)
                return true;
    return false;
}

/* Section 6.3.3 (b)(2): else a list of other certificates of the same CA could be slipped in. */
bool sg_crl_covers(X509_CRL *crl, const X509 *certificate, const DIST_POINT *point,
                   char why[SG_CERT_WHY])
{
    ISSUING_DIST_POINT *scope =
        X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, NULL, NULL);
    if (!scope)
        return true;
    bool ca = X509_check_ca((X509 *)(uintptr_t)certificate) == 1;
    bool ok = ca ? scope->onlyuser <= 0 : scope->onlyCA <= 0;
    if (ok && scope->distpoint)
        ok = scope->distpoint->type == 0 && point->distpoint && point->distpoint->type == 0 &&
             names_meet(scope->distpoint->name.fullname, point->distpoint->name.fullname);
    ISSUING_DIST_POINT_free(scope);
    if (!ok)
        snprintf(why, SG_CERT_WHY, "the revocation list is for other certificates of this CA");
    return ok;
}

static const char *reason_name(long reason)
{
    static const char *const names[] = {
        "unspecified",   "keyCompromise",        "cACompromise",    "affiliationChanged",
        "superseded",    "cessationOfOperation", "certificateHold", "reason 7",
        "removeFromCRL", "privilegeWithdrawn",   "aACompromise"};
    return reason >= 0 && reason < (long)(sizeof names / sizeof names[0]) ? names[reason]
                                                                          : "unknown reason";
}

bool sg_crl_lists(X509_CRL *crl, X509 *certificate, char why[SG_CERT_WHY])
{
    X509_REVOKED *entry = NULL;
    if (X509_CRL_get0_by_cert(crl, &entry, certificate) == 0)
        return false;
    long reason = 0;
    ASN1_ENUMERATED *value = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
    if (value)
        reason = ASN1_ENUMERATED_get(value);
    ASN1_ENUMERATED_free(value);
    sg_time since = 0;
    char date[SG_TIME_TEXT] = "an unknown date";
    if (sg_asn1_time(X509_REVOKED_get0_revocationDate(entry), &since)) {
        sg_time_rfc3339(since, date);
        date[19] = 'Z';
        date[20] = 0;
    }
    bool hold = reason == CRL_REASON_CERTIFICATE_HOLD;
    snprintf(why, SG_CERT_WHY, "%s since %s (%s)", hold ? "suspended" : "revoked", date,
             reason_name(reason));
    return true;
}
