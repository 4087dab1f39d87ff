/*
 * Content-Transfer-Encoding (RFC 2045 §6, and uuencode) as a stream. Lenient: what cannot be
 * decoded is skipped and remembered, and what follows it is decoded all the same.
 */
#ifndef SG_TRIGGER_TRANSFER_H
#define SG_TRIGGER_TRANSFER_H

#include "common/bytes.h"

enum sg_transfer {
    SG_TRANSFER_IDENTITY,
    SG_TRANSFER_QUOTED,
    SG_TRANSFER_BASE64,
    SG_TRANSFER_UUENCODE,
    SG_TRANSFER_UNKNOWN /* read as it is */
};

/* By the field's value, comments and letter case aside. */
enum sg_transfer sg_transfer_named(struct sg_bytes value);

struct sg_transfer_decoder {
    enum sg_transfer kind;
    bool broken; /* base64 or uuencode with something in it that has no place there */
    /* base64 */
    uint32_t bits;
    int count, pads; /* characters of a group, and '=' behind it */
    /* quoted-printable: what of "=XY" or "=   \r\n" has come */
    uint8_t held[2];
    int held_len;
    bool blank, skip_lf;
    /* uuencode */
    enum { UU_BEFORE, UU_LINE, UU_AFTER } uu;
    uint8_t line[128];
    size_t line_len;
};

#define SG_TRANSFER_ROOM 64

/* All zero but for the kind to begin with. Decodes in to out, which has room for len +
 * SG_TRANSFER_ROOM octets; returns how many there are. */
size_t sg_transfer_decode(struct sg_transfer_decoder *d, const uint8_t *in, size_t len,
                          uint8_t *out);
/* What is left, at most SG_TRANSFER_ROOM octets, at the end. */
size_t sg_transfer_end(struct sg_transfer_decoder *d, uint8_t *out);

#endif
