/* Certificates out of one part, whatever it calls itself: DER, PKCS#7 (RFC 5652), PEM, base64. */
#include "request/request_internal.h"

#include "smime/base64.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

static void add(STACK_OF(X509) *out, size_t most, X509 *x)
{
    if (!x || (size_t)sk_X509_num(out) >= most || !sk_X509_push(out, x))
        X509_free(x);
}

static bool read_certificate(struct sg_bytes der, size_t most, STACK_OF(X509) *out)
{
    const uint8_t *p = der.data;
    X509 *x = d2i_X509(NULL, &p, (long)der.len);
    if (x && p != der.data + der.len) {
        X509_free(x);
        return false;
    }
    add(out, most, x);
    return x != NULL;
}

/* A SignedData without signers, as a rule; what was signed with it is nothing to us. */
static bool read_cms(struct sg_bytes der, size_t most, STACK_OF(X509) *out)
{
    const uint8_t *p = der.data;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)der.len);
    STACK_OF(X509) *found = cms ? CMS_get1_certs(cms) : NULL;
    X509 *x;
    while (found && (x = sk_X509_shift(found)))
        add(out, most, x);
    sk_X509_free(found);
    CMS_ContentInfo_free(cms);
    return cms != NULL;
}

static bool read_der(struct sg_bytes der, size_t most, STACK_OF(X509) *out)
{
    return der.len > 0 && der.data[0] == 0x30 &&
           (read_certificate(der, most, out) || read_cms(der, most, out));
}

static bool is_certificate_block(const char *name)
{
    static const char *const names[] = {"CERTIFICATE", "X509 CERTIFICATE", "PKCS7", "CMS"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool read_pem(struct sg_bytes text, size_t most, STACK_OF(X509) *out)
{
    BIO *in = BIO_new_mem_buf(text.data, (int)text.len);
    char *name = NULL, *header = NULL;
    unsigned char *data = NULL;
    long len = 0;
    bool any = false;
    while (in && (size_t)sk_X509_num(out) < most && PEM_read_bio(in, &name, &header, &data, &len)) {
        if (is_certificate_block(name))
            any |= read_der(sg_bytes_of(data, (size_t)len), most, out);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(data);
    }
    BIO_free(in);
    return any;
}

/* Base64 without the lines of PEM: some software exports it so. */
static bool read_base64(struct sg_bytes text, size_t most, STACK_OF(X509) *out)
{
    struct sg_base64_decoder decoder = {0};
    uint8_t *der = malloc(text.len + 8);
    if (!der)
        return false;
    size_t len = sg_base64_decode(&decoder, text.data, text.len, der);
    len += sg_base64_decode_end(&decoder, der + len);
    bool ok = !decoder.bad && read_der(sg_bytes_of(der, len), most, out);
    free(der);
    return ok;
}

void sg_request_part_read(struct sg_bytes part, size_t most, STACK_OF(X509) *out)
{
    if ((size_t)sk_X509_num(out) < most && !read_der(part, most, out) && !read_pem(part, most, out))
        (void)read_base64(part, most, out);
    ERR_clear_error();
}
