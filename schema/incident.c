#include "schema/incident.h"

#include "common/id.h"
#include "schema/db_internal.h"
#include "schema/text_clean.h"

#define SUMMARY_MAX 500 /* bytes, so that it is never more characters */

/*
 * Incidents of which the SecureMail Administrator hears (REQ-144): secrecy or origin of mail may
 * have suffered. Each is a breach of that class too; what merely delays mail is not.
 */
static const struct {
    const char *kind, *class, *cause;
} reported[] = {
    {"certificate.compromised", "compromise",
     "a key of ours was, or may have been, in other hands"},
    {"key.compromised", "compromise", "a key of ours was, or may have been, in other hands"},
    {"domain.suspended", "domain-suspended", "a domain of ours was suspended"},
    {"certificate.unrevoked", "compromise",
     "a certificate of ours that must not be trusted any more is not on its CA's list yet"},
    {"audit.broken", "evidence", "the evidence of what was done does not hold together"},
};

static bool breach_make(struct sg_tx *tx, const char *id, const char *kind, struct sg_error *err)
{
    for (size_t i = 0; i < sizeof reported / sizeof reported[0]; i++) {
        if (strcmp(reported[i].kind, kind) != 0)
            continue;
        struct sg_params p = {0};
        sg_param_text(&p, id);
        sg_param_text(&p, reported[i].class);
        sg_param_text(&p, reported[i].cause);
        sg_param_time(&p, sg_tx_now(tx));
        return sg_tx_query(tx, SG_Q_BREACH_OF_INCIDENT, &p, NULL, err);
    }
    return true;
}

bool sg_incident_open(struct sg_tx *tx, const struct sg_incident_new *incident,
                      struct sg_error *err)
{
    struct sg_params p = {0};
    struct sg_id id = sg_id_new("inc");
    SG_AUTO_ARENA arena = sg_arena_new();
    sg_param_text(&p, id.text);
    sg_param_text(&p, incident->tenant_id);
    sg_param_text(&p, incident->domain_id);
    sg_param_text(&p, incident->kind);
    sg_param_text(&p, incident->severity);
    sg_param_text(&p, sg_text_clean(arena, incident->summary, SUMMARY_MAX));
    sg_param_text(&p, incident->detail_json ? incident->detail_json : "{}");
    sg_param_text(&p, incident->dedup_key);
    sg_param_time(&p, sg_tx_now(tx));
    SG_AUTO_ROWS rows = {0};
    if (!sg_tx_query_one(tx, SG_Q_INCIDENT_OPEN, &p, &rows, "no incident made", err))
        return false;
    struct sg_row row = sg_row_at(&rows, 0, arena);
    const char *there = sg_row_text(&row);
    return sg_row_end(&row, err) && breach_make(tx, there, incident->kind, err);
}

bool sg_incident_resolve(struct sg_tx *tx, const char *dedup_key, const char *words,
                         struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, dedup_key);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_text(&p, words);
    return sg_tx_query(tx, SG_Q_INCIDENT_RESOLVE, &p, NULL, err);
}
