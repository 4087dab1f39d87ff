#include "certlife/check.h"
#include "certlife/kinds.h"

#include "common/id.h"
#include "schema/certificate.h"
#include "schema/domain.h"
#include "schema/hsm_key.h"
#include "schema/trust_anchor.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#define CERTIFICATES_MAX 10
#define DER_MAX          ((size_t)64 * 1024)

/* What is freed at the end, whatever happens. */
struct work {
    struct sg_job *job;
    STACK_OF(X509) *handed, *anchors, *chain;
    struct sg_domain_row domain;
    struct sg_hsm_key_row key;
    struct sg_certificate_new certificate;
    json_t *result;
};

static void work_clear(struct work *w)
{
    sk_X509_pop_free(w->handed, X509_free);
    sk_X509_pop_free(w->anchors, X509_free);
    sk_X509_pop_free(w->chain, X509_free);
    json_decref(w->result);
}

/* Takes the certificate; what follows its DER makes it no certificate. */
static bool push_der(STACK_OF(X509) *list, struct sg_bytes der)
{
    const unsigned char *p = der.data;
    X509 *x = d2i_X509(NULL, &p, (long)der.len);
    if (x && p == der.data + der.len && sk_X509_push(list, x) > 0)
        return true;
    X509_free(x);
    return false;
}

static bool handed_read(struct work *w, struct sg_error *err)
{
    json_t *list = json_object_get(w->job->payload, "certificates"), *item;
    size_t i;
    if (json_array_size(list) == 0 || json_array_size(list) > CERTIFICATES_MAX)
        return sg_fail(err, SG_E_INVALID, "1 to %d certificates are taken", CERTIFICATES_MAX);
    json_array_foreach(list, i, item)
    {
        const char *text = json_string_value(item);
        size_t len = json_string_length(item);
        if (!text || len == 0 || len % 4 != 0 || len / 4 * 3 > DER_MAX)
            return sg_fail(err, SG_E_INVALID, "certificate %zu is not base64", i + 1);
        uint8_t *der = sg_arena_alloc(w->job->arena, len / 4 * 3 + 1);
        int n = EVP_DecodeBlock(der, (const unsigned char *)text, (int)len);
        size_t padding = (text[len - 1] == '=') + (text[len - 2] == '=');
        bool ok = n > 0 && push_der(w->handed, sg_bytes_of(der, (size_t)n - padding));
        ERR_clear_error();
        if (!ok)
            return sg_fail(err, SG_E_INVALID, "certificate %zu is not a certificate", i + 1);
    }
    return true;
}

static bool anchors_read(struct work *w, struct sg_error *err)
{
    struct sg_bytes *ders;
    size_t count;
    if (!sg_trust_anchor_list(w->job->db, w->job->arena, &ders, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!push_der(w->anchors, ders[i]))
            return sg_fail_openssl(err, SG_E_INTERNAL, "a trust anchor cannot be read");
    return true;
}

static bool domain_read(struct work *w, struct sg_error *err)
{
    const char *id;
    bool found;
    if (!sg_job_string(w->job, "domain_id", &id, err) ||
        !sg_domain_find(w->job->db, w->job->arena, id, &w->domain, &found, err))
        return false;
    /* The tenant of the job is the one that was allowed to ask for it. */
    if (!found || !w->job->row->tenant_id ||
        strcmp(w->domain.tenant_id, w->job->row->tenant_id) != 0)
        return sg_fail(err, SG_E_NOT_FOUND, "there is no such domain");
    return true;
}

static bool key_read(struct work *w, X509 *leaf, struct sg_error *err)
{
    unsigned char *spki = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &spki);
    if (len <= 0)
        return sg_fail_openssl(err, SG_E_CRYPTO, "cannot encode the public key");
    bool found;
    bool ok = sg_hsm_key_find_by_spki(w->job->db, w->job->arena, w->domain.id,
                                      sg_bytes_of(spki, (size_t)len), &w->key, &found, err);
    OPENSSL_free(spki);
    if (!ok)
        return false;
    return found || sg_fail(err, SG_E_CERT, "its public key is none of this domain's active keys");
}

static struct sg_bytes der_of(struct sg_arena *arena, const X509 *x)
{
    unsigned char *der = NULL;
    int len = i2d_X509(x, &der);
    struct sg_bytes copy = sg_arena_copy(arena, sg_bytes_of(der, len > 0 ? (size_t)len : 0));
    OPENSSL_free(der);
    return copy;
}

static const char *name_text(struct sg_arena *arena, const X509_NAME *name)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL;
    const char *text = "";
    if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
        long len = BIO_get_mem_data(bio, &data);
        text = sg_arena_str(arena, sg_bytes_of(data, len > 0 ? (size_t)len : 0));
    }
    BIO_free(bio);
    return text;
}

static const char *serial_text(struct sg_arena *arena, const X509 *x)
{
    BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
    char *hex = n ? BN_bn2hex(n) : NULL;
    char *text = sg_arena_strdup(arena, hex ? hex : "");
    for (char *p = text; *p; p++)
        *p = *p >= 'A' && *p <= 'F' ? (char)(*p | 0x20) : *p;
    OPENSSL_free(hex);
    BN_free(n);
    return text;
}

static sg_time time_of(const ASN1_TIME *t)
{
    struct tm tm;
    return ASN1_TIME_to_tm(t, &tm) == 1 ? timegm(&tm) * SG_SECOND : 0;
}

static void certificate_describe(struct work *w, const X509 *leaf)
{
    struct sg_arena *arena = w->job->arena;
    size_t count = (size_t)sk_X509_num(w->chain);
    struct sg_bytes *chain = SG_ARENA_ARRAY(arena, struct sg_bytes, count + 1);
    for (size_t i = 0; i < count; i++)
        chain[i] = der_of(arena, sk_X509_value(w->chain, (int)i));
    w->certificate = (struct sg_certificate_new){
        .id = sg_arena_strdup(arena, sg_id_new("crt").text),
        .tenant_id = w->domain.tenant_id,
        .domain_id = w->domain.id,
        .key_id = w->key.id,
        .der = der_of(arena, leaf),
        .chain = chain,
        .chain_count = count,
        .subject = name_text(arena, X509_get_subject_name(leaf)),
        .issuer = name_text(arena, X509_get_issuer_name(leaf)),
        .serial = serial_text(arena, leaf),
        .not_before = time_of(X509_get0_notBefore(leaf)),
        .not_after = time_of(X509_get0_notAfter(leaf)),
    };
}

static bool install(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct work *w = arg;
    const char *id;
    if (!sg_certificate_install(tx, w->job->arena, &w->certificate, &id, err))
        return false;
    json_decref(w->result);
    w->result = json_pack("{s:s}", "certificate_id", id);
    return true;
}

bool sg_certificate_install_job(struct sg_job *job, struct sg_error *err)
{
    struct work w = {.job = job, .handed = sk_X509_new_null(), .anchors = sk_X509_new_null()};
    bool ok = domain_read(&w, err) && handed_read(&w, err) && anchors_read(&w, err);
    X509 *leaf = ok ? sk_X509_value(w.handed, 0) : NULL;
    struct sg_install_check check = {.domain = w.domain.name,
                                     .certificate = leaf,
                                     .intermediates = w.handed,
                                     .anchors = w.anchors,
                                     .now = sg_clock_now()};
    ok = ok && key_read(&w, leaf, err) && sg_install_check(&check, &w.chain, err);
    if (ok) {
        certificate_describe(&w, leaf);
        ok = sg_job_commit(job, install, &w, &w.result, err);
    }
    work_clear(&w);
    return ok;
}
