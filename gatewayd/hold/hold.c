#include "hold/hold.h"

#include "spool/aead.h"

#include <stdio.h>
#include <stdlib.h>

#define PLAIN_CHUNK (SG_HELD_CHUNK_MAX - SG_AEAD_OVERHEAD)

static uint64_t content_size(const struct sg_hold_content *c)
{
    return c->head.len + c->len;
}

/* Reads up to len bytes at an offset of head and body together. */
static bool content_read(const struct sg_hold_content *c, uint64_t at, uint8_t *out, size_t len,
                         size_t *n_r, struct sg_error *err)
{
    size_t done = 0;
    if (at < c->head.len) {
        struct sg_bytes part = sg_bytes_slice(c->head, (size_t)at, len);
        memcpy(out, part.data, part.len);
        done = part.len;
    }
    uint64_t from = at + done - c->head.len;
    if (done < len && from < c->len) {
        size_t want = len - done, n;
        if (want > c->len - from)
            want = (size_t)(c->len - from);
        if (!sg_spool_read(c->body, c->offset + from, out + done, want, &n, err))
            return false;
        if (n != want)
            return sg_fail(err, SG_E_INTERNAL, "spool is shorter than its message");
        done += n;
    }
    *n_r = done;
    return true;
}

/* Binds a chunk to its message, its place and the size of the whole. */
static struct sg_bytes chunk_aad(char aad[96], const char *held_id, int seq, int64_t size)
{
    snprintf(aad, 96, "%s/%d/%lld", held_id, seq, (long long)size);
    return sg_bytes_str(aad);
}

struct giver {
    const struct sg_held_row *row;
    const struct sg_hold_content *content;
    const struct sg_secret *key;
    uint8_t *plain;
    struct sg_buf sealed;
};

static bool give(void *ctx, int seq, struct sg_bytes *data_r, bool *end_r, struct sg_error *err)
{
    struct giver *g = ctx;
    size_t n = 0;
    if (!content_read(g->content, (uint64_t)seq * PLAIN_CHUNK, g->plain, PLAIN_CHUNK, &n, err))
        return false;
    *end_r = n == 0;
    if (n == 0)
        return true;
    char aad[96];
    sg_buf_clear(&g->sealed);
    if (!sg_aead_seal(g->key, chunk_aad(aad, g->row->id, seq, g->row->size_bytes),
                      sg_bytes_of(g->plain, n), &g->sealed, err))
        return false;
    *data_r = sg_buf_bytes(&g->sealed);
    return true;
}

bool sg_hold_store(struct sg_db *db, struct sg_hsm *hsm, struct sg_held_row *row,
                   const struct sg_hold_content *content, bool *inserted_r, struct sg_error *err)
{
    SG_AUTO_SECRET key = {0};
    SG_AUTO_BUF wrapped = {0};
    if (!sg_hsm_data_key_make(hsm, SG_HSM_HOLD, row->id, &key, &wrapped, err))
        return false;
    row->wrapped_key = sg_buf_bytes(&wrapped);
    row->size_bytes = (int64_t)content_size(content);
    struct giver g = {.row = row, .content = content, .key = &key, .plain = malloc(PLAIN_CHUNK)};
    if (!g.plain)
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    sg_buf_init(&g.sealed, 0);
    bool ok = sg_held_insert(db, row, give, &g, inserted_r, err);
    sg_buf_free(&g.sealed);
    explicit_bzero(g.plain, PLAIN_CHUNK);
    free(g.plain);
    row->wrapped_key = sg_bytes_of(NULL, 0);
    return ok;
}

struct taker {
    const struct sg_held_row *row;
    const struct sg_secret *key;
    struct sg_spool *spool;
    int expected;
};

static bool take(void *ctx, int seq, struct sg_bytes data, struct sg_error *err)
{
    struct taker *t = ctx;
    char aad[96];
    SG_AUTO_BUF plain = {0};
    if (seq != t->expected++)
        return sg_fail(err, SG_E_CRYPTO, "held message %s: chunk %d is missing", t->row->id,
                       t->expected - 1);
    bool ok = sg_aead_open(t->key, chunk_aad(aad, t->row->id, seq, t->row->size_bytes), data,
                           &plain, err) &&
              sg_spool_write(t->spool, plain.data, plain.len, err);
    if (plain.len)
        explicit_bzero(plain.data, plain.len);
    return ok;
}

bool sg_hold_load(struct sg_db *db, struct sg_hsm *hsm, const struct sg_held_row *row,
                  const struct sg_spool_limits *limits, struct sg_spool **spool_r,
                  struct sg_error *err)
{
    SG_AUTO_SECRET key = {0};
    if (!sg_hsm_data_key_open(hsm, SG_HSM_HOLD, row->id, row->wrapped_key, &key, err))
        return false;
    struct taker t = {.row = row, .key = &key, .spool = sg_spool_new(limits)};
    bool ok = sg_held_chunks(db, row->id, take, &t, err);
    if (ok && sg_spool_size(t.spool) != (uint64_t)row->size_bytes)
        ok = sg_fail(err, SG_E_CRYPTO, "held message %s: its end is missing", row->id);
    if (ok)
        *spool_r = t.spool;
    else
        sg_spool_free(&t.spool);
    return ok;
}
