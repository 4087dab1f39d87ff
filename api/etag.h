/*
 * Entity tags (RFC 9110 §8.8.3): strong, from the text of an answer. So every resource that can be
 * shown has one, and its handlers do nothing for it.
 */
#ifndef SG_API_ETAG_H
#define SG_API_ETAG_H

#include "api/request.h"

/* Sets reply.etag of an answer that shows one resource; lists and what holds a secret have none. */
void api_etag_set(struct api_request *request);

/* Does a header (If-Match: strong comparison, If-None-Match: weak) name the tag, or "*"? */
bool api_etag_listed(const char *header, const char *etag, bool weak);

/* Makes a 200 for a GET a 304, where If-None-Match names its tag. */
void api_etag_not_modified(struct api_request *request);

/*
 * If-Match, and If-None-Match of what changes something: compares with what GET would show in this
 * transaction, after taking the lock of the path. SG_E_PRECONDITION: it does not hold, or there is
 * nothing to compare with.
 */
SG_MUST_USE bool api_etag_precondition(struct api_request *request, struct sg_tx *tx,
                                       struct sg_error *err);

#endif
