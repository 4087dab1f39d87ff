/*
 * Private-key operations through hsmd, by hsmd's own client.
 *
 *     bench_hsm SOCKET sign THREADS COUNT KEY TENANT DOMAIN
 *         a token key of class dca; RSA, SHA-256, PKCS #1 v1.5
 *     bench_hsm SOCKET make
 *         wrapped P-256 keys: standard input has lines `key tenant domain`, out come
 *         `key spki blob` in hex
 *     bench_hsm SOCKET each ROUNDS
 *         one ECDSA signature with each of the keys in turn, one thread; standard input has lines
 *         `key tenant domain blob` and "." behind them
 *
 * hsmd knows who may do what by the user this runs as.
 */
#include "bench_net.h"

#include "hsmclient/client.h"
#include "hsmclient/protocol.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    struct sg_hsm *hsm;
    struct sg_hsm_key key;
    size_t count;
    atomic_size_t next;
} run;

static void *sign(void *arg)
{
    (void)arg;
    uint8_t hash[32];
    struct sg_error err = {0};
    size_t i;
    while ((i = atomic_fetch_add(&run.next, 1)) < run.count) {
        SG_AUTO_BUF sig;
        sg_buf_init(&sig, 1024);
        memset(hash, (int)(i & 0xff), sizeof hash);
        memcpy(hash, &i, sizeof i);
        if (!sg_hsm_sign(run.hsm, &run.key, SG_HSM_PKCS1, SG_HSM_SHA256,
                         sg_bytes_of(hash, sizeof hash), &sig, &err))
            bench_die("sign: %s", err.detail);
    }
    return NULL;
}

static void sign_all(size_t threads)
{
    pthread_t *started = calloc(threads, sizeof *started);
    if (!started)
        bench_die("out of memory");
    bench_ready();
    for (size_t i = 0; i < threads; i++)
        if (pthread_create(&started[i], NULL, sign, NULL))
            bench_die("no thread");
    for (size_t i = 0; i < threads; i++)
        pthread_join(started[i], NULL);
    free(started);
    puts("done");
}

static void hex_print(const struct sg_buf *buf, char after)
{
    for (size_t i = 0; i < buf->len; i++)
        printf("%02x", buf->data[i]);
    putchar(after);
}

static void make_all(void)
{
    char id[64], tenant[64], domain[64];
    struct sg_error err = {0};
    while (scanf("%63s %63s %63s", id, tenant, domain) == 3) {
        struct sg_hsm_key key = {.id = id,
                                 .tenant = tenant,
                                 .domain = domain,
                                 .class = SG_HSM_DCA,
                                 .kind = SG_HSM_WRAPPED};
        SG_AUTO_BUF spki, blob;
        sg_buf_init(&spki, 4096);
        sg_buf_init(&blob, 8192);
        if (!sg_hsm_generate(run.hsm, &key, 256, &spki, &blob, &err))
            bench_die("generate: %s", err.detail);
        printf("%s ", id);
        hex_print(&spki, ' ');
        hex_print(&blob, '\n');
    }
}

/* Wrapped keys in turn ------------------------------------------------------------------------- */

#define KEYS_MAX 20000

struct named {
    char id[64], tenant[64], domain[64];
    uint8_t *blob;
    size_t len;
};

static size_t keys_read(struct named *keys)
{
    static char hex[2 * SG_HSM_BLOB_MAX + 2];
    size_t n = 0;
    while (n < KEYS_MAX && scanf("%63s", keys[n].id) == 1 && strcmp(keys[n].id, ".") != 0) {
        if (scanf("%63s %63s %8193s", keys[n].tenant, keys[n].domain, hex) != 3)
            bench_die("key tenant domain blob");
        keys[n].len = strlen(hex) / 2;
        keys[n].blob = malloc(keys[n].len);
        if (!keys[n].blob)
            bench_die("out of memory");
        for (size_t i = 0; i < keys[n].len; i++) {
            const char pair[] = {hex[2 * i], hex[2 * i + 1], 0};
            keys[n].blob[i] = (uint8_t)strtoul(pair, NULL, 16);
        }
        n++;
    }
    return n;
}

static void sign_each(size_t rounds)
{
    static struct named keys[KEYS_MAX];
    const uint8_t hash[32] = {1};
    struct sg_error err = {0};
    size_t count = keys_read(keys);
    while (getchar() != '\n')
        ;
    bench_ready();
    for (size_t i = 0; i < rounds * count; i++) {
        const struct named *at = &keys[i % count];
        struct sg_hsm_key key = {.id = at->id,
                                 .tenant = at->tenant,
                                 .domain = at->domain,
                                 .class = SG_HSM_DCA,
                                 .kind = SG_HSM_WRAPPED,
                                 .blob = sg_bytes_of(at->blob, at->len)};
        SG_AUTO_BUF sig;
        sg_buf_init(&sig, 1024);
        if (!sg_hsm_sign(run.hsm, &key, SG_HSM_ECDSA, SG_HSM_SHA256, sg_bytes_of(hash, sizeof hash),
                         &sig, &err))
            bench_die("sign: %s", err.detail);
    }
    puts("done");
    for (size_t i = 0; i < count; i++)
        free(keys[i].blob);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        bench_die("bench_hsm SOCKET sign|make|each …");
    struct sg_hsm_options options = {argv[1], 16, 10000};
    run.hsm = sg_hsm_new(&options);
    if (strcmp(argv[2], "sign") == 0 && argc == 8) {
        run.count = strtoul(argv[4], NULL, 10);
        run.key = (struct sg_hsm_key){.id = argv[5],
                                      .tenant = argv[6],
                                      .domain = argv[7],
                                      .class = SG_HSM_DCA,
                                      .kind = SG_HSM_TOKEN};
        sign_all(strtoul(argv[3], NULL, 10));
    } else if (strcmp(argv[2], "make") == 0) {
        make_all();
    } else if (strcmp(argv[2], "each") == 0 && argc == 4) {
        sign_each(strtoul(argv[3], NULL, 10));
    } else {
        bench_die("bench_hsm SOCKET sign|make|each …");
    }
    sg_hsm_free(&run.hsm);
    return 0;
}
