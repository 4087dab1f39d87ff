/*
 * The directory that a crash leaves: the first octet says how, then come its files: what each is,
 * its number, how much room (zeros) stands behind it, its length, its octets. Whatever stands
 * there, the journal opens, unless a segment has the name of another; what a reader finds in the
 * segments behind the position is fed, in order, each once, also where the first open had nobody to
 * feed; what is appended then comes too; and the next open feeds nothing of it again.
 */
#include "common/log.h"
#include "journal/journal_internal.h"
#include "journal_mend.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILES 8
#define MANY  512 /* records; of more it is not said whether they come */

enum { MENDED = 1, AWAY_AT_FIRST = 2 };

struct ids {
    uint8_t list[MANY][SG_JOURNAL_RECORD_ID];
    size_t count;
};

struct run {
    char dir[40];
    int dir_fd;
    bool away; /* the feed says no */
    struct ids expected, fed;
    struct sg_journal *j;
};

static void check(bool so)
{
    if (!so)
        abort();
}

static void id_add(struct ids *ids, const uint8_t id[SG_JOURNAL_RECORD_ID])
{
    if (ids->count < MANY)
        memcpy(ids->list[ids->count], id, SG_JOURNAL_RECORD_ID);
    ids->count++;
}

static bool feed(void *ctx, const struct sg_journal_record *records, size_t count,
                 struct sg_error *err)
{
    struct run *r = ctx;
    if (r->away)
        return sg_fail(err, SG_E_DB_UNAVAILABLE, "the database is away");
    for (size_t i = 0; i < count; i++)
        id_add(&r->fed, records[i].id);
    return true;
}

static bool key_make(void *ctx, const char *binding, struct sg_secret *key_r,
                     struct sg_buf *wrapped_r, struct sg_error *err)
{
    (void)ctx, (void)binding, (void)err;
    *key_r = (struct sg_secret){.len = 32};
    return sg_buf_adds(wrapped_r, "wrapped");
}

static bool key_open(void *ctx, const char *binding, struct sg_bytes wrapped,
                     struct sg_secret *key_r, struct sg_error *err)
{
    (void)ctx, (void)binding, (void)wrapped, (void)err;
    *key_r = (struct sg_secret){.len = 32};
    return true;
}

static bool key_archive(void *ctx, const char *tenant, int64_t day, char id_r[32],
                        struct sg_secret *key_r, struct sg_error *err)
{
    (void)ctx, (void)tenant, (void)day, (void)err;
    snprintf(id_r, 32, "adk");
    *key_r = (struct sg_secret){.len = 32};
    return true;
}

/* The directory --------------------------------------------------------------------------------
 */

static void dir_clear(const struct run *r)
{
    DIR *dir = opendir(r->dir);
    check(dir != NULL);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.')
            unlinkat(r->dir_fd, e->d_name, 0);
    closedir(dir);
}

static void file_name(uint8_t kind, uint8_t number, char out[64])
{
    switch (kind % 4) {
    case 0:
        sg_journal_file_name(number, out);
        break;
    case 1:
        snprintf(out, 64, number < 128 ? "position" : "position.2");
        break;
    case 2:
        snprintf(out, 64, "%016u@%u.torn", number, number);
        break;
    default: /* what somebody else put there */
        snprintf(out, 64, "%017u.sgj", number);
    }
}

static void position_mend(uint8_t *data, size_t size)
{
    if (size != 28)
        return;
    journal_put(data + 8, 8, journal_get(data + 8, 8) % 256);
    journal_crc_mend(data, data + 24);
}

static void files_make(const struct run *r, const uint8_t *data, size_t size, bool mended)
{
    for (int i = 0; i < FILES && size >= 5; i++) {
        uint8_t kind = data[0], number = data[1];
        size_t room = 512u * data[2], len = (size_t)journal_get(data + 3, 2);
        char name[64];
        data += 5;
        size -= 5;
        len = len < size ? len : size;
        uint8_t *text = malloc(len + 1);
        check(text != NULL);
        memcpy(text, data, len);
        if (mended && kind % 4 == 1)
            position_mend(text, len);
        else if (mended)
            journal_mend(text, len);
        file_name(kind, number, name);
        int fd = openat(r->dir_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        check(fd >= 0 && write(fd, text, len) == (ssize_t)len &&
              ftruncate(fd, (off_t)(len + room)) == 0);
        close(fd);
        free(text);
        data += len;
        size -= len;
    }
}

/* What is to be fed -----------------------------------------------------------------------------
 */

struct reading {
    struct run *run;
    uint64_t number;
};

static bool on_segment(void *ctx, const struct sg_journal_segment *segment, struct sg_secret *key_r,
                       struct sg_error *err)
{
    const struct reading *reading = ctx;
    *key_r = (struct sg_secret){.len = 32};
    return segment->number == reading->number || sg_fail(err, SG_E_MALFORMED, "another's head");
}

static bool on_record(void *ctx, const struct sg_journal_entry *e, struct sg_error *err)
{
    (void)err;
    id_add(&((struct reading *)ctx)->run->expected, e->record.id);
    return true;
}

static uint64_t newest_of(const struct run *r)
{
    uint64_t n = 255;
    char name[SG_JOURNAL_FILE];
    do
        sg_journal_file_name(n, name);
    while (faccessat(r->dir_fd, name, F_OK, 0) != 0 && n-- > 0);
    return n;
}

/* Of those that are looked at one has the good head of another: it is not opened. */
static bool expect(struct run *r)
{
    uint64_t newest = newest_of(r);
    struct journal_position position;
    struct sg_error err = {0};
    check(journal_position_read(r->dir_fd, &position, &err));
    uint64_t number = position.place.number, offset = position.place.offset;
    bool found = position.found;
    for (uint64_t n = 0; n < 256; n++) {
        struct reading reading = {r, n};
        struct journal_head head;
        const struct sg_journal_reader reader = {&reading, on_segment, on_record, NULL, n < newest};
        char name[SG_JOURNAL_FILE], path[128];
        if (found && n < number)
            continue;
        sg_journal_file_name(n, name);
        int fd = openat(r->dir_fd, name, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        bool good = journal_head_read(fd, &head, &err);
        close(fd);
        snprintf(path, sizeof path, "%s/%s", r->dir, name);
        uint64_t from = good && found && n == number && offset > head.length ? offset : 0;
        if (good && head.number != n)
            return false;
        if (good)
            (void)!sg_journal_read_segment(path, from, &reader, &err);
    }
    return true;
}

/* Opens ----------------------------------------------------------------------------------------
 */

static bool begin(struct run *r)
{
    const struct sg_journal_options options = {.dir = r->dir,
                                               .node = "node-1",
                                               .segment_bytes = 1 << 20,
                                               .append_timeout_ms = 30000,
                                               .feed_interval_ms = 0,
                                               .feed_batch = 3,
                                               .feed = feed,
                                               .feed_ctx = r,
                                               .keys = {r, key_make, key_open, key_archive}};
    struct sg_error err = {0};
    return sg_journal_open(&options, &r->j, &err);
}

static void settle(struct run *r)
{
    struct sg_error err = {0};
    check(sg_journal_drain(r->j, 20000, &err));
    check(sg_journal_backlog(r->j) == 0);
}

static void go(struct run *r, bool away_at_first)
{
    struct sg_journal_record record = {.type = SG_JOURNAL_OUTCOME, .payload = sg_bytes_str("{}")};
    struct sg_error err = {0};
    if (!expect(r)) {
        check(!begin(r));
        return;
    }
    if (away_at_first) {
        r->away = true;
        check(begin(r));
        sg_journal_close(&r->j);
        check(r->fed.count == 0);
        r->away = false;
    }
    check(begin(r));
    settle(r);
    check(r->fed.count == r->expected.count);
    for (size_t i = 0; i < r->fed.count && i < MANY; i++)
        check(memcmp(r->fed.list[i], r->expected.list[i], SG_JOURNAL_RECORD_ID) == 0);
    check(sg_journal_append(r->j, &record, NULL, NULL, &err));
    settle(r);
    check(r->fed.count == r->expected.count + 1);
    sg_journal_close(&r->j);
    check(begin(r));
    settle(r);
    sg_journal_close(&r->j);
    check(r->fed.count == r->expected.count + 1);
}

static struct run run;

static void dir_end(void)
{
    rmdir(run.dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!run.dir[0]) {
        snprintf(run.dir, sizeof run.dir, "/dev/shm/sg-fuzz-XXXXXX");
        check(mkdtemp(run.dir) != NULL);
        run.dir_fd = open(run.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        check(run.dir_fd >= 0 && atexit(dir_end) == 0);
        sg_log_init("fuzz", SG_LOG_ERROR);
    }
    if (size == 0)
        return 0;
    run.expected.count = run.fed.count = 0;
    dir_clear(&run);
    files_make(&run, data + 1, size - 1, data[0] & MENDED);
    go(&run, data[0] & AWAY_AT_FIRST);
    dir_clear(&run);
    return 0;
}
