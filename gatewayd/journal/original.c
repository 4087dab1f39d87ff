#include "journal/original.h"

#include "spool/aead.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/sysinfo.h>
#include <zstd.h>

/* What is encoded or sealed, most of what is large, gets no smaller by a higher level or a larger
 * window, and text hardly does. */
#define LEVEL      1
#define WINDOW     18 /* log2 of octets */
#define BLOCK      (128u << 10)
#define WINDOW_MAX 23 /* of the most memory that opening takes: older segments used up to 21 */
#define POOL_MAX   64

/* Contexts are kept, since making one costs as much as compressing a small mail; and there are no
 * more than processors, which bounds what they take, about 1 MiB each. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t freed;
    ZSTD_CCtx *kept[POOL_MAX];
    size_t kept_count, in_use;
} pool = {.mutex = PTHREAD_MUTEX_INITIALIZER, .freed = PTHREAD_COND_INITIALIZER};

static size_t pool_size;
static pthread_once_t pool_once = PTHREAD_ONCE_INIT;

/* Once: the number of processors is read from files. */
static void pool_measure(void)
{
    int processors = get_nprocs();
    pool_size = processors < 2 ? 2 : processors > POOL_MAX ? POOL_MAX : (size_t)processors;
}

static ZSTD_CCtx *context_take(void)
{
    ZSTD_CCtx *ctx = NULL;
    pthread_once(&pool_once, pool_measure);
    pthread_mutex_lock(&pool.mutex);
    while (pool.in_use >= pool_size)
        pthread_cond_wait(&pool.freed, &pool.mutex);
    pool.in_use++;
    if (pool.kept_count)
        ctx = pool.kept[--pool.kept_count];
    pthread_mutex_unlock(&pool.mutex);
    if (!ctx && !(ctx = ZSTD_createCCtx()))
        abort();
    return ctx;
}

static void context_give(ZSTD_CCtx *ctx)
{
    ZSTD_CCtx_reset(ctx, ZSTD_reset_session_only);
    pthread_mutex_lock(&pool.mutex);
    pool.in_use--;
    pool.kept[pool.kept_count++] = ctx;
    pthread_cond_signal(&pool.freed);
    pthread_mutex_unlock(&pool.mutex);
}

static bool fail_zstd(size_t rc, struct sg_error *err)
{
    return sg_fail(err, SG_E_INTERNAL, "zstd: %s", ZSTD_getErrorName(rc));
}

struct sealer {
    const struct sg_secret *key;
    const uint8_t *id;
    const struct sg_sink *out;
    uint32_t chunks;
    struct sg_buf sealed;
};

static bool chunk_seal(struct sealer *s, struct sg_bytes plain, bool last, struct sg_error *err)
{
    uint8_t aad[JOURNAL_CHUNK_AAD], head[JOURNAL_PIECE_HEAD];
    journal_chunk_aad(s->id, s->chunks++, last, aad);
    sg_buf_clear(&s->sealed);
    if (!sg_aead_seal(s->key, sg_bytes_of(aad, sizeof aad), plain, &s->sealed, err))
        return false;
    journal_piece_encode(sg_buf_bytes(&s->sealed), head);
    return sg_sink_write(s->out, head, sizeof head, err) &&
           sg_sink_write(s->out, s->sealed.data, s->sealed.len, err);
}

/* Both buffers are as large as the message needs, at most a block and a chunk. */
static bool compress_all(ZSTD_CCtx *ctx, const struct sg_spool *original, struct sealer *s,
                         uint8_t *block, size_t block_size, ZSTD_outBuffer *out,
                         struct sg_error *err)
{
    uint64_t at = 0, size = sg_spool_size(original);
    ZSTD_inBuffer in = {block, 0, 0};
    for (;;) {
        if (in.pos == in.size && at < size) {
            size_t n;
            if (!sg_spool_read(original, at, block, block_size, &n, err))
                return false;
            if (n == 0)
                return sg_fail(err, SG_E_IO, "the original ends early");
            at += n;
            in = (ZSTD_inBuffer){block, n, 0};
        }
        bool end = at == size;
        size_t rc = ZSTD_compressStream2(ctx, out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(rc))
            return fail_zstd(rc, err);
        struct sg_bytes chunk = sg_bytes_of(out->dst, out->pos);
        if (end && rc == 0)
            return chunk_seal(s, chunk, true, err);
        if (out->pos == out->size) {
            if (!chunk_seal(s, chunk, false, err))
                return false;
            out->pos = 0;
        }
    }
}

bool journal_original_seal(const struct sg_spool *original, const struct sg_secret *key,
                           const uint8_t id[SG_JOURNAL_RECORD_ID], const struct sg_sink *out,
                           struct sg_error *err)
{
    uint64_t size = sg_spool_size(original);
    size_t block_size = size < BLOCK ? (size_t)size + 1 : BLOCK;
    size_t bound = size < JOURNAL_CHUNK ? ZSTD_compressBound((size_t)size) : JOURNAL_CHUNK;
    size_t chunk_size = bound < JOURNAL_CHUNK ? bound : JOURNAL_CHUNK;
    struct sealer s = {.key = key, .id = id, .out = out};
    uint8_t *block = malloc(block_size), *chunk = malloc(chunk_size);
    ZSTD_CCtx *ctx = context_take();
    bool ok = false;
    if (!block || !chunk) {
        sg_fail(err, SG_E_NO_MEMORY, "no memory to compress an original");
        goto out;
    }
    /* The known size lets zstd take no more memory than a small message needs. */
    ZSTD_CCtx_setParameter(ctx, ZSTD_c_compressionLevel, LEVEL);
    ZSTD_CCtx_setParameter(ctx, ZSTD_c_windowLog, WINDOW);
    ZSTD_CCtx_setPledgedSrcSize(ctx, size);
    ZSTD_outBuffer buffer = {chunk, chunk_size, 0};
    ok = compress_all(ctx, original, &s, block, block_size, &buffer, err);
out:
    context_give(ctx);
    free(chunk);
    free(block);
    sg_buf_free(&s.sealed);
    return ok;
}

/* Opens the piece at *at of the frame into plain and moves *at behind it. */
static bool chunk_open(struct journal_cursor *c, const struct sg_secret *key, uint64_t *at,
                       uint32_t n, struct sg_buf *sealed, struct sg_buf *plain,
                       struct sg_error *err)
{
    uint64_t end = c->frame.offset + c->frame.length;
    uint8_t aad[JOURNAL_CHUNK_AAD];
    bool good;
    if (!journal_piece_read(c, at, end, JOURNAL_CHUNK + SG_AEAD_OVERHEAD, sealed, &good, err))
        return false;
    if (!good)
        return sg_fail(err, SG_E_MALFORMED, "chunk %u of the original is damaged", n);
    journal_chunk_aad(c->frame.id, n, *at == end, aad);
    sg_buf_clear(plain);
    return sg_aead_open(key, sg_bytes_of(aad, sizeof aad), sg_buf_bytes(sealed), plain, err);
}

/* *rc_r is 0 when the zstd frame is complete. */
static bool decompress(ZSTD_DCtx *ctx, struct sg_bytes plain, const struct sg_sink *out,
                       size_t *rc_r, struct sg_error *err)
{
    uint8_t block[64u << 10];
    ZSTD_inBuffer in = {plain.data, plain.len, 0};
    ZSTD_outBuffer o;
    do {
        if (*rc_r == 0)
            return sg_fail(err, SG_E_MALFORMED, "octets behind the end of the original");
        o = (ZSTD_outBuffer){block, sizeof block, 0};
        *rc_r = ZSTD_decompressStream(ctx, &o, &in);
        if (ZSTD_isError(*rc_r))
            return sg_fail(err, SG_E_MALFORMED, "zstd: %s", ZSTD_getErrorName(*rc_r));
        if (o.pos && !sg_sink_write(out, block, o.pos, err))
            return false;
    } while (in.pos < in.size || (o.pos == o.size && *rc_r != 0));
    return true;
}

bool journal_original_open(struct journal_cursor *c, const struct sg_secret *key,
                           const struct sg_sink *out, struct sg_error *err)
{
    uint64_t at = c->originals, end = c->frame.offset + c->frame.length;
    if (!c->frame.original)
        return sg_fail(err, SG_E_NOT_FOUND, "the record has no original");
    ZSTD_DCtx *ctx = ZSTD_createDCtx();
    if (!ctx)
        return sg_fail(err, SG_E_NO_MEMORY, "no memory to open an original");
    ZSTD_DCtx_setParameter(ctx, ZSTD_d_windowLogMax, WINDOW_MAX);
    SG_AUTO_BUF sealed, plain;
    sg_buf_init(&sealed, 0);
    sg_buf_init(&plain, 0);
    bool ok = true;
    size_t rc = 1;
    for (uint32_t n = 0; ok && at < end; n++)
        ok = chunk_open(c, key, &at, n, &sealed, &plain, err) &&
             decompress(ctx, sg_buf_bytes(&plain), out, &rc, err);
    if (ok && rc != 0)
        ok = sg_fail(err, SG_E_MALFORMED, "the original ends early");
    ZSTD_freeDCtx(ctx);
    return ok;
}
