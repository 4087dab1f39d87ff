#include "directory/directory_internal.h"

#include "common/log.h"
#include "schema/incident.h"
#include "schema/policy.h"

#include <jansson.h>
#include <stdlib.h>

struct situation {
    struct sg_tx *tx;
    struct sg_arena *arena;
    const struct sg_member_list *list;
    const struct sg_member_reading *reading;
    const struct sg_member_diff *diff;
};

static const char *incident_key(const struct situation *s)
{
    return sg_arena_printf(s->arena, "directory.shrunk %s", s->list->name);
}

static bool incident_open(const struct situation *s, const char *reason, const char *change_id,
                          struct sg_error *err)
{
    bool older = strcmp(reason, "older") == 0;
    json_t *detail =
        json_pack("{s:s, s:s, s:s, s:i, s:I, s:I, s:I}", "list", s->list->name, "list_change_id",
                  change_id, "source", s->reading->source_url, "members_before", s->list->members,
                  "members_after", (json_int_t)s->reading->count, "added",
                  (json_int_t)s->diff->added_count, "removed", (json_int_t)s->diff->removed_count);
    char *text = detail ? json_dumps(detail, JSON_COMPACT) : NULL;
    json_decref(detail);
    if (!text)
        return sg_fail(err, SG_E_INTERNAL, "an incident that is no JSON");
    const char *what =
        older ? sg_arena_printf(s->arena, "list %s has version %s after version %s", s->list->name,
                                s->reading->version, s->list->version)
              : sg_arena_printf(s->arena, "list %s would lose %zu of %d members", s->list->name,
                                s->diff->removed_count, s->list->members);
    const struct sg_incident_new incident = {
        .kind = older ? "directory.older" : "directory.shrunk",
        .severity = "warning",
        .summary = sg_arena_printf(s->arena, "%s; nothing is changed until somebody approves %s",
                                   what, change_id),
        .detail_json = text,
        .dedup_key = incident_key(s),
    };
    bool ok = sg_incident_open(s->tx, &incident, err);
    free(text);
    return ok;
}

/* What was asked is no longer the question. */
static bool supersede(const struct situation *s, const char *words, struct sg_error *err)
{
    bool any;
    return sg_list_change_supersede(s->tx, s->list->id, &any, err) &&
           (!any || sg_incident_resolve(s->tx, incident_key(s), words, err));
}

static bool unchanged(const struct situation *s, struct sg_error *err)
{
    return supersede(s, "the directory has the list again as it is in force", err) &&
           (strcmp(s->list->version, s->reading->version) == 0 ||
            sg_version_is_older(s->reading->version, s->list->version) ||
            sg_member_list_version(s->tx, s->list->id, s->reading->version, err));
}

static bool insert(const struct situation *s, const char *state, const char *reason,
                   const char **id_r, struct sg_error *err)
{
    const struct sg_list_change change = {
        .list = s->list, .reading = s->reading, .diff = s->diff, .state = state, .reason = reason};
    return sg_list_change_insert(s->tx, s->arena, &change, id_r, err);
}

static bool make(const struct situation *s, struct sg_error *err)
{
    const char *id;
    return supersede(s, "the directory has a list that could be taken over", err) &&
           insert(s, "applied", "", &id, err) &&
           sg_member_list_change(s->tx, s->arena, s->list, s->reading->version, s->diff, err);
}

/* The same question is asked once: while it waits, and after it was refused. */
static bool wait(const struct situation *s, const char *reason, const char **state_r,
                 struct sg_error *err)
{
    const char *state, *digest, *id;
    if (!sg_list_change_standing(s->tx, s->arena, s->list->id, &state, &digest, err))
        return false;
    if (state && strcmp(digest, s->reading->digest) == 0) {
        *state_r = strcmp(state, "refused") == 0 ? "refused" : "waiting";
        if (strcmp(state, "refused") == 0 || strcmp(state, "pending") == 0)
            return true;
    }
    *state_r = "waiting";
    return supersede(s, "the directory has another list by now", err) &&
           insert(s, "pending", reason, &id, err) &&
           (strcmp(reason, "approval") == 0 || incident_open(s, reason, id, err));
}

bool sg_list_apply(struct sg_tx *tx, struct sg_arena *arena,
                   const struct sg_directory_options *options, const char *list_id,
                   const struct sg_member_reading *reading, struct sg_member_diff *diff_r,
                   const char **state_r, struct sg_error *err)
{
    struct sg_member_list list;
    if (!sg_member_list_lock(tx, arena, list_id, &list, err) ||
        !sg_member_list_diff(tx, arena, &list, reading, diff_r, err) ||
        !sg_member_list_read(tx, list_id, reading, err))
        return false;
    const struct situation s = {tx, arena, &list, reading, diff_r};
    if (diff_r->added_count + diff_r->removed_count == 0) {
        *state_r = "unchanged";
        return unchanged(&s, err);
    }
    struct sg_directory_options chosen = *options;
    bool approval;
    if (!sg_policy_classification_approval(tx, &approval, err))
        return false;
    chosen.approval |= approval; /* by tenantd.conf, or by the platform's policy */
    const char *reason = sg_version_is_older(reading->version, list.version)
                             ? "older"
                             : sg_list_verdict(&chosen, (size_t)list.members, reading->count,
                                               diff_r->added_count, diff_r->removed_count);
    if (*reason)
        return wait(&s, reason, state_r, err);
    *state_r = "changed";
    return make(&s, err);
}
