#include "schema/partner_certificate.h"

#include "schema/db_internal.h"
#include "schema/incident.h"

#include "common/id.h"

#include <stdio.h>

struct list {
    struct sg_arena *arena;
    const struct sg_partner_query *query;
    struct sg_bytes *ders;
    bool *waits;
    bool *last; /* CAs' go first, and where a known one stays those that have expired go last */
    size_t count;
};

static bool take(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)err;
    struct list *list = arg;
    if (index == 0) {
        list->ders = SG_ARENA_ARRAY(list->arena, struct sg_bytes, (size_t)count);
        list->waits = SG_ARENA_ARRAY(list->arena, bool, (size_t)count);
        list->last = SG_ARENA_ARRAY(list->arena, bool, (size_t)count);
    }
    list->count = (size_t)count;
    list->ders[index] = sg_row_bytes(r);
    list->waits[index] = sg_row_bool(r);
    bool authority = sg_row_bool(r);
    sg_time not_after = sg_row_time(r);
    list->last[index] = list->query->pin && !authority && not_after < list->query->now;
    return true;
}

/* Those that go last, in the order in which they came. */
static void expired_move(struct list *list)
{
    struct sg_bytes *ders = SG_ARENA_ARRAY(list->arena, struct sg_bytes, list->count + 1);
    bool *waits = SG_ARENA_ARRAY(list->arena, bool, list->count + 1);
    size_t n = 0;
    for (int last = 0; last < 2; last++)
        for (size_t i = 0; i < list->count; i++)
            if (list->last[i] == last) {
                ders[n] = list->ders[i];
                waits[n++] = list->waits[i];
            }
    list->ders = ders;
    list->waits = waits;
}

bool sg_partner_certificate_find(struct sg_db *db, struct sg_arena *arena,
                                 const struct sg_partner_query *query, struct sg_bytes **ders_r,
                                 bool **waits_r, size_t *count_r, struct sg_error *err)
{
    struct list list = {.arena = arena, .query = query};
    struct sg_params p = {0};
    sg_param_text(&p, query->domain);
    sg_param_bool(&p, query->correspondent);
    sg_param_bool(&p, query->approval);
    sg_param_bool(&p, query->ask);
    sg_param_bool(&p, query->pin);
    sg_param_text(&p, query->relying);
    if (!sg_db_read(db, arena, SG_Q_PARTNER_CERTIFICATE_FIND, &p, take, &list, err))
        return false;
    if (query->pin)
        expired_move(&list);
    *ders_r = list.ders;
    *waits_r = list.waits;
    *count_r = list.count;
    return true;
}

struct storing {
    const struct sg_partner_certificate *row;
    bool usable, waits;
    bool answered; /* dry: and to be rolled back */
};

/* REQ-83: a partner's certificate is another one, and the domain wants to be asked. */
static bool changed_open(struct sg_tx *tx, const char *id, const char *domain, struct sg_error *err)
{
    char key[80], summary[400];
    snprintf(key, sizeof key, SG_PARTNER_CHANGED_KEY, id);
    snprintf(summary, sizeof summary,
             "%.255s has another certificate, %s: it waits to be approved of or refused", domain,
             id);
    const struct sg_incident_new incident = {
        .kind = "partner.changed", .severity = "warning", .summary = summary, .dedup_key = key};
    return sg_incident_open(tx, &incident, err);
}

static bool store(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct storing *s = arg;
    const struct sg_partner_certificate *row = s->row;
    struct sg_params p = {0};
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_ROWS rows = {0};
    sg_param_text(&p, row->domain);
    sg_param_bytes(&p, row->der);
    sg_param_text(&p, row->source);
    sg_param_text(&p, row->origin);
    sg_param_time(&p, row->not_before);
    sg_param_time(&p, row->not_after);
    sg_param_time(&p, row->fetched_at);
    struct sg_id id = sg_id_new("pcr");
    sg_param_text(&p, id.text);
    sg_param_bool(&p, row->approval);
    sg_param_bool(&p, row->ask);
    sg_param_bool(&p, row->authority);
    sg_param_text(&p, row->relying);
    if (!sg_tx_query_one(tx, SG_Q_PARTNER_CERTIFICATE_STORE, &p, &rows, "nothing was stored", err))
        return false;
    struct sg_row r = sg_row_at(&rows, 0, arena);
    const char *stored = sg_row_text(&r);
    s->usable = sg_row_bool(&r);
    s->waits = sg_row_bool(&r);
    if (!sg_row_end(&r, err))
        return false;
    s->answered = row->dry;
    return !row->dry &&
           (!s->waits || !row->ask || !stored || changed_open(tx, stored, row->domain, err));
}

bool sg_partner_certificate_store(struct sg_db *db, const struct sg_partner_certificate *row,
                                  bool *usable_r, bool *waits_r, struct sg_error *err)
{
    struct storing s = {.row = row};
    bool ok = sg_db_transact(db, NULL, store, &s, err) || s.answered;
    *usable_r = ok && s.usable;
    *waits_r = ok && s.waits;
    return ok;
}
