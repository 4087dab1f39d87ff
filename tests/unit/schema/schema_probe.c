/*
 * A program that uses the pool and the listener as a daemon does, led by lines on its standard
 * input, for tests that take the server away:
 *     health          asks the server; prints "health ok" or "health SG_E_… detail"
 *     parallel N      N threads ask at once; prints "parallel OK OF N longest MS"
 *     domain NAME     prints "domain STATE MISSES" of what is kept, with the tenant's state
 *     notify          waits for nothing: the listener prints "flush" or "notify CHANNEL PAYLOAD"
 * Arguments: conninfo, file with the password, for how many milliseconds results are kept (0: not
 * at all), and the node's name.
 */
#include "common/log.h"
#include "schema/db.h"
#include "schema/domain.h"

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

static void domain(struct sg_db *db, char *name)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_domain_row row;
    struct sg_cache_state state;
    struct sg_error err = {0};
    bool found = false;
    name[strcspn(name, "\n")] = 0;
    sg_db_fresh(db);
    bool ok = sg_domain_find_by_name(db, arena, name, &row, &found, &err);
    sg_db_cache_state(db, &state);
    printf("domain %s %llu\n",
           !ok     ? sg_error_name(err.code)
           : found ? row.tenant_state
                   : "none",
           (unsigned long long)state.misses);
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
    if (argc < 3 || argc > 5)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    sg_log_init("probe", SG_LOG_DEBUG);
    struct sg_db_options options = {.conninfo = argv[1],
                                    .password_file = argv[2],
                                    .application = "probe",
                                    .actor = "probe",
                                    .connections = 4,
                                    .wait_ms = 2000,
                                    .statement_timeout_ms = 1000,
                                    .node = argc > 4 ? argv[4] : NULL};
    int64_t kept_ms = argc > 3 ? strtol(argv[3], NULL, 10) : 0;
    struct sg_db *db = NULL;
    struct sg_db_listener *listener = NULL;
    struct sg_error err = {0};
    bool opened = sg_db_open(&options, &db, &err);
    if (opened && kept_ms > 0) {
        const struct sg_db_cache_options cache = {100, 100000, kept_ms};
        sg_db_cache(db, &cache);
    }
    if (!opened || !sg_db_listen(&options, channels, heard, NULL, db, &listener, &err)) {
        fprintf(stderr, "%s\n", err.detail);
        return 1;
    }
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        struct ask a = {.db = db};
        if (strncmp(line, "parallel ", 9) == 0) {
            parallel(db, (int)strtol(line + 9, NULL, 10));
        } else if (strncmp(line, "domain ", 7) == 0) {
            domain(db, line + 7);
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
