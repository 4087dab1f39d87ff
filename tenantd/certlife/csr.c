#include "certlife/csr.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#define ORGANISATION_MAX 64 /* ub-organization-name, in characters */

static bool subject_add(X509_NAME *name, int nid, const char *value, int len)
{
    return X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, (const unsigned char *)value, len,
                                      -1, 0) == 1;
}

/* Bytes of the first characters. */
static int utf8_cut(const char *s, int characters)
{
    int i = 0;
    for (; s[i]; i++)
        if (((unsigned char)s[i] & 0xc0) != 0x80 && characters-- == 0)
            break;
    return i;
}

/* SubjectAltName with one rfc822Name, made from its parts, so that no text of a tenant is read as
 * configuration. */
static STACK_OF(X509_EXTENSION) *extensions_new(const char *address)
{
    STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    X509_EXTENSION *extension = NULL;
    if (list && names && name && text && ASN1_STRING_set(text, address, -1)) {
        GENERAL_NAME_set0_value(name, GEN_EMAIL, text);
        text = NULL;
        if (sk_GENERAL_NAME_push(names, name)) {
            name = NULL;
            extension = X509V3_EXT_i2d(NID_subject_alt_name, 0, names);
        }
    }
    bool ok = extension && sk_X509_EXTENSION_push(list, extension);
    if (!ok) {
        X509_EXTENSION_free(extension);
        sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
        list = NULL;
    }
    ASN1_IA5STRING_free(text);
    GENERAL_NAME_free(name);
    GENERAL_NAMES_free(names);
    return list;
}

static bool request_fill(X509_REQ *request, const char *organisation, const char *domain,
                         EVP_PKEY *key)
{
    char address[400];
    int n = snprintf(address, sizeof address, "%s@%s", SG_DCA_NAME, domain);
    if (n < 0 || (size_t)n >= sizeof address)
        return false;
    X509_NAME *name = X509_REQ_get_subject_name(request);
    STACK_OF(X509_EXTENSION) *extensions = extensions_new(address);
    bool ok = extensions && X509_REQ_set_version(request, 0) == 1 &&
              subject_add(name, NID_countryName, "NZ", -1) &&
              subject_add(name, NID_organizationName, organisation,
                          utf8_cut(organisation, ORGANISATION_MAX)) &&
              subject_add(name, NID_commonName, SG_DCA_NAME, -1) &&
              X509_REQ_set_pubkey(request, key) == 1 &&
              X509_REQ_add_extensions(request, extensions) == 1;
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    return ok;
}

bool sg_csr_info(const char *organisation, const char *domain, struct sg_bytes spki,
                 struct sg_buf *info_r, struct sg_error *err)
{
    const unsigned char *p = spki.data;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)spki.len);
    X509_REQ *request = X509_REQ_new();
    unsigned char *der = NULL;
    int len = -1;
    if (key && request && request_fill(request, organisation, domain, key))
        len = i2d_re_X509_REQ_tbs(request, &der);
    bool ok = len > 0 && sg_buf_add(info_r, der, (size_t)len);
    if (!ok)
        sg_fail_openssl(err, SG_E_CRYPTO, "cannot build the request");
    OPENSSL_free(der);
    X509_REQ_free(request);
    EVP_PKEY_free(key);
    return ok;
}
