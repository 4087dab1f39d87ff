/* The file: read as a whole, written anew at each start, and mapped from then on. */
#include "crash/crash_internal.h"

#include "common/log.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char magic[8] = "SGCRASH1";

const char *const crash_kinds[SG_CRASH_KINDS + 1] = {
    "nothing", "outbound", "inbound", "bounce", "held", "notice", "request", "discovery", NULL};
const char *const crash_ids[SG_CRASH_KINDS] = {"",     "queue_id", "queue_id", "queue_id",
                                               "held", "notice",   "request",  "domain"};

static bool same(const struct crash_name *a, const struct crash_name *b)
{
    return a->kind == b->kind && strcmp(a->id, b->id) == 0;
}

struct crash_suspect *crash_table_find(struct crash_table *table, const struct crash_name *name)
{
    for (size_t i = 0; i < CRASH_SUSPECTS; i++)
        if (same(&table->suspects[i].name, name))
            return &table->suspects[i];
    return NULL;
}

void crash_table_forget(struct crash_suspect *suspect)
{
    *suspect = (struct crash_suspect){0};
}

/* Whoever crashes may have written anything. */
static bool is_sound(const struct crash_name *name)
{
    if (name->kind == SG_CRASH_NOTHING || name->kind >= SG_CRASH_KINDS || !name->id[0] ||
        name->id[sizeof name->id - 1])
        return false;
    for (const char *p = name->id; *p; p++)
        if (!isgraph((unsigned char)*p))
            return false;
    return true;
}

static void suspects_check(struct crash_table *t, sg_time now, sg_time keep)
{
    for (size_t i = 0; i < CRASH_SUSPECTS; i++) {
        struct crash_suspect *s = &t->suspects[i];
        if (s->at > now)
            s->at = now; /* the clock was set back */
        if (!is_sound(&s->name) || s->crashes == 0 || s->crashes > CRASH_MOST || now - s->at > keep)
            crash_table_forget(s);
    }
}

static struct crash_suspect *place(struct crash_table *t)
{
    struct crash_suspect *oldest = &t->suspects[0];
    for (size_t i = 0; i < CRASH_SUSPECTS; i++) {
        struct crash_suspect *s = &t->suspects[i];
        if (s->name.kind == SG_CRASH_NOTHING)
            return s;
        if (s->at < oldest->at)
            oldest = s;
    }
    return oldest;
}

static uint32_t suspect_add(struct crash_table *t, const struct crash_name *name, sg_time now)
{
    struct crash_suspect *s = crash_table_find(t, name);
    if (!s) {
        s = place(t);
        *s = (struct crash_suspect){.name = *name};
    }
    s->crashes += s->crashes < CRASH_MOST;
    s->at = now;
    return s->crashes;
}

static void found_take(struct crash_table *t, sg_time now)
{
    unsigned count = atomic_load(&t->found_count);
    t->crashes += count > 0; /* the process's, however many of its threads did */
    for (size_t i = 0; i < CRASH_FOUND; i++) {
        struct crash_found *f = &t->found[i];
        int number = atomic_load(&f->signal);
        bool named = is_sound(&f->name);
        if (number) {
            const char *word = sigabbrev_np(number);
            uint32_t crashes = named ? suspect_add(t, &f->name, now) : 0;
            sg_log(SG_LOG_ERROR, "crash.found", "signal", word ? word : sg_log_num(number),
                   "in_hand", crash_kinds[named ? f->name.kind : SG_CRASH_NOTHING],
                   named ? crash_ids[f->name.kind] : "id", named ? f->name.id : NULL, "crashes",
                   named ? sg_log_num(crashes) : NULL, NULL);
        }
        *f = (struct crash_found){0};
    }
    atomic_store(&t->found_count, 0);
}

/* false: there is none that can be used. */
static bool table_read(const char *path, struct crash_table *t)
{
    struct sg_error err = {0};
    size_t had = 0;
    ssize_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return false;
    while (fd >= 0 && had < sizeof *t && (n = read(fd, (char *)t + had, sizeof *t - had)) > 0)
        had += (size_t)n;
    bool failed = fd < 0 || n < 0;
    if (failed)
        sg_fail_errno(&err, SG_E_IO, "%s", path);
    if (fd >= 0)
        close(fd);
    if (!failed && had == sizeof *t && memcmp(t->magic, magic, sizeof magic) == 0)
        return true;
    if (!failed)
        sg_fail(&err, SG_E_MALFORMED, "%s", path);
    sg_log_error(SG_LOG_WARNING, "crash.not-read", &err, NULL);
    return false;
}

/* All of it has its room on the disk before it is mapped. */
static bool table_write(const char *path, const struct crash_table *t, int *fd_r,
                        struct sg_error *err)
{
    const char *octets = (const char *)t;
    size_t had = 0;
    ssize_t n = 1;
    *fd_r = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    while (*fd_r >= 0 && had < sizeof *t && (n = write(*fd_r, octets + had, sizeof *t - had)) > 0)
        had += (size_t)n;
    return had == sizeof *t || sg_fail_errno(err, SG_E_IO, "cannot write %s", path);
}

static bool table_map(const char *path, const struct crash_table *t, struct crash_table **table_r,
                      struct sg_error *err)
{
    char new[4096];
    int fd = -1;
    int n = snprintf(new, sizeof new, "%s.new", path);
    if (n < 0 || (size_t)n >= sizeof new)
        return sg_fail(err, SG_E_CONFIG, "the path %s is too long", path);
    bool ok = table_write(new, t, &fd, err);
    if (ok) {
        void *map = mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        ok = (map != MAP_FAILED && rename(new, path) == 0) ||
             sg_fail_errno(err, SG_E_IO, "cannot map %s", path);
        if (ok)
            *table_r = map;
        else if (map != MAP_FAILED)
            munmap(map, sizeof *t);
        if (ok)
            (void)!mlock(map, sizeof *t); /* a disk that fails later has no say */
    }
    if (fd >= 0)
        close(fd);
    return ok;
}

bool crash_table_open(const char *path, sg_time now, sg_time keep, struct crash_table **table_r,
                      struct sg_error *err)
{
    struct crash_table *t = calloc(1, sizeof *t);
    if (!t)
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    if (!table_read(path, t))
        *t = (struct crash_table){0};
    memcpy(t->magic, magic, sizeof magic);
    suspects_check(t, now, keep);
    found_take(t, now);
    bool ok = table_map(path, t, table_r, err);
    free(t);
    return ok;
}

void crash_table_close(struct crash_table **table)
{
    if (*table)
        munmap(*table, sizeof **table);
    *table = NULL;
}
