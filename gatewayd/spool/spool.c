#include "spool/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define COPY_BYTES 65536

/*
 * The bytes [0, in_file) are in the file, [in_file, in_file + used) in the buffer, which never
 * grows beyond limits.memory_bytes: a message that fits touches no file, and a longer one goes to
 * it in large pieces.
 */
struct sg_spool {
    struct sg_spool_limits limits;
    uint8_t *buffer;
    size_t used, cap;
    uint64_t in_file;
    int fd;      /* -1 while there is no file */
    bool failed; /* a write did not get through: what is here is not the message */
};

struct sg_spool *sg_spool_new(const struct sg_spool_limits *limits)
{
    struct sg_spool *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->limits = *limits;
    s->fd = -1;
    return s;
}

void sg_spool_free(struct sg_spool **spool)
{
    struct sg_spool *s = *spool;
    if (!s)
        return;
    if (s->buffer)
        OPENSSL_cleanse(s->buffer, s->cap);
    free(s->buffer);
    if (s->fd >= 0)
        close(s->fd);
    free(s);
    *spool = NULL;
}

/* A file without a name. Not every file system has O_TMPFILE. */
static bool open_file(struct sg_spool *s, struct sg_error *err)
{
    const char *dir = s->limits.dir;
    if (!dir || !*dir)
        return sg_fail(err, SG_E_CONFIG, "no directory for spool files");
    s->fd = open(dir, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
    if (s->fd >= 0)
        return true;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
        return sg_fail_errno(err, SG_E_IO, "spool file in %s", dir);
    char path[4096];
    if (snprintf(path, sizeof path, "%s/spool-XXXXXX", dir) >= (int)sizeof path)
        return sg_fail(err, SG_E_CONFIG, "spool directory path too long");
    s->fd = mkostemp(path, O_CLOEXEC);
    if (s->fd < 0)
        return sg_fail_errno(err, SG_E_IO, "spool file in %s", dir);
    unlink(path);
    return true;
}

static bool append_to_file(struct sg_spool *s, const uint8_t *data, size_t len,
                           struct sg_error *err)
{
    if (s->fd < 0 && !open_file(s, err))
        return false;
    while (len) {
        ssize_t n = pwrite(s->fd, data, len, (off_t)s->in_file);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return sg_fail_errno(err, SG_E_IO, "spool file");
        s->in_file += (uint64_t)n;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* Makes room for len more bytes, which fit into the limit. The old copy is wiped, not left to the
 * heap. */
static void grow(struct sg_spool *s, size_t len)
{
    size_t need = s->used + len;
    if (need <= s->cap)
        return;
    size_t cap = s->cap ? s->cap : 4096;
    while (cap < need)
        cap *= 2;
    if (cap > s->limits.memory_bytes)
        cap = s->limits.memory_bytes;
    uint8_t *buffer = malloc(cap);
    if (!buffer)
        abort();
    if (s->buffer) {
        memcpy(buffer, s->buffer, s->used);
        OPENSSL_cleanse(s->buffer, s->cap);
        free(s->buffer);
    }
    s->buffer = buffer;
    s->cap = cap;
}

static bool write_some(struct sg_spool *s, const void *data, size_t len, struct sg_error *err)
{
    if (len > s->limits.memory_bytes - s->used) {
        if (s->used && !append_to_file(s, s->buffer, s->used, err))
            return false;
        s->used = 0;
        if (len >= s->limits.memory_bytes)
            return append_to_file(s, data, len, err);
    }
    grow(s, len);
    memcpy(s->buffer + s->used, data, len);
    s->used += len;
    return true;
}

bool sg_spool_write(struct sg_spool *spool, const void *data, size_t len, struct sg_error *err)
{
    struct sg_spool *s = spool;
    if (s->failed)
        return sg_fail(err, SG_E_IO, "the spool failed before");
    if (len == 0)
        return true;
    uint64_t size = sg_spool_size(s);
    if (len > s->limits.max_bytes || size > s->limits.max_bytes - len) {
        s->failed = true;
        return sg_fail(err, SG_E_LIMIT, "message longer than %llu bytes",
                       (unsigned long long)s->limits.max_bytes);
    }
    if (!write_some(s, data, len, err)) {
        s->failed = true;
        return false;
    }
    return true;
}

uint64_t sg_spool_size(const struct sg_spool *spool)
{
    return spool->in_file + spool->used;
}

bool sg_spool_read(const struct sg_spool *spool, uint64_t offset, void *data, size_t len,
                   size_t *n_r, struct sg_error *err)
{
    const struct sg_spool *s = spool;
    uint64_t size = sg_spool_size(s);
    uint8_t *out = data;
    *n_r = 0;
    if (offset >= size)
        return true;
    if (len > size - offset)
        len = (size_t)(size - offset);
    size_t done = 0;
    while (done < len && offset + done < s->in_file) {
        uint64_t left = s->in_file - (offset + done);
        size_t want = len - done < left ? len - done : (size_t)left;
        ssize_t n = pread(s->fd, out + done, want, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return sg_fail_errno(err, SG_E_IO, "spool file");
        if (n == 0)
            return sg_fail(err, SG_E_IO, "spool file is shorter than what was written");
        done += (size_t)n;
    }
    if (done < len)
        memcpy(out + done, s->buffer + (offset + done - s->in_file), len - done);
    *n_r = len;
    return true;
}

static bool spool_sink_write(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    return sg_spool_write(ctx, data, len, err);
}

struct sg_sink sg_spool_sink(struct sg_spool *spool)
{
    return (struct sg_sink){spool_sink_write, spool};
}

bool sg_spool_copy(const struct sg_spool *spool, uint64_t offset, uint64_t len,
                   const struct sg_sink *sink, struct sg_error *err)
{
    uint8_t *block = malloc(COPY_BYTES);
    if (!block)
        abort();
    bool ok = true;
    while (ok && len) {
        size_t n;
        ok = sg_spool_read(spool, offset, block, len < COPY_BYTES ? (size_t)len : COPY_BYTES, &n,
                           err);
        if (!ok || n == 0)
            break;
        ok = sg_sink_write(sink, block, n, err);
        offset += n;
        len -= n;
    }
    OPENSSL_cleanse(block, COPY_BYTES);
    free(block);
    return ok;
}
