/*
 * The passes over the octets of a message that nothing can save: what they cost alone.
 *
 *     bench_passes ROUNDS BYTES…
 *
 * Out: `bytes pass ms` of CPU, the median of the rounds.
 */
#include "bench_net.h"

#include "smime/base64.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define AT_ONCE (288 * SG_BASE64_LINE) /* whole lines and whole blocks; they stay in the cache */

static uint8_t text[AT_ONCE], out[2 * AT_ONCE];
static struct sg_buf encoded;

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void crypt(size_t bytes, int encrypt)
{
    static const uint8_t key[32] = {1}, iv[16] = {2};
    int n;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (!ctx || EVP_CipherInit_ex(ctx, EVP_aes_256_cbc(), NULL, key, iv, encrypt) != 1)
        bench_die("no AES");
    for (size_t at = 0; at < bytes; at += AT_ONCE)
        if (EVP_CipherUpdate(ctx, out, &n, text, AT_ONCE) != 1)
            bench_die("AES");
    EVP_CIPHER_CTX_free(ctx);
}

static void encrypt(size_t bytes)
{
    crypt(bytes, 1);
}

static void decrypt(size_t bytes)
{
    crypt(bytes, 0);
}

static void hash(size_t bytes)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
        bench_die("no SHA-256");
    for (size_t at = 0; at < bytes; at += AT_ONCE)
        if (EVP_DigestUpdate(ctx, text, AT_ONCE) != 1)
            bench_die("SHA-256");
    EVP_MD_CTX_free(ctx);
}

static void encode(size_t bytes)
{
    struct sg_error err;
    for (size_t at = 0; at < bytes; at += AT_ONCE) {
        encoded.len = 0;
        if (!sg_base64_encode(sg_bytes_of(text, AT_ONCE), &encoded, &err))
            bench_die("base64: %s", err.detail);
    }
}

static void decode(size_t bytes)
{
    struct sg_base64_decoder d = {0};
    for (size_t at = 0; at < bytes; at += AT_ONCE)
        sg_base64_decode(&d, encoded.data, encoded.len, out);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*pass)(size_t bytes);
    } passes[] = {{"encrypt", encrypt},
                  {"decrypt", decrypt},
                  {"hash", hash},
                  {"encode", encode},
                  {"decode", decode}};
    size_t rounds = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
    double *times = calloc(rounds + 1, sizeof *times);
    if (!rounds || !times)
        bench_die("bench_passes ROUNDS BYTES…");
    sg_buf_init(&encoded, 4 * AT_ONCE);
    for (size_t i = 0; i < AT_ONCE; i++)
        text[i] = (uint8_t)(i * 31);
    for (int a = 2; a < argc; a++) {
        size_t bytes = strtoul(argv[a], NULL, 10);
        for (size_t p = 0; p < sizeof passes / sizeof passes[0]; p++) {
            for (size_t r = 0; r < rounds; r++) {
                double begin = cpu_ms();
                passes[p].pass(bytes);
                times[r] = cpu_ms() - begin;
            }
            qsort(times, rounds, sizeof *times, bench_ascending);
            printf("%zu\t%s\t%.6f\n", bytes, passes[p].name, times[rounds / 2]);
        }
    }
    sg_buf_free(&encoded);
    free(times);
    return 0;
}
