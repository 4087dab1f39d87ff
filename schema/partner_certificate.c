#include "schema/partner_certificate.h"

#include "schema/db_internal.h"
#include "schema/der_list.h"

#include "common/id.h"

bool sg_partner_certificate_find(struct sg_db *db, struct sg_arena *arena, const char *domain,
                                 bool correspondent, struct sg_bytes **ders_r, size_t *count_r,
                                 struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, domain);
    sg_param_bool(&p, correspondent);
    return sg_der_list(db, arena, SG_Q_PARTNER_CERTIFICATE_FIND, &p, ders_r, count_r, err);
}

static bool take(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)index, (void)count, (void)err;
    *(bool *)arg = sg_row_bool(r);
    return true;
}

bool sg_partner_certificate_store(struct sg_db *db, const struct sg_partner_certificate *row,
                                  bool *usable_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, row->domain);
    sg_param_bytes(&p, row->der);
    sg_param_text(&p, row->source);
    sg_param_text(&p, row->origin);
    sg_param_time(&p, row->not_before);
    sg_param_time(&p, row->not_after);
    sg_param_time(&p, row->fetched_at);
    struct sg_id id = sg_id_new("pcr");
    sg_param_text(&p, id.text);
    sg_param_bool(&p, row->pending);
    *usable_r = false;
    return sg_db_read(db, NULL, SG_Q_PARTNER_CERTIFICATE_STORE, &p, take, usable_r, err);
}
