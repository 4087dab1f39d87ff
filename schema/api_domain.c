#include "schema/api_domain.h"

#include "schema/api_internal.h"
#include "schema/api_ownership.h"
#include "schema/authority.h"
#include "schema/certificate_order.h"

static void domain_take(struct sg_row *row, void *item)
{
    struct sg_api_domain *d = item;
    sg_row_key(row, &d->key);
    d->tenant_id = sg_row_text(row);
    d->name = sg_row_text(row);
    d->environment = sg_row_text(row);
    d->state = sg_row_text(row);
    d->updated_at = sg_row_time(row);
}

static bool attest(struct sg_tx *tx, const char *id, const char *tenant_id, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, tenant_id);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query_one(tx, SG_Q_API_DOMAIN_ATTEST, &p, NULL, "no domain made", err);
}

/* REQ-51: its certificate is ordered at once, where it has an authority. */
static bool certificate_ask(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                            const char *tenant_id, struct sg_error *err)
{
    struct sg_authority_row authority;
    bool found;
    return sg_authority_of_domain(tx, arena, id, &authority, &found, err) &&
           (!found || sg_certificate_ensure(tx, tenant_id, id, 0, err));
}

bool sg_api_domain_insert(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                          const char *tenant_id, const char *name, const char *environment,
                          bool attested, struct sg_api_domain *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    struct sg_api_verification asked;
    sg_param_text(&p, id);
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, name);
    sg_param_text(&p, environment);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_text(&p, attested ? "attested" : "pending");
    return sg_api_row(tx, arena, SG_Q_API_DOMAIN_INSERT, &p, domain_take, row_r, "no domain made",
                      err) &&
           (attested
                ? attest(tx, id, tenant_id, err) && certificate_ask(tx, arena, id, tenant_id, err)
                : sg_api_verification_ask(tx, arena, id, &asked, err));
}

bool sg_api_domain_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                        const char *id, struct sg_api_domain *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, id);
    return sg_api_row(tx, arena, SG_Q_API_DOMAIN_FIND, &p, domain_take, row_r, "no such domain",
                      err);
}

bool sg_api_domain_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                        const char *name, const struct sg_api_page *page,
                        struct sg_api_domain **rows_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, name);
    sg_param_page(&p, page);
    *rows_r = sg_api_rows(tx, arena, SG_Q_API_DOMAIN_LIST, &p, domain_take, sizeof **rows_r,
                          count_r, err);
    return *rows_r != NULL;
}

static void hop_take(struct sg_row *row, void *item)
{
    struct sg_api_next_hop *h = item;
    h->domain_id = sg_row_text(row);
    h->protocol = sg_row_text(row);
    h->host = sg_row_text(row);
    h->port = sg_row_int(row);
    h->tls = sg_row_text(row);
    h->ca_pem = sg_row_text(row);
    h->updated_at = sg_row_time(row);
}

bool sg_api_next_hop_set(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                         const struct sg_api_next_hop *row, struct sg_api_next_hop *row_r,
                         struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, row->domain_id);
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, row->protocol);
    sg_param_text(&p, row->host);
    sg_param_int(&p, row->port);
    sg_param_text(&p, row->tls);
    sg_param_text(&p, row->ca_pem);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_api_row(tx, arena, SG_Q_API_NEXT_HOP_SET, &p, hop_take, row_r, "no such domain", err);
}

bool sg_api_next_hop_find(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                          const char *domain_id, struct sg_api_next_hop *row_r,
                          struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, tenant_id);
    sg_param_text(&p, domain_id);
    return sg_api_row(tx, arena, SG_Q_API_NEXT_HOP_FIND, &p, hop_take, row_r,
                      "the domain has no next hop yet", err);
}
