#include "api/check.h"
#include "api/handlers.h"
#include "api/pem.h"
#include "api/render.h"

static const char *const protocols[] = {"smtp", "lmtp", NULL};
static const char *const tls_levels[] = {"none", "opportunistic", "required", "verified", NULL};

struct next_hop {
    const char *protocol, *host, *tls, *ca_pem;
    int64_t port;
};
static const struct api_field fields[] = {
    {.name = "protocol",
     .type = API_STRING,
     .offset = offsetof(struct next_hop, protocol),
     .choices = protocols},
    {.name = "host",
     .type = API_STRING,
     .offset = offsetof(struct next_hop, host),
     .min = 2,
     .max = 253,
     .check = api_check_host},
    {.name = "port",
     .type = API_INTEGER,
     .offset = offsetof(struct next_hop, port),
     .min = 1,
     .max = 65535},
    {.name = "tls",
     .type = API_STRING,
     .offset = offsetof(struct next_hop, tls),
     .choices = tls_levels},
    {.name = "ca_pem",
     .type = API_TEXT,
     .offset = offsetof(struct next_hop, ca_pem),
     .optional = true,
     .max = API_PEM_CHARS_MAX,
     .check = api_check_pem,
     .initial_text = ""},
};
const struct api_spec api_next_hop_body = {fields, 5, sizeof(struct next_hop), NULL};

static json_t *next_hop_json(const struct sg_api_next_hop *h)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:o}", "domain_id", h->domain_id, "protocol",
                     h->protocol, "host", h->host, "port", (json_int_t)h->port, "tls", h->tls,
                     "ca_pem", h->ca_pem, "updated_at", api_json_time(h->updated_at));
}

bool api_next_hop_set(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct next_hop *body = r->fields;
    const struct sg_api_next_hop hop = {.domain_id = r->domain.key.id,
                                        .protocol = body->protocol,
                                        .host = body->host,
                                        .port = body->port,
                                        .tls = body->tls,
                                        .ca_pem = body->ca_pem};
    struct sg_api_next_hop now;
    return sg_api_next_hop_set(tx, r->arena, r->tenant.key.id, &hop, &now, err) &&
           api_reply_ok(r, next_hop_json(&now));
}

bool api_next_hop_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_next_hop hop;
    return sg_api_next_hop_find(tx, r->arena, r->tenant.key.id, r->domain.key.id, &hop, err) &&
           api_reply_ok(r, next_hop_json(&hop));
}
