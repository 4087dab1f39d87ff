#include "api/handlers.h"
#include "api/render.h"

const char *const api_environments[] = {"seemail", "securemail", NULL};
const char *const api_directions[] = {"outbound", "inbound", NULL};

#define TENANT      "/v1/tenants/{tenant_id}"
#define DOMAIN      TENANT "/domains/{domain_id}"
#define KEY         DOMAIN "/keys/{key_id}"
#define INCIDENT    "/v1/incidents/{incident_id}"
#define PAGE        &api_page_spec
#define PUBLIC(fn)  API_PUBLIC, NULL, NULL, .answer = (fn)
#define BODY(spec)  &(spec), NULL
#define QUERY(spec) NULL, (spec)
#define NOTHING     NULL, NULL

const struct api_route api_routes[] = {
    {"GET", "/healthz", PUBLIC(api_health)},
    {"GET", "/readyz", PUBLIC(api_ready)},
    {"GET", "/v1/version", PUBLIC(api_version)},

    {"GET", "/v1/tenants", API_PROVIDER, QUERY(PAGE), .transact = api_tenant_list},
    {"POST", "/v1/tenants", API_PROVIDER, BODY(api_tenant_new), .transact = api_tenant_create},
    {"GET", TENANT, API_VIEWER, NOTHING, .transact = api_tenant_get},

    {"GET", TENANT "/domains", API_VIEWER, QUERY(&api_domain_query), .transact = api_domain_list},
    {"POST", TENANT "/domains", API_PROVIDER, BODY(api_domain_new), .transact = api_domain_create},
    {"GET", DOMAIN, API_VIEWER, NOTHING, .transact = api_domain_get},
    {"GET", DOMAIN "/next-hop", API_VIEWER, NOTHING, .transact = api_next_hop_get},
    {"PUT", DOMAIN "/next-hop", API_ADMIN, BODY(api_next_hop_body), .transact = api_next_hop_set},

    {"GET", DOMAIN "/keys", API_VIEWER, QUERY(PAGE), .transact = api_key_list},
    {"POST", DOMAIN "/keys", API_ADMIN, BODY(api_key_new), .transact = api_key_create},
    {"GET", KEY, API_VIEWER, NOTHING, .transact = api_key_get},
    {"GET", KEY "/csr", API_VIEWER, NOTHING, .transact = api_csr_get},
    {"POST", KEY "/csr", API_ADMIN, NOTHING, .transact = api_csr_create},
    {"GET", DOMAIN "/certificates", API_VIEWER, QUERY(PAGE), .transact = api_certificate_list},
    {"POST", DOMAIN "/certificates", API_ADMIN, BODY(api_certificate_new),
     .transact = api_certificate_install},
    {"GET", DOMAIN "/certificates/{certificate_id}", API_VIEWER, NOTHING,
     .transact = api_certificate_get},

    {"GET", TENANT "/submitters", API_VIEWER, QUERY(PAGE), .transact = api_submitter_list},
    {"POST", TENANT "/submitters", API_PROVIDER, BODY(api_submitter_new),
     .transact = api_submitter_create},
    {"DELETE", TENANT "/submitters/{submitter_id}", API_PROVIDER, NOTHING,
     .transact = api_submitter_delete},

    {"GET", TENANT "/held", API_VIEWER, QUERY(&api_held_query), .transact = api_held_list},
    {"GET", TENANT "/held/{held_id}", API_VIEWER, NOTHING, .transact = api_held_get},
    {"DELETE", TENANT "/held/{held_id}", API_ADMIN, NOTHING, .transact = api_held_delete},
    {"POST", TENANT "/held/{held_id}/release", API_ADMIN, NOTHING, .transact = api_held_release},

    {"GET", TENANT "/messages", API_VIEWER, QUERY(&api_message_query),
     .transact = api_message_list},
    {"GET", TENANT "/messages/{msg_id}", API_VIEWER, NOTHING, .transact = api_message_get},
    {"GET", TENANT "/messages/{msg_id}/trace", API_VIEWER, QUERY(PAGE),
     .transact = api_message_trace},

    {"GET", TENANT "/jobs", API_VIEWER, QUERY(PAGE), .transact = api_job_list},
    {"GET", TENANT "/jobs/{job_id}", API_VIEWER, NOTHING, .transact = api_job_get},
    {"GET", TENANT "/audit", API_VIEWER, QUERY(PAGE), .transact = api_audit_list},

    {"GET", "/v1/trust-anchors", API_PROVIDER, QUERY(PAGE), .transact = api_anchor_list},
    {"POST", "/v1/trust-anchors", API_PROVIDER, BODY(api_anchor_new),
     .transact = api_anchor_create},
    {"DELETE", "/v1/trust-anchors/{anchor_id}", API_PROVIDER, NOTHING,
     .transact = api_anchor_delete},
    {"GET", "/v1/directory-sources", API_PROVIDER, QUERY(PAGE), .transact = api_directory_list},
    {"POST", "/v1/directory-sources", API_PROVIDER, BODY(api_directory_new),
     .transact = api_directory_create},
    {"DELETE", "/v1/directory-sources/{directory_id}", API_PROVIDER, NOTHING,
     .transact = api_directory_delete},
    {"GET", "/v1/member-domains", API_PROVIDER, QUERY(PAGE), .transact = api_member_list},
    {"POST", "/v1/member-domains", API_PROVIDER, BODY(api_member_new),
     .transact = api_member_create},
    {"DELETE", "/v1/member-domains/{member_id}", API_PROVIDER, NOTHING,
     .transact = api_member_delete},

    {"GET", "/v1/tokens", API_PROVIDER, QUERY(PAGE), .transact = api_token_list},
    {"POST", "/v1/tokens", API_PROVIDER, BODY(api_token_new), .transact = api_token_create},
    {"DELETE", "/v1/tokens/{token_id}", API_PROVIDER, NOTHING, .transact = api_token_revoke},

    /* === access: API clients, provisioning === */

    /* === jobs === */

    /* === ownership of domains === */

    /* === certificate life === */

    /* === directory, operation === */

    /* === incidents, breaches, usage === */
    {"GET", "/v1/incidents", API_PROVIDER, QUERY(&api_incident_query),
     .transact = api_incident_list},
    {"GET", INCIDENT, API_PROVIDER, NOTHING, .transact = api_incident_get},
    {"POST", INCIDENT "/acknowledge", API_PROVIDER, BODY(api_words),
     .transact = api_incident_acknowledge},
    {"POST", INCIDENT "/notes", API_PROVIDER, BODY(api_words), .transact = api_incident_note},
    {"POST", INCIDENT "/resolve", API_PROVIDER, BODY(api_words), .transact = api_incident_resolve},
    {"GET", TENANT "/incidents", API_VIEWER, QUERY(&api_incident_query),
     .transact = api_incident_list},
    {"GET", TENANT "/incidents/{incident_id}", API_VIEWER, NOTHING, .transact = api_incident_get},
    {"POST", TENANT "/incidents/{incident_id}/acknowledge", API_ADMIN, BODY(api_words),
     .transact = api_incident_acknowledge},
    {"POST", TENANT "/incidents/{incident_id}/notes", API_ADMIN, BODY(api_words),
     .transact = api_incident_note},

    /* === reports === */

    /* === tenants' life, contacts, lists, policies, documents === */

};
const size_t api_route_count = sizeof api_routes / sizeof api_routes[0];
