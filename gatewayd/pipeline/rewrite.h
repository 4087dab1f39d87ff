/*
 * Headers of what leaves: which fields of the original stay, which of the sealed or opened entity
 * come in, which of ours are added. No field that stays is changed in a byte, but for a Subject
 * that claims a result (tags.h) in mail that is not verified.
 */
#ifndef SG_PIPELINE_REWRITE_H
#define SG_PIPELINE_REWRITE_H

#include "common/buf.h"
#include "pipeline/message.h"

/* Fields whose names begin with this are ours alone: none survives from outside. */
#define SG_HEADER_PREFIX  "X-Sealgate-"
#define SG_HEADER_SECURE  "X-NZ-Secure-email"
#define SG_HEADER_SEEMAIL "X-SEEMail-Version"

bool sg_rewrite_is_ours(const struct sg_header *field);  /* X-Sealgate-* */
bool sg_rewrite_is_claim(const struct sg_header *field); /* X-NZ-Secure-email, X-SEEMail-Version */
bool sg_rewrite_is_content(const struct sg_header *field); /* Content-*, MIME-Version */

/* Content-* and MIME-Version fields, as written: the headers of the entity that is sealed. */
void sg_rewrite_entity(const struct sg_header_block *block, struct sg_buf *out);

/* The block without the submission proof, all else as it was. */
void sg_rewrite_plain_outbound(const struct sg_header_block *block, struct sg_buf *out);
/* The message's header without claims and results that are not ours; *changed_r: something went. */
void sg_rewrite_plain_inbound(const struct sg_message *m, struct sg_buf *out, bool *changed_r);

/* Sealed: trace fields, the original's, our marks (REQ-60, 61), the envelope's content fields. */
void sg_rewrite_sealed(const struct sg_message *m, const char *environment,
                       struct sg_bytes content_fields, struct sg_buf *out);
/* Opened: the inner entity's content fields in the place of the outer ones, our verdict on top. */
void sg_rewrite_opened(const struct sg_message *m, const struct sg_header_block *inner,
                       const char *verdict, struct sg_buf *out);
/* The same message as it goes into a warning's attachment: no verdict, no claims. */
void sg_rewrite_attached(const struct sg_message *m, const struct sg_header_block *inner,
                         struct sg_buf *out);
/* Headers of a warning around the message: the original's without its content fields and claims. */
void sg_rewrite_warning(const struct sg_message *m, const char *code, const char *boundary,
                        struct sg_buf *out);

#endif
