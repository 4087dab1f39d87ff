/* Certificates out of one part, whatever it calls itself: DER, PKCS#7 (RFC 5652), PEM, base64. */
#include "request/request_internal.h"

#include "smime/algorithm.h"
#include "smime/base64.h"
#include "smime/ber.h"
#include "x509/x509.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

/* What cannot be decoded takes its time too. */
static bool may_look(struct found *f)
{
    return (size_t)sk_X509_num(f->certificates) < f->most && sg_budget_left(f->budget);
}

static bool read_certificate(struct sg_bytes der, struct found *f)
{
    X509 *x = sg_x509_decode(der);
    if (x && !sk_X509_push(f->certificates, x))
        X509_free(x);
    return x != NULL;
}

/* What is inside the next element, which must have this tag; nothing where it has not. */
static struct sg_ber inside(struct sg_ber in, int tag)
{
    struct sg_tlv tlv;
    return sg_ber_of(sg_ber_expect(&in, tag, &tlv) ? tlv.content : sg_bytes_of(NULL, 0));
}

/* The fields of the SignedData that is in a ContentInfo (RFC 5652 §3, §5.1). */
static struct sg_ber signed_data_of(struct sg_bytes der)
{
    struct sg_tlv type;
    struct sg_ber in = inside(sg_ber_of(der), SG_BER_SEQUENCE);
    if (!sg_ber_expect(&in, SG_BER_OID, &type) || !sg_bytes_equal(type.content, sg_oid_signed_data))
        return sg_ber_of(sg_bytes_of(NULL, 0));
    return inside(inside(in, SG_BER_EXPLICIT(0)), SG_BER_SEQUENCE);
}

/* It has no signers, as a rule; what was signed with it is nothing to us. OpenSSL would decode all
 * of its certificates before it is asked for one. */
static bool read_cms(struct sg_bytes der, struct found *f)
{
    struct sg_ber in = signed_data_of(der);
    struct sg_tlv one;
    bool is = sg_ber_more(&in);
    while (sg_ber_more(&in) && sg_ber_peek(&in) != SG_BER_EXPLICIT(0))
        if (!sg_ber_next(&in, &one))
            return is;
    in = inside(in, SG_BER_EXPLICIT(0));
    while (may_look(f) && sg_ber_next(&in, &one))
        if (one.tag == SG_BER_SEQUENCE)
            (void)read_certificate(one.whole, f);
    return is;
}

static bool read_der(struct sg_bytes der, struct found *f)
{
    return der.len > 0 && der.data[0] == 0x30 && (read_certificate(der, f) || read_cms(der, f));
}

static bool is_certificate_block(const char *name)
{
    static const char *const names[] = {"CERTIFICATE", "X509 CERTIFICATE", "PKCS7", "CMS"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool read_pem(struct sg_bytes text, struct found *f)
{
    BIO *in = BIO_new_mem_buf(text.data, (int)text.len);
    char *name = NULL, *header = NULL;
    unsigned char *data = NULL;
    long len = 0;
    bool any = false;
    while (in && may_look(f) && PEM_read_bio(in, &name, &header, &data, &len)) {
        if (is_certificate_block(name))
            any |= read_der(sg_bytes_of(data, (size_t)len), f);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(data);
    }
    BIO_free(in);
    return any;
}

/* Base64 without the lines of PEM: some software exports it so. */
static bool read_base64(struct sg_bytes text, struct found *f)
{
    struct sg_base64_decoder decoder = {0};
    uint8_t *der = malloc(text.len + 8);
    if (!der)
        return false;
    size_t len = sg_base64_decode(&decoder, text.data, text.len, der);
    len += sg_base64_decode_end(&decoder, der + len);
    bool ok = !decoder.bad && read_der(sg_bytes_of(der, len), f);
    free(der);
    return ok;
}

void sg_request_part_read(struct sg_bytes part, struct found *f)
{
    if (may_look(f) && !read_der(part, f) && !read_pem(part, f))
        (void)read_base64(part, f);
    ERR_clear_error();
}
