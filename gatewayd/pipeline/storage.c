#include "pipeline/storage.h"

#include "schema/certificate.h"
#include "schema/crl.h"
#include "schema/directory_source.h"
#include "schema/partner_certificate.h"
#include "schema/policy.h"
#include "schema/trust_anchor.h"

static bool anchors(void *ctx, struct sg_arena *arena, struct sg_cert_der_list *list_r,
                    struct sg_error *err)
{
    return sg_trust_anchor_list(ctx, arena, &list_r->items, &list_r->count, err);
}

static bool domain_anchors(void *ctx, struct sg_arena *arena, const char *domain_id,
                           struct sg_cert_der_list *list_r, struct sg_error *err)
{
    return sg_domain_anchor_list(ctx, arena, domain_id, &list_r->items, &list_r->count, err);
}

static bool directories(void *ctx, struct sg_arena *arena, struct sg_cert_directory **list_r,
                        size_t *count_r, struct sg_error *err)
{
    struct sg_directory_source_row *rows;
    if (!sg_directory_source_list(ctx, arena, &rows, count_r, err))
        return false;
    *list_r = SG_ARENA_ARRAY(arena, struct sg_cert_directory, *count_r + 1);
    for (size_t i = 0; i < *count_r; i++)
        (*list_r)[i] = (struct sg_cert_directory){.url = rows[i].url,
                                                  .base_dn = rows[i].base_dn,
                                                  .ca_pem = rows[i].ca_pem,
                                                  .anchor = rows[i].anchor,
                                                  .filter = rows[i].filter,
                                                  .attribute = rows[i].attribute,
                                                  .bind_dn = rows[i].bind_dn,
                                                  .credential = rows[i].credential};
    return true;
}

static bool partner_find(void *ctx, struct sg_arena *arena, const struct sg_cert_stored *wanted,
                         struct sg_cert_der_list *list_r, struct sg_error *err)
{
    const struct sg_partner_query query = {.domain = wanted->domain,
                                           .correspondent = wanted->correspondent,
                                           .approval = wanted->approval,
                                           .ask = wanted->change == SG_CERT_ASK,
                                           .pin = wanted->change == SG_CERT_PIN,
                                           .relying = wanted->relying,
                                           .now = wanted->now};
    return sg_partner_certificate_find(ctx, arena, &query, &list_r->items, &list_r->waits,
                                       &list_r->count, err);
}

static bool partner_store(void *ctx, const struct sg_cert_partner *partner, bool *usable_r,
                          bool *waits_r, struct sg_error *err)
{
    struct sg_partner_certificate row = {.domain = partner->domain,
                                         .der = partner->der,
                                         .source = partner->source,
                                         .origin = partner->origin,
                                         .not_before = partner->not_before,
                                         .not_after = partner->not_after,
                                         .fetched_at = partner->now,
                                         .authority = partner->authority,
                                         .approval = partner->approval,
                                         .ask = partner->ask,
                                         .relying = partner->relying,
                                         .dry = partner->dry};
    return sg_partner_certificate_store(ctx, &row, usable_r, waits_r, err);
}

static bool revoked_here(void *ctx, const uint8_t sha256[32], bool *revoked_r, struct sg_error *err)
{
    return sg_certificate_revoked(ctx, sg_bytes_of(sha256, 32), revoked_r, err);
}

static bool crl_find(void *ctx, struct sg_arena *arena, const char *url, struct sg_bytes *der_r,
                     bool *found_r, struct sg_error *err)
{
    struct sg_crl_row row = {0};
    if (!sg_crl_find(ctx, arena, url, &row, found_r, err))
        return false;
    *der_r = row.der;
    return true;
}

static bool crl_store(void *ctx, const char *url, struct sg_bytes der, sg_time this_update,
                      sg_time next_update, sg_time now, struct sg_error *err)
{
    struct sg_crl_row row = {der, this_update, next_update, now};
    return sg_crl_store(ctx, url, &row, err);
}

static bool crl_forget(void *ctx, sg_time before, struct sg_error *err)
{
    return sg_crl_forget(ctx, before, err);
}

static bool domain_choice(void *ctx, struct sg_arena *arena, const char *domain_id,
                          struct sg_cert_choice *choice_r, struct sg_error *err)
{
    struct sg_domain_policy policy;
    if (!sg_domain_policy_load(ctx, arena, domain_id, &policy, err))
        return false;
    choice_r->crl_grace =
        policy.crl_grace_hours < 0 ? -1 : policy.crl_grace_hours * 3600 * SG_SECOND;
    choice_r->crl_bypass_until = policy.crl_bypass_until;
    return true;
}

static bool crl_bypass(void *ctx, struct sg_arena *arena, const uint8_t sha256[32], sg_time now,
                       struct sg_cert_bypass *bypass_r, struct sg_error *err)
{
    return sg_crl_bypass_find(ctx, arena, sg_bytes_of(sha256, 32), now, &bypass_r->until,
                              &bypass_r->reason, err);
}

struct sg_cert_storage sg_cert_storage_of(struct sg_db *db)
{
    return (struct sg_cert_storage){.ctx = db,
                                    .anchors = anchors,
                                    .domain_anchors = domain_anchors,
                                    .directories = directories,
                                    .partner_find = partner_find,
                                    .partner_store = partner_store,
                                    .revoked_here = revoked_here,
                                    .crl_find = crl_find,
                                    .crl_store = crl_store,
                                    .crl_forget = crl_forget,
                                    .domain_choice = domain_choice,
                                    .crl_bypass = crl_bypass};
}
