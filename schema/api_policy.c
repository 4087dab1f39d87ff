#include "schema/api_policy.h"

#include "schema/api_internal.h"

#include "common/id.h"

static void take(struct sg_row *row, void *item)
{
    struct sg_api_policy *p = item;
    p->tenant_id = sg_row_text(row);
    p->domain_id = sg_row_text(row);
    p->settings = sg_row_text(row);
    p->updated_at = sg_row_time(row);
}

bool sg_api_policy_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                        const char *domain_id, struct sg_api_policy **rows_r, size_t *count_r,
                        struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, domain_id);
    *rows_r = sg_api_rows(tx, arena, SG_Q_API_POLICY_LIST, &p, take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}

bool sg_api_policy_set(struct sg_tx *tx, const char *tenant_id, const char *domain_id,
                       const char *settings, struct sg_error *err)
{
    struct sg_id id = sg_id_new("pol");
    struct sg_params p = {0};
    sg_param_text(&p, id.text);
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, domain_id);
    sg_param_text(&p, settings);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query_one(tx, SG_Q_API_POLICY_SET, &p, NULL, "no policy set", err);
}
