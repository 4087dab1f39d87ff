/* The files that couriers left (helper/protocol.h), and those that they still write. */
#include "courier/courier_internal.h"

#include "common/buf.h"
#include "common/log.h"
#include "courierhelper/protocol.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES (64u << 20) /* of one; more has none */
#define SUFFIX     ".kept"

static int hex(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void fate_set(struct courier_kept *k, const uint8_t *id, enum sg_courier_fate fate)
{
    for (size_t i = 0; i < k->count; i++) {
        if (memcmp(k->list[i].id, id, SG_COURIER_ID) != 0)
            continue;
        if (k->list[i].fate != SG_COURIER_TAKEN) /* one that was taken stays so */
            k->list[i].fate = fate;
        return;
    }
    if (k->count == k->cap) {
        k->cap = k->cap ? 2 * k->cap : 64;
        k->list = realloc(k->list, k->cap * sizeof *k->list);
        if (!k->list)
            abort();
    }
    memcpy(k->list[k->count].id, id, SG_COURIER_ID);
    k->list[k->count++].fate = fate;
}

static bool line_parse(struct courier_kept *k, struct sg_bytes line)
{
    static const struct {
        const char *word;
        enum sg_courier_fate fate;
    } words[] = {
        {"hand ", SG_COURIER_PENDING}, {"taken ", SG_COURIER_TAKEN}, {"not ", SG_COURIER_UNKNOWN}};
    uint8_t id[SG_COURIER_ID];
    if (sg_bytes_equal(line, sg_bytes_str("listed"))) {
        k->listed = true;
        return true;
    }
    for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
        size_t n = strlen(words[w].word);
        if (!sg_bytes_starts(line, words[w].word) || line.len != n + 2 * SG_COURIER_ID)
            continue;
        for (size_t i = 0; i < SG_COURIER_ID; i++) {
            int high = hex(line.data[n + 2 * i]), low = hex(line.data[n + 2 * i + 1]);
            if (high < 0 || low < 0)
                return false;
            id[i] = (uint8_t)(high << 4 | low);
        }
        fate_set(k, id, words[w].fate);
        return true;
    }
    return false;
}

void courier_kept_parse(struct courier_kept *kept, struct sg_bytes text)
{
    kept->listed = false;
    for (bool first = true;; first = false) {
        const uint8_t *end = text.len ? memchr(text.data, '\n', text.len) : NULL;
        if (!end)
            return;
        struct sg_bytes line = sg_bytes_of(text.data, (size_t)(end - text.data));
        if (first ? !sg_bytes_equal(line, sg_bytes_str(COURIER_FIRST_LINE))
                  : !line_parse(kept, line))
            return;
        text = sg_bytes_slice(text, line.len + 1, text.len);
    }
}

void courier_kept_free(struct courier_kept *kept)
{
    free(kept->list);
    *kept = (struct courier_kept){0};
}

static bool read_all(int fd, struct sg_buf *out)
{
    uint8_t block[16384];
    ssize_t n;
    sg_buf_init(out, FILE_BYTES);
    while ((n = read(fd, block, sizeof block)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0 && !sg_buf_add(out, block, (size_t)n))
            return false;
    return n == 0;
}

/* What one file says, with what the others do: taken counts most, then what is waited for. What a
 * dead courier waited for nobody will hear any more. */
static void join(struct courier_kept *all, const struct courier_kept *one, bool dead)
{
    for (size_t i = 0; i < one->count; i++) {
        const struct courier_fate *f = &one->list[i];
        bool heard = f->fate == SG_COURIER_TAKEN || (f->fate == SG_COURIER_PENDING && !dead);
        if (heard)
            fate_set(all, f->id, f->fate);
    }
}

static bool old(int fd, int64_t keep_ms)
{
    struct stat s;
    return keep_ms && fstat(fd, &s) == 0 &&
           time(NULL) - s.st_mtim.tv_sec > (time_t)(keep_ms / 1000);
}

/* false: it may say something that is not known now. */
static bool file_load(struct courier_kept *k, int dir_fd, const char *name, int64_t keep_ms,
                      bool *living, bool *listed)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT || errno == ELOOP;
    SG_AUTO_BUF text = {0};
    struct courier_kept one = {0};
    bool dead = flock(fd, LOCK_EX | LOCK_NB) == 0; /* before it is read: then that is all of it */
    bool whole = read_all(fd, &text);
    if (whole) {
        courier_kept_parse(&one, sg_buf_bytes(&text));
    } else {
        courier_fault(COURIER_NOT_READ);
        sg_log(SG_LOG_WARNING, "courier.not-read", "file", name, NULL);
    }
    join(k, &one, dead);
    if (!dead) {
        *living = true;
        *listed = *listed && one.listed;
    } else if (keep_ms && ((whole && one.count == 0) || old(fd, keep_ms))) {
        unlinkat(dir_fd, name, 0);
    }
    courier_kept_free(&one);
    close(fd);
    return true;
}

static bool is_ours(const char *name, const char *but)
{
    size_t n = strlen(name);
    return n > strlen(SUFFIX) && strcmp(name + n - strlen(SUFFIX), SUFFIX) == 0 &&
           !(but && strcmp(name, but) == 0);
}

static bool dir_load(struct courier_kept *k, int dir_fd, const char *but, int64_t keep_ms,
                     bool *living, bool *listed)
{
    bool ok = true;
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    for (struct dirent *e; ok && (e = readdir(dir)) != NULL;)
        ok = !is_ours(e->d_name, but) || file_load(k, dir_fd, e->d_name, keep_ms, living, listed);
    closedir(dir);
    return ok;
}

void courier_kept_load(struct courier_kept *kept, int dir_fd, const char *but, int64_t keep_ms,
                       bool *living_r, bool *listed_r)
{
    struct courier_kept all = {0};
    *living_r = false;
    *listed_r = true;
    if (!dir_load(&all, dir_fd, but, keep_ms, living_r, listed_r)) {
        courier_fault(COURIER_NOT_READ);
        sg_log(SG_LOG_WARNING, "courier.not-read", NULL);
        courier_kept_free(&all);
        *living_r = true;
        *listed_r = false;
        return;
    }
    courier_kept_free(kept);
    *kept = all;
}
