/*
 * What apid asks the dry run with: a line of JSON with the envelope, a line feed, and the message
 * as it is. Pushed piece by piece as it comes; the message goes into a spool.
 *     {"direction": "outbound", "tenant": "ten_…", "sender": "…", "recipients": ["…"]}
 */
#ifndef SG_SIMULATE_REQUEST_H
#define SG_SIMULATE_REQUEST_H

#include "pipeline/simulate.h"
#include "spool/spool.h"

#define SG_SIMULATE_ENVELOPE_MAX ((size_t)65536)

struct sg_simulate_request {
    struct sg_arena *arena;
    struct sg_buf envelope;
    bool line_done;
    struct sg_spool *message;
    struct sg_error err; /* the first fault; what comes after it is passed over */
};

void sg_simulate_request_begin(struct sg_simulate_request *r, const struct sg_spool_limits *limits);
void sg_simulate_request_push(struct sg_simulate_request *r, const void *data, size_t len);
/* Fills simulation_r, whose strings live in the request. SG_E_MALFORMED, SG_E_LIMIT. */
SG_MUST_USE bool sg_simulate_request_end(struct sg_simulate_request *r, size_t max_recipients,
                                         struct sg_simulation *simulation_r, struct sg_error *err);
void sg_simulate_request_free(struct sg_simulate_request *r);

#endif
