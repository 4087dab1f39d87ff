#include "schema/next_hop.h"

#include "schema/db_internal.h"

static void take(struct sg_row *r, void *item)
{
    struct sg_next_hop_row *row = item;
    row->protocol = sg_row_text(r);
    row->host = sg_row_text(r);
    row->port = (int)sg_row_int(r);
    row->tls = sg_row_text(r);
    row->ca_pem = sg_row_text(r);
}

bool sg_next_hop_find(struct sg_db *db, struct sg_arena *arena, const char *domain_id,
                      struct sg_next_hop_row *row_r, bool *found_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    return sg_db_find(db, arena, SG_Q_NEXT_HOP_FIND, &p, take, row_r, found_r, err);
}
