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
    const char *export_dir;    /* "": none */
    int64_t crl_bypass_max_ms; /* the longest (REQ-59) */
    const char *simulation;    /* gatewayd's socket for dry runs, unix:PATH; "": none */
    int64_t simulation_timeout_ms;
    int64_t usage_table_ms; /* so long the table of all tenants' usage may take */
};

/* Sets request->reply; what went wrong is in err_r (SG_OK: nothing), for the log. */
void api_service_answer(const struct api_service *service, struct api_request *request,
                        struct sg_error *err_r);

/* Finds the tenant of the path and writes a dry run by the provider into the audit log, in a
 * transaction that has ended when gatewayd is asked. */
SG_MUST_USE bool api_service_simulation_begin(struct api_request *request, struct sg_error *err);

#endif
