#include "schema/authority.h"

#include "schema/db_internal.h"

static void take(struct sg_row *r, void *item)
{
    struct sg_authority_row *a = item;
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
    a->directory_bind_dn = sg_row_text(r);
    a->directory_credential = sg_row_text(r);
}

bool sg_authority_of_domain(struct sg_tx *tx, struct sg_arena *arena, const char *domain_id,
                            struct sg_authority_row *row_r, bool *found_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    return sg_tx_find(tx, arena, SG_Q_AUTHORITY_OF_DOMAIN, &p, take, row_r, found_r, err);
}

bool sg_authority_find(struct sg_db *db, struct sg_arena *arena, const char *id,
                       struct sg_authority_row *row_r, bool *found_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    return sg_db_find(db, arena, SG_Q_AUTHORITY_FIND, &p, take, row_r, found_r, err);
}
