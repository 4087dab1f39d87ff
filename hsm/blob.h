/*
 * What the HSM wrapped, and what it is for: the bytes that lie in PostgreSQL. Pure.
 *
 *   u8 version (1) | u8 type | u32 KEK generation | u16 length, SPKI | u16 length, wrapped | MAC
 *
 * The MAC (HMAC-SHA-256 by the HSM) is over all of these and over class, id, tenant, domain and
 * binding, which the blob does not carry: they come with the request, so a blob opens under the
 * names it was made for and no others. That the wrapped key is the one of the SPKI is shown before
 * the MAC is made, hence not again when a key on a curve is unwrapped. SPKI is empty in a data key.
 * Integers are big-endian.
 */
#ifndef SG_HSM_BLOB_H
#define SG_HSM_BLOB_H

#include "hsm/keyring.h"
#include "hsmclient/protocol.h"

enum sg_blob_type { SG_BLOB_PRIVATE = 1, SG_BLOB_DATA };

struct sg_blob {
    enum sg_blob_type type;
    unsigned generation;
    struct sg_bytes spki, wrapped, mac; /* mac is empty while the blob is being made */
};

/* Views into data. */
SG_MUST_USE bool sg_blob_decode(struct sg_bytes data, enum sg_blob_type type,
                                struct sg_blob *blob_r, struct sg_error *err);
/* At most size bytes into out; 0: it does not fit. */
size_t sg_blob_encode(const struct sg_blob *blob, uint8_t *out, size_t size);

#define SG_BLOB_BOUND_MAX (SG_HSM_BLOB_MAX + 512)
/* What the MAC is over: 0 when it does not fit. names: class, id, tenant, domain, binding of it. */
size_t sg_blob_bound(const struct sg_blob *blob, const struct sg_hsm_request *names,
                     uint8_t out[SG_BLOB_BOUND_MAX]);

#endif
