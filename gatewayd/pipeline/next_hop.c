#include "pipeline/next_hop.h"

#include "schema/next_hop.h"

static enum sg_smtp_tls tls_of(const char *name)
{
    return strcmp(name, "none") == 0       ? SG_SMTP_TLS_NONE
           : strcmp(name, "required") == 0 ? SG_SMTP_TLS_REQUIRED
           : strcmp(name, "verified") == 0 ? SG_SMTP_TLS_VERIFIED
                                           : SG_SMTP_TLS_OPPORTUNISTIC;
}

bool sg_next_hop(struct sg_gateway *gw, struct sg_arena *arena, const char *domain_id,
                 struct sg_smtp_destination *destination_r, bool *found_r, struct sg_error *err)
{
    struct sg_next_hop_row hop;
    if (!sg_next_hop_find(gw->db, arena, domain_id, &hop, found_r, err))
        return false;
    if (*found_r)
        *destination_r = (struct sg_smtp_destination){.host = hop.host,
                                                      .port = hop.port,
                                                      .lmtp = strcmp(hop.protocol, "lmtp") == 0,
                                                      .tls = tls_of(hop.tls),
                                                      .ca_pem = hop.ca_pem};
    return true;
}
