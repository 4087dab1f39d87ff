#include "schema/trust_anchor.h"

#include "schema/der_list.h"

bool sg_trust_anchor_list(struct sg_db *db, struct sg_arena *arena, struct sg_bytes **ders_r,
                          size_t *count_r, struct sg_error *err)
{
    return sg_der_list(db, arena, SG_Q_TRUST_ANCHOR_LIST, NULL, ders_r, count_r, err);
}

bool sg_domain_anchor_list(struct sg_db *db, struct sg_arena *arena, const char *domain_id,
                           struct sg_bytes **ders_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    return sg_der_list(db, arena, SG_Q_DOMAIN_ANCHOR_LIST, &p, ders_r, count_r, err);
}
