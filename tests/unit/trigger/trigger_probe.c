/* Reads names of files, a mail each, and prints for each the words that it holds and "undecodable"
 * or
 * "-": for tests that hold the scanner against other readers
 * (tests/system/test_trigger_readers.py). */
#include "common/buf.h"
#include "trigger/trigger.h"

#include <stdio.h>
#include <stdlib.h>

static const struct sg_spool_limits spool_limits = {1 << 20, 64 << 20, "/tmp"};

static void die(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static void scan(struct sg_arena *arena, const char *path, struct sg_trigger_found *found_r)
{
    SG_AUTO_SPOOL spool = sg_spool_new(&spool_limits);
    struct sg_trigger_options options = {.limits = sg_trigger_limits_default()};
    struct sg_header_limits limits = {1 << 20, 2000};
    struct sg_header_block block;
    struct sg_error err;
    char data[4096];
    FILE *f = fopen(path, "rb");
    if (!f)
        die(path);
    for (size_t n; (n = fread(data, 1, sizeof data, f));)
        if (!sg_spool_write(spool, data, n, &err))
            die(err.detail);
    fclose(f);
    if (!sg_header_read(arena, spool, 0, UINT64_MAX, &limits, &block, &err) ||
        !sg_trigger_scan(arena, &block, spool, block.body_offset,
                         sg_spool_size(spool) - block.body_offset, &options, found_r, &err))
        die(err.detail);
}

int main(void)
{
    char path[1000];
    while (fgets(path, sizeof path, stdin)) {
        SG_AUTO_ARENA arena = sg_arena_new();
        struct sg_trigger_found found;
        path[strcspn(path, "\n")] = 0;
        scan(arena, path, &found);
        for (size_t i = 0; i < found.hit_count; i++)
            printf("%s%s", i ? "," : "", sg_trigger_word_name(found.hits[i].word));
        printf("\t%s\n", found.undecodable ? "undecodable" : "-");
    }
    return 0;
}
