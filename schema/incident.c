#include "schema/incident.h"

#include "common/id.h"
#include "schema/db_internal.h"

bool sg_incident_open(struct sg_tx *tx, const struct sg_incident_new *incident,
                      struct sg_error *err)
{
    struct sg_params p = {0};
    struct sg_id id = sg_id_new("inc");
    sg_param_text(&p, id.text);
    sg_param_text(&p, incident->tenant_id);
    sg_param_text(&p, incident->domain_id);
    sg_param_text(&p, incident->kind);
    sg_param_text(&p, incident->severity);
    sg_param_text(&p, incident->summary);
    sg_param_text(&p, incident->detail_json ? incident->detail_json : "{}");
    sg_param_text(&p, incident->dedup_key);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query(tx, SG_Q_INCIDENT_OPEN, &p, NULL, err);
}

bool sg_incident_resolve(struct sg_tx *tx, const char *dedup_key, const char *words,
                         struct sg_error *err)
{
    struct sg_params p = {0};
    struct sg_id note = sg_id_new("inn");
    sg_param_text(&p, dedup_key);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_text(&p, words);
    sg_param_text(&p, note.text);
    return sg_tx_query(tx, SG_Q_INCIDENT_RESOLVE, &p, NULL, err);
}
