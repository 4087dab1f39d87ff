#include "schema/api_certlife.h"

#include "common/id.h"
#include "schema/api_internal.h"
#include "schema/job.h"

#include <stdio.h>

#define ATTEMPTS 100

static void authority_take(struct sg_row *row, void *item)
{
    struct sg_api_authority *a = item;
    sg_row_key(row, &a->key);
    a->name = sg_row_text(row);
    a->method = sg_row_text(row);
    a->est_url = sg_row_text(row);
    a->tls_ca_pem = sg_row_text(row);
    a->authentication = sg_row_text(row);
    a->account = sg_row_text(row);
    a->credential = sg_row_text(row);
    a->renewal_lead_days = sg_row_int(row);
    a->key_algorithm = sg_row_text(row);
    a->key_kind = sg_row_text(row);
    a->revocation_url = sg_row_text(row);
    a->directory_id = sg_row_text(row);
    a->is_default = sg_row_bool(row);
    a->updated_at = sg_row_time(row);
}

static void order_take(struct sg_row *row, void *item)
{
    struct sg_api_order *o = item;
    sg_row_key(row, &o->key);
    o->tenant_id = sg_row_text(row);
    o->domain_id = sg_row_text(row);
    o->authority_id = sg_row_text(row);
    o->reason = sg_row_text(row);
    o->state = sg_row_text(row);
    o->cause = sg_row_text(row);
    o->explanation = sg_row_text(row);
    o->key_id = sg_row_text(row);
    o->certificate_id = sg_row_text(row);
    o->attempts = sg_row_int(row);
    o->polls = sg_row_int(row);
    o->next_at = sg_row_time(row);
    o->updated_at = sg_row_time(row);
    o->finished_at = sg_row_time(row);
}

static void compromise_take(struct sg_row *row, void *item)
{
    struct sg_api_compromise *c = item;
    sg_row_key(row, &c->key);
    c->tenant_id = sg_row_text(row);
    c->domain_id = sg_row_text(row);
    c->reason = sg_row_text(row);
    c->state = sg_row_text(row);
    c->waits_for = sg_row_text(row);
    c->order_id = sg_row_text(row);
    c->certificate_id = sg_row_text(row);
    c->ordered_at = sg_row_time(row);
    c->installed_at = sg_row_time(row);
    c->released_at = sg_row_time(row);
    c->revoked_at = sg_row_time(row);
    c->published_at = sg_row_time(row);
    c->listed_at = sg_row_time(row);
    c->removed_at = sg_row_time(row);
    c->finished_at = sg_row_time(row);
    c->updated_at = sg_row_time(row);
}

static void revocation_take(struct sg_row *row, void *item)
{
    struct sg_api_revocation *v = item;
    sg_row_key(row, &v->key);
    v->tenant_id = sg_row_text(row);
    v->domain_id = sg_row_text(row);
    v->certificate_id = sg_row_text(row);
    v->compromise_id = sg_row_text(row);
    v->reason = sg_row_text(row);
    v->state = sg_row_text(row);
    v->explanation = sg_row_text(row);
    v->requested_at = sg_row_time(row);
    v->listed_at = sg_row_time(row);
    v->removed_at = sg_row_time(row);
    v->updated_at = sg_row_time(row);
}

/* Parameters of what belongs to a domain, with an id behind where there is one. */
static void of_domain(struct sg_params *p, const char *tenant_id, const char *domain_id,
                      const char *id)
{
    sg_param_domain(p, tenant_id, domain_id);
    if (id)
        sg_param_text(p, id);
}

/* Authorities -----------------------------------------------------------------------------------*/

static bool authority_write(struct sg_tx *tx, struct sg_arena *arena, enum sg_query query,
                            const struct sg_api_authority *row, struct sg_api_authority *row_r,
                            struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, row->key.id);
    sg_param_text(&p, row->name);
    sg_param_text(&p, row->method);
    sg_param_text(&p, row->est_url);
    sg_param_text(&p, row->tls_ca_pem);
    sg_param_text(&p, row->authentication);
    sg_param_text(&p, row->account);
    sg_param_text(&p, row->credential);
    sg_param_int(&p, row->renewal_lead_days);
    sg_param_text(&p, row->key_algorithm);
    sg_param_text(&p, row->key_kind);
    sg_param_text(&p, row->revocation_url);
    sg_param_text(&p, row->directory_id);
    sg_param_bool(&p, row->is_default);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_api_row(tx, arena, query, &p, authority_take, row_r, "no such authority", err);
}

bool sg_api_authority_insert(struct sg_tx *tx, struct sg_arena *arena,
                             const struct sg_api_authority *row, struct sg_api_authority *row_r,
                             struct sg_error *err)
{
    return authority_write(tx, arena, SG_Q_API_AUTHORITY_INSERT, row, row_r, err);
}

bool sg_api_authority_update(struct sg_tx *tx, struct sg_arena *arena,
                             const struct sg_api_authority *row, struct sg_api_authority *row_r,
                             struct sg_error *err)
{
    return authority_write(tx, arena, SG_Q_API_AUTHORITY_UPDATE, row, row_r, err);
}

bool sg_api_authority_find(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                           struct sg_api_authority *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    return sg_api_row(tx, arena, SG_Q_API_AUTHORITY_FIND, &p, authority_take, row_r,
                      "no such authority", err);
}

bool sg_api_authority_list(struct sg_tx *tx, struct sg_arena *arena, const struct sg_api_page *page,
                           struct sg_api_authority **rows_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_page(&p, page);
    *rows_r = sg_api_rows(tx, arena, SG_Q_API_AUTHORITY_LIST, &p, authority_take, sizeof **rows_r,
                          count_r, err);
    return *rows_r != NULL;
}

bool sg_api_authority_delete(struct sg_tx *tx, const char *id, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    return sg_tx_query_one(tx, SG_Q_API_AUTHORITY_DELETE, &p, NULL, "no such authority", err);
}

static void text_take(struct sg_row *row, void *item)
{
    *(const char **)item = sg_row_text(row);
}

bool sg_api_authority_use_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                               const char *domain_id, const char **authority_id_r,
                               struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    if (domain_id)
        sg_param_text(&p, domain_id);
    return sg_api_row(tx, arena,
                      domain_id ? SG_Q_API_DOMAIN_AUTHORITY_FIND : SG_Q_API_TENANT_AUTHORITY_FIND,
                      &p, text_take, authority_id_r, "no such tenant or domain", err);
}

bool sg_api_authority_use_set(struct sg_tx *tx, const char *tenant_id, const char *domain_id,
                              const char *authority_id, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    if (domain_id)
        sg_param_text(&p, domain_id);
    sg_param_text(&p, authority_id);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query_one(
        tx, domain_id ? SG_Q_API_DOMAIN_AUTHORITY_SET : SG_Q_API_TENANT_AUTHORITY_SET, &p, NULL,
        "no such tenant or domain", err);
}

/* Orders ----------------------------------------------------------------------------------------*/

bool sg_api_order_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                       const char *domain_id, const char *id, struct sg_api_order *row_r,
                       struct sg_error *err)
{
    struct sg_params p = {0};
    of_domain(&p, tenant_id, domain_id, id);
    return sg_api_row(tx, arena, SG_Q_API_ORDER_FIND, &p, order_take, row_r, "no such order", err);
}

bool sg_api_order_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                       const char *domain_id, const struct sg_api_page *page,
                       struct sg_api_order **rows_r, size_t *count_r, struct sg_error *err)
{
    *rows_r = sg_api_domain_rows(tx, arena, SG_Q_API_ORDER_LIST, tenant_id, domain_id, page,
                                 order_take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}

bool sg_api_order_cancel(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                         const char *domain_id, const char *id, const char *cause,
                         bool *cancelled_r, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0}, key = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, domain_id);
    sg_param_text(&p, id);
    sg_param_text(&p, cause);
    sg_param_time(&p, sg_tx_now(tx));
    if (!sg_tx_query(tx, SG_Q_API_ORDER_CANCEL, &p, &rows, err))
        return false;
    *cancelled_r = rows.count == 1;
    if (!*cancelled_r)
        return true;
    struct sg_row r = sg_row_at(&rows, 0, arena);
    sg_param_text(&key, sg_row_text(&r));
    sg_param_time(&key, sg_tx_now(tx));
    return sg_row_end(&r, err) && sg_tx_query(tx, SG_Q_API_KEY_GIVE_UP, &key, NULL, err);
}

/* Revocations and compromises -------------------------------------------------------------------*/

static bool job_make(struct sg_tx *tx, const char *tenant_id, const char *kind, const char *field,
                     const char *id, struct sg_error *err)
{
    char payload[100], unique[100];
    snprintf(payload, sizeof payload, "{\"%s\": \"%s\"}", field, id);
    snprintf(unique, sizeof unique, "%s %s", kind, id);
    struct sg_job_new job = {.tenant_id = tenant_id,
                             .kind = kind,
                             .payload_json = payload,
                             .max_attempts = ATTEMPTS,
                             .priority = SG_JOB_URGENT,
                             .unique_key = unique};
    return sg_job_insert(tx, &job, NULL, err);
}

/* With its job; *made_r false: the certificate has one already. */
static bool revocation_insert(struct sg_tx *tx, const char *id, const char *tenant_id,
                              const char *domain_id, const char *certificate_id,
                              const char *compromise_id, const char *reason, bool *made_r,
                              struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, domain_id);
    sg_param_text(&p, certificate_id);
    sg_param_text(&p, compromise_id);
    sg_param_text(&p, reason);
    sg_param_time(&p, sg_tx_now(tx));
    if (!sg_tx_query(tx, SG_Q_API_REVOCATION_INSERT, &p, &rows, err))
        return false;
    *made_r = rows.affected == 1;
    return !*made_r || job_make(tx, tenant_id, "certificate.revoke", "revocation_id", id, err);
}

static bool compromise_open(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                            const char *domain_id, const char **id_r, struct sg_error *err)
{
    struct sg_params p = {0};
    of_domain(&p, tenant_id, domain_id, NULL);
    return sg_api_row(tx, arena, SG_Q_API_COMPROMISE_OPEN, &p, text_take, id_r,
                      "no such compromise", err);
}

static bool certificates_revoke(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                const char *domain_id, const char *compromise_id,
                                struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    of_domain(&p, tenant_id, domain_id, NULL);
    sg_param_time(&p, sg_tx_now(tx));
    if (!sg_tx_query(tx, SG_Q_API_COMPROMISE_CERTIFICATES, &p, &rows, err))
        return false;
    for (int i = 0; i < rows.count; i++) {
        struct sg_row r = sg_row_at(&rows, i, arena);
        const char *id = sg_row_text(&r);
        bool lasts = sg_row_bool(&r), made;
        if (!sg_row_end(&r, err) ||
            (lasts && !revocation_insert(tx, sg_id_new("rev").text, tenant_id, domain_id, id,
                                         compromise_id, "keyCompromise", &made, err)))
            return false;
    }
    return true;
}

bool sg_api_compromise_begin(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                             const char *domain_id, const char *reason, const char **id_r,
                             struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0}, keys = {0};
    bool cancelled;
    of_domain(&keys, tenant_id, domain_id, NULL);
    *id_r = sg_arena_strdup(arena, sg_id_new("cmp").text);
    sg_param_text(&p, *id_r);
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, domain_id);
    sg_param_text(&p, reason);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_time(&keys, sg_tx_now(tx));
    if (!sg_tx_query(tx, SG_Q_API_COMPROMISE_INSERT, &p, &rows, err))
        return false;
    if (rows.affected == 0)
        return compromise_open(tx, arena, tenant_id, domain_id, id_r, err);
    return sg_api_order_cancel(tx, arena, tenant_id, domain_id, NULL, "compromise", &cancelled,
                               err) &&
           sg_tx_query(tx, SG_Q_API_COMPROMISE_KEYS, &keys, NULL, err) &&
           certificates_revoke(tx, arena, tenant_id, domain_id, *id_r, err) &&
           job_make(tx, tenant_id, "certificate.compromise", "compromise_id", *id_r, err);
}

bool sg_api_compromise_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                            const char *domain_id, const char *id, struct sg_api_compromise *row_r,
                            struct sg_error *err)
{
    struct sg_params p = {0};
    of_domain(&p, tenant_id, domain_id, id);
    return sg_api_row(tx, arena, SG_Q_API_COMPROMISE_FIND, &p, compromise_take, row_r,
                      "no such compromise", err);
}

bool sg_api_compromise_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                            const char *domain_id, const struct sg_api_page *page,
                            struct sg_api_compromise **rows_r, size_t *count_r,
                            struct sg_error *err)
{
    *rows_r = sg_api_domain_rows(tx, arena, SG_Q_API_COMPROMISE_LIST, tenant_id, domain_id, page,
                                 compromise_take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}

bool sg_api_revocation_begin(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                             const char *domain_id, const char *certificate_id, const char *reason,
                             const char **id_r, struct sg_error *err)
{
    struct sg_params p = {0}, of = {0};
    bool made;
    of_domain(&p, tenant_id, domain_id, certificate_id);
    of_domain(&of, tenant_id, domain_id, certificate_id);
    sg_param_time(&p, sg_tx_now(tx));
    *id_r = sg_arena_strdup(arena, sg_id_new("rev").text);
    if (!sg_tx_query_one(tx, SG_Q_API_CERTIFICATE_REVOKE, &p, NULL, "no such certificate", err) ||
        !revocation_insert(tx, *id_r, tenant_id, domain_id, certificate_id, NULL, reason, &made,
                           err))
        return false;
    return made || sg_api_row(tx, arena, SG_Q_API_REVOCATION_OF, &of, text_take, id_r,
                              "no such revocation", err);
}

bool sg_revocation_begin(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                         const char *certificate_id, const char *reason, struct sg_error *err)
{
    struct sg_params p = {0};
    const char *domain_id, *id;
    sg_param_text(&p, certificate_id);
    return sg_api_row(tx, arena, SG_Q_CERTIFICATE_DOMAIN, &p, text_take, &domain_id,
                      "no such certificate", err) &&
           sg_api_revocation_begin(tx, arena, tenant_id, domain_id, certificate_id, reason, &id,
                                   err);
}

bool sg_api_revocation_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                            const char *domain_id, const char *id, struct sg_api_revocation *row_r,
                            struct sg_error *err)
{
    struct sg_params p = {0};
    of_domain(&p, tenant_id, domain_id, id);
    return sg_api_row(tx, arena, SG_Q_API_REVOCATION_FIND, &p, revocation_take, row_r,
                      "no such revocation", err);
}

bool sg_api_revocation_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                            const char *domain_id, const struct sg_api_page *page,
                            struct sg_api_revocation **rows_r, size_t *count_r,
                            struct sg_error *err)
{
    *rows_r = sg_api_domain_rows(tx, arena, SG_Q_API_REVOCATION_LIST, tenant_id, domain_id, page,
                                 revocation_take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}
