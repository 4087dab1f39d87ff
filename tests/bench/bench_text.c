/*
 * CPU time of reading messages for trigger words, and of the rules about them. tools/bench runs it:
 *   bench_text ROUNDS TNEF-HELPER FILE…
 * prints FILE<TAB>milliseconds for one reading, a line for each file and round; rounds are
 * interleaved.
 */
#include "policy/policy.h"
#include "tnef/tnef.h"
#include "trigger/trigger.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define ROUND_MS 40.0 /* a file is read until this has passed */

/* Of this process and its helpers. */
static double cpu_ms(void)
{
    double ms = 0;
    static const int whose[] = {RUSAGE_SELF, RUSAGE_CHILDREN};
    for (size_t i = 0; i < 2; i++) {
        struct rusage u;
        getrusage(whose[i], &u);
        ms += (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
              (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
    }
    return ms;
}

static void die(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static struct sg_spool *file_read(const char *path, const struct sg_spool_limits *limits)
{
    struct sg_spool *spool = sg_spool_new(limits);
    struct sg_error err;
    char data[65536];
    FILE *f = fopen(path, "rb");
    if (!f)
        die(path);
    for (size_t n; (n = fread(data, 1, sizeof data, f));)
        if (!sg_spool_write(spool, data, n, &err))
            die(err.detail);
    fclose(f);
    return spool;
}

static void scan(const struct sg_spool *spool, const struct sg_trigger_options *options)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_header_limits limits = {1 << 20, 2000};
    struct sg_header_block block;
    struct sg_trigger_found found;
    struct sg_error err;
    if (!sg_header_read(arena, spool, 0, UINT64_MAX, &limits, &block, &err) ||
        !sg_trigger_scan(arena, &block, spool, block.body_offset,
                         sg_spool_size(spool) - block.body_offset, options, &found, &err))
        die(err.detail);
}

static double measure(const struct sg_spool *spool, const struct sg_trigger_options *options)
{
    double begin = cpu_ms(), now;
    int times = 0;
    do {
        scan(spool, options);
        times++;
        now = cpu_ms();
    } while (now - begin < ROUND_MS);
    return (now - begin) / times;
}

static volatile unsigned kept; /* so that what is measured is not left out */

/* The rules for one recipient domain: one to whom everything goes, so that all of them are asked.
 */
static double measure_rules(void)
{
    enum { TIMES = 100000 };
    struct sg_outbound_facts facts = {
        .submission_valid = true,
        .from_fields = 1,
        .from_mailboxes = 1,
        .from_domain_owned = true,
        .from_matches_sender = true,
    };
    double begin = cpu_ms();
    for (unsigned i = 0; i < TIMES; i++) {
        facts.triggers = i & SG_TRIGGER_RSVPDR;
        kept += sg_policy_outbound(&facts).action;
    }
    return (cpu_ms() - begin) / TIMES;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        die("bench_text ROUNDS TNEF-HELPER FILE...");
    /* As the daemon has it: what is larger than its memory lies in a file. */
    struct sg_spool_limits limits = {256 << 10, (uint64_t)1 << 30, "/tmp"};
    struct sg_trigger_options options = {.limits = sg_trigger_limits_default()};
    struct sg_tnef_options tnef = {
        .helper = argv[2],
        .processes = 1,
        .request_bytes = 32 << 20,
        .answer_bytes = 64 << 20,
        .max_parts = 2000,
        .memory_bytes = 64 << 20,
        .cpu_ms = 5000,
        .timeout_ms = 20000,
        .max_depth = 8,
    };
    options.tnef = sg_tnef_new(&tnef);
    struct sg_spool **spools = calloc((size_t)argc, sizeof *spools);
    for (int i = 3; i < argc; i++)
        spools[i] = file_read(argv[i], &limits);
    for (int round = 0; round < atoi(argv[1]); round++) {
        printf("rules\t%.6f\n", measure_rules());
        for (int i = 3; i < argc; i++)
            printf("%s\t%.6f\n", argv[i], measure(spools[i], &options));
    }
    for (int i = 3; i < argc; i++)
        sg_spool_free(&spools[i]);
    free(spools);
    sg_tnef_free(&options.tnef);
    return 0;
}
