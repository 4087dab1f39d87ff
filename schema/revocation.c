#include "schema/revocation.h"

#include "schema/db_internal.h"
#include "schema/pair.h"

static void take(struct sg_row *r, void *item)
{
    struct sg_revocation_row *v = item;
    v->id = sg_row_text(r);
    v->tenant_id = sg_row_text(r);
    v->domain_id = sg_row_text(r);
    v->domain = sg_row_text(r);
    v->certificate_id = sg_row_text(r);
    v->reason = sg_row_text(r);
    v->state = sg_row_text(r);
    v->explanation = sg_row_text(r);
    v->requested_at = sg_row_time(r);
    v->listed_at = sg_row_time(r);
    v->removed_at = sg_row_time(r);
    v->created_at = sg_row_time(r);
    v->der = sg_row_bytes(r);
    v->chain = sg_row_bytes_array(r, &v->chain_count);
    v->serial = sg_row_text(r);
    v->not_after = sg_row_time(r);
    v->authority_id = sg_row_text(r);
}

bool sg_revocation_find(struct sg_db *db, struct sg_arena *arena, const char *id,
                        struct sg_revocation_row *row_r, bool *found_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    return sg_db_find(db, arena, SG_Q_REVOCATION_FIND, &p, take, row_r, found_r, err);
}

bool sg_revocation_update(struct sg_tx *tx, const struct sg_revocation_row *v, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, v->id);
    sg_param_text(&p, v->state);
    sg_param_text(&p, v->explanation);
    sg_param_time_or_null(&p, v->requested_at);
    sg_param_time_or_null(&p, v->listed_at);
    sg_param_time_or_null(&p, v->removed_at);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query_one(tx, SG_Q_REVOCATION_UPDATE, &p, NULL, "no such revocation", err);
}

static void take_compromise(struct sg_row *r, void *item)
{
    struct sg_compromise_row *c = item;
    c->id = sg_row_text(r);
    c->tenant_id = sg_row_text(r);
    c->domain_id = sg_row_text(r);
    c->domain = sg_row_text(r);
    c->reason = sg_row_text(r);
    c->state = sg_row_text(r);
    c->order_id = sg_row_text(r);
    c->order_state = sg_row_text(r);
    c->order_explanation = sg_row_text(r);
    c->order_next_at = sg_row_time(r);
    c->certificate_id = sg_row_text(r);
    c->certificate_state = sg_row_text(r);
    c->published = sg_row_text(r);
    c->seen_at = sg_row_time(r);
    c->certified_at = sg_row_time(r);
    c->told_at = sg_row_time(r);
    c->all_listed = sg_row_time(r);
    c->all_removed = sg_row_time(r);
    c->ordered_at = sg_row_time(r);
    c->installed_at = sg_row_time(r);
    c->released_at = sg_row_time(r);
    c->revoked_at = sg_row_time(r);
    c->published_at = sg_row_time(r);
    c->removed_at = sg_row_time(r);
    c->listed_at = sg_row_time(r);
    c->created_at = sg_row_time(r);
    c->begun = sg_row_bool(r);
    c->queued = sg_row_int(r);
    c->unlisted = sg_row_int(r);
    c->present = sg_row_int(r);
}

bool sg_compromise_find(struct sg_db *db, struct sg_arena *arena, const char *id,
                        struct sg_compromise_row *row_r, bool *found_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    return sg_db_find(db, arena, SG_Q_COMPROMISE_FIND, &p, take_compromise, row_r, found_r, err);
}

bool sg_compromise_update(struct sg_tx *tx, const struct sg_compromise_row *c, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, c->id);
    sg_param_text(&p, c->state);
    sg_param_text(&p, c->waits_for);
    sg_param_text(&p, c->order_id);
    sg_param_text(&p, c->certificate_id);
    sg_param_time_or_null(&p, c->ordered_at);
    sg_param_time_or_null(&p, c->installed_at);
    sg_param_time_or_null(&p, c->released_at);
    sg_param_time_or_null(&p, c->revoked_at);
    sg_param_time_or_null(&p, c->published_at);
    sg_param_time_or_null(&p, c->removed_at);
    sg_param_time_or_null(&p, c->listed_at);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query_one(tx, SG_Q_COMPROMISE_UPDATE, &p, NULL, "the compromise is done", err);
}

bool sg_revocation_open_list(struct sg_db *db, struct sg_arena *arena, const char *after, int limit,
                             struct sg_pair **pairs_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, after);
    sg_param_int(&p, limit);
    return sg_pairs_read(db, arena, SG_Q_REVOCATION_OPEN_LIST, &p, pairs_r, count_r, err);
}

bool sg_compromise_open_list(struct sg_db *db, struct sg_arena *arena, const char *after, int limit,
                             struct sg_pair **pairs_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, after);
    sg_param_int(&p, limit);
    return sg_pairs_read(db, arena, SG_Q_COMPROMISE_OPEN_LIST, &p, pairs_r, count_r, err);
}

bool sg_publication_open_list(struct sg_db *db, struct sg_arena *arena, sg_time now,
                              const char *after, int limit, struct sg_pair **pairs_r,
                              size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_time(&p, now);
    sg_param_text(&p, after);
    sg_param_int(&p, limit);
    return sg_pairs_read(db, arena, SG_Q_PUBLICATION_OPEN_LIST, &p, pairs_r, count_r, err);
}

bool sg_certificate_gone_list(struct sg_db *db, struct sg_arena *arena, sg_time now,
                              const char *after, int limit, struct sg_pair **pairs_r,
                              size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_time(&p, now);
    sg_param_text(&p, after);
    sg_param_int(&p, limit);
    return sg_pairs_read(db, arena, SG_Q_CERTIFICATE_OF_GONE, &p, pairs_r, count_r, err);
}
