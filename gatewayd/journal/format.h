/*
 * The bytes of a segment, as README.md describes them: head, frames, pieces. Encodes and decodes;
 * no I/O.
 */
#ifndef SG_JOURNAL_FORMAT_H
#define SG_JOURNAL_FORMAT_H

#include "journal/reader.h"

#define JOURNAL_WRAPPED_MAX 4096
#define JOURNAL_HEAD_MAX    (33 + SG_JOURNAL_NODE_MAX + JOURNAL_WRAPPED_MAX + 4)
#define JOURNAL_FRAME_HEAD  92
#define JOURNAL_PIECE_HEAD  8
#define JOURNAL_CHUNK       (256u << 10) /* compressed octets of an original per piece */
#define JOURNAL_PIECE_MAX   (SG_JOURNAL_RECORD_MAX + 64)
#define JOURNAL_FRAME_MAX   ((uint64_t)1 << 40)
#define JOURNAL_MARKER      "\xe5SgJ" /* no valid UTF-8, so no text begins a frame */
#define JOURNAL_KEY_ID      32

/* CRC-32C (Castagnoli), as in RFC 3720; 0 to begin with. */
uint32_t journal_crc(uint32_t crc, const void *data, size_t len);
/* The same on any processor: for tests. */
uint32_t journal_crc_by_table(uint32_t crc, const void *data, size_t len);

static inline uint64_t journal_get(const uint8_t *p, int bytes)
{
    uint64_t n = 0;
    for (int i = 0; i < bytes; i++)
        n = n << 8 | p[i];
    return n;
}
static inline void journal_put(uint8_t *p, int bytes, uint64_t n)
{
    for (int i = bytes - 1; i >= 0; i--, n >>= 8)
        p[i] = (uint8_t)n;
}

struct journal_head {
    char node[SG_JOURNAL_NODE_MAX + 1];
    uint64_t number;
    sg_time created;
    size_t length; /* of the encoded head: where the first frame stands */
    size_t wrapped_len;
    uint8_t wrapped[JOURNAL_WRAPPED_MAX];
};
bool journal_node_valid(const char *node);
void journal_binding(const char *node, uint64_t number, char out[SG_JOURNAL_BINDING]);
/* Appends; sets head->length. */
void journal_head_encode(struct journal_head *head, struct sg_buf *out);
bool journal_head_decode(struct sg_bytes data, struct journal_head *head_r);

struct journal_frame {
    enum sg_journal_type type;
    bool original;
    uint64_t length; /* of the whole frame */
    uint64_t number, offset;
    uint8_t id[SG_JOURNAL_RECORD_ID];
    sg_time at;
    char key_id[JOURNAL_KEY_ID]; /* of the archive data key */
};
void journal_frame_encode(const struct journal_frame *frame, uint8_t out[JOURNAL_FRAME_HEAD]);
/* Checks marker, CRC and that the frame says it stands at this place. */
bool journal_frame_decode(const uint8_t in[JOURNAL_FRAME_HEAD], uint64_t number, uint64_t offset,
                          struct journal_frame *frame_r);
/* What the seal of the payload binds: the head without marker and CRC. */
static inline struct sg_bytes journal_frame_aad(const uint8_t head[JOURNAL_FRAME_HEAD])
{
    return sg_bytes_of(head + 4, JOURNAL_FRAME_HEAD - 8);
}
void journal_ref(const char *node, uint64_t number, uint64_t offset, char out[96]);

/* Length and CRC in front of a sealed piece. */
void journal_piece_encode(struct sg_bytes piece, uint8_t out[JOURNAL_PIECE_HEAD]);

/* The aad of the n-th chunk of an original. */
#define JOURNAL_CHUNK_AAD (SG_JOURNAL_RECORD_ID + 5)
void journal_chunk_aad(const uint8_t id[SG_JOURNAL_RECORD_ID], uint32_t n, bool last,
                       uint8_t out[JOURNAL_CHUNK_AAD]);

#endif
