#include "schema/api_key.h"

#include "schema/api_internal.h"

static void key_take(struct sg_row *row, void *item)
{
    struct sg_api_hsm_key *k = item;
    sg_row_key(row, &k->key);
    k->tenant_id = sg_row_text(row);
    k->domain_id = sg_row_text(row);
    k->kind = sg_row_text(row);
    k->algorithm = sg_row_text(row);
    k->state = sg_row_text(row);
    k->spki = sg_row_bytes(row);
    k->spki_sha256 = sg_row_bytes(row);
    k->updated_at = sg_row_time(row);
}

static void key_take_csr(struct sg_row *row, void *item)
{
    struct sg_api_hsm_key *k = item;
    key_take(row, k);
    k->csr = sg_row_bytes(row);
}

static void certificate_take(struct sg_row *row, void *item)
{
    struct sg_api_certificate *c = item;
    sg_row_key(row, &c->key);
    c->tenant_id = sg_row_text(row);
    c->domain_id = sg_row_text(row);
    c->key_id = sg_row_text(row);
    c->state = sg_row_text(row);
    c->der = sg_row_bytes(row);
    c->chain = sg_row_bytes_array(row, &c->chain_count);
    c->sha256 = sg_row_bytes(row);
    c->subject = sg_row_text(row);
    c->issuer = sg_row_text(row);
    c->serial = sg_row_text(row);
    c->not_before = sg_row_time(row);
    c->not_after = sg_row_time(row);
    c->updated_at = sg_row_time(row);
    c->authority_id = sg_row_text(row);
    c->renew_at = sg_row_time(row);
    c->published = sg_row_text(row);
    c->published_at = sg_row_time(row);
}

/* The parameters of what belongs to a domain; id or page. */
bool sg_api_key_insert(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                       const char *tenant_id, const char *domain_id, const char *kind,
                       const char *algorithm, struct sg_api_hsm_key *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, domain_id);
    sg_param_text(&p, kind);
    sg_param_text(&p, algorithm);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_api_row(tx, arena, SG_Q_API_KEY_INSERT, &p, key_take, row_r, "no key made", err);
}

bool sg_api_key_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                     const char *domain_id, const char *id, struct sg_api_hsm_key *row_r,
                     struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_domain(&p, tenant_id, domain_id);
    sg_param_text(&p, id);
    return sg_api_row(tx, arena, SG_Q_API_KEY_FIND, &p, key_take_csr, row_r, "no such key", err);
}

bool sg_api_key_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                     const char *domain_id, const struct sg_api_page *page,
                     struct sg_api_hsm_key **rows_r, size_t *count_r, struct sg_error *err)
{
    *rows_r = sg_api_domain_rows(tx, arena, SG_Q_API_KEY_LIST, tenant_id, domain_id, page, key_take,
                                 sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}

bool sg_api_certificate_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                             const char *domain_id, const char *id,
                             struct sg_api_certificate *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_domain(&p, tenant_id, domain_id);
    sg_param_text(&p, id);
    return sg_api_row(tx, arena, SG_Q_API_CERTIFICATE_FIND, &p, certificate_take, row_r,
                      "no such certificate", err);
}

bool sg_api_certificate_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                             const char *domain_id, const struct sg_api_page *page,
                             struct sg_api_certificate **rows_r, size_t *count_r,
                             struct sg_error *err)
{
    *rows_r = sg_api_domain_rows(tx, arena, SG_Q_API_CERTIFICATE_LIST, tenant_id, domain_id, page,
                                 certificate_take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}
