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

bool sg_crl_forget(struct sg_db *db, sg_time before, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_time(&p, before);
    return sg_db_change(db, SG_Q_CRL_FORGET, &p, NULL, err);
}

struct bypass {
    sg_time until;
    const char *reason;
};

static void bypass_take(struct sg_row *r, void *item)
{
    struct bypass *bypass = item;
    bypass->until = sg_row_time(r);
    bypass->reason = sg_row_text(r);
}

bool sg_crl_bypass_find(struct sg_db *db, struct sg_arena *arena, struct sg_bytes sha256,
                        sg_time now, sg_time *until_r, const char **reason_r, struct sg_error *err)
{
    struct sg_params p = {0};
    struct bypass bypass = {0};
    bool found;
    sg_param_bytes(&p, sha256);
    if (!sg_db_find(db, arena, SG_Q_CRL_BYPASS_FIND, &p, bypass_take, &bypass, &found, err))
        return false;
    found = found && bypass.until > now;
    *until_r = found ? bypass.until : 0;
    *reason_r = found ? bypass.reason : "";
    return true;
}
