/* The policy service of Postfix "out": whose client is this, and may it use that sender (REQ-136).
 */
#ifndef SG_PIPELINE_EDGE_H
#define SG_PIPELINE_EDGE_H

#include "smtp/policy_server.h"

void sg_edge_decide(void *gateway, const struct sg_policy_request *request, char *action,
                    size_t size);

#endif
