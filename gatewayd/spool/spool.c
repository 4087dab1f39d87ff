#include "spool/spool.h"

#include "common/random.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COPY_BYTES   65536
#define PROBE_BYTES  ((size_t)1 << 20)
#define KEY_BYTES    32
#define CIPHER_BLOCK 16
#define CRYPT_BYTES  16384 /* in one go, on the stack */

#define SHARE_STEP ((size_t)128 << 10)

static struct {
    atomic_size_t all, each, taken;
} share;

/*
 * What is in memory lies in blocks, so that a message that grows is never copied: they begin at 0,
 * 4 KiB, 16 KiB, 64 KiB and every 128 KiB from there, and a small message takes little.
 */
#define BLOCK_STEP  ((size_t)128 << 10)
#define SMALL_STEPS 3 /* blocks that end below the first whole step */

static size_t block_start(size_t i)
{
    return i == 0 ? 0 : i <= SMALL_STEPS ? (size_t)1024 << 2 * i : (i - SMALL_STEPS) * BLOCK_STEP;
}

static size_t block_size(size_t i)
{
    return block_start(i + 1) - block_start(i);
}

static size_t block_of(size_t at)
{
    size_t i = 0;
    while (i < SMALL_STEPS && at >= block_start(i + 1))
        i++;
    return i < SMALL_STEPS ? i : SMALL_STEPS + at / BLOCK_STEP;
}

/*
 * The bytes [0, in_file) are in the file, [in_file, in_file + used) in the blocks, which never
 * hold more than limits.memory_bytes and what it has of the share: a message that fits touches no
 * file, and a longer one goes to it in large pieces and gives its share back.
 */
struct sg_spool {
    struct sg_spool_limits limits;
    uint8_t **blocks;
    size_t block_count, used;
    size_t dirty;             /* of the blocks: what was ever written, and is to be wiped */
    size_t shared;            /* what of the share it has taken */
    struct sg_spool_sum *sum; /* NULL: it counts nowhere */
    uint64_t counted;         /* what of the sum is its own */
    uint64_t in_file;
    int fd; /* -1 while there is no file */
    uint8_t
        key[KEY_BYTES]; /* of the file, in this process alone: what was unlinked is not erased */
    bool failed;        /* a write did not get through: what is here is not the message */
};

void sg_spool_share(size_t all_bytes, size_t each_bytes)
{
    atomic_store(&share.all, all_bytes);
    atomic_store(&share.each, each_bytes);
}

size_t sg_spool_shared_now(void)
{
    return atomic_load(&share.taken);
}

static size_t room(const struct sg_spool *s)
{
    return s->limits.memory_bytes + s->shared;
}

/* Room for need bytes in all; false: the share has no more, or not for one. */
static bool share_take(struct sg_spool *s, size_t need)
{
    if (need <= s->limits.memory_bytes)
        return true;
    size_t wanted = (need - s->limits.memory_bytes + SHARE_STEP - 1) / SHARE_STEP * SHARE_STEP;
    if (wanted <= s->shared)
        return true;
    size_t more = wanted - s->shared, taken = atomic_load(&share.taken);
    if (wanted > atomic_load(&share.each))
        return false;
    do {
        size_t all = atomic_load(&share.all);
        if (taken > all || more > all - taken)
            return false;
    } while (!atomic_compare_exchange_weak(&share.taken, &taken, taken + more));
    s->shared = wanted;
    return true;
}

static void share_give(struct sg_spool *s)
{
    atomic_fetch_sub(&share.taken, s->shared);
    s->shared = 0;
}

static bool sum_take(struct sg_spool *s, size_t len)
{
    struct sg_spool_sum *sum = s->sum;
    if (!sum)
        return true;
    if (sum->bytes > sum->max_bytes || len > sum->max_bytes - sum->bytes)
        return false;
    sum->bytes += len;
    s->counted += len;
    return true;
}

static void sum_give(struct sg_spool *s)
{
    if (s->sum)
        s->sum->bytes -= s->counted;
    s->counted = 0;
}

void sg_spool_count(struct sg_spool *spool, struct sg_spool_sum *sum)
{
    spool->sum = sum;
}

struct sg_spool *sg_spool_new(const struct sg_spool_limits *limits)
{
    struct sg_spool *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->limits = *limits;
    s->fd = -1;
    return s;
}

/* Wipes and frees the blocks that begin at keep or behind it. */
static void blocks_drop(struct sg_spool *s, size_t keep)
{
    while (s->block_count && block_start(s->block_count - 1) >= keep) {
        size_t start = block_start(--s->block_count), size = block_size(s->block_count);
        uint8_t *block = s->blocks[s->block_count];
        if (s->dirty > start)
            explicit_bzero(block, s->dirty - start < size ? s->dirty - start : size);
        free(block);
        s->dirty = s->dirty < start ? s->dirty : start;
    }
}

void sg_spool_free(struct sg_spool **spool)
{
    struct sg_spool *s = *spool;
    if (!s)
        return;
    blocks_drop(s, 0);
    free(s->blocks);
    if (s->fd >= 0)
        close(s->fd);
    share_give(s);
    sum_give(s);
    explicit_bzero(s->key, sizeof s->key);
    free(s);
    *spool = NULL;
}

/*
 * AES-256 in counter mode, the counter by the place in the file: any piece is read without the ones
 * before it, each octet of the file is written once, and two directions are one. What could change
 * the file could read this process too, so it carries no tags.
 */
static EVP_CIPHER_CTX *cipher_at(const struct sg_spool *s, uint64_t at)
{
    uint8_t counter[CIPHER_BLOCK] = {0}, skipped[CIPHER_BLOCK] = {0};
    for (size_t i = 0; i < sizeof at; i++)
        counter[CIPHER_BLOCK - 1 - i] = (uint8_t)(at / CIPHER_BLOCK >> 8 * i);
    int n, within = (int)(at % CIPHER_BLOCK);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx && EVP_EncryptInit_ex2(ctx, EVP_aes_256_ctr(), s->key, counter, NULL) == 1 &&
        (within == 0 || EVP_EncryptUpdate(ctx, skipped, &n, skipped, within) == 1))
        return ctx;
    EVP_CIPHER_CTX_free(ctx);
    return NULL;
}

/* A file without a name. Not every file system has O_TMPFILE. */
static bool open_file(struct sg_spool *s, struct sg_error *err)
{
    const char *dir = s->limits.dir;
    sg_random(s->key, sizeof s->key);
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

static bool write_at_end(struct sg_spool *s, const uint8_t *data, size_t len, struct sg_error *err)
{
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

static bool append_to_file(struct sg_spool *s, const uint8_t *data, size_t len,
                           struct sg_error *err)
{
    if (s->fd < 0 && !open_file(s, err))
        return false;
    EVP_CIPHER_CTX *ctx = cipher_at(s, s->in_file);
    bool ok = ctx || sg_fail_openssl(err, SG_E_CRYPTO, "spool file");
    while (ok && len) {
        uint8_t block[CRYPT_BYTES];
        int n = (int)(len < sizeof block ? len : sizeof block);
        ok = EVP_EncryptUpdate(ctx, block, &n, data, n) == 1 ||
             sg_fail_openssl(err, SG_E_CRYPTO, "spool file");
        ok = ok && write_at_end(s, block, (size_t)n, err);
        data += n;
        len -= (size_t)n;
    }
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

bool sg_spool_probe(const struct sg_spool_limits *limits, struct sg_error *err)
{
    static const uint8_t zeros[COPY_BYTES];
    SG_AUTO_SPOOL spool = sg_spool_new(limits);
    bool ok = true;
    while (ok && spool->in_file < PROBE_BYTES)
        ok = append_to_file(spool, zeros, sizeof zeros, err);
    return ok;
}

/* What of the blocks lies in one piece from at on, at most len. */
static struct sg_bytes piece_at(const struct sg_spool *s, size_t at, size_t len)
{
    size_t i = block_of(at), within = at - block_start(i), left = block_size(i) - within;
    return sg_bytes_of(s->blocks[i] + within, len < left ? len : left);
}

static void block_add(struct sg_spool *s)
{
    uint8_t **blocks = realloc(s->blocks, (s->block_count + 1) * sizeof *blocks);
    uint8_t *block = malloc(block_size(s->block_count));
    if (!blocks || !block)
        abort();
    s->blocks = blocks;
    s->blocks[s->block_count++] = block;
}

/* Behind what is there; it fits into the room. */
static void keep(struct sg_spool *s, const uint8_t *data, size_t len)
{
    while (len) {
        if (block_of(s->used) == s->block_count)
            block_add(s);
        struct sg_bytes piece = piece_at(s, s->used, len);
        memcpy((uint8_t *)piece.data, data, piece.len);
        s->used += piece.len;
        data += piece.len;
        len -= piece.len;
    }
    if (s->dirty < s->used)
        s->dirty = s->used;
}

/* What the blocks hold goes to the file, and the share back to the others. */
static bool spill(struct sg_spool *s, struct sg_error *err)
{
    for (size_t at = 0; at < s->used;) {
        struct sg_bytes piece = piece_at(s, at, s->used - at);
        if (!append_to_file(s, piece.data, piece.len, err))
            return false;
        at += piece.len;
    }
    s->used = 0;
    blocks_drop(s, s->limits.memory_bytes);
    share_give(s);
    return true;
}

static bool write_some(struct sg_spool *s, const void *data, size_t len, struct sg_error *err)
{
    bool fits = len <= room(s) - s->used ||
                (s->in_file == 0 && len <= SIZE_MAX / 2 && share_take(s, s->used + len));
    if (!fits) {
        if (!spill(s, err))
            return false;
        if (len >= s->limits.memory_bytes)
            return append_to_file(s, data, len, err);
    }
    keep(s, data, len);
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
    if (!sum_take(s, len)) {
        s->failed = true;
        return sg_fail(err, SG_E_LIMIT, "what is taken out of the message has more than %llu bytes",
                       (unsigned long long)s->sum->max_bytes);
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

static bool read_file(const struct sg_spool *s, uint64_t offset, uint8_t *out, size_t len,
                      struct sg_error *err)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pread(s->fd, out + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return sg_fail_errno(err, SG_E_IO, "spool file");
        if (n == 0)
            return sg_fail(err, SG_E_IO, "spool file is shorter than what was written");
        done += (size_t)n;
    }
    EVP_CIPHER_CTX *ctx = cipher_at(s, offset);
    bool ok = ctx != NULL;
    for (int n; ok && len; out += n, len -= (size_t)n) {
        n = len < COPY_BYTES ? (int)len : COPY_BYTES;
        ok = EVP_EncryptUpdate(ctx, out, &n, out, n) == 1;
    }
    EVP_CIPHER_CTX_free(ctx);
    return ok || sg_fail_openssl(err, SG_E_CRYPTO, "spool file");
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
    if (offset < s->in_file) {
        done = len < s->in_file - offset ? len : (size_t)(s->in_file - offset);
        if (!read_file(s, offset, out, done, err))
            return false;
    }
    while (done < len) {
        struct sg_bytes piece = piece_at(s, (size_t)(offset + done - s->in_file), len - done);
        memcpy(out + done, piece.data, piece.len);
        done += piece.len;
    }
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

/* What is in memory goes on from where it is. */
static bool copy_memory(const struct sg_spool *s, uint64_t offset, uint64_t len,
                        const struct sg_sink *sink, struct sg_error *err)
{
    uint64_t at = offset - s->in_file;
    if (at >= s->used)
        return true;
    size_t left = len < s->used - at ? (size_t)len : (size_t)(s->used - at);
    while (left) {
        struct sg_bytes piece = piece_at(s, (size_t)at, left < COPY_BYTES ? left : COPY_BYTES);
        if (!sg_sink_write(sink, piece.data, piece.len, err))
            return false;
        at += piece.len;
        left -= piece.len;
    }
    return true;
}

static bool copy_file(const struct sg_spool *s, uint64_t *offset, uint64_t *len,
                      const struct sg_sink *sink, struct sg_error *err)
{
    uint8_t *block = malloc(COPY_BYTES);
    if (!block)
        abort();
    bool ok = true;
    while (ok && *len && *offset < s->in_file) {
        uint64_t left = s->in_file - *offset < *len ? s->in_file - *offset : *len;
        size_t n;
        ok = sg_spool_read(s, *offset, block, left < COPY_BYTES ? (size_t)left : COPY_BYTES, &n,
                           err) &&
             sg_sink_write(sink, block, n, err);
        *offset += ok ? n : 0;
        *len -= ok ? n : 0;
    }
    explicit_bzero(block, COPY_BYTES);
    free(block);
    return ok;
}

bool sg_spool_copy(const struct sg_spool *spool, uint64_t offset, uint64_t len,
                   const struct sg_sink *sink, struct sg_error *err)
{
    return (offset >= spool->in_file || copy_file(spool, &offset, &len, sink, err)) &&
           (offset < spool->in_file || copy_memory(spool, offset, len, sink, err));
}
