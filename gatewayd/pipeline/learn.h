/*
 * What a verified mail teaches of its sender's domain: the certificate to seal to (REQ-50, 83) and
 * what its software can do (REQ-84).
 */
#ifndef SG_PIPELINE_LEARN_H
#define SG_PIPELINE_LEARN_H

#include "pipeline/inbound.h"

/* To be called of what is delivered as verified alone. Nothing is learned unless the signer's
 * certificate is good by the accredited roots, for everybody: the store is one for all domains.
 * That it cannot be stored is no concern of the message's. */
void sg_learn(struct sg_message *m, const struct sg_inbound_judgement *j);

#endif
