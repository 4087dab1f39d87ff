#include "common/certificate.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#define MAX_BYTES    65536
#define MAX_RELATIVE 2

/*
 * For each distribution point that is named relative to the issuer, six octets of it, OpenSSL
 * copies the issuer's whole name, which may be nearly all of the certificate, as soon as it is
 * asked anything about the extensions: gigabytes of one that fits into a mail. Nothing here looks
 * for lists by such names, and who has them at all has one.
 */
bool sg_certificate_bearable(const X509 *certificate)
{
    int critical, relative = 0;
    CRL_DIST_POINTS *points =
        X509_get_ext_d2i(certificate, NID_crl_distribution_points, &critical, NULL);
    for (int i = 0; i < sk_DIST_POINT_num(points); i++) {
        const DIST_POINT_NAME *name = sk_DIST_POINT_value(points, i)->distpoint;
        relative += name && name->type == 1;
    }
    CRL_DIST_POINTS_free(points);
    return relative <= MAX_RELATIVE;
}

X509 *sg_certificate_read(struct sg_bytes der)
{
    const unsigned char *p = der.data;
    X509 *x = der.len && der.len <= MAX_BYTES ? d2i_X509(NULL, &p, (long)der.len) : NULL;
    if (x && (p != der.data + der.len || !sg_certificate_bearable(x))) {
        X509_free(x);
        x = NULL;
    }
    if (x)
        X509_check_purpose(x, -1, 0);
    ERR_clear_error();
    return x;
}
