#include "hsm/blob.h"

#include <string.h>

#define BLOB_VERSION 1

struct cursor {
    uint8_t *out;
    size_t len, size;
    bool failed;
};

static void put(struct cursor *c, const void *data, size_t len)
{
    if (len > c->size - c->len) {
        c->failed = true;
        return;
    }
    if (len)
        memcpy(c->out + c->len, data, len);
    c->len += len;
}

static void put_counted(struct cursor *c, struct sg_bytes view)
{
    uint8_t length[2] = {(uint8_t)(view.len >> 8), (uint8_t)view.len};
    if (view.len > UINT16_MAX)
        c->failed = true;
    put(c, length, sizeof length);
    put(c, view.data, view.len);
}

static void put_body(struct cursor *c, const struct sg_blob *blob)
{
    unsigned g = blob->generation;
    uint8_t head[6] = {BLOB_VERSION,       (uint8_t)blob->type, (uint8_t)(g >> 24),
                       (uint8_t)(g >> 16), (uint8_t)(g >> 8),   (uint8_t)g};
    put(c, head, sizeof head);
    put_counted(c, blob->spki);
    put_counted(c, blob->wrapped);
}

size_t sg_blob_encode(const struct sg_blob *blob, uint8_t *out, size_t size)
{
    struct cursor c = {.out = out, .size = size};
    put_body(&c, blob);
    put(&c, blob->mac.data, blob->mac.len);
    return c.failed ? 0 : c.len;
}

size_t sg_blob_bound(const struct sg_blob *blob, const struct sg_hsm_request *names,
                     uint8_t out[SG_BLOB_BOUND_MAX])
{
    static const char domain_separation[] = "sealgate hsm blob"; /* its NUL is part of it */
    struct cursor c = {.out = out, .size = SG_BLOB_BOUND_MAX};
    uint8_t class = (uint8_t)names->class;
    put(&c, domain_separation, sizeof domain_separation);
    put(&c, &class, 1);
    put_counted(&c, names->id);
    put_counted(&c, names->tenant);
    put_counted(&c, names->domain);
    put_counted(&c, names->binding);
    put_body(&c, blob);
    return c.failed ? 0 : c.len;
}

static bool take_counted(struct sg_bytes *rest, struct sg_bytes *view_r)
{
    if (rest->len < 2)
        return false;
    size_t len = (size_t)rest->data[0] << 8 | rest->data[1];
    if (len > rest->len - 2)
        return false;
    *view_r = sg_bytes_slice(*rest, 2, len);
    *rest = sg_bytes_slice(*rest, 2 + len, rest->len);
    return true;
}

bool sg_blob_decode(struct sg_bytes data, enum sg_blob_type type, struct sg_blob *blob,
                    struct sg_error *err)
{
    struct sg_bytes rest = sg_bytes_slice(data, 6, data.len);
    memset(blob, 0, sizeof *blob);
    if (data.len < 6 || data.data[0] != BLOB_VERSION || data.data[1] != (uint8_t)type ||
        !take_counted(&rest, &blob->spki) || !take_counted(&rest, &blob->wrapped) ||
        rest.len != SG_MAC_SIZE || blob->wrapped.len == 0 ||
        (type == SG_BLOB_PRIVATE) != (blob->spki.len > 0))
        return sg_fail(err, SG_E_HSM_KEY, "the wrapped key is damaged");
    blob->type = type;
    blob->generation = (unsigned)data.data[2] << 24 | (unsigned)data.data[3] << 16 |
                       (unsigned)data.data[4] << 8 | data.data[5];
    blob->mac = rest;
    return blob->generation > 0 || sg_fail(err, SG_E_HSM_KEY, "the wrapped key is damaged");
}
