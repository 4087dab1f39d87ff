#include "smime/der.h"

#include "smime/ber.h"

#include <stdlib.h>

size_t sg_der_head_size(uint64_t len)
{
    size_t n = 2;
    if (len >= 0x80)
        for (; len; len >>= 8)
            n++;
    return n;
}

void sg_der_head(struct sg_buf *out, int tag, uint64_t len)
{
    uint8_t head[10];
    size_t n = sg_der_head_size(len);
    head[0] = (uint8_t)tag;
    head[1] = n == 2 ? (uint8_t)len : (uint8_t)(0x80 | (n - 2));
    for (size_t i = 2; i < n; i++)
        head[i] = (uint8_t)(len >> (8 * (n - 1 - i)));
    sg_buf_add(out, head, n);
}

void sg_der_tlv(struct sg_buf *out, int tag, struct sg_bytes content)
{
    sg_der_head(out, tag, content.len);
    sg_buf_add(out, content.data, content.len);
}

void sg_der_wrap(struct sg_buf *buf, size_t start, int tag)
{
    SG_AUTO_BUF content;
    sg_buf_init(&content, 0);
    if (buf->len > start)
        sg_buf_add(&content, buf->data + start, buf->len - start);
    buf->len = start;
    sg_der_tlv(buf, tag, sg_buf_bytes(&content));
}

void sg_der_algorithm(struct sg_buf *out, struct sg_bytes oid, struct sg_bytes params)
{
    size_t start = out->len;
    sg_der_tlv(out, SG_BER_OID, oid);
    sg_buf_add(out, params.data, params.len);
    sg_der_wrap(out, start, SG_BER_SEQUENCE);
}

static int element_order(const void *a, const void *b)
{
    const struct sg_bytes *x = a, *y = b;
    size_t n = x->len < y->len ? x->len : y->len;
    int order = memcmp(x->data, y->data, n);
    return order ? order : x->len < y->len ? -1 : x->len > y->len;
}

void sg_der_set_of(struct sg_buf *out, int tag, struct sg_bytes *elements, size_t count)
{
    qsort(elements, count, sizeof *elements, element_order);
    size_t start = out->len;
    for (size_t i = 0; i < count; i++)
        sg_buf_add(out, elements[i].data, elements[i].len);
    sg_der_wrap(out, start, tag);
}
