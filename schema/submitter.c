#include "schema/submitter.h"

#include "schema/db_internal.h"

#include <arpa/inet.h>

/* The address as PostgreSQL's inet reads it; NULL: it is none. An IPv4 address in IPv6's clothes
 * (::ffff:192.0.2.1) is the IPv4 address. */
static const char *address_normalise(const char *text, char out[INET6_ADDRSTRLEN])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint8_t bits[16];
    if (strncasecmp(text, "IPv6:", 5) == 0)
        text += 5;
    if (inet_pton(AF_INET, text, bits) == 1)
        return inet_ntop(AF_INET, bits, out, INET6_ADDRSTRLEN);
    if (inet_pton(AF_INET6, text, bits) != 1)
        return NULL;
    if (memcmp(bits, mapped, sizeof mapped) == 0)
        return inet_ntop(AF_INET, bits + 12, out, INET6_ADDRSTRLEN);
    return inet_ntop(AF_INET6, bits, out, INET6_ADDRSTRLEN);
}

static void take(struct sg_row *r, void *item)
{
    struct sg_submitter_row *row = item;
    row->id = sg_row_text(r);
    row->tenant_id = sg_row_text(r);
    row->kind = sg_row_text(r);
    row->tenant_state = sg_row_text(r);
}

bool sg_submitter_match(struct sg_db *db, struct sg_arena *arena, const char *client_address,
                        const char *fingerprint, struct sg_submitter_row *row_r, bool *found_r,
                        struct sg_error *err)
{
    char address[INET6_ADDRSTRLEN];
    struct sg_params p = {0};
    sg_param_text(&p, client_address ? address_normalise(client_address, address) : NULL);
    sg_param_text(&p, fingerprint && *fingerprint ? fingerprint : NULL);
    return sg_db_find(db, arena, SG_Q_SUBMITTER_MATCH, &p, take, row_r, found_r, err);
}
