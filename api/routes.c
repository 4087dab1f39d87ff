#include "api/handlers.h"
#include "api/render.h"

const char *const api_environments[] = {"seemail", "securemail", NULL};
const char *const api_directions[] = {"outbound", "inbound", NULL};

#define TENANT        "/v1/tenants/{tenant_id}"
#define DOMAIN        TENANT "/domains/{domain_id}"
#define KEY           DOMAIN "/keys/{key_id}"
#define BREACH        "/v1/breaches/{breach_id}"
#define INCIDENT      "/v1/incidents/{incident_id}"
#define REPORT        "/v1/reports/{report_id}"
#define TENANT_REPORT TENANT "/reports/{report_id}"
#define CLIENTS       "/v1/api-clients"
#define CLIENT        CLIENTS "/{client_id}"
#define LIST_CHANGE   "/v1/list-changes/{change_id}"
#define AUTHORITY     "/v1/authorities/{authority_id}"
#define PAGE          &api_page_spec
#define PUBLIC(fn)    API_PUBLIC, NULL, NULL, .answer = (fn)
#define BODY(spec)    &(spec), NULL
#define QUERY(spec)   NULL, (spec)
#define NOTHING       NULL, NULL

const struct api_route api_routes[] = {
    {"GET", "/healthz", PUBLIC(api_health)},
    {"GET", "/readyz", PUBLIC(api_ready)},
    {"GET", "/v1/version", PUBLIC(api_version)},

    {"GET", "/v1/tenants", API_READ(tenants), QUERY(PAGE), .transact = api_tenant_list},
    {"POST", "/v1/tenants", API_WRITE(tenants), BODY(api_tenant_new),
     .transact = api_tenant_create},
    {"GET", TENANT, API_READ(tenants), NOTHING, .transact = api_tenant_get},

    {"GET", TENANT "/domains", API_READ(domains), QUERY(&api_domain_query),
     .transact = api_domain_list},
    {"POST", TENANT "/domains", API_WRITE(domains), BODY(api_domain_new),
     .transact = api_domain_create},
    {"GET", DOMAIN, API_READ(domains), NOTHING, .transact = api_domain_get},
    {"GET", DOMAIN "/next-hop", API_READ(next_hops), NOTHING, .transact = api_next_hop_get},
    {"PUT", DOMAIN "/next-hop", API_WRITE(next_hops), BODY(api_next_hop_body),
     .transact = api_next_hop_set},

    {"GET", DOMAIN "/keys", API_READ(keys), QUERY(PAGE), .transact = api_key_list},
    {"POST", DOMAIN "/keys", API_WRITE(keys), BODY(api_key_new), .transact = api_key_create},
    {"GET", KEY, API_READ(keys), NOTHING, .transact = api_key_get},
    {"GET", KEY "/csr", API_READ(keys), NOTHING, .transact = api_csr_get},
    {"POST", KEY "/csr", API_WRITE(keys), NOTHING, .transact = api_csr_create},
    {"GET", DOMAIN "/certificates", API_READ(certificates), QUERY(PAGE),
     .transact = api_certificate_list},
    {"POST", DOMAIN "/certificates", API_WRITE(certificates), BODY(api_certificate_new),
     .transact = api_certificate_install},
    {"GET", DOMAIN "/certificates/{certificate_id}", API_READ(certificates), NOTHING,
     .transact = api_certificate_get},

    {"GET", TENANT "/submitters", API_READ(submitters), QUERY(PAGE),
     .transact = api_submitter_list},
    {"POST", TENANT "/submitters", API_WRITE(submitters), BODY(api_submitter_new),
     .transact = api_submitter_create},
    {"DELETE", TENANT "/submitters/{submitter_id}", API_WRITE(submitters), NOTHING,
     .transact = api_submitter_delete},

    {"GET", TENANT "/held", API_READ(held), QUERY(&api_held_query), .transact = api_held_list},
    {"GET", TENANT "/held/{held_id}", API_READ(held), NOTHING, .transact = api_held_get},
    {"DELETE", TENANT "/held/{held_id}", API_WRITE(held), NOTHING, .transact = api_held_delete},
    {"POST", TENANT "/held/{held_id}/release", API_WRITE(held), NOTHING,
     .transact = api_held_release},

    {"GET", TENANT "/messages", API_READ(messages), QUERY(&api_message_query),
     .transact = api_message_list},
    {"GET", TENANT "/messages/{msg_id}", API_READ(messages), NOTHING, .transact = api_message_get},
    {"GET", TENANT "/messages/{msg_id}/trace", API_READ(messages), QUERY(PAGE),
     .transact = api_message_trace},

    {"GET", TENANT "/audit", API_READ(audit), QUERY(&api_audit_query), .transact = api_audit_list},
    {"GET", "/v1/audit", API_READ(audit), QUERY(&api_audit_query_all),
     .transact = api_audit_list_all},

    {"GET", "/v1/trust-anchors", API_READ(anchors), QUERY(PAGE), .transact = api_anchor_list},
    {"POST", "/v1/trust-anchors", API_WRITE(anchors), BODY(api_anchor_new),
     .transact = api_anchor_create},
    {"DELETE", "/v1/trust-anchors/{anchor_id}", API_WRITE(anchors), NOTHING,
     .transact = api_anchor_delete},
    {"GET", "/v1/directory-sources", API_READ(directories), QUERY(PAGE),
     .transact = api_directory_list},
    {"POST", "/v1/directory-sources", API_WRITE(directories), BODY(api_directory_new),
     .transact = api_directory_create},
    {"DELETE", "/v1/directory-sources/{directory_id}", API_WRITE(directories), NOTHING,
     .transact = api_directory_delete},
    {"GET", "/v1/member-domains", API_READ(lists), QUERY(&api_member_query),
     .transact = api_member_list},
    {"POST", "/v1/member-domains", API_WRITE(lists), BODY(api_member_new),
     .transact = api_member_create},
    {"DELETE", "/v1/member-domains/{member_id}", API_WRITE(lists), NOTHING,
     .transact = api_member_delete},

    {"GET", "/v1/tokens", API_READ(tokens), QUERY(PAGE), .transact = api_token_list},
    {"POST", "/v1/tokens", API_WRITE(tokens), BODY(api_token_new), .transact = api_token_create},
    {"DELETE", "/v1/tokens/{token_id}", API_WRITE(tokens), NOTHING, .transact = api_token_revoke},

    /* === access: API clients, provisioning === */
    {"POST", "/v1/provisioning", API_WRITE(tenants), BODY(api_order), .transact = api_provision},
    {"POST", TENANT "/provisioning", API_WRITE(domains), BODY(api_order_more),
     .transact = api_provision_more},
    {"GET", CLIENTS, API_READ(clients), QUERY(PAGE), .transact = api_client_list},
    {"POST", CLIENTS, API_WRITE(clients), BODY(api_client_new), .transact = api_client_create},
    {"GET", CLIENT, API_READ(clients), NOTHING, .transact = api_client_get},
    {"PATCH", CLIENT, API_WRITE(clients), BODY(api_client_patch), .transact = api_client_change},
    {"GET", CLIENT "/tokens", API_READ(clients), QUERY(PAGE), .transact = api_client_token_list},
    {"POST", CLIENT "/tokens", API_WRITE(clients), BODY(api_client_token_new),
     .transact = api_client_token_create},
    {"DELETE", CLIENT "/tokens/{token_id}", API_WRITE(clients), NOTHING,
     .transact = api_client_token_revoke},
    {"GET", CLIENT "/certificates", API_READ(clients), QUERY(PAGE),
     .transact = api_client_certificate_list},
    {"POST", CLIENT "/certificates", API_WRITE(clients), BODY(api_client_certificate_new),
     .transact = api_client_certificate_create},
    {"DELETE", CLIENT "/certificates/{client_certificate_id}", API_WRITE(clients), NOTHING,
     .transact = api_client_certificate_delete},

    /* === jobs === */
    {"GET", TENANT "/jobs", API_READ(jobs), QUERY(&api_job_query), .transact = api_job_list},
    {"GET", TENANT "/jobs/{job_id}", API_READ(jobs), NOTHING, .transact = api_job_get},
    {"POST", TENANT "/jobs/{job_id}/retry", API_WRITE(jobs), NOTHING, .transact = api_job_retry},
    {"POST", TENANT "/jobs/{job_id}/cancel", API_WRITE(jobs), NOTHING, .transact = api_job_cancel},
    {"GET", "/v1/jobs", API_READ(jobs), QUERY(&api_job_query), .transact = api_job_list},
    {"GET", "/v1/jobs/{job_id}", API_READ(jobs), NOTHING, .transact = api_job_get},
    {"POST", "/v1/jobs/{job_id}/retry", API_WRITE(jobs), NOTHING, .transact = api_job_retry},
    {"POST", "/v1/jobs/{job_id}/cancel", API_WRITE(jobs), NOTHING, .transact = api_job_cancel},

    /* === ownership of domains === */

    /* === certificate life === */
    {"GET", "/v1/authorities", API_READ(authorities), QUERY(PAGE), .transact = api_authority_list},
    {"POST", "/v1/authorities", API_WRITE(authorities), BODY(api_authority_new),
     .transact = api_authority_create},
    {"GET", AUTHORITY, API_READ(authorities), NOTHING, .transact = api_authority_get},
    {"PUT", AUTHORITY, API_WRITE(authorities), BODY(api_authority_new),
     .transact = api_authority_set},
    {"DELETE", AUTHORITY, API_WRITE(authorities), NOTHING, .transact = api_authority_delete},
    {"GET", TENANT "/authority", API_READ(authorities), NOTHING, .transact = api_authority_use_get},
    {"PUT", TENANT "/authority", API_WRITE(authorities), BODY(api_authority_choice),
     .transact = api_authority_use_set},
    {"DELETE", TENANT "/authority", API_WRITE(authorities), NOTHING,
     .transact = api_authority_use_unset},
    {"GET", DOMAIN "/authority", API_READ(authorities), NOTHING, .transact = api_authority_use_get},
    {"PUT", DOMAIN "/authority", API_WRITE(authorities), BODY(api_authority_choice),
     .transact = api_authority_use_set},
    {"DELETE", DOMAIN "/authority", API_WRITE(authorities), NOTHING,
     .transact = api_authority_use_unset},
    {"GET", DOMAIN "/orders", API_READ(certificates), QUERY(PAGE), .transact = api_order_list},
    {"POST", DOMAIN "/orders", API_WRITE(certificates), NOTHING, .transact = api_order_create},
    {"GET", DOMAIN "/orders/{order_id}", API_READ(certificates), NOTHING,
     .transact = api_order_get},
    {"POST", DOMAIN "/orders/{order_id}/cancel", API_WRITE(certificates), NOTHING,
     .transact = api_order_cancel},
    {"POST", DOMAIN "/compromise", API_WRITE(compromise), BODY(api_compromise_new),
     .transact = api_compromise_create},
    {"GET", DOMAIN "/compromises", API_READ(compromise), QUERY(PAGE),
     .transact = api_compromise_list},
    {"GET", DOMAIN "/compromises/{compromise_id}", API_READ(compromise), NOTHING,
     .transact = api_compromise_get},
    {"POST", DOMAIN "/certificates/{certificate_id}/revoke", API_WRITE(certificates),
     BODY(api_revocation_new), .transact = api_revocation_create},
    {"GET", DOMAIN "/revocations", API_READ(certificates), QUERY(PAGE),
     .transact = api_revocation_list},
    {"GET", DOMAIN "/revocations/{revocation_id}", API_READ(certificates), NOTHING,
     .transact = api_revocation_get},

    /* === directory, operation === */
    {"GET", "/v1/lists", API_READ(lists), NOTHING, .transact = api_list_list},
    {"POST", "/v1/lists/sync", API_WRITE(lists), NOTHING, .transact = api_list_sync},
    {"GET", "/v1/lists/{list_id}", API_READ(lists), NOTHING, .transact = api_list_get},
    {"GET", "/v1/list-changes", API_READ(lists), QUERY(&api_list_change_query),
     .transact = api_list_change_list},
    {"GET", LIST_CHANGE, API_READ(lists), NOTHING, .transact = api_list_change_get},
    {"POST", LIST_CHANGE "/approve", API_WRITE(lists), NOTHING,
     .transact = api_list_change_approve},
    {"POST", LIST_CHANGE "/refuse", API_WRITE(lists), NOTHING, .transact = api_list_change_refuse},

    /* === incidents, breaches, usage === */
    {"GET", "/v1/incidents", API_READ(incidents), QUERY(&api_incident_query),
     .transact = api_incident_list},
    {"GET", INCIDENT, API_READ(incidents), NOTHING, .transact = api_incident_get},
    {"POST", INCIDENT "/acknowledge", API_WRITE(incidents), BODY(api_words),
     .transact = api_incident_acknowledge},
    {"POST", INCIDENT "/notes", API_WRITE(incidents), BODY(api_words),
     .transact = api_incident_note},
    {"POST", INCIDENT "/resolve", API_WRITE(incidents), BODY(api_words),
     .transact = api_incident_resolve},
    {"GET", TENANT "/incidents", API_READ(incidents), QUERY(&api_incident_query),
     .transact = api_incident_list},
    {"GET", TENANT "/incidents/{incident_id}", API_READ(incidents), NOTHING,
     .transact = api_incident_get},
    {"POST", TENANT "/incidents/{incident_id}/acknowledge", API_WRITE(incidents), BODY(api_words),
     .transact = api_incident_acknowledge},
    {"POST", TENANT "/incidents/{incident_id}/notes", API_WRITE(incidents), BODY(api_words),
     .transact = api_incident_note},
    {"GET", "/v1/breaches", API_READ(breaches), QUERY(&api_breach_query),
     .transact = api_breach_list},
    {"GET", BREACH, API_READ(breaches), NOTHING, .transact = api_breach_get},
    {"POST", BREACH "/notes", API_WRITE(breaches), BODY(api_words), .transact = api_breach_note},
    {"POST", BREACH "/resolve", API_WRITE(breaches), BODY(api_words),
     .transact = api_breach_resolve},
    {"POST", BREACH "/reopen", API_WRITE(breaches), BODY(api_words), .transact = api_breach_reopen},
    {"GET", TENANT "/breaches", API_READ(breaches), QUERY(&api_breach_query),
     .transact = api_breach_list},
    {"GET", TENANT "/breaches/{breach_id}", API_READ(breaches), NOTHING,
     .transact = api_breach_get},
    {"POST", TENANT "/breaches/{breach_id}/notes", API_WRITE(breaches), BODY(api_words),
     .transact = api_breach_note},
    {"GET", "/v1/messages", API_READ(messages), QUERY(&api_message_query),
     .transact = api_message_list_all},

    /* === reports === */
    {"GET", "/v1/reports", API_READ(reports), QUERY(&api_report_query),
     .transact = api_report_list},
    {"POST", "/v1/reports", API_WRITE(reports), BODY(api_report_new),
     .transact = api_report_create},
    {"GET", REPORT, API_READ(reports), NOTHING, .transact = api_report_get},
    {"GET", REPORT "/csv", API_READ(reports), QUERY(&api_report_csv_query),
     .transact = api_report_csv},
    {"GET", REPORT "/html", API_READ(reports), NOTHING, .transact = api_report_html},
    {"POST", REPORT "/signatures", API_WRITE(reports), BODY(api_signature_new),
     .transact = api_report_sign},
    {"POST", REPORT "/deliveries", API_WRITE(reports), NOTHING, .transact = api_report_mail},
    {"GET", TENANT "/reports", API_READ(reports), QUERY(&api_report_query),
     .transact = api_report_list},
    {"POST", TENANT "/reports", API_WRITE(reports), BODY(api_report_new),
     .transact = api_report_create},
    {"GET", TENANT_REPORT, API_READ(reports), NOTHING, .transact = api_report_get},
    {"GET", TENANT_REPORT "/csv", API_READ(reports), QUERY(&api_report_csv_query),
     .transact = api_report_csv},
    {"GET", TENANT_REPORT "/html", API_READ(reports), NOTHING, .transact = api_report_html},
    {"POST", TENANT_REPORT "/signatures", API_WRITE(reports), BODY(api_signature_new),
     .transact = api_report_sign},
    {"POST", TENANT_REPORT "/deliveries", API_WRITE(reports), NOTHING, .transact = api_report_mail},
    {"GET", "/v1/report-recipients", API_READ(reports), QUERY(PAGE),
     .transact = api_report_recipient_list},
    {"POST", "/v1/report-recipients", API_WRITE(reports), BODY(api_report_recipient_new),
     .transact = api_report_recipient_create},
    {"DELETE", "/v1/report-recipients/{report_recipient_id}", API_WRITE(reports), NOTHING,
     .transact = api_report_recipient_delete},
    {"GET", TENANT "/report-recipients", API_READ(reports), QUERY(PAGE),
     .transact = api_report_recipient_list},
    {"POST", TENANT "/report-recipients", API_WRITE(reports), BODY(api_report_recipient_new),
     .transact = api_report_recipient_create},
    {"DELETE", TENANT "/report-recipients/{report_recipient_id}", API_WRITE(reports), NOTHING,
     .transact = api_report_recipient_delete},
    {"GET", "/v1/attestations", API_READ(reports), QUERY(&api_attestation_query),
     .transact = api_attestation_list},
    {"POST", "/v1/attestations", API_WRITE(reports), BODY(api_attestation_new),
     .transact = api_attestation_create},
    {"DELETE", "/v1/attestations/{attestation_id}", API_WRITE(reports), NOTHING,
     .transact = api_attestation_revoke},

    /* === tenants' life, contacts, lists, policies, documents === */

};
const size_t api_route_count = sizeof api_routes / sizeof api_routes[0];
