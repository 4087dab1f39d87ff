/*
 * The layers of S/MIME that a message has: taken off as far as they are ours, and what each of them
 * says of the message.
 */
#ifndef SG_PIPELINE_LAYERS_H
#define SG_PIPELINE_LAYERS_H

#include "pipeline/inbound.h"
#include "pipeline/origin.h"

/* Opens the message with the domain's keys into the judgement. A signature of the sender's domain
 * whose certificate is not in the message is looked up (REQ-82). */
SG_MUST_USE bool sg_layers_open(struct sg_message *m, const struct sg_keyring *keyring,
                                const struct sg_origin *origin, struct sg_inbound_judgement *j,
                                struct sg_error *err);
/* What they say, for the rules; each with a step in the trace. */
SG_MUST_USE bool sg_layers_facts(struct sg_message *m, const struct sg_keyring *keyring,
                                 const struct sg_origin *origin, struct sg_inbound_judgement *j,
                                 struct sg_error *err);

#endif
