/*
 * Load on hsmd by its client library, every answer judged by OpenSSL, for the system tests:
 *
 *     hsm-fire unix:SOCKET CONNECTIONS TIMEOUT_MS THREADS
 *
 * Each thread signs and decrypts (RSA) or signs (curves) with one key after the other, and after an
 * error waits for 10 ms. Standard input has commands, octets in hexadecimal, "-" for none:
 *
 *   key CLASS KIND ID TENANT DOMAIN BLOB SPKI    before "go"
 *   go
 *   count     "GOOD BUSY UNAVAILABLE FAILED WRONG LONGEST_MS FIRST": what the answers were so far,
 *             the longest time that one took since the last count, and the first wrong one
 *   stop      the same, when all threads have ended
 */
#include "hsmclient/client.h"
#include "hsmclient/protocol.h"

#include "common/clock.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEYS_MAX    256
#define THREADS_MAX 64
#define WORDS_MAX   8
#define CEK_BYTES   32

struct key {
    struct sg_hsm_key names;
    char text[3][64];
    EVP_PKEY *public;
};

static struct {
    struct sg_hsm *hsm;
    struct key keys[KEYS_MAX];
    int key_count, threads;
    pthread_mutex_t mutex;
    bool stopping;
    long good, busy, unavailable, failed, wrong, longest_ms;
    char first[300];
} run = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* Judging -------------------------------------------------------------------------------------- */

static bool padding_set(EVP_PKEY_CTX *ctx, bool rsa, enum sg_hsm_scheme scheme)
{
    if (!rsa)
        return true;
    if (scheme != SG_HSM_PSS)
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0;
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) > 0;
}

static bool verifies(const struct key *key, enum sg_hsm_scheme scheme, struct sg_bytes hash,
                     struct sg_bytes signature)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key->public, NULL);
    bool ok = ctx && EVP_PKEY_verify_init(ctx) > 0 &&
              padding_set(ctx, EVP_PKEY_is_a(key->public, "RSA"), scheme) &&
              EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) > 0 &&
              EVP_PKEY_verify(ctx, signature.data, signature.len, hash.data, hash.len) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

/* false, with err's code SG_OK: the answer is wrong. */
static bool sign_one(const struct key *key, enum sg_hsm_scheme scheme, struct sg_error *err)
{
    uint8_t hash[32];
    SG_AUTO_BUF signature;
    sg_buf_init(&signature, SG_HSM_FIRST_MAX);
    RAND_bytes(hash, sizeof hash);
    struct sg_bytes view = sg_bytes_of(hash, sizeof hash);
    return sg_hsm_sign(run.hsm, &key->names, scheme, SG_HSM_SHA256, view, &signature, err) &&
           verifies(key, scheme, view, sg_buf_bytes(&signature));
}

static bool decrypt_one(const struct key *key, struct sg_error *err)
{
    uint8_t cek[CEK_BYTES], encrypted[512];
    size_t len = sizeof encrypted;
    SG_AUTO_SECRET got = {0};
    RAND_bytes(cek, sizeof cek);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key->public, NULL);
    bool ok = ctx && EVP_PKEY_encrypt_init(ctx) > 0 && padding_set(ctx, true, SG_HSM_PKCS1) &&
              EVP_PKEY_encrypt(ctx, encrypted, &len, cek, sizeof cek) > 0;
    EVP_PKEY_CTX_free(ctx);
    const struct sg_hsm_cek asked = {
        .scheme = SG_HSM_PKCS1, .key_bytes = CEK_BYTES, .encrypted = sg_bytes_of(encrypted, len)};
    return ok && sg_hsm_decrypt_cek(run.hsm, &key->names, &asked, &got, err) &&
           memcmp(got.data, cek, CEK_BYTES) == 0;
}

static bool work_one(unsigned n, struct sg_error *err)
{
    const struct key *key = &run.keys[n % (unsigned)run.key_count];
    if (!EVP_PKEY_is_a(key->public, "RSA"))
        return sign_one(key, SG_HSM_ECDSA, err);
    switch (n / (unsigned)run.key_count % 3) {
    case 0:
        return sign_one(key, SG_HSM_PKCS1, err);
    case 1:
        return sign_one(key, SG_HSM_PSS, err);
    default:
        return decrypt_one(key, err);
    }
}

/* ---------------------------------------------------------------------------------------------- */

/* false: the load is over. */
static bool note(bool ok, const struct sg_error *err, int64_t ms)
{
    pthread_mutex_lock(&run.mutex);
    if (ok)
        run.good++;
    else if (err->code == SG_E_BUSY)
        run.busy++;
    else if (err->code == SG_E_HSM_UNAVAILABLE)
        run.unavailable++;
    else if (err->code == SG_E_HSM_OPERATION)
        run.failed++;
    else if (run.wrong++ == 0)
        snprintf(run.first, sizeof run.first, "%s: %s", sg_error_name(err->code), err->detail);
    if (run.longest_ms < ms)
        run.longest_ms = (long)ms;
    bool goes_on = !run.stopping;
    pthread_mutex_unlock(&run.mutex);
    return goes_on;
}

static void *fire(void *arg)
{
    const struct timespec pause_10ms = {0, 10000000};
    unsigned n = *(unsigned *)arg;
    for (bool going = true; going; n++) {
        struct sg_error err = {0};
        int64_t began = sg_clock_monotonic_ms();
        bool ok = work_one(n, &err);
        going = note(ok, &err, sg_clock_monotonic_ms() - began);
        if (!ok)
            nanosleep(&pause_10ms, NULL);
    }
    return NULL;
}

static void counts_print(void)
{
    pthread_mutex_lock(&run.mutex);
    printf("%ld %ld %ld %ld %ld %ld %s\n", run.good, run.busy, run.unavailable, run.failed,
           run.wrong, run.longest_ms, run.first[0] ? run.first : "-");
    run.longest_ms = 0;
    pthread_mutex_unlock(&run.mutex);
    fflush(stdout);
}

static struct sg_bytes octets(const char *hex)
{
    size_t len = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;
    uint8_t *data = malloc(len + 1);
    for (size_t i = 0; data && i < len; i++) {
        const char pair[] = {hex[2 * i], hex[2 * i + 1], 0};
        data[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return sg_bytes_of(data, data ? len : 0);
}

/* For as long as the process lives. */
static bool key_add(char **words)
{
    struct key *key = &run.keys[run.key_count];
    struct sg_bytes spki = octets(words[7]);
    const uint8_t *p = spki.data;
    if (run.key_count == KEYS_MAX || !sg_hsm_class_parse(sg_bytes_str(words[1]), &key->names.class))
        return false;
    for (int i = 0; i < 3; i++)
        snprintf(key->text[i], sizeof key->text[i], "%s",
                 strcmp(words[3 + i], "-") == 0 ? "" : words[3 + i]);
    key->names.kind = strcmp(words[2], "token") == 0 ? SG_HSM_TOKEN : SG_HSM_WRAPPED;
    key->names.id = key->text[0];
    key->names.tenant = key->text[1];
    key->names.domain = key->text[2];
    key->names.blob = octets(words[6]);
    key->public = d2i_PUBKEY(NULL, &p, (long)spki.len);
    free((void *)spki.data);
    run.key_count++;
    return key->public != NULL;
}

static void keys_free(void)
{
    for (int i = 0; i < run.key_count; i++) {
        EVP_PKEY_free(run.keys[i].public);
        free((void *)run.keys[i].names.blob.data);
    }
}

int main(int argc, char **argv)
{
    static char line[65536];
    static pthread_t threads[THREADS_MAX];
    static unsigned firsts[THREADS_MAX];
    if (argc != 5)
        return 2;
    struct sg_hsm_options options = {argv[1], (int)strtol(argv[2], NULL, 10),
                                     strtol(argv[3], NULL, 10)};
    int wanted = (int)strtol(argv[4], NULL, 10);
    run.hsm = sg_hsm_new(&options);
    while (fgets(line, sizeof line, stdin)) {
        char *words[WORDS_MAX], *save = NULL;
        int count = 0;
        for (char *w = strtok_r(line, " \n", &save); w && count < WORDS_MAX;
             w = strtok_r(NULL, " \n", &save))
            words[count++] = w;
        if (count == 8 && strcmp(words[0], "key") == 0 && key_add(words))
            continue;
        if (count != 1 || run.key_count == 0)
            return 2;
        if (strcmp(words[0], "stop") == 0)
            break;
        if (strcmp(words[0], "count") == 0)
            counts_print();
        for (; strcmp(words[0], "go") == 0 && run.threads < wanted && run.threads < THREADS_MAX;
             run.threads++) {
            firsts[run.threads] = (unsigned)run.threads;
            pthread_create(&threads[run.threads], NULL, fire, &firsts[run.threads]);
        }
    }
    pthread_mutex_lock(&run.mutex);
    run.stopping = true;
    pthread_mutex_unlock(&run.mutex);
    for (int i = 0; i < run.threads; i++)
        pthread_join(threads[i], NULL);
    counts_print();
    keys_free();
    sg_hsm_free(&run.hsm);
    return 0;
}
