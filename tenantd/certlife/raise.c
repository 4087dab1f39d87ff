#include "certlife/raise.h"

#include "schema/incident.h"

#include <jansson.h>
#include <stdlib.h>

static bool open(struct sg_tx *tx, struct sg_incident_new *incident, json_t *detail,
                 struct sg_error *err)
{
    char *text = json_dumps(detail, JSON_COMPACT);
    json_decref(detail);
    if (!text)
        return sg_fail(err, SG_E_INTERNAL, "the detail of an incident is no JSON");
    incident->detail_json = text;
    bool ok = sg_incident_open(tx, incident, err);
    free(text);
    return ok;
}

bool sg_raise_authority(struct sg_tx *tx, struct sg_arena *arena, const char *kind,
                        const char *authority_id, const char *name, const char *words,
                        struct sg_error *err)
{
    struct sg_incident_new incident = {
        .kind = kind,
        .severity = "warning",
        .summary = sg_arena_printf(arena, "The authority %s: %s", name, words),
        .dedup_key = sg_arena_printf(arena, "%s %s", kind, authority_id),
    };
    return open(
        tx, &incident,
        json_pack("{s:s, s:s, s:s}", "authority_id", authority_id, "name", name, "words", words),
        err);
}

bool sg_settle_authority(struct sg_tx *tx, struct sg_arena *arena, const char *authority_id,
                         struct sg_error *err)
{
    static const char *const kinds[] = {"authority.unavailable", "authority.refused"};
    for (size_t i = 0; i < 2; i++)
        if (!sg_incident_resolve(tx, sg_arena_printf(arena, "%s %s", kinds[i], authority_id),
                                 "it answers as it should", err))
            return false;
    return true;
}

bool sg_raise_domain(struct sg_tx *tx, struct sg_arena *arena, const struct sg_raise *raise,
                     struct sg_error *err)
{
    struct sg_incident_new incident = {
        .tenant_id = raise->tenant_id,
        .domain_id = raise->domain_id,
        .kind = raise->kind,
        .severity = raise->severity,
        .summary = sg_arena_printf(arena, "%s: %s", raise->domain, raise->words),
        .dedup_key = sg_arena_printf(arena, "%s %s", raise->kind, raise->domain_id),
    };
    return open(tx, &incident,
                json_pack("{s:s, s:s, s:s, s:s}", "domain", raise->domain, "about", raise->about,
                          "cause", raise->cause, "words", raise->words),
                err);
}

bool sg_settle_domain(struct sg_tx *tx, struct sg_arena *arena, const char *kind,
                      const char *domain_id, const char *words, struct sg_error *err)
{
    return sg_incident_resolve(tx, sg_arena_printf(arena, "%s %s", kind, domain_id), words, err);
}
