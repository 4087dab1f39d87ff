/* Writing DER. Everything is appended to a buffer; an element is written when its content is there.
 */
#ifndef SG_SMIME_DER_H
#define SG_SMIME_DER_H

#include "common/buf.h"
#include "common/bytes.h"

/* Tag and length alone: the content follows by other ways. */
void sg_der_head(struct sg_buf *out, int tag, uint64_t len);
size_t sg_der_head_size(uint64_t len);
void sg_der_tlv(struct sg_buf *out, int tag, struct sg_bytes content);
/* Of what buf held from start on, an element around it. */
void sg_der_wrap(struct sg_buf *buf, size_t start, int tag);
/* AlgorithmIdentifier: params is a whole element, or empty where it is left out. */
void sg_der_algorithm(struct sg_buf *out, struct sg_bytes oid, struct sg_bytes params);
/* SET OF, sorted (X.690 §11.6), from elements in DER. */
void sg_der_set_of(struct sg_buf *out, int tag, struct sg_bytes *elements, size_t count);

#endif
