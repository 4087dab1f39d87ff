/*
 * Content on the wire. The reader, fed in pieces (the first octet says how large), ends exactly
 * where a plain search finds CRLF.CRLF; what it takes without complaint the writer gives back.
 */
#include "common/buf.h"
#include "smtp/data.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static bool collect(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    (void)err;
    return len == 0 || sg_buf_add(ctx, data, len);
}

/* A server that drops NUL sees the end where it is, and no other. */
static void check_without_nul(struct sg_bytes wire)
{
    SG_AUTO_BUF seen;
    sg_buf_init(&seen, 0);
    sg_buf_adds(&seen, "\r\n");
    for (size_t i = 0; i < wire.len; i++)
        if (wire.data[i])
            sg_buf_add(&seen, wire.data + i, 1);
    const uint8_t *end = memmem(seen.data, seen.len, "\r\n.\r\n", 5);
    check(end && end + 5 == seen.data + seen.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t piece = data[0] % 16 + 1, used = 0;
    SG_AUTO_BUF wire, content, again;
    sg_buf_init(&wire, 0);
    sg_buf_init(&content, 0);
    sg_buf_init(&again, 0);
    sg_buf_adds(&wire, "\r\n"); /* the end of the DATA line */
    sg_buf_add(&wire, data + 1, size - 1);
    struct sg_bytes input = sg_bytes_of(wire.data + 2, wire.len - 2);

    struct smtp_data_reader r;
    smtp_data_reader_init(&r, (struct sg_sink){collect, &content});
    while (used < input.len && r.state != SMTP_DATA_DONE)
        used += smtp_data_reader_feed(&r, sg_bytes_slice(input, used, piece));
    const uint8_t *end = memmem(wire.data, wire.len, "\r\n.\r\n", 5);
    check((end != NULL) == (r.state == SMTP_DATA_DONE));
    check(used == (end ? (size_t)(end - wire.data) + 3 : input.len));
    if (!end)
        return 0;

    struct smtp_data_writer w;
    struct sg_error err;
    smtp_data_writer_init(&w, (struct sg_sink){collect, &again});
    bool ok = true;
    for (size_t at = 0; ok && at < content.len; at += piece)
        ok = smtp_data_writer_add(&w, sg_bytes_slice(sg_buf_bytes(&content), at, piece), &err);
    ok = ok && smtp_data_writer_end(&w, &err);
    check(ok == !r.bare);
    if (!ok)
        return 0;
    check_without_nul(sg_buf_bytes(&again));
    /* Read once more it is the same; dots that need no stuffing may have been stuffed before. */
    SG_AUTO_BUF twice;
    sg_buf_init(&twice, 0);
    smtp_data_reader_init(&r, (struct sg_sink){collect, &twice});
    check(smtp_data_reader_feed(&r, sg_buf_bytes(&again)) == again.len);
    check(r.state == SMTP_DATA_DONE && !r.bare);
    if (!content.len || !memmem(content.data, content.len, "\0.", 2)) /* which is stuffed */
        check(sg_bytes_equal(sg_buf_bytes(&twice), sg_buf_bytes(&content)));
    return 0;
}
