#include "schema/crl.h"

#include "schema/db_internal.h"

struct found {
    struct sg_crl_row *row;
    bool found;
};

static bool take(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)index, (void)count, (void)err;
    struct found *f = arg;
    f->row->der = sg_row_bytes(r);
    f->row->this_update = sg_row_time(r);
    f->row->next_update = sg_row_time(r);
    f->row->fetched_at = sg_row_time(r);
    f->found = true;
    return true;
}

bool sg_crl_find(struct sg_db *db, struct sg_arena *arena, const char *url,
                 struct sg_crl_row *row_r, bool *found_r, struct sg_error *err)
{
    struct found f = {row_r, false};
    struct sg_params p = {0};
    sg_param_text(&p, url);
    bool ok = sg_db_read(db, arena, SG_Q_CRL_FIND, &p, take, &f, err);
    *found_r = ok && f.found;
    return ok;
}

bool sg_crl_store(struct sg_db *db, const char *url, const struct sg_crl_row *row,
                  struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, url);
    sg_param_bytes(&p, row->der);
    sg_param_time(&p, row->this_update);
    sg_param_time(&p, row->next_update);
    sg_param_time(&p, row->fetched_at);
    return sg_db_change(db, SG_Q_CRL_STORE, &p, NULL, err);
}
