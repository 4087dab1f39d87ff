/* Within the folder: one request of the policy delegation protocol, parsed. */
#ifndef SG_SMTP_POLICY_REQUEST_H
#define SG_SMTP_POLICY_REQUEST_H

#include "smtp/policy_server.h"

#define POLICY_ATTRIBUTES 64

struct sg_policy_request {
    size_t count;
    const char *names[POLICY_ATTRIBUTES], *values[POLICY_ATTRIBUTES];
};

/* Lines of name=value, each ended by LF, without the empty line that ends the request. A name
 * twice, a NUL or a request of another kind is SG_E_MALFORMED. */
SG_MUST_USE bool policy_request_parse(struct sg_arena *arena, struct sg_bytes text,
                                      struct sg_policy_request *request, struct sg_error *err);

#endif
