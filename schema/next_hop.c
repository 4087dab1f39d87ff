#include "schema/next_hop.h"

#include "schema/db_internal.h"

struct found {
    struct sg_next_hop_row *row;
    bool found;
};

static bool take(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)index, (void)count, (void)err;
    struct found *f = arg;
    f->row->protocol = sg_row_text(r);
    f->row->host = sg_row_text(r);
    f->row->port = (int)sg_row_int(r);
    f->row->tls = sg_row_text(r);
    f->row->ca_pem = sg_row_text(r);
    f->found = true;
    return true;
}

bool sg_next_hop_find(struct sg_db *db, struct sg_arena *arena, const char *domain_id,
                      struct sg_next_hop_row *row_r, bool *found_r, struct sg_error *err)
{
    struct found f = {row_r, false};
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    bool ok = sg_db_read(db, arena, SG_Q_NEXT_HOP_FIND, &p, take, &f, err);
    *found_r = ok && f.found;
    return ok;
}
