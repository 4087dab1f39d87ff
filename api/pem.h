/*
 * Certificates in PEM (RFC 7468), as they come in requests and go out in answers. Text between
 * the blocks is passed over; a block of another kind, above all a private key, is refused.
 */
#ifndef SG_API_PEM_H
#define SG_API_PEM_H

#include "common/arena.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/error.h"

struct api_certificate {
    struct sg_bytes der;
    uint8_t sha256[32];
    const char *subject; /* RFC 4514, UTF-8 */
    sg_time not_before, not_after;
};

struct api_certificates {
    struct api_certificate *items;
    size_t count;
};

/* 1 to max certificates; SG_E_INVALID says which is at fault and why. */
SG_MUST_USE bool api_pem_read(struct sg_arena *arena, const char *pem, size_t max,
                              struct api_certificates *out, struct sg_error *err);
/* May it be a root: a CA, self-signed, valid at now, with a key of 2048 bits (RSA) or more. */
SG_MUST_USE bool api_certificate_root(const struct api_certificate *certificate, sg_time now,
                                      struct sg_error *err);

/* A check of json_spec.h, for CA certificates that are stored as PEM; "" stays, and becomes what
 * api_pem_write() makes of each. */
#define API_PEM_CHARS_MAX 65536
#define API_PEM_CAS_MAX   20
bool api_check_pem(struct sg_arena *arena, const char **value, struct sg_error *err);

/* "-----BEGIN label-----" and so on. */
char *api_pem_write(struct sg_arena *arena, const char *label, struct sg_bytes der);
char *api_hex(struct sg_arena *arena, struct sg_bytes bytes);
char *api_base64(struct sg_arena *arena, struct sg_bytes bytes);

#endif
