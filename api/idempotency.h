/*
 * Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): what changes something is done once
 * for a caller's key, and a repeat gets the first answer again. The answer is written in the
 * transaction of the effect; what failed leaves nothing and may be tried again.
 *
 * A secret that an answer shows (a new token) is kept sealed (AES-256-GCM) under a key made of the
 * caller's own bearer token, which we do not keep: only the same token with the same key sees it
 * again. Where that is not so (the request came by certificate alone, or with the client's next
 * token), the repeat has null in its place.
 */
#ifndef SG_API_IDEMPOTENCY_H
#define SG_API_IDEMPOTENCY_H

#include "api/request.h"

struct api_idempotency_options {
    int64_t ttl_ms;  /* how long an answer is kept */
    int64_t wait_ms; /* how long a copy waits for the one that is at work */
};

/*
 * Within the request's transaction, before the effect. *done_r: the reply is set from what was
 * kept. SG_E_MALFORMED: no such key can be; SG_E_IDEMPOTENCY: it belongs to another request;
 * SG_E_IN_PROGRESS. A request without a key passes.
 */
SG_MUST_USE bool api_idempotency_begin(struct api_request *request, struct sg_tx *tx,
                                       const struct api_idempotency_options *options, bool *done_r,
                                       struct sg_error *err);
/* After the effect: keeps the reply. */
SG_MUST_USE bool api_idempotency_end(struct api_request *request, struct sg_tx *tx,
                                     struct sg_error *err);

/* For tests: a secret sealed, and opened again; false where key or token are others. */
SG_MUST_USE bool api_idempotency_seal(struct sg_arena *arena, const char *authorization,
                                      const char *key, const char *secret, struct sg_bytes *out_r);
SG_MUST_USE bool api_idempotency_open(struct sg_arena *arena, const char *authorization,
                                      const char *key, struct sg_bytes sealed,
                                      const char **secret_r);

#endif
