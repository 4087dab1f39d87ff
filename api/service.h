/* The way of a request through the service: route, token, rights, fields, transaction, reply. */
#ifndef SG_API_SERVICE_H
#define SG_API_SERVICE_H

#include "api/idempotency.h"
#include "api/request.h"

/* A pool for each of apid's roles in the database. */
struct api_service {
    struct sg_db *auth;     /* sg_auth: tokens alone */
    struct sg_db *api;      /* sg_api: under row-level security, for a tenant's tokens */
    struct sg_db *provider; /* sg_provider */
    struct api_rate *rate;  /* NULL: no limits */
    struct api_idempotency_options idempotency;
    const char *export_dir; /* "": none */
    const char *simulation; /* gatewayd's socket for dry runs, unix:PATH; "": none */
    int64_t simulation_timeout_ms;
};

/* Sets request->reply; what went wrong is in err_r (SG_OK: nothing), for the log. */
void api_service_answer(const struct api_service *service, struct api_request *request,
                        struct sg_error *err_r);

/* For a handler of type answer: the tenant and the domain of the path, in a transaction of their
 * own that has ended when it returns. */
SG_MUST_USE bool api_service_path_find(struct api_request *request, struct sg_error *err);

#endif
