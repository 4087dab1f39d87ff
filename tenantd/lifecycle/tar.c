#include "lifecycle/tar.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define BLOCK 512
#define LEVEL 6

struct sg_tar {
    int fd;
    ZSTD_CCtx *zstd;
    EVP_MD_CTX *hash;
    int64_t in, out; /* bytes of the member; of the file */
    bool bad;
    char buffer[65536];
};

static void flush_out(struct sg_tar *t, size_t n)
{
    for (size_t at = 0; at < n && !t->bad;) {
        ssize_t wrote = write(t->fd, t->buffer + at, n - at);
        t->bad = wrote <= 0;
        at += wrote > 0 ? (size_t)wrote : 0;
    }
    t->out += (int64_t)n;
    t->bad |= EVP_DigestUpdate(t->hash, t->buffer, n) != 1;
}

static void compress(struct sg_tar *t, const void *data, size_t len, ZSTD_EndDirective how)
{
    ZSTD_inBuffer in = {data, len, 0};
    size_t left = 1;
    while (!t->bad && (in.pos < in.size || (how == ZSTD_e_end && left > 0))) {
        ZSTD_outBuffer out = {t->buffer, sizeof t->buffer, 0};
        left = ZSTD_compressStream2(t->zstd, &out, &in, how);
        t->bad |= ZSTD_isError(left) != 0;
        flush_out(t, out.pos);
    }
}

bool sg_tar_open(const char *path, struct sg_tar **tar_r, struct sg_error *err)
{
    struct sg_tar *t = calloc(1, sizeof *t);
    if (!t)
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    /* A file of its own: who was interrupted, or lost the job and writes on, has another. */
    unlink(path);
    t->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    /* The directory's group is that of apid, which gives it out; the umask knows nothing of that.
     */
    if (t->fd < 0 || fchmod(t->fd, 0640) != 0) {
        sg_fail_errno(err, SG_E_IO, "cannot write %s", path);
        if (t->fd >= 0)
            close(t->fd);
        free(t);
        return false;
    }
    t->zstd = ZSTD_createCCtx();
    t->hash = EVP_MD_CTX_new();
    t->bad = !t->zstd || !t->hash || EVP_DigestInit_ex(t->hash, EVP_sha256(), NULL) != 1 ||
             ZSTD_isError(ZSTD_CCtx_setParameter(t->zstd, ZSTD_c_compressionLevel, LEVEL));
    *tar_r = t;
    return true;
}

/* POSIX.1-1988, ustar: numbers in octal, the checksum over the header with blanks in its place. */
void sg_tar_member(struct sg_tar *t, const char *name, int64_t size, sg_time at)
{
    unsigned char h[BLOCK] = {0};
    unsigned sum = 0;
    snprintf((char *)h, 100, "%s", name);
    memcpy(h + 100, "0000644", 8);
    memcpy(h + 108, "0000000", 8);
    memcpy(h + 116, "0000000", 8);
    snprintf((char *)h + 124, 12, "%011llo", (unsigned long long)size);
    snprintf((char *)h + 136, 12, "%011llo", (unsigned long long)(at / SG_SECOND));
    memset(h + 148, ' ', 8);
    h[156] = '0';
    memcpy(h + 257, "ustar\00000", 8);
    for (size_t i = 0; i < BLOCK; i++)
        sum += h[i];
    snprintf((char *)h + 148, 8, "%06o", sum);
    t->bad |= size >= 1LL << 33; /* eleven octal digits */
    t->in = 0;
    compress(t, h, BLOCK, ZSTD_e_continue);
}

void sg_tar_write(struct sg_tar *t, struct sg_bytes data)
{
    t->in += (int64_t)data.len;
    compress(t, data.data, data.len, ZSTD_e_continue);
}

void sg_tar_member_end(struct sg_tar *t)
{
    static const char zeros[BLOCK];
    size_t over = (size_t)(t->in % BLOCK);
    if (over)
        compress(t, zeros, BLOCK - over, ZSTD_e_continue);
}

bool sg_tar_close(struct sg_tar **tar, int64_t *size_r, char sha256_r[65], struct sg_error *err)
{
    static const char zeros[2 * BLOCK];
    struct sg_tar *t = *tar;
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    *tar = NULL;
    if (!t->bad)
        compress(t, zeros, sizeof zeros, ZSTD_e_end);
    bool ok = !t->bad && EVP_DigestFinal_ex(t->hash, hash, &n) == 1 && fsync(t->fd) == 0;
    sg_hex_lower(hash, ok ? n : 0, sha256_r);
    *size_r = t->out;
    close(t->fd);
    ZSTD_freeCCtx(t->zstd);
    EVP_MD_CTX_free(t->hash);
    free(t);
    return ok || sg_fail(err, SG_E_IO, "the export could not be written");
}
