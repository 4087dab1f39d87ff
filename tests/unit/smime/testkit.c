#include "testkit.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void need(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "testkit: %s\n", what);
    ERR_print_errors_fp(stderr);
    abort();
}

X509 *kit_certificate(const char *path)
{
    FILE *f = fopen(path, "r");
    need(f != NULL, path);
    X509 *certificate = PEM_read_X509(f, NULL, NULL, NULL);
    fclose(f);
    need(certificate != NULL, path);
    return certificate;
}

struct kit_key kit_key_load(const char *certificate, const char *key)
{
    struct kit_key k = {.certificate = kit_certificate(certificate)};
    FILE *f = fopen(key, "r");
    need(f != NULL, key);
    k.key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    fclose(f);
    need(k.key != NULL, key);
    return k;
}

void kit_key_free(struct kit_key *key)
{
    X509_free(key->certificate);
    EVP_PKEY_free(key->key);
}

bool kit_sign(void *ctx, const struct sg_smime_to_sign *what, struct sg_buf *sig_r,
              struct sg_error *err)
{
    struct kit_key *key = ctx;
    uint8_t sig[1024];
    size_t len = sizeof sig;
    (void)err;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key->key, NULL);
    need(EVP_PKEY_sign_init(c) > 0 &&
             (strcmp(what->scheme, "ecdsa") == 0 ||
              EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) > 0) &&
             EVP_PKEY_CTX_set_signature_md(c, EVP_get_digestbyname(what->digest)) > 0 &&
             EVP_PKEY_sign(c, sig, &len, what->hash.data, what->hash.len) > 0,
         "sign");
    EVP_PKEY_CTX_free(c);
    return sg_buf_add(sig_r, sig, len);
}

static bool transported(EVP_PKEY *key, const struct sg_smime_cek *cek, uint8_t *plain, size_t *len)
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
    bool oaep = cek->transport == SG_SMIME_RSA_OAEP;
    need(EVP_PKEY_decrypt_init(c) > 0 &&
             EVP_PKEY_CTX_set_rsa_padding(c, oaep ? RSA_PKCS1_OAEP_PADDING : RSA_PKCS1_PADDING) > 0,
         "decrypt");
    if (oaep)
        need(EVP_PKEY_CTX_set_rsa_oaep_md(c, EVP_get_digestbyname(cek->digest)) > 0 &&
                 EVP_PKEY_CTX_set_rsa_mgf1_md(c, EVP_get_digestbyname(cek->mask)) > 0,
             "OAEP");
    bool good = EVP_PKEY_decrypt(c, plain, len, cek->encrypted.data, cek->encrypted.len) > 0;
    EVP_PKEY_CTX_free(c);
    return good;
}

static EVP_PKEY *peer_of(EVP_PKEY *key, struct sg_bytes point)
{
    EVP_PKEY *peer = EVP_PKEY_new();
    need(peer && EVP_PKEY_copy_parameters(peer, key) > 0, "peer");
    if (EVP_PKEY_set1_encoded_public_key(peer, point.data, point.len) > 0)
        return peer;
    EVP_PKEY_free(peer);
    return NULL;
}

static bool agreed(EVP_PKEY *key, const struct sg_smime_cek *cek, uint8_t *plain, size_t *len)
{
    const EVP_CIPHER *wrap = strcmp(cek->wrap, "aes-128-wrap") == 0    ? EVP_aes_128_wrap()
                             : strcmp(cek->wrap, "aes-192-wrap") == 0  ? EVP_aes_192_wrap()
                             : strcmp(cek->wrap, "des-ede3-wrap") == 0 ? EVP_des_ede3_wrap()
                                                                       : EVP_aes_256_wrap();
    uint8_t kek[32];
    size_t kek_len = (size_t)EVP_CIPHER_get_key_length(wrap);
    EVP_PKEY *peer = peer_of(key, cek->point);
    if (!peer)
        return false;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
    need(EVP_PKEY_derive_init(c) > 0 &&
             EVP_PKEY_CTX_set_ecdh_kdf_type(c, EVP_PKEY_ECDH_KDF_X9_63) > 0 &&
             EVP_PKEY_CTX_set_ecdh_kdf_md(c, EVP_get_digestbyname(cek->digest)) > 0 &&
             EVP_PKEY_CTX_set_ecdh_kdf_outlen(c, (int)kek_len) > 0 &&
             EVP_PKEY_CTX_set0_ecdh_kdf_ukm(c, OPENSSL_memdup(cek->info.data, cek->info.len),
                                            (int)cek->info.len) > 0 &&
             EVP_PKEY_derive_set_peer(c, peer) > 0 && EVP_PKEY_derive(c, kek, &kek_len) > 0,
         "derive");
    EVP_PKEY_CTX_free(c);
    EVP_PKEY_free(peer);
    EVP_CIPHER_CTX *u = EVP_CIPHER_CTX_new();
    int n = 0;
    EVP_CIPHER_CTX_set_flags(u, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    need(EVP_DecryptInit_ex(u, wrap, NULL, kek, NULL) > 0, "unwrap");
    bool good = cek->encrypted.len < *len &&
                EVP_DecryptUpdate(u, plain, &n, cek->encrypted.data, (int)cek->encrypted.len) > 0;
    EVP_CIPHER_CTX_free(u);
    *len = (size_t)n;
    return good;
}

bool kit_decrypt_cek(void *ctx, void *key, const struct sg_smime_cek *cek, struct sg_secret *cek_r,
                     struct sg_error *err)
{
    struct kit_key *k = key;
    uint8_t plain[1100];
    size_t len = sizeof plain;
    (void)ctx;
    (void)err;
    need(EVP_PKEY_is_a(k->key, "EC") == (cek->transport == SG_SMIME_ECDH), "kind of key");
    bool good = cek->transport == SG_SMIME_ECDH ? agreed(k->key, cek, plain, &len)
                                                : transported(k->key, cek, plain, &len);
    ERR_clear_error();
    cek_r->len = cek->key_bytes;
    need(RAND_bytes(cek_r->data, (int)cek->key_bytes) == 1, "random");
    if (good && len == cek->key_bytes)
        memcpy(cek_r->data, plain, len);
    return true;
}

bool kit_every_signer(void *ctx, const X509 *certificate)
{
    (void)ctx;
    return certificate != NULL;
}

bool kit_no_signer(void *ctx, const X509 *certificate)
{
    (void)ctx;
    (void)certificate;
    return false;
}

static const struct sg_spool_limits limits = {
    .memory_bytes = 1 << 20, .max_bytes = (uint64_t)1 << 30, .dir = "/tmp"};

struct sg_smime_options kit_options(struct sg_smime_own_key *own, size_t count)
{
    return (struct sg_smime_options){.own = own,
                                     .own_count = count,
                                     .decrypt_cek = kit_decrypt_cek,
                                     .is_domain_signer = kit_every_signer,
                                     .spool = limits,
                                     .headers = {.max_bytes = 65536, .max_fields = 500},
                                     .max_layers = 8,
                                     .max_cms_bytes = 1 << 20,
                                     .max_certificates = 64,
                                     .max_elements = 256,
                                     .max_signers = 16,
                                     .max_tries = 16};
}

struct sg_spool *kit_spool_new(void)
{
    return sg_spool_new(&limits);
}

struct sg_spool *kit_spool_of(const void *data, size_t len)
{
    struct sg_spool *spool = kit_spool_new();
    struct sg_error err;
    need(sg_spool_write(spool, data, len, &err), "spool");
    return spool;
}

struct sg_spool *kit_spool_of_file(const char *path)
{
    struct sg_spool *spool = kit_spool_new();
    struct sg_error err;
    uint8_t data[16384];
    FILE *f = fopen(path, "r");
    need(f != NULL, path);
    for (size_t n; (n = fread(data, 1, sizeof data, f)) > 0;)
        need(sg_spool_write(spool, data, n, &err), "spool");
    fclose(f);
    return spool;
}

long kit_peak_kib(void)
{
    char line[256];
    long peak = 0;
    FILE *f = fopen("/proc/self/status", "r");
    need(f != NULL, "status");
    while (fgets(line, sizeof line, f))
        if (strncmp(line, "VmHWM:", 6) == 0)
            peak = strtol(line + 6, NULL, 10);
    fclose(f);
    return peak;
}

static char directory[] = "/tmp/sg-smime-XXXXXX";

static void directory_remove(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", directory);
    if (system(command) != 0)
        fprintf(stderr, "testkit: %s is left\n", directory);
}

void kit_run(const char *fmt, ...)
{
    char command[2000], whole[2200];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(command, sizeof command, fmt, ap);
    va_end(ap);
    need(n > 0 && n < (int)sizeof command, "command too long");
    snprintf(whole, sizeof whole, "cd %s && { %s; } >>log 2>&1 || { tail log >&2; exit 1; }",
             directory, command);
    need(system(whole) == 0, command);
}

const char *kit_path(struct sg_arena *arena, const char *name)
{
    return sg_arena_printf(arena, "%s/%s", directory, name);
}

void kit_issue(const char *name, const char *key)
{
    static int serial;
    kit_run("openssl req -newkey %s -nodes -keyout %s.key -out %s.csr"
            " -subj '/O=Test/CN=%s' -addext subjectKeyIdentifier=hash"
            " -addext subjectAltName=email:%s@agency.test && "
            "openssl x509 -req -in %s.csr -CA root.pem -CAkey root.key -set_serial %d"
            " -days 30 -copy_extensions copy -out %s.pem",
            key, name, name, name, name, name, ++serial, name);
}

const char *kit_pki(const char *const *names, size_t count)
{
    need(mkdtemp(directory) != NULL, "mkdtemp");
    atexit(directory_remove);
    kit_run("openssl req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.pem -days 30"
            " -subj '/O=Test/CN=Test Root'");
    for (size_t i = 0; i < count; i++)
        kit_issue(names[i], "rsa:2048");
    return directory;
}
