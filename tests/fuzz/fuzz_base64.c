/* Base64: decoding in pieces gives what decoding at once gives, and encoding again gives it back.
 */
#include "common/buf.h"
#include "smime/base64.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool buf_write(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    (void)err;
    return sg_buf_add(ctx, data, len);
}

static void decode(const uint8_t *data, size_t size, size_t piece, struct sg_buf *out)
{
    struct sg_base64_decoder d = {0};
    uint8_t *room = malloc(8 + piece), end[2];
    for (size_t at = 0; at < size; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        memcpy(room + 8, data + at, n);
        sg_buf_add(out, room, sg_base64_decode(&d, room + 8, n, room));
    }
    sg_buf_add(out, end, sg_base64_decode_end(&d, end));
    free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t piece = 1 + data[0] % 100;
    data++;
    size--;
    SG_AUTO_BUF whole;
    sg_buf_init(&whole, 0);
    SG_AUTO_BUF pieces;
    sg_buf_init(&pieces, 0);
    decode(data, size, size + 1, &whole);
    decode(data, size, piece, &pieces);
    if (!sg_bytes_equal(sg_buf_bytes(&whole), sg_buf_bytes(&pieces)))
        abort();

    SG_AUTO_BUF text;
    sg_buf_init(&text, 0);
    SG_AUTO_BUF back;
    sg_buf_init(&back, 0);
    struct sg_base64_encoder *e = malloc(sizeof *e);
    const struct sg_sink sink = {buf_write, &text};
    struct sg_error err;
    sg_base64_encode_begin(e, &sink);
    if (!sg_base64_encode_write(e, data, size, &err) || !sg_base64_encode_end(e, &err) ||
        text.len != sg_base64_text_size(size))
        abort();
    decode(text.data, text.len, piece, &back);
    if (!sg_bytes_equal(sg_buf_bytes(&back), sg_bytes_of(data, size)))
        abort();
    free(e);
    return 0;
}
