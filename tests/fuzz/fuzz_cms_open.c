/*
 * Opening: the input is a message as it comes. The certificate of the recipient is made here, with
 * the issuer and serial number that the seeds name ("CN=fuzz", 1); the content-encryption key is
 * always zeros, so that the seeds can be written down and what is inside is reached.
 */
#include "smime/smime.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static X509 *certificate;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    EVP_PKEY *key = EVP_RSA_gen(1024);
    certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);
    if (!key ||
        !X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"fuzz", -1, -1, 0) ||
        !X509_set_issuer_name(certificate, name) ||
        !ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) ||
        !X509_gmtime_adj(X509_getm_notBefore(certificate), 0) ||
        !X509_gmtime_adj(X509_getm_notAfter(certificate), 86400) ||
        !X509_set_pubkey(certificate, key) || !X509_sign(certificate, key, EVP_sha256()))
        abort();
    EVP_PKEY_free(key);
    return 0;
}

static bool cek_zero(void *ctx, void *key, struct sg_bytes encrypted, size_t key_bytes,
                     struct sg_secret *cek_r, struct sg_error *err)
{
    (void)ctx, (void)key, (void)encrypted, (void)err;
    memset(cek_r, 0, sizeof *cek_r);
    cek_r->len = key_bytes;
    return true;
}

static bool domain(void *ctx, const X509 *signer)
{
    (void)ctx;
    return signer != NULL;
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
    struct sg_smime_own_key own = {certificate, NULL};
    struct sg_smime_options options = {.own = &own,
                                       .own_count = 1,
                                       .decrypt_cek = cek_zero,
                                       .is_domain_signer = domain,
                                       .spool = limits,
                                       .headers = {.max_bytes = 20000, .max_fields = 100},
                                       .max_layers = 4,
                                       .max_cms_bytes = 100000};
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
