/* The octets of a MIME body, taken from a range of a spool through its transfer encoding. */
#ifndef SG_SMIME_SOURCE_H
#define SG_SMIME_SOURCE_H

#include "mime/header.h"
#include "smime/base64.h"
#include "spool/spool.h"

#define SG_SOURCE_BYTES 32768

struct sg_source {
    const struct sg_spool *spool;
    uint64_t pos, end; /* what of the range was not read yet */
    bool base64, finished;
    struct sg_base64_decoder decoder;
    size_t at, stop;                   /* what of data was not taken yet */
    uint8_t data[8 + SG_SOURCE_BYTES]; /* read behind the first 8 octets, decoded to the front */
};

/* The encoding that the headers name, without comments; NULL: none. */
const char *sg_source_encoding(struct sg_arena *arena, const struct sg_header_block *headers);

/*
 * Opens [offset, offset + len) with the Content-Transfer-Encoding that the headers name: base64, or
 * none at all. SG_E_CMS_UNSUPPORTED for any other. Where they name none it is base64 too if it
 * begins as a CMS object does in it: some leave the field out.
 */
SG_MUST_USE bool sg_source_open(struct sg_source *source, struct sg_arena *arena,
                                const struct sg_header_block *headers, const struct sg_spool *spool,
                                uint64_t offset, uint64_t len, struct sg_error *err);
/* A view of at least one octet, at most max, that is taken with it; SG_E_CMS at the end. */
SG_MUST_USE bool sg_source_take(struct sg_source *source, uint64_t max, struct sg_bytes *view_r,
                                struct sg_error *err);
/* Takes what is left. Is there nothing but white space, and the octets that end what has no length
 * of its own? */
SG_MUST_USE bool sg_source_ends(struct sg_source *source, bool *ends_r, struct sg_error *err);

#endif
