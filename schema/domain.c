#include "schema/domain.h"

#include "schema/db_internal.h"

static void take(struct sg_row *r, void *item)
{
    struct sg_domain_row *row = item;
    row->id = sg_row_text(r);
    row->tenant_id = sg_row_text(r);
    row->name = sg_row_text(r);
    row->environment = sg_row_text(r);
    row->state = sg_row_text(r);
    row->tenant_name = sg_row_text(r);
    row->tenant_state = sg_row_text(r);
}

static bool find(struct sg_db *db, struct sg_arena *arena, enum sg_query query, const char *key,
                 struct sg_domain_row *row_r, bool *found_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, key);
    return sg_db_find(db, arena, query, &p, take, row_r, found_r, err);
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
