/* Whom a domain trusts beyond the platform: partners outside Secure Email (REQ-91), roots of its
 * own (REQ-180); and the platform's store of partners' certificates. */
#include "schema/api_trust.h"
#include "schema/incident.h"
#include "schema/partner_certificate.h"

#include "api/check.h"
#include "api/handlers.h"
#include "api/pem.h"
#include "api/render.h"

/* Exceptions ------------------------------------------------------------------------------------
 */

struct exception_new {
    const char *partner, *description;
    sg_time expires_at;
};
static const struct api_field exception_fields[] = {
    {.name = "partner",
     .type = API_STRING,
     .offset = offsetof(struct exception_new, partner),
     .min = 3,
     .max = 253,
     .check = api_check_dns_name},
    {.name = "description",
     .type = API_STRING,
     .offset = offsetof(struct exception_new, description),
     .optional = true,
     .max = 200,
     .initial_text = ""},
    {.name = "expires_at",
     .type = API_TIME,
     .offset = offsetof(struct exception_new, expires_at),
     .optional = true},
};
const struct api_spec api_exception_new = {exception_fields, 3, sizeof(struct exception_new), NULL};

static json_t *exception_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_exception *e = row;
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "id", e->key.id, "tenant_id",
                     e->tenant_id, "domain_id", e->domain_id, "partner", e->partner, "description",
                     e->description, "expires_at", api_json_time_or_null(e->expires_at),
                     "created_at", api_json_time(e->key.at));
}

bool api_exception_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct exception_new *body = r->fields;
    struct sg_id id = sg_id_new("exc");
    const struct sg_api_exception wanted = {.key = {.id = id.text},
                                            .tenant_id = r->tenant.key.id,
                                            .domain_id = r->domain.key.id,
                                            .partner = body->partner,
                                            .description = body->description,
                                            .expires_at = body->expires_at};
    struct sg_api_exception made;
    if (!sg_api_exception_insert(tx, r->arena, &wanted, &made, err))
        return api_conflict(err, "/partner", "the domain has this partner already");
    return api_reply_created(r, sg_arena_printf(r->arena, "%s/%s", r->path, id.text),
                             exception_json(r->arena, &made));
}

bool api_exception_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_page page;
    struct sg_api_exception *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_exception_list(tx, r->arena, r->tenant.key.id, r->domain.key.id, &page, &rows,
                                 &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, exception_json);
}

bool api_exception_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_exception row;
    return sg_api_exception_find(tx, r->arena, r->tenant.key.id, r->domain.key.id,
                                 api_param(r, "exception_id"), &row, err) &&
           api_reply_ok(r, exception_json(r->arena, &row));
}

bool api_exception_delete(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return sg_api_exception_delete(tx, r->tenant.key.id, r->domain.key.id,
                                   api_param(r, "exception_id"), err) &&
           api_reply_gone(r);
}

/* Roots of a domain -----------------------------------------------------------------------------
 */

bool api_domain_anchor_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_id id = sg_id_new("anc");
    const struct sg_api_anchor wanted = api_anchor_wanted(r, id.text);
    struct sg_api_anchor made;
    if (!sg_api_domain_anchor_insert(tx, r->arena, r->tenant.key.id, r->domain.key.id, &wanted,
                                     &made, err))
        return api_conflict(err, "/pem", "the domain trusts this root already");
    return api_reply_created(r, sg_arena_printf(r->arena, "%s/%s", r->path, id.text),
                             api_anchor_json(r->arena, &made));
}

bool api_domain_anchor_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_page page;
    struct sg_api_anchor *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_domain_anchor_list(tx, r->arena, r->tenant.key.id, r->domain.key.id, &page, &rows,
                                     &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, api_anchor_json);
}

bool api_domain_anchor_delete(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return sg_api_domain_anchor_delete(tx, r->tenant.key.id, r->domain.key.id,
                                       api_param(r, "anchor_id"), err) &&
           api_reply_gone(r);
}

/* Partners' certificates ------------------------------------------------------------------------
 */

static const char *const partner_states[] = {"active", "pending", "refused", NULL};

struct partner_new {
    const char *domain, *pem, *origin;
    struct api_certificates leaf; /* of pem: one */
};
static const struct api_field partner_fields[] = {
    {.name = "domain",
     .type = API_STRING,
     .offset = offsetof(struct partner_new, domain),
     .min = 3,
     .max = 253,
     .check = api_check_dns_name},
    {.name = "pem",
     .type = API_TEXT,
     .offset = offsetof(struct partner_new, pem),
     .min = 1,
     .max = API_PEM_CHARS_MAX},
    {.name = "origin",
     .type = API_STRING,
     .offset = offsetof(struct partner_new, origin),
     .min = 1,
     .max = 200,
     .check = api_check_name},
};

static bool partner_check(struct sg_arena *arena, void *out, struct sg_error *err)
{
    struct partner_new *body = out;
    struct sg_error why;
    return api_pem_read(arena, body->pem, 1, &body->leaf, &why) ||
           api_invalid(err, "pem", "%.199s", why.detail);
}
const struct api_spec api_partner_new = {partner_fields, 3, sizeof(struct partner_new),
                                         partner_check};

struct partner_query {
    struct api_page_query page;
    const char *domain, *state;
};
static const struct api_field partner_query_fields[] = {
    API_PAGE_FIELDS,
    {.name = "domain",
     .type = API_STRING,
     .offset = offsetof(struct partner_query, domain),
     .optional = true,
     .min = 3,
     .max = 253,
     .check = api_check_dns_name},
    {.name = "state",
     .type = API_STRING,
     .offset = offsetof(struct partner_query, state),
     .optional = true,
     .choices = partner_states},
};
const struct api_spec api_partner_query = {partner_query_fields, 4, sizeof(struct partner_query),
                                           NULL};

static json_t *partner_json(struct sg_arena *arena, const void *row)
{
    const struct sg_api_partner *c = row;
    const char *pem = api_pem_write(arena, "CERTIFICATE", c->der);
    struct api_certificates read;
    struct sg_error why;
    bool good = api_pem_read(arena, pem, 1, &read, &why);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:o, s:o, s:o, s:s, s:o}", "id",
                     c->key.id, "domain", c->domain, "subject", good ? read.items[0].subject : "",
                     "source", c->source, "origin", c->origin, "state", c->state,
                     "relying_domain_id", c->relying_id, "sha256",
                     api_json_hex_or_null(arena, c->sha256), "not_before",
                     api_json_time(c->not_before), "not_after", api_json_time(c->not_after), "pem",
                     pem, "fetched_at", api_json_time(c->key.at));
}

/* What is stored is proved each time before it is used: address, chain, revocation (REQ-67). */
bool api_partner_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct partner_new *body = r->fields;
    const struct api_certificate *leaf = &body->leaf.items[0];
    struct sg_id id = sg_id_new("pcr");
    const struct sg_api_partner wanted = {.key = {.id = id.text},
                                          .domain = body->domain,
                                          .der = leaf->der,
                                          .origin = body->origin,
                                          .not_before = leaf->not_before,
                                          .not_after = leaf->not_after};
    struct sg_api_partner made;
    if (!sg_api_partner_insert(tx, r->arena, &wanted, &made, err))
        return api_conflict(err, "/pem", "the certificate is in the store already");
    return api_reply_created(r, sg_arena_printf(r->arena, "/v1/partner-certificates/%s", id.text),
                             partner_json(r->arena, &made));
}

bool api_partner_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct partner_query *query = r->parameters;
    struct sg_api_page page;
    struct sg_api_partner *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_partner_list(tx, r->arena, query->domain, query->state, &page, &rows, &count,
                               err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, partner_json);
}

bool api_partner_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_partner row;
    return sg_api_partner_find(tx, r->arena, api_param(r, "partner_id"), &row, err) &&
           api_reply_ok(r, partner_json(r->arena, &row));
}

/* REQ-83: whoever was to be asked about a changed certificate has answered. */
static bool change_decided(struct api_request *r, struct sg_tx *tx, const char *what,
                           struct sg_error *err)
{
    const char *id = api_param(r, "partner_id");
    return sg_incident_resolve(
        tx, sg_arena_printf(r->arena, SG_PARTNER_CHANGED_KEY, id),
        sg_arena_printf(r->arena, "%s was %s by %s", id, what, r->caller.actor), err);
}

static bool state_set(struct api_request *r, struct sg_tx *tx, const char *state, const char *what,
                      struct sg_error *err)
{
    struct sg_api_partner row;
    return sg_api_partner_state_set(tx, r->arena, api_param(r, "partner_id"), state, &row, err) &&
           change_decided(r, tx, what, err) && api_reply_ok(r, partner_json(r->arena, &row));
}

bool api_partner_approve(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return state_set(r, tx, "active", "approved", err);
}

bool api_partner_refuse(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return state_set(r, tx, "refused", "refused", err);
}

bool api_partner_delete(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return sg_api_partner_delete(tx, api_param(r, "partner_id"), err) &&
           change_decided(r, tx, "forgotten", err) && api_reply_gone(r);
}
