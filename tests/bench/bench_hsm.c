/*
 * Private-key operations through hsmd, by hsmd's own client.
 *
 *     bench_hsm SOCKET sign THREADS COUNT KEY TENANT DOMAIN   a token key of class dca; RSA,
 * SHA-256, PKCS #1 v1.5 bench_hsm SOCKET make COUNT                             wrapped P-256 keys;
 * standard input has lines `key tenant domain`, out come `key spki blob` in hex
 *
 * hsmd knows who may do what by the user this runs as.
 */
#include "bench_net.h"

#include "hsmclient/client.h"

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

int main(int argc, char **argv)
{
    if (argc < 3)
        bench_die("bench_hsm SOCKET sign|make …");
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
    } else {
        bench_die("bench_hsm SOCKET sign|make …");
    }
    sg_hsm_free(&run.hsm);
    return 0;
}
