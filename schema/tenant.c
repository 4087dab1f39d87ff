#include "schema/tenant.h"

#include "schema/api_certlife.h"
#include "schema/db_internal.h"
#include "schema/job.h"

static void of(struct sg_params *p, struct sg_tx *tx, const char *id)
{
    sg_param_text(p, id);
    sg_param_time(p, sg_tx_now(tx));
}

/* Before the domains: a certificate is revoked through its domain. */
static bool certificates_revoke(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                                struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    of(&p, tx, id);
    if (!sg_tx_query(tx, SG_Q_TENANT_CLOSE_CERTIFICATES, &p, &rows, err))
        return false;
    for (int i = 0; i < rows.count; i++) {
        struct sg_row row = sg_row_at(&rows, i, arena);
        const char *certificate = sg_row_text(&row), *domain = sg_row_text(&row), *revocation;
        if (!sg_row_end(&row, err) ||
            !sg_api_revocation_begin(tx, arena, id, domain, certificate, "cessationOfOperation",
                                     &revocation, err))
            return false;
    }
    return true;
}

bool sg_tenant_close(struct sg_tx *tx, struct sg_arena *arena, const char *id, bool *closed_r,
                     struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0}, submitters = {0};
    of(&p, tx, id);
    sg_param_text(&submitters, id);
    if (!sg_tx_query(tx, SG_Q_TENANT_CLOSE, &p, &rows, err))
        return false;
    *closed_r = rows.affected == 1;
    return !*closed_r || (certificates_revoke(tx, arena, id, err) &&
                          sg_tx_query(tx, SG_Q_TENANT_CLOSE_DOMAINS, &p, NULL, err) &&
                          sg_tx_query(tx, SG_Q_TENANT_CLOSE_SUBMITTERS, &submitters, NULL, err) &&
                          sg_tx_query(tx, SG_Q_TENANT_CLOSE_TOKENS, &p, NULL, err));
}

bool sg_tenant_close_due(struct sg_tx *tx, struct sg_arena *arena, size_t *count_r,
                         struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_time(&p, sg_tx_now(tx));
    if (!sg_tx_query(tx, SG_Q_TENANT_CLOSE_DUE, &p, &rows, err))
        return false;
    *count_r = (size_t)rows.count;
    for (int i = 0; i < rows.count; i++) {
        struct sg_row row = sg_row_at(&rows, i, arena);
        const char *id = sg_row_text(&row);
        struct sg_job_new job = {
            .tenant_id = id,
            .kind = "tenant.close",
            .payload_json = sg_arena_printf(arena, "{\"tenant_id\":\"%s\"}", id),
            .priority = SG_JOB_NORMAL,
            .unique_key = sg_arena_printf(arena, "tenant.close %s", id),
        };
        if (!sg_row_end(&row, err) || !sg_job_insert(tx, &job, NULL, err))
            return false;
    }
    return true;
}
