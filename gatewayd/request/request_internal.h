/* What the files of this folder share. */
#ifndef SG_REQUEST_INTERNAL_H
#define SG_REQUEST_INTERNAL_H

#include "request/request.h"

/* Adds the certificates of a part that was decoded, up to most of them in all. */
void sg_request_part_read(struct sg_bytes part, size_t most, STACK_OF(X509) *out);

#endif
