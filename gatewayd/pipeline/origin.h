/*
 * Where a message that arrives says it comes from, before anything is proved: From, claims to be
 * Secure Email, marks of a list server; and which lists the domains in From stand on.
 */
#ifndef SG_PIPELINE_ORIGIN_H
#define SG_PIPELINE_ORIGIN_H

#include "pipeline/message.h"
#include "schema/domain.h"

struct sg_origin {
    struct sg_mailbox *from; /* of the first From; none where it cannot be read */
    size_t from_count;
    const char **domains; /* of these, each once */
    size_t domain_count;
    const char *member; /* the first domain of all From fields that takes part in Secure Email; "":
                           none, or they were too many to say */
};
SG_MUST_USE bool sg_origin_facts(struct sg_message *m, const struct sg_domain_row *domain,
                                 struct sg_inbound_facts *facts, struct sg_origin *origin_r,
                                 struct sg_error *err);
/* Of lists that only some messages need: WORKSPACE (REQ-108), the domain's exceptions (REQ-91). To
 * be asked when signatures and envelopes are among the facts. */
SG_MUST_USE bool sg_origin_lists(struct sg_message *m, const struct sg_domain_row *domain,
                                 const struct sg_origin *origin, struct sg_inbound_facts *facts,
                                 struct sg_error *err);
/* Does a list server's field stand in the header (REQ-199)? */
bool sg_origin_is_list(struct sg_arena *arena, const struct sg_header_block *headers);

#endif
