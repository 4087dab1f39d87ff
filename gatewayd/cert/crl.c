/* One revocation list (RFC 5280 section 6.3): of whom it speaks, and who is on it. */
#include "cert/crl.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sg_crl_free(struct sg_crl **crl)
{
    struct sg_crl *c = *crl;
    *crl = NULL;
    if (!c || atomic_fetch_sub(&c->references, 1) > 1)
        return;
    ISSUING_DIST_POINT_free(c->scope);
    free(c->serials);
    free(c->numbers);
    free(c);
}

struct sg_crl *sg_crl_hold(struct sg_crl *crl)
{
    if (crl)
        atomic_fetch_add(&crl->references, 1);
    return crl;
}

const struct sg_crl_times *sg_crl_times_of(const struct sg_crl *crl)
{
    return &crl->times;
}

size_t sg_crl_bytes(const struct sg_crl *crl)
{
    return crl->bytes;
}

bool sg_crl_same_entries(const struct sg_crl *a, const struct sg_crl *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct sg_crl_serial *x = &a->serials[i], *y = &b->serials[i];
        if (x->len != y->len || memcmp(a->numbers + x->offset, b->numbers + y->offset, x->len) != 0)
            return false;
    }
    return true;
}

static int names_of(const GENERAL_NAMES *names)
{
    int count = sk_GENERAL_NAME_num(names);
    return count < SG_CRL_NAMES_MAX ? count : SG_CRL_NAMES_MAX;
}

static bool names_meet(const GENERAL_NAMES *a, const GENERAL_NAMES *b)
{
    for (int i = 0; i < names_of(a); i++)
        for (int j = 0; j < names_of(b); j++)
            if (GENERAL_NAME_cmp(sk_GENERAL_NAME_value(a, i), sk_GENERAL_NAME_value(b, j)) == 0)
                return true;
    return false;
}

/* Section 6.3.3 (b)(2): else a list of other certificates of the same CA could be slipped in. */
bool sg_crl_covers(const struct sg_crl *crl, const X509 *certificate, const DIST_POINT *point,
                   char why[SG_CERT_WHY])
{
    const ISSUING_DIST_POINT *scope = crl->scope;
    if (!scope)
        return true;
    bool ca = X509_check_ca((X509 *)(uintptr_t)certificate) == 1;
    bool ok = ca ? scope->onlyuser <= 0 : scope->onlyCA <= 0;
    if (ok && scope->distpoint)
        ok = point && point->distpoint && point->distpoint->type == 0 &&
             names_meet(scope->distpoint->name.fullname, point->distpoint->name.fullname);
    if (!ok)
        snprintf(why, SG_CERT_WHY, "the revocation list is for other certificates of this CA");
    return ok;
}

static const char *reason_name(uint8_t reason)
{
    static const char *const names[] = {
        "unspecified",   "keyCompromise",        "cACompromise",    "affiliationChanged",
        "superseded",    "cessationOfOperation", "certificateHold", "reason 7",
        "removeFromCRL", "privilegeWithdrawn",   "aACompromise"};
    return reason < sizeof names / sizeof names[0] ? names[reason] : "unknown reason";
}

/* The octets of the INTEGER that the number is in DER. */
static size_t serial_octets(const X509 *certificate, uint8_t octets[], size_t room)
{
    uint8_t *der = NULL;
    int len = i2d_ASN1_INTEGER(X509_get0_serialNumber(certificate), &der);
    long content = 0;
    int tag, class;
    const uint8_t *p = der;
    bool ok = len > 0 && !(ASN1_get_object(&p, &content, &tag, &class, len) & 0x80) &&
              (size_t)content <= room;
    if (ok)
        memcpy(octets, p, (size_t)content);
    OPENSSL_free(der);
    return ok ? (size_t)content : 0;
}

static const struct sg_crl_serial *find(const struct sg_crl *crl, const uint8_t *octets, size_t len)
{
    size_t low = 0, high = crl->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct sg_crl_serial *serial = &crl->serials[middle];
        int order = serial->len != len ? (serial->len < len ? -1 : 1)
                                       : memcmp(crl->numbers + serial->offset, octets, len);
        if (order == 0)
            return serial;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool sg_crl_lists(const struct sg_crl *crl, const X509 *certificate, char why[SG_CERT_WHY])
{
    uint8_t octets[UINT8_MAX];
    size_t len = serial_octets(certificate, octets, sizeof octets);
    const struct sg_crl_serial *serial = find(crl, octets, len);
    if (!serial)
        return false;
    char date[SG_TIME_TEXT] = "an unknown date";
    if (serial->since != SG_CRL_SOME_TIME)
        sg_facts_date(serial->since, date);
    snprintf(why, SG_CERT_WHY, "%s since %s (%s)",
             serial->reason == CRL_REASON_CERTIFICATE_HOLD ? "suspended" : "revoked", date,
             reason_name(serial->reason));
    return true;
}
