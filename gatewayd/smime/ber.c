#include "smime/ber.h"

#include "smime/der.h"

struct head {
    int tag;
    bool indefinite;
    size_t head_len, len;
};

static bool head_read(const uint8_t *p, const uint8_t *end, struct head *h)
{
    size_t left = (size_t)(end - p);
    if (left < 2 || (p[0] & 0x1f) == 0x1f) /* no structure of ours has a tag of many octets */
        return false;
    *h = (struct head){.tag = p[0], .head_len = 2, .len = p[1]};
    if (p[1] == 0x80) {
        h->indefinite = true;
        h->len = 0;
        return p[0] & SG_BER_CONSTRUCTED;
    }
    if (p[1] > 0x80) {
        size_t n = p[1] & 0x7f;
        if (n > 8 || left < 2 + n)
            return false;
        uint64_t len = 0;
        for (size_t i = 0; i < n; i++)
            len = len << 8 | p[2 + i];
        h->head_len = 2 + n;
        h->len = len;
    }
    return h->len <= left - h->head_len;
}

/* End of an indefinite content that begins at p: its end marker, or NULL. */
static const uint8_t *content_end(const uint8_t *p, const uint8_t *end, int depth)
{
    struct head h;
    while (depth <= SG_BER_DEPTH && head_read(p, end, &h)) {
        if (h.tag == 0)
            return h.len == 0 && h.head_len == 2 ? p : NULL;
        p += h.head_len;
        if (h.indefinite) {
            p = content_end(p, end, depth + 1);
            if (!p)
                return NULL;
            p += 2;
        } else {
            p += h.len;
        }
    }
    return NULL;
}

bool sg_ber_next(struct sg_ber *ber, struct sg_tlv *tlv_r)
{
    struct head h;
    if (!ber->p || !head_read(ber->p, ber->end, &h) || h.tag == 0)
        return false;
    const uint8_t *content = ber->p + h.head_len, *stop = content + h.len, *next = stop;
    if (h.indefinite) {
        stop = content_end(content, ber->end, 1);
        if (!stop)
            return false;
        next = stop + 2;
    }
    tlv_r->tag = h.tag;
    tlv_r->content = sg_bytes_of(content, (size_t)(stop - content));
    tlv_r->whole = sg_bytes_of(ber->p, (size_t)(next - ber->p));
    ber->p = next;
    return true;
}

bool sg_ber_expect(struct sg_ber *ber, int tag, struct sg_tlv *tlv_r)
{
    return sg_ber_peek(ber) == tag && sg_ber_next(ber, tlv_r);
}

static bool octets_add(const struct sg_tlv *tlv, int tag, struct sg_buf *out, int depth)
{
    if (tlv->tag == tag)
        return sg_buf_add(out, tlv->content.data, tlv->content.len);
    if (tlv->tag != (tag | SG_BER_CONSTRUCTED) || depth > SG_BER_DEPTH)
        return false;
    struct sg_ber pieces = sg_ber_of(tlv->content);
    struct sg_tlv piece;
    while (sg_ber_more(&pieces))
        if (!sg_ber_next(&pieces, &piece) || !octets_add(&piece, SG_BER_OCTETS, out, depth + 1))
            return false;
    return true;
}

bool sg_ber_octets(const struct sg_tlv *tlv, int tag, struct sg_buf *out)
{
    return octets_add(tlv, tag, out, 0);
}

static bool der_add(const struct sg_tlv *tlv, int tag, struct sg_buf *out, int depth)
{
    if (!(tlv->tag & SG_BER_CONSTRUCTED) || depth > SG_BER_DEPTH) {
        sg_der_tlv(out, tag, tlv->content);
        return depth <= SG_BER_DEPTH;
    }
    SG_AUTO_BUF content;
    sg_buf_init(&content, 0);
    if (tlv->tag == (SG_BER_OCTETS | SG_BER_CONSTRUCTED)) {
        if (!octets_add(tlv, SG_BER_OCTETS, &content, depth))
            return false;
        tag = SG_BER_OCTETS;
    } else {
        struct sg_ber inside = sg_ber_of(tlv->content);
        struct sg_tlv child;
        while (sg_ber_more(&inside))
            if (!sg_ber_next(&inside, &child) || !der_add(&child, child.tag, &content, depth + 1))
                return false;
    }
    sg_der_tlv(out, tag, sg_buf_bytes(&content));
    return true;
}

bool sg_ber_to_der(const struct sg_tlv *tlv, int first_tag, struct sg_buf *out)
{
    return der_add(tlv, first_tag, out, 0);
}
