#include "schema/crl.h"

#include "schema/db_internal.h"

static void take(struct sg_row *r, void *item)
{
    struct sg_crl_row *row = item;
    row->der = sg_row_bytes(r);
    row->this_update = sg_row_time(r);
    row->next_update = sg_row_time(r);
    row->fetched_at = sg_row_time(r);
}

bool sg_crl_find(struct sg_db *db, struct sg_arena *arena, const char *url,
                 struct sg_crl_row *row_r, bool *found_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, url);
    return sg_db_find(db, arena, SG_Q_CRL_FIND, &p, take, row_r, found_r, err);
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
