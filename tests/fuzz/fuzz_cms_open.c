/*
 * Opening: the input is a message as it comes. The certificates of the recipient are made here,
 * with the issuer and serial numbers that the seeds name ("CN=fuzz", 1 of RSA and 2 on P-256); the
 * content-encryption key is always zeros, so that the seeds can be written down and what is inside
 * is reached.
 */
#include "smime/smime.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static X509 *certificate, *on_curve;
static STACK_OF(X509) *places[2];

static X509 *certificate_make(EVP_PKEY *key, const char *name, long serial)
{
    X509 *made = X509_new();
    X509_NAME *subject = X509_get_subject_name(made);
    if (!key ||
        !X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)name, -1, -1,
                                    0) ||
        !X509_set_issuer_name(made, subject) ||
        !ASN1_INTEGER_set(X509_get_serialNumber(made), serial) ||
        !X509_gmtime_adj(X509_getm_notBefore(made), 0) ||
        !X509_gmtime_adj(X509_getm_notAfter(made), 86400) || !X509_set_pubkey(made, key) ||
        !X509_sign(made, key, EVP_sha256()))
        abort();
    EVP_PKEY_free(key);
    return made;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    certificate = certificate_make(EVP_RSA_gen(1024), "fuzz", 1);
    on_curve = certificate_make(EVP_EC_gen("P-256"), "fuzz", 2);
    for (int i = 0; i < 2; i++)
        if (!(places[i] = sk_X509_new_null()) ||
            !sk_X509_push(places[i], i ? on_curve : certificate))
            abort();
    return 0;
}

static bool cek_zero(void *ctx, void *key, const struct sg_smime_cek *cek, struct sg_secret *cek_r,
                     struct sg_error *err)
{
    (void)ctx, (void)key, (void)err;
    bool ecdh = cek->transport == SG_SMIME_ECDH, oaep = cek->transport == SG_SMIME_RSA_OAEP;
    if ((ecdh || oaep) != (cek->digest != NULL) || oaep != (cek->mask != NULL) ||
        ecdh != (cek->wrap != NULL) || ecdh != (cek->point.len > 0) ||
        ecdh != (cek->info.len > 0) || cek->encrypted.len == 0)
        abort();
    memset(cek_r, 0, sizeof *cek_r);
    cek_r->len = cek->key_bytes;
    return true;
}

static bool domain(void *ctx, const X509 *signer)
{
    (void)ctx;
    return signer != NULL;
}

/* Two places, one after the other; asked for more than that, or out of turn, is a fault. */
static bool elsewhere(void *ctx, unsigned round, STACK_OF(X509) **found_r, struct sg_error *err)
{
    (void)err;
    *found_r = round < 2 ? ((STACK_OF(X509) **)ctx)[round] : NULL;
    if (round > 2)
        abort();
    return true;
}

static bool ignore(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    (void)ctx, (void)data, (void)len, (void)err;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_spool_limits limits = {.memory_bytes = 1 << 20, .max_bytes = 1 << 20, .dir = "/tmp"};
    struct sg_smime_own_key own[] = {{certificate, NULL}, {on_curve, NULL}};
    struct sg_smime_options options = {.own = own,
                                       .own_count = 2,
                                       .decrypt_cek = cek_zero,
                                       .is_domain_signer = domain,
                                       .certificates_elsewhere = elsewhere,
                                       .ctx = places,
                                       .spool = limits,
                                       .headers = {.max_bytes = 20000, .max_fields = 100},
                                       .max_layers = 4,
                                       .max_cms_bytes = 100000,
                                       .max_certificates = 8,
                                       .max_elements = 256,
                                       .max_signers = 4,
                                       .max_tries = 4};
    SG_AUTO_SPOOL spool = sg_spool_new(&limits);
    struct sg_header_block block;
    struct sg_smime_opened o;
    struct sg_error err;
    if (!sg_spool_write(spool, data, size, &err) ||
        !sg_header_read(arena, spool, 0, UINT64_MAX, &options.headers, &block, &err))
        return 0;
    if (!sg_smime_open(arena, &block, spool, block.body_offset, UINT64_MAX, &options, &o, &err))
        abort(); /* nothing here can fail but the message */
    bool stripped = false;
    for (size_t i = 0; i < o.layer_count; i++) {
        stripped |= o.layers[i].stripped;
        if (!o.layers[i].detail || (o.layers[i].stripped && o.layers[i].result != SG_SMIME_OK) ||
            (i + 1 < o.layer_count && !o.layers[i].stripped))
            abort();
    }
    struct sg_sink sink = {ignore, NULL};
    if (stripped != o.changed || o.offset + o.len > sg_spool_size(o.body) ||
        !sg_spool_copy(o.body, o.offset, o.len, &sink, &err))
        abort();
    sg_smime_opened_free(&o);
    return 0;
}
