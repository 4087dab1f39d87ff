/*
 * One request on its way: what came, who asks, what is answered. Lives in an arena of its own.
 */
#ifndef SG_API_REQUEST_H
#define SG_API_REQUEST_H

#include "api/json_spec.h"
#include "api/rate.h"

#include "common/arena.h"
#include "common/id.h"
#include "schema/access.h"
#include "schema/api_domain.h"
#include "schema/api_tenant.h"
#include "schema/db.h"

#include <jansson.h>

/* What a route needs: nothing, or the right to read or write a scope. */
enum api_need { API_NEED_NOTHING, API_NEED_READ, API_NEED_WRITE };
struct api_access {
    enum api_need need;
    enum sg_scope scope;
};

/* Who asks: the holder of a token. */
struct api_caller {
    const char *role; /* of schema/access.h */
    struct sg_access access;
    const char *token_id;  /* NULL: known by its certificate */
    const char *client_id; /* NULL: a token of no client */
    const char *tenant_id; /* NULL: the provider's */
    const char *actor;     /* for the audit log: "token:tok_… name", "client:cli_… name" */
};

/* The parts of a path in braces. */
#define API_PARAMS_MAX 4
struct api_params {
    size_t count;
    struct {
        const char *name; /* "tenant_id" */
        const char *value;
    } items[API_PARAMS_MAX];
};

struct api_reply {
    int status;
    json_t *body;         /* owned; NULL: none */
    struct sg_bytes text; /* in place of body: of media_type, in the arena */
    int file;             /* in place of text: a file of file_size bytes, owned; 0: none */
    uint64_t file_size;
    const char *media_type, *disposition;
    const char *location; /* NULL: none */
    const char *allow;    /* of a 405 */
    const char *instead;  /* of a 504, its detail: what can be asked for instead; NULL: nothing */
    const char *etag;     /* RFC 9110 §8.8.3; NULL: none */
    const char *secret;   /* a member of body that is shown once; NULL: none */
    int64_t retry_after;  /* seconds; 0: none */
    bool replayed;        /* an earlier answer once more (Idempotency-Key) */
};

struct api_route;
struct api_service;

struct api_request {
    struct sg_arena *arena;
    struct sg_id id; /* "req_…" */
    const char *method, *path;
    const char *authorization;                              /* the header; NULL: none */
    const char *content_type;                               /* the header; NULL: none */
    const char *idempotency_key, *if_match, *if_none_match; /* headers; NULL: none */
    const char *certificate; /* SHA-256 of the TLS client certificate, in hex; NULL: none */
    const char *address;     /* of the client, "unix" for a Unix socket */
    struct sg_bytes body;
    const struct api_pair *query;
    size_t query_count;

    /* Found on the way. */
    const struct api_service *service;
    const struct api_route *route; /* NULL: none matched */
    struct api_params params;
    struct api_caller caller;
    void *fields;                /* the body, read by the route's spec */
    void *parameters;            /* the query, likewise */
    struct sg_api_tenant tenant; /* of {tenant_id} and {domain_id}, where the path has them */
    struct sg_api_domain domain;

    struct api_rate_state rate; /* what is left of the caller's rate */
    struct api_reply reply;
};

/* By which the caller is counted and its Idempotency-Keys are told apart: client, else token. */
const char *api_caller_id(const struct api_caller *caller);

/* A part of the path; "" where there is none of that name. */
const char *api_param(const struct api_request *request, const char *name);

/* Set the reply; the body is taken over. Each replaces what an earlier try had set. */
bool api_reply_ok(struct api_request *request, json_t *body);
bool api_reply_created(struct api_request *request, const char *location, json_t *body);
bool api_reply_accepted(struct api_request *request, const char *location, json_t *body);
bool api_reply_gone(struct api_request *request);
/* A form that is no JSON, in UTF-8; text is copied. disposition is of RFC 6266. */
/* fd is taken over. */
bool api_reply_file(struct api_request *request, const char *media_type, const char *disposition,
                    int fd, uint64_t size);
bool api_reply_text(struct api_request *request, const char *media_type, const char *disposition,
                    struct sg_bytes text);
/* After one of these: the body's member of that name (static) is a secret that is shown once, and
 * is not kept in clear for a request that is sent again. */
bool api_reply_secret(struct api_request *request, const char *member);
/* problem+json (RFC 9457). */
void api_reply_problem(struct api_request *request, const struct sg_error *err);
void api_reply_clear(struct api_request *request);

#endif
