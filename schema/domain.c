#include "schema/domain.h"

#include "schema/db_internal.h"

struct found {
    struct sg_domain_row *row;
    bool found;
};

static bool take(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)index, (void)count, (void)err;
    struct found *f = arg;
    f->row->id = sg_row_text(r);
    f->row->tenant_id = sg_row_text(r);
    f->row->name = sg_row_text(r);
    f->row->environment = sg_row_text(r);
    f->row->state = sg_row_text(r);
    f->row->tenant_name = sg_row_text(r);
    f->row->tenant_state = sg_row_text(r);
    f->found = true;
    return true;
}

static bool find(struct sg_db *db, struct sg_arena *arena, enum sg_query query, const char *key,
                 struct sg_domain_row *row_r, bool *found_r, struct sg_error *err)
{
    struct found f = {row_r, false};
    struct sg_params p = {0};
    sg_param_text(&p, key);
    bool ok = sg_db_read(db, arena, query, &p, take, &f, err);
    *found_r = ok && f.found;
    return ok;
}

bool sg_domain_find_by_name(struct sg_db *db, struct sg_arena *arena, const char *name,
                            struct sg_domain_row *row_r, bool *found_r, struct sg_error *err)
{
    return find(db, arena, SG_Q_DOMAIN_FIND_BY_NAME, name, row_r, found_r, err);
}

bool sg_domain_find(struct sg_db *db, struct sg_arena *arena, const char *id,
                    struct sg_domain_row *row_r, bool *found_r, struct sg_error *err)
{
    return find(db, arena, SG_Q_DOMAIN_FIND, id, row_r, found_r, err);
}
