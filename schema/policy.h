/*
 * The settings that a domain has by the policies of platform, tenant and domain (api_policy.h): the
 * nearest level has the say; what no level sets has its default. The API checks what is set.
 */
#ifndef SG_SCHEMA_POLICY_H
#define SG_SCHEMA_POLICY_H

#include "schema/db.h"

struct sg_domain_policy {
    int64_t hold_lifetime_hours, hold_retry_minutes; /* REQ-57; 0: gatewayd.conf's [hold] */
    /* Notices: REQ-78, 94 */
    const char *notice_form;     /* "full", "brief" */
    int64_t notice_repeat_hours; /* a storm's notices are folded over this time; 0: never */
    int64_t notice_burst;        /* so many of a kind go out singly before they are folded */
    const char *notice_addition; /* a text of the domain's own behind table 2's, "" for none */
    const char *administrator_address; /* "": postmaster@ the domain */
    bool
        administrator_notices; /* is he told of quarantine, trigger words and mail held (REQ-113) */
    /* Mail that arrives */
    const char *unverified_action;     /* REQ-76: "deliver", "delete" */
    const char *unverified_form;       /* behind the warning: "attached", "prefixed" */
    const char *unknown_encrypted;     /* REQ-80: "deliver_with_warning", "warning_only" */
    bool receipts_for_unauthenticated; /* REQ-75 */
    /* Mail that leaves */
    const char *undecodable_action;  /* text that cannot be read: "quarantine", "send" */
    bool attachment_scanning;        /* REQ-34 */
    bool weak_algorithms;            /* to a partner that can do no better (REQ-24) */
    const char *changed_certificate; /* of a partner (REQ-83): "replace", "pin", "ask" */
    bool seal_to_correspondents;     /* outsiders whose certificate is in the store (REQ-72) */
    bool discovery_approval, classification_approval; /* REQ-54, 55 */
    sg_time crl_bypass_until;                         /* REQ-59; 0: none */
    int64_t crl_grace_hours;                          /* REQ-40; -1: gatewayd.conf's crl_grace */
};

/* A domain that is not there has the defaults. Strings live in the arena. */
SG_MUST_USE bool sg_domain_policy_load(struct sg_db *db, struct sg_arena *arena,
                                       const char *domain_id, struct sg_domain_policy *policy_r,
                                       struct sg_error *err);
/* The same within a transaction. */
SG_MUST_USE bool sg_domain_policy_read(struct sg_tx *tx, struct sg_arena *arena,
                                       const char *domain_id, struct sg_domain_policy *policy_r,
                                       struct sg_error *err);

/* REQ-55: does every change of a list of member domains wait for approval? The platform's choice.
 */
SG_MUST_USE bool sg_policy_classification_approval(struct sg_tx *tx, bool *wanted_r,
                                                   struct sg_error *err);

#endif
