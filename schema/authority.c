#include "schema/authority.h"

#include "schema/db_internal.h"

struct found {
    struct sg_authority_row *row;
    bool found;
};

static bool take(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)index, (void)count, (void)err;
    struct found *f = arg;
    struct sg_authority_row *a = f->row;
    a->id = sg_row_text(r);
    a->name = sg_row_text(r);
    a->method = sg_row_text(r);
    a->est_url = sg_row_text(r);
    a->tls_ca_pem = sg_row_text(r);
    a->authentication = sg_row_text(r);
    a->account = sg_row_text(r);
    a->credential = sg_row_text(r);
    a->renewal_lead_days = sg_row_int(r);
    a->key_algorithm = sg_row_text(r);
    a->key_kind = sg_row_text(r);
    a->revocation_url = sg_row_text(r);
    a->directory_url = sg_row_text(r);
    a->directory_base_dn = sg_row_text(r);
    a->directory_ca_pem = sg_row_text(r);
    f->found = true;
    return true;
}

bool sg_authority_of_domain(struct sg_tx *tx, struct sg_arena *arena, const char *domain_id,
                            struct sg_authority_row *row_r, bool *found_r, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct found f = {row_r, false};
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    if (!sg_tx_query(tx, SG_Q_AUTHORITY_OF_DOMAIN, &p, &rows, err))
        return false;
    *found_r = rows.count == 1;
    if (!*found_r)
        return true;
    struct sg_row r = sg_row_at(&rows, 0, arena);
    return take(&r, 0, 1, &f, err) && sg_row_end(&r, err);
}

bool sg_authority_find(struct sg_db *db, struct sg_arena *arena, const char *id,
                       struct sg_authority_row *row_r, bool *found_r, struct sg_error *err)
{
    struct found f = {row_r, false};
    struct sg_params p = {0};
    sg_param_text(&p, id);
    bool ok = sg_db_read(db, arena, SG_Q_AUTHORITY_FIND, &p, take, &f, err);
    *found_r = ok && f.found;
    return ok;
}
