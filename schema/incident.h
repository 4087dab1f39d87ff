/*
 * Incidents: what somebody must look at, whoever notices it. Called inside the transaction of what
 * happened, so that there is none without the other. Kinds in use stand in schema/README.md.
 */
#ifndef SG_SCHEMA_INCIDENT_H
#define SG_SCHEMA_INCIDENT_H

#include "schema/db.h"

struct sg_incident_new {
    const char *tenant_id;   /* NULL: the platform's own */
    const char *domain_id;   /* NULL: no single domain's */
    const char *kind;        /* "certificate.compromised" */
    const char *severity;    /* "info", "warning", "critical" */
    const char *summary;     /* a sentence for an operator; what is beyond 500 bytes is left out */
    const char *detail_json; /* an object; NULL: {} */
    const char *dedup_key;   /* of the whole platform: "certificate.compromised crt_…" */
};

/*
 * Opens one. Where one of that key is not resolved yet it is counted up instead: last seen, summary
 * and detail are the new ones, the severity the worse of both. SG_E_INVALID: a kind, severity or
 * detail that is none. Kinds that the SecureMail Administrator must hear of (REQ-144; the table in
 * incident.c) make a breach as well, which is resolved with the incident.
 */
SG_MUST_USE bool sg_incident_open(struct sg_tx *tx, const struct sg_incident_new *incident,
                                  struct sg_error *err);
/* Resolves the open one of that key, in words; true also where there is none. */
SG_MUST_USE bool sg_incident_resolve(struct sg_tx *tx, const char *dedup_key, const char *words,
                                     struct sg_error *err);

#endif
