#include "common/certificate.h"

#include <openssl/asn1.h>
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

/* The next element's content, which is of definite length, as DER has it; *tag_r with its class.
 * false: there is none. */
static bool element(struct sg_bytes *in, int *tag_r, struct sg_bytes *content_r)
{
    const unsigned char *p = in->data;
    long len;
    int tag, class;
    if (in->len == 0 || in->len > MAX_BYTES)
        return false;
    int rc = ASN1_get_object(&p, &len, &tag, &class, (long)in->len);
    if (rc & 0x80 || rc & 0x01 || len < 0)
        return false;
    *tag_r = tag | class;
    *content_r = sg_bytes_of(p, (size_t)len);
    *in = sg_bytes_slice(*in, (size_t)(p - in->data) + (size_t)len, in->len);
    return true;
}

static bool inside(struct sg_bytes *in, struct sg_bytes *content_r)
{
    int tag;
    return element(in, &tag, content_r) && tag == V_ASN1_SEQUENCE;
}

/*
 * Its key is on a curve that the certificate brings along, or cannot be told. OpenSSL finds such a
 * key's point by square roots modulo whatever stands there for a prime: 0.15 s for 665 octets, as
 * soon as the certificate is decoded, and takes SM2's keys for such too; of all that it knows no
 * third. No policy lets one pass (RFC 5480 §2.1.1: named curves alone).
 */
static bool brings_a_curve(struct sg_bytes der)
{
    static const uint8_t ec[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
    static const uint8_t sm2[] = {0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d};
    struct sg_bytes all, tbs, any, key, algorithm, oid, parameters;
    int tag;
    if (!inside(&der, &all) || !inside(&all, &tbs) || !element(&tbs, &tag, &any))
        return true;
    if (tag == (V_ASN1_CONTEXT_SPECIFIC | 0) && !element(&tbs, &tag, &any)) /* [0] version */
        return true;
    for (int i = 0; i < 4; i++) /* signature, issuer, validity, subject */
        if (!inside(&tbs, &any))
            return true;
    if (!inside(&tbs, &key) || !inside(&key, &algorithm) || !element(&algorithm, &tag, &oid))
        return true;
    return (sg_bytes_equal(oid, sg_bytes_of(ec, sizeof ec)) ||
            sg_bytes_equal(oid, sg_bytes_of(sm2, sizeof sm2))) &&
           (!element(&algorithm, &tag, &parameters) || tag != V_ASN1_OBJECT);
}

int sg_pem_no_password(char *password, int room, int writing, void *unused)
{
    (void)password, (void)room, (void)writing, (void)unused;
    return -1;
}

X509 *sg_certificate_read(struct sg_bytes der)
{
    const unsigned char *p = der.data;
    X509 *x = der.len && der.len <= MAX_BYTES && !brings_a_curve(der)
                  ? d2i_X509(NULL, &p, (long)der.len)
                  : NULL;
    if (x && (p != der.data + der.len || !sg_certificate_bearable(x))) {
        X509_free(x);
        x = NULL;
    }
    if (x)
        X509_check_purpose(x, -1, 0);
    ERR_clear_error();
    return x;
}
