/*
 * What a revocation list costs: reading it, a look at it, its memory; beside OpenSSL's own of the
 * same list. For tests/bench/certificates.py.
 *
 *     bench_crl ROUNDS ISSUER LEAF LIST...      DER files; prints file<TAB>figure<TAB>value
 */
#include "cert/cert_internal.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#define LOOKS 2000

static struct sg_bytes file_read(struct sg_arena *arena, const char *path)
{
    FILE *in = fopen(path, "rbe");
    if (!in)
        exit(2);
    struct sg_buf data;
    sg_buf_init(&data, 0);
    char chunk[65536];
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, in)) > 0;)
        sg_buf_add(&data, chunk, n);
    fclose(in);
    struct sg_bytes copy = sg_arena_copy(arena, sg_buf_bytes(&data));
    sg_buf_free(&data);
    return copy;
}

static double now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void say(const char *path, const char *figure, double value)
{
    printf("%s\t%s\t%.4f\n", path, figure, value);
}

static void ours(const char *path, struct sg_bytes der, X509 *issuer, X509 *leaf)
{
    char why[SG_CERT_WHY];
    double begin = now_us();
    struct sg_crl *crl = sg_crl_read(der, issuer, why);
    if (!crl)
        exit(3);
    say(path, "read_ms", (now_us() - begin) / 1e3);
    say(path, "bytes", (double)sg_crl_bytes(crl));
    begin = now_us();
    for (int i = 0; i < LOOKS; i++)
        if (sg_crl_lists(crl, leaf, why))
            exit(4);
    say(path, "look_us", (now_us() - begin) / LOOKS);
    sg_crl_free(&crl);
}

static void theirs(const char *path, struct sg_bytes der, X509 *issuer, X509 *leaf)
{
    size_t before = mallinfo2().uordblks;
    double begin = now_us();
    const uint8_t *p = der.data;
    X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)der.len);
    X509_REVOKED *entry;
    if (!crl || X509_CRL_verify(crl, X509_get0_pubkey(issuer)) != 1 ||
        X509_CRL_get0_by_cert(crl, &entry, leaf)) /* the first look sorts it */
        exit(3);
    say(path, "openssl_read_ms", (now_us() - begin) / 1e3);
    say(path, "openssl_bytes", (double)(mallinfo2().uordblks - before));
    begin = now_us();
    for (int i = 0; i < LOOKS; i++)
        if (X509_CRL_get0_by_cert(crl, &entry, leaf))
            exit(4);
    say(path, "openssl_look_us", (now_us() - begin) / LOOKS);
    X509_CRL_free(crl);
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    SG_AUTO_ARENA arena = sg_arena_new();
    mallopt(M_MMAP_THRESHOLD, 1 << 30); /* all of it is counted */
    X509 *issuer = sg_x509_decode(file_read(arena, argv[2]));
    X509 *leaf = sg_x509_decode(file_read(arena, argv[3]));
    if (!issuer || !leaf)
        return 2;
    for (int round = 0; round < atoi(argv[1]); round++)
        for (int i = 4; i < argc; i++) {
            struct sg_bytes der = file_read(arena, argv[i]);
            ours(argv[i], der, issuer, leaf);
            theirs(argv[i], der, issuer, leaf);
        }
    X509_free(issuer);
    X509_free(leaf);
    return 0;
}
