#include "journal/format.h"

#include <inttypes.h>
#include <stdio.h>

static const char magic[8] = "SGJRNL\r\n";

#define VERSION       1
#define FLAG_ORIGINAL 1
#define HEAD_FIXED    29 /* up to the node's length */

bool journal_node_valid(const char *node)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    size_t n = strlen(node);
    return n > 0 && n <= SG_JOURNAL_NODE_MAX && strspn(node, allowed) == n;
}

void journal_binding(const char *node, uint64_t number, char out[SG_JOURNAL_BINDING])
{
    snprintf(out, SG_JOURNAL_BINDING, "journal/%s/%016" PRIu64, node, number);
}

void sg_journal_file_name(uint64_t number, char out[SG_JOURNAL_FILE])
{
    snprintf(out, SG_JOURNAL_FILE, "%016" PRIu64 ".sgj", number);
}

void journal_ref(const char *node, uint64_t number, uint64_t offset, char out[96])
{
    snprintf(out, 96, "%s/%016" PRIu64 "@%" PRIu64, node, number, offset);
}

/* Digits alone, up to the character end. */
static bool digits_read(const char **text, char end, uint64_t *n_r)
{
    uint64_t n = 0;
    const char *p = *text;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *p - '0', &n))
            return false;
    if (p == *text || *p != end)
        return false;
    *text = p;
    *n_r = n;
    return true;
}

bool sg_journal_ref_parse(const char *ref, char node_r[SG_JOURNAL_NODE_MAX + 1], uint64_t *number_r,
                          uint64_t *offset_r, struct sg_error *err)
{
    const char *slash = strchr(ref, '/');
    size_t n = slash ? (size_t)(slash - ref) : 0;
    if (n == 0 || n > SG_JOURNAL_NODE_MAX)
        return sg_fail(err, SG_E_MALFORMED, "not an archive reference");
    memcpy(node_r, ref, n);
    node_r[n] = 0;
    const char *p = slash + 1;
    if (!journal_node_valid(node_r) || !digits_read(&p, '@', number_r))
        return sg_fail(err, SG_E_MALFORMED, "not an archive reference");
    p++;
    return digits_read(&p, 0, offset_r) || sg_fail(err, SG_E_MALFORMED, "not an archive reference");
}

void journal_head_encode(struct journal_head *head, struct sg_buf *out)
{
    uint8_t fixed[HEAD_FIXED], two[2], four[4];
    size_t node_len = strlen(head->node), from = out->len;
    head->length = HEAD_FIXED + node_len + 2 + head->wrapped_len + 4;
    memcpy(fixed, magic, sizeof magic);
    journal_put(fixed + 8, 2, VERSION);
    journal_put(fixed + 10, 2, head->length);
    journal_put(fixed + 12, 8, head->number);
    journal_put(fixed + 20, 8, (uint64_t)head->created);
    fixed[28] = (uint8_t)node_len;
    sg_buf_add(out, fixed, sizeof fixed);
    sg_buf_adds(out, head->node);
    journal_put(two, 2, head->wrapped_len);
    sg_buf_add(out, two, sizeof two);
    sg_buf_add(out, head->wrapped, head->wrapped_len);
    journal_put(four, 4, journal_crc(0, out->data + from, out->len - from));
    sg_buf_add(out, four, sizeof four);
}

bool journal_head_decode(struct sg_bytes data, struct journal_head *head_r)
{
    memset(head_r, 0, sizeof *head_r);
    if (data.len < HEAD_FIXED + 6 || memcmp(data.data, magic, sizeof magic) != 0 ||
        journal_get(data.data + 8, 2) != VERSION)
        return false;
    size_t length = journal_get(data.data + 10, 2), node_len = data.data[28];
    if (length > data.len || node_len > SG_JOURNAL_NODE_MAX || length < HEAD_FIXED + node_len + 6)
        return false;
    if (journal_get(data.data + length - 4, 4) != journal_crc(0, data.data, length - 4))
        return false;
    const uint8_t *p = data.data + HEAD_FIXED;
    memcpy(head_r->node, p, node_len);
    p += node_len;
    head_r->wrapped_len = journal_get(p, 2);
    if (head_r->wrapped_len > sizeof head_r->wrapped ||
        length != HEAD_FIXED + node_len + 2 + head_r->wrapped_len + 4)
        return false;
    memcpy(head_r->wrapped, p + 2, head_r->wrapped_len);
    head_r->number = journal_get(data.data + 12, 8);
    head_r->created = (sg_time)journal_get(data.data + 20, 8);
    head_r->length = length;
    return strlen(head_r->node) == node_len && journal_node_valid(head_r->node);
}

void journal_frame_encode(const struct journal_frame *frame, uint8_t out[JOURNAL_FRAME_HEAD])
{
    memset(out, 0, JOURNAL_FRAME_HEAD);
    memcpy(out, JOURNAL_MARKER, 4);
    out[4] = (uint8_t)frame->type;
    out[5] = frame->original ? FLAG_ORIGINAL : 0;
    journal_put(out + 8, 8, frame->length);
    journal_put(out + 16, 8, frame->number);
    journal_put(out + 24, 8, frame->offset);
    memcpy(out + 32, frame->id, SG_JOURNAL_RECORD_ID);
    journal_put(out + 48, 8, (uint64_t)frame->at);
    memcpy(out + 56, frame->key_id, strnlen(frame->key_id, JOURNAL_KEY_ID - 1));
    journal_put(out + 88, 4, journal_crc(0, out, 88));
}

bool journal_frame_decode(const uint8_t in[JOURNAL_FRAME_HEAD], uint64_t number, uint64_t offset,
                          struct journal_frame *frame_r)
{
    memset(frame_r, 0, sizeof *frame_r);
    if (memcmp(in, JOURNAL_MARKER, 4) != 0 || journal_get(in + 88, 4) != journal_crc(0, in, 88))
        return false;
    frame_r->type = (enum sg_journal_type)in[4];
    frame_r->original = in[5] & FLAG_ORIGINAL;
    frame_r->length = journal_get(in + 8, 8);
    frame_r->number = journal_get(in + 16, 8);
    frame_r->offset = journal_get(in + 24, 8);
    memcpy(frame_r->id, in + 32, SG_JOURNAL_RECORD_ID);
    frame_r->at = (sg_time)journal_get(in + 48, 8);
    memcpy(frame_r->key_id, in + 56, JOURNAL_KEY_ID);
    return (frame_r->type == SG_JOURNAL_RECEIVED || frame_r->type == SG_JOURNAL_OUTCOME) &&
           (in[5] & ~FLAG_ORIGINAL) == 0 && in[6] == 0 && in[7] == 0 && frame_r->number == number &&
           frame_r->offset == offset && frame_r->length <= JOURNAL_FRAME_MAX &&
           frame_r->length > JOURNAL_FRAME_HEAD + JOURNAL_PIECE_HEAD &&
           frame_r->key_id[JOURNAL_KEY_ID - 1] == 0;
}

void journal_piece_encode(struct sg_bytes piece, uint8_t out[JOURNAL_PIECE_HEAD])
{
    journal_put(out, 4, piece.len);
    journal_put(out + 4, 4, journal_crc(0, piece.data, piece.len));
}

void journal_chunk_aad(const uint8_t id[SG_JOURNAL_RECORD_ID], uint32_t n, bool last,
                       uint8_t out[JOURNAL_CHUNK_AAD])
{
    memcpy(out, id, SG_JOURNAL_RECORD_ID);
    journal_put(out + SG_JOURNAL_RECORD_ID, 4, n);
    out[SG_JOURNAL_RECORD_ID + 4] = last;
}
