/* What the files of this folder share. */
#ifndef SG_REQUEST_INTERNAL_H
#define SG_REQUEST_INTERNAL_H

#include "request/request.h"

/* What a message had so far, and what it may have. */
struct found {
    STACK_OF(X509) *certificates;
    size_t most;
    struct sg_budget *budget;
};

/* Adds the certificates of a part that was decoded, up to most of them in all. */
void sg_request_part_read(struct sg_bytes part, struct found *found);

#endif
