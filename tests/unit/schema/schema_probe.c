/*
 * A program that uses the pool and the listener as a daemon does, led by lines on its standard
 * input, for tests that take the server away:
 *     health          asks the server; prints "health ok" or "health SG_E_… detail"
 *     parallel N      N threads ask at once; prints "parallel OK OF N longest MS"
 *     notify          waits for nothing: the listener prints "flush" or "notify CHANNEL PAYLOAD"
 */
#include "common/log.h"
#include "schema/db.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ask {
    struct sg_db *db;
    bool ok;
    int64_t took_ms;
    struct sg_error err;
};

static void *ask(void *arg)
{
    struct ask *a = arg;
    int64_t begin = sg_clock_monotonic_ms();
    a->ok = sg_db_health(a->db, &a->err);
    a->took_ms = sg_clock_monotonic_ms() - begin;
    return NULL;
}

static void parallel(struct sg_db *db, int count)
{
    struct ask *asks = calloc((size_t)count, sizeof *asks);
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    int ok = 0;
    int64_t longest = 0;
    for (int i = 0; i < count; i++) {
        asks[i].db = db;
        if (pthread_create(&threads[i], NULL, ask, &asks[i]) != 0)
            abort();
    }
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        ok += asks[i].ok;
        longest = asks[i].took_ms > longest ? asks[i].took_ms : longest;
    }
    printf("parallel %d of %d longest %lld\n", ok, count, (long long)longest);
    free(asks);
    free(threads);
}

static void heard(void *ctx, const char *channel, const char *payload)
{
    (void)ctx;
    if (channel)
        printf("notify %s %s\n", channel, payload);
    else
        printf("flush\n");
}

int main(int argc, char **argv)
{
    static const char *const channels[] = {"sealgate_config", "sealgate_job", NULL};
    if (argc != 3)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    sg_log_init("probe", SG_LOG_DEBUG);
    struct sg_db_options options = {.conninfo = argv[1],
                                    .password_file = argv[2],
                                    .application = "probe",
                                    .actor = "probe",
                                    .connections = 4,
                                    .wait_ms = 2000,
                                    .statement_timeout_ms = 1000};
    struct sg_db *db = NULL;
    struct sg_db_listener *listener = NULL;
    struct sg_error err = {0};
    if (!sg_db_open(&options, &db, &err) ||
        !sg_db_listen(&options, channels, heard, NULL, NULL, &listener, &err)) {
        fprintf(stderr, "%s\n", err.detail);
        return 1;
    }
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        struct ask a = {.db = db};
        if (strncmp(line, "parallel ", 9) == 0) {
            parallel(db, (int)strtol(line + 9, NULL, 10));
        } else if (strncmp(line, "health", 6) == 0) {
            ask(&a);
            printf("health %s %lld %s\n", a.ok ? "ok" : sg_error_name(a.err.code),
                   (long long)a.took_ms, a.err.detail);
        }
    }
    sg_db_listen_stop(&listener);
    sg_db_close(&db);
    return 0;
}
