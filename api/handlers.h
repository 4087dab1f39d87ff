/*
 * The handlers of the routes, and the specs of what they take; a file of handlers/ each. A handler
 * of type transact runs inside a transaction (router.h).
 */
#ifndef SG_API_HANDLERS_H
#define SG_API_HANDLERS_H

#include "api/router.h"

#include "schema/api_platform.h"

bool api_health(struct api_request *r, struct sg_error *err);
bool api_ready(struct api_request *r, struct sg_error *err);
bool api_version(struct api_request *r, struct sg_error *err);

extern const struct api_spec api_simulation_body;
bool api_simulation_create(struct api_request *r, struct sg_error *err);

#define API_HANDLER(name) bool name(struct api_request *r, struct sg_tx *tx, struct sg_error *err)

extern const struct api_spec api_tenant_new;
API_HANDLER(api_tenant_create);
API_HANDLER(api_tenant_list);
API_HANDLER(api_tenant_get);

extern const struct api_spec api_domain_new, api_domain_query;
API_HANDLER(api_domain_create);
API_HANDLER(api_domain_list);
API_HANDLER(api_domain_get);

extern const struct api_spec api_next_hop_body;
API_HANDLER(api_next_hop_set);
API_HANDLER(api_next_hop_get);

extern const struct api_spec api_submitter_new;
API_HANDLER(api_submitter_create);
API_HANDLER(api_submitter_list);
API_HANDLER(api_submitter_delete);

extern const struct api_spec api_key_new;
API_HANDLER(api_key_create);
API_HANDLER(api_key_list);
API_HANDLER(api_key_get);
API_HANDLER(api_csr_create);
API_HANDLER(api_csr_get);

extern const struct api_spec api_certificate_new;
API_HANDLER(api_certificate_install);
API_HANDLER(api_certificate_list);
API_HANDLER(api_certificate_get);

extern const struct api_spec api_anchor_new;
API_HANDLER(api_anchor_create);
API_HANDLER(api_anchor_list);
API_HANDLER(api_anchor_delete);

extern const struct api_spec api_directory_new;
API_HANDLER(api_directory_create);
API_HANDLER(api_directory_list);
API_HANDLER(api_directory_delete);

extern const struct api_spec api_member_new, api_member_query;
API_HANDLER(api_member_create);
API_HANDLER(api_member_list);
API_HANDLER(api_member_delete);

extern const struct api_spec api_held_query;
API_HANDLER(api_held_list);
API_HANDLER(api_held_get);
API_HANDLER(api_held_release);
API_HANDLER(api_held_delete);

extern const struct api_spec api_notice_query;
API_HANDLER(api_notice_list);
API_HANDLER(api_notice_get);

extern const struct api_spec api_message_query;
API_HANDLER(api_message_list);
API_HANDLER(api_message_get);
API_HANDLER(api_message_trace);

/* A job as JSON, for handlers that make one. */
struct sg_api_job;
json_t *api_job_json(struct sg_arena *arena, const void *row);
/* Makes a job for the tenant of the path; location_r is where it can be read. payload is released.
 */
SG_MUST_USE bool api_job_make(struct api_request *r, struct sg_tx *tx, const char *kind,
                              json_t *payload, struct sg_api_job *job_r, const char **location_r,
                              struct sg_error *err);
/* The same; where one of unique_key waits or is at work, job_r is that one (schema/job.h). */
SG_MUST_USE bool api_job_make_once(struct api_request *r, struct sg_tx *tx, const char *kind,
                                   json_t *payload, const char *unique_key,
                                   struct sg_api_job *job_r, const char **location_r,
                                   struct sg_error *err);
API_HANDLER(api_job_list);
API_HANDLER(api_job_get);

extern const struct api_spec api_token_new;
API_HANDLER(api_token_create);
API_HANDLER(api_token_list);
API_HANDLER(api_token_revoke);

extern const struct api_spec api_audit_query, api_audit_query_all;
API_HANDLER(api_audit_list);
API_HANDLER(api_audit_list_all);

/* Access: API clients, provisioning. */
extern const struct api_spec api_client_new, api_client_patch, api_client_token_new,
    api_client_certificate_new;
API_HANDLER(api_client_create);
API_HANDLER(api_client_list);
API_HANDLER(api_client_get);
API_HANDLER(api_client_change);
API_HANDLER(api_client_token_create);
API_HANDLER(api_client_token_list);
API_HANDLER(api_client_token_revoke);
API_HANDLER(api_client_certificate_create);
API_HANDLER(api_client_certificate_list);
API_HANDLER(api_client_certificate_delete);
extern const struct api_spec api_order, api_order_more;
API_HANDLER(api_provision);
API_HANDLER(api_provision_more);
/* A token as JSON, without its secret. */
json_t *api_token_json(struct sg_arena *arena, const void *row);
/* Makes a token and replies 201 with its secret, if the caller's own rights contain its. */
struct sg_token_new;
SG_MUST_USE bool api_token_make(struct api_request *r, struct sg_tx *tx, struct sg_token_new *token,
                                struct sg_error *err);
/* For checks: may the role stand there (tenant_id NULL: the platform)? */
SG_MUST_USE bool api_role_place_check(const char *role, const char *tenant_id,
                                      struct sg_error *err);
/* Fails where the caller has not all that role and scope give. */
SG_MUST_USE bool api_grantable(const struct api_request *r, const char *role, bool tenant,
                               const char *scope, struct sg_error *err);

/* Jobs. */
extern const struct api_spec api_job_query;
API_HANDLER(api_job_retry);
API_HANDLER(api_job_cancel);

/* Ownership of domains. */
json_t *api_domain_json(struct sg_arena *arena, const void *row);
/* May the caller vouch for a domain by hand? */
SG_MUST_USE bool api_domain_may_attest(const struct api_request *r, struct sg_error *err);
API_HANDLER(api_domain_delete);
API_HANDLER(api_domain_revoke);
API_HANDLER(api_verification_get);
API_HANDLER(api_verification_ask);
API_HANDLER(api_verification_check);
extern const struct api_spec api_postmaster_code;
API_HANDLER(api_postmaster_get);
API_HANDLER(api_postmaster_ask);
API_HANDLER(api_postmaster_confirm);

/* Certificate life. */
extern const struct api_spec api_authority_new, api_authority_choice;
API_HANDLER(api_authority_create);
API_HANDLER(api_authority_list);
API_HANDLER(api_authority_get);
API_HANDLER(api_authority_set);
API_HANDLER(api_authority_delete);
API_HANDLER(api_authority_use_get);
API_HANDLER(api_authority_use_set);
API_HANDLER(api_authority_use_unset);
API_HANDLER(api_order_create);
API_HANDLER(api_order_list);
API_HANDLER(api_order_get);
API_HANDLER(api_order_cancel);
extern const struct api_spec api_compromise_new, api_revocation_new;
API_HANDLER(api_compromise_create);
API_HANDLER(api_compromise_list);
API_HANDLER(api_compromise_get);
API_HANDLER(api_revocation_create);
API_HANDLER(api_revocation_list);
API_HANDLER(api_revocation_get);

/* Directory, operation. */
extern const struct api_spec api_list_change_query;
API_HANDLER(api_list_list);
API_HANDLER(api_list_get);
API_HANDLER(api_list_sync);
API_HANDLER(api_list_change_list);
API_HANDLER(api_list_change_get);
API_HANDLER(api_list_change_approve);
API_HANDLER(api_list_change_refuse);

/* Incidents, breaches, usage. */
/* A body of words alone: why, what was found, how it was resolved. */
struct api_words_body {
    const char *words;
};
extern const struct api_spec api_words;
/* What was done about an incident or a breach, count of struct sg_api_note. */
struct sg_api_note;
json_t *api_json_notes(const struct sg_api_note *notes, size_t count);
extern const struct api_spec api_breach_query;
API_HANDLER(api_message_list_all);
API_HANDLER(api_breach_list);
API_HANDLER(api_breach_get);
API_HANDLER(api_breach_note);
API_HANDLER(api_breach_resolve);
API_HANDLER(api_breach_reopen);
extern const struct api_spec api_incident_query;
API_HANDLER(api_incident_list);
API_HANDLER(api_incident_get);
API_HANDLER(api_incident_acknowledge);
API_HANDLER(api_incident_note);
API_HANDLER(api_incident_resolve);
extern const struct api_spec api_usage_query, api_usage_month_query;
API_HANDLER(api_usage_list);
API_HANDLER(api_usage_csv);
API_HANDLER(api_usage_get);
extern const struct api_spec api_retention_class_body, api_retention_policy_body;
extern const struct api_spec api_disposal_query;
API_HANDLER(api_retention_list);
API_HANDLER(api_retention_set);
API_HANDLER(api_retention_get);
API_HANDLER(api_retention_policy_set);
API_HANDLER(api_legal_hold_list);
API_HANDLER(api_legal_hold_create);
API_HANDLER(api_legal_hold_lift);
API_HANDLER(api_disposal_preview);
API_HANDLER(api_disposal_list);

/* Reports. */
extern const struct api_spec api_report_new, api_report_query, api_report_csv_query;
extern const struct api_spec api_signature_new;
API_HANDLER(api_report_create);
API_HANDLER(api_report_list);
API_HANDLER(api_report_get);
API_HANDLER(api_report_csv);
API_HANDLER(api_report_html);
API_HANDLER(api_report_sign);
API_HANDLER(api_report_mail);
extern const struct api_spec api_report_recipient_new;
API_HANDLER(api_report_recipient_create);
API_HANDLER(api_report_recipient_list);
API_HANDLER(api_report_recipient_delete);
extern const struct api_spec api_maintenance_new;
API_HANDLER(api_maintenance_create);
API_HANDLER(api_maintenance_list);
API_HANDLER(api_maintenance_delete);
extern const struct api_spec api_attestation_new, api_attestation_query;
API_HANDLER(api_attestation_create);
API_HANDLER(api_attestation_list);
API_HANDLER(api_attestation_revoke);

/* Tenants' life, contacts, lists, policies, documents. */

extern const struct api_spec api_tenant_change, api_tenant_query, api_reason, api_cancellation;
API_HANDLER(api_tenant_patch);
API_HANDLER(api_tenant_suspend);
API_HANDLER(api_tenant_resume);
API_HANDLER(api_tenant_cancel);
API_HANDLER(api_tenant_cancel_withdraw);

extern const struct api_spec api_contact_body, api_contact_query;
API_HANDLER(api_contact_create);
API_HANDLER(api_contact_list);
API_HANDLER(api_provider_contact_list);
API_HANDLER(api_contact_get);
API_HANDLER(api_contact_set);
API_HANDLER(api_contact_review);
API_HANDLER(api_contact_delete);

extern const struct api_spec api_exception_new;
API_HANDLER(api_exception_create);
API_HANDLER(api_exception_list);
API_HANDLER(api_exception_get);
API_HANDLER(api_exception_delete);

/* A root as JSON, and the row that the body asks for; for those of a domain. */
json_t *api_anchor_json(struct sg_arena *arena, const void *row);
struct sg_api_anchor api_anchor_wanted(const struct api_request *r, const char *id);
API_HANDLER(api_domain_anchor_create);
API_HANDLER(api_domain_anchor_list);
API_HANDLER(api_domain_anchor_delete);

extern const struct api_spec api_partner_new, api_partner_query;
API_HANDLER(api_partner_create);
API_HANDLER(api_partner_list);
API_HANDLER(api_partner_get);
API_HANDLER(api_partner_approve);
API_HANDLER(api_partner_refuse);
API_HANDLER(api_partner_delete);

extern const struct api_spec api_crl_bypass_new;
/* REQ-59: a bypass ends, after the longest that is configured at the latest. */
SG_MUST_USE bool api_crl_bypass_end_check(const struct api_request *r, const char *field,
                                          sg_time end, struct sg_error *err);
API_HANDLER(api_crl_bypass_create);
API_HANDLER(api_crl_bypass_list);
API_HANDLER(api_crl_bypass_get);
API_HANDLER(api_crl_bypass_delete);

extern const struct api_spec api_capability_body, api_capability_query;
API_HANDLER(api_capability_list);
API_HANDLER(api_capability_set);
API_HANDLER(api_capability_get);
API_HANDLER(api_capability_delete);

extern const struct api_spec api_egress_body;
API_HANDLER(api_egress_get);
API_HANDLER(api_egress_set);

extern const struct api_spec api_policy_body;
API_HANDLER(api_policy_get);
API_HANDLER(api_policy_set);

extern const struct api_spec api_document_new, api_document_query, api_acknowledge;
API_HANDLER(api_document_create);
API_HANDLER(api_document_list);
API_HANDLER(api_document_get);
API_HANDLER(api_document_withdraw);
API_HANDLER(api_tenant_document_list);
API_HANDLER(api_acknowledgement_create);
API_HANDLER(api_acknowledgement_list);

API_HANDLER(api_export_create);
API_HANDLER(api_export_list);
API_HANDLER(api_export_get);
API_HANDLER(api_export_content);

extern const struct api_spec api_held_bulk_body;
API_HANDLER(api_held_bulk);

/* Choices that several specs name. */
extern const char *const api_environments[], *const api_directions[];

#endif
