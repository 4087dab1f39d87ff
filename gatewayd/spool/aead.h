/*
 * AES-256-GCM of one piece: nonce (12, random), ciphertext, tag (16). The aad binds a piece to its
 * place (record id, chunk number), so that pieces cannot be exchanged.
 */
#ifndef SG_SPOOL_AEAD_H
#define SG_SPOOL_AEAD_H

#include "common/buf.h"
#include "common/bytes.h"
#include "common/error.h"
#include "common/secret.h"

#define SG_AEAD_OVERHEAD 28

/* Appends to out. key has 32 bytes. */
SG_MUST_USE bool sg_aead_seal(const struct sg_secret *key, struct sg_bytes aad,
                              struct sg_bytes plain, struct sg_buf *out, struct sg_error *err);
/* Appends to out; SG_E_CRYPTO where the tag does not fit, and then out is as it was. */
SG_MUST_USE bool sg_aead_open(const struct sg_secret *key, struct sg_bytes aad,
                              struct sg_bytes sealed, struct sg_buf *out, struct sg_error *err);

#endif
