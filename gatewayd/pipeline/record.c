#include "pipeline/record.h"

#include <endian.h>
#include <string.h>

#define FORM     2
#define SMALLEST 5 /* octets of an empty text */

void sg_record_begin(struct sg_buf *out, size_t recipients, size_t steps)
{
    static const uint8_t form = FORM;
    sg_buf_add(out, &form, 1);
    sg_record_add_number(out, (int64_t)recipients);
    sg_record_add_number(out, (int64_t)steps);
}

void sg_record_add_number(struct sg_buf *out, int64_t number)
{
    uint64_t n = htole64((uint64_t)number);
    sg_buf_add(out, &n, sizeof n);
}

size_t sg_record_text_begin(struct sg_buf *out)
{
    static const uint32_t none;
    sg_buf_add(out, &none, sizeof none);
    return out->len;
}

void sg_record_text_end(struct sg_buf *out, size_t begun)
{
    uint32_t n = htole32((uint32_t)(out->len - begun));
    memcpy(out->data + begun - sizeof n, &n, sizeof n);
    sg_buf_add(out, "", 1);
}

void sg_record_add_text(struct sg_buf *out, const char *text)
{
    size_t begun = sg_record_text_begin(out);
    if (text)
        sg_buf_adds(out, text);
    sg_record_text_end(out, begun);
}

static struct sg_bytes take(struct sg_record_reader *r, size_t len)
{
    static const uint8_t zeros[8];
    if (r->bad || r->rest.len < len) {
        r->bad = true;
        return sg_bytes_of(zeros, len < sizeof zeros ? len : sizeof zeros);
    }
    struct sg_bytes piece = sg_bytes_of(r->rest.data, len);
    r->rest = sg_bytes_slice(r->rest, len, r->rest.len);
    return piece;
}

int64_t sg_record_number(struct sg_record_reader *reader)
{
    uint64_t n;
    memcpy(&n, take(reader, sizeof n).data, sizeof n);
    return (int64_t)le64toh(n);
}

const char *sg_record_text(struct sg_record_reader *reader)
{
    uint32_t n;
    memcpy(&n, take(reader, sizeof n).data, sizeof n);
    struct sg_bytes text = take(reader, (size_t)le32toh(n) + 1);
    if (!reader->bad && memchr(text.data, 0, text.len) != text.data + text.len - 1)
        reader->bad = true;
    return reader->bad ? "" : (const char *)text.data;
}

bool sg_record_open(struct sg_bytes record, struct sg_record_reader *reader_r, size_t *recipients_r,
                    size_t *steps_r)
{
    *reader_r = (struct sg_record_reader){.rest = record};
    bool ours = *take(reader_r, 1).data == FORM;
    uint64_t recipients = (uint64_t)sg_record_number(reader_r);
    uint64_t steps = (uint64_t)sg_record_number(reader_r);
    if (!ours || reader_r->bad || recipients > record.len / SMALLEST ||
        steps > record.len / SMALLEST)
        return false;
    *recipients_r = recipients;
    *steps_r = steps;
    return true;
}
