/*
 * The dry run: a message and an envelope in, what the rules would do with it out, by the same code
 * as on the message path. Nothing is sent, held, told or stored.
 */
#ifndef SG_PIPELINE_SIMULATE_H
#define SG_PIPELINE_SIMULATE_H

#include "pipeline/gateway.h"

#include <jansson.h>

struct sg_simulation {
    const char *direction; /* "outbound", "inbound" */
    const char *tenant;    /* whose mail it is: whose domain sends, or receives */
    const char *sender;    /* envelope; "" is the null sender */
    const char *const *recipients;
    size_t recipient_count;
    const struct sg_spool *message;
};

/*
 * {"plans": [{"domain", "recipients", "action", "rule", "requirement", "code", "explanation",
 * "tells", "steps"}]}, one for each domain of the recipients. SG_E_INVALID: a recipient is none of
 * the tenant's (inbound); SG_E_MIME, SG_E_LIMIT: the message cannot be read.
 */
SG_MUST_USE bool sg_simulate(struct sg_gateway *gw, struct sg_arena *arena,
                             const struct sg_simulation *simulation, json_t **plans_r,
                             struct sg_error *err);

#endif
