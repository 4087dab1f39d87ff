#include "schema/partner_capability.h"

#include "schema/api_internal.h"

#include "common/id.h"

#define NOBODY "nothing is known of such a partner"

uint32_t sg_partner_capabilities(const struct sg_partner_capability *row)
{
    return row->is_by_hand ? row->by_hand : row->learned;
}

static void take(struct sg_row *r, void *item)
{
    struct sg_partner_capability *row = item;
    sg_row_key(r, &row->key);
    row->domain = sg_row_text(r);
    row->learned = (uint32_t)sg_row_int(r);
    row->signed_at = sg_row_time(r);
    row->origin = sg_row_text(r);
    row->is_by_hand = sg_row_bool(r);
    row->by_hand = (uint32_t)sg_row_int(r);
    row->reason = sg_row_text(r);
    row->updated_at = sg_row_time(r);
}

bool sg_partner_capability_find(struct sg_db *db, struct sg_arena *arena, const char *domain,
                                struct sg_partner_capability *row_r, bool *found_r,
                                struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, domain);
    *row_r = (struct sg_partner_capability){0};
    return sg_db_find(db, arena, SG_Q_PARTNER_CAPABILITY_FIND, &p, take, row_r, found_r, err);
}

bool sg_partner_capability_learn(struct sg_db *db, const struct sg_partner_lesson *lesson,
                                 bool *learned_r, struct sg_error *err)
{
    struct sg_params p = {0};
    struct sg_id id = sg_id_new("pcp");
    int affected = 0;
    sg_param_text(&p, id.text);
    sg_param_text(&p, lesson->domain);
    sg_param_int(&p, lesson->capabilities);
    sg_param_time(&p, lesson->signed_at);
    sg_param_text(&p, lesson->origin);
    sg_param_time(&p, lesson->now);
    sg_param_bytes(&p, lesson->sha256);
    bool ok = sg_db_change(db, SG_Q_PARTNER_CAPABILITY_LEARN, &p, &affected, err);
    *learned_r = affected > 0;
    return ok;
}

bool sg_api_capability_set(struct sg_tx *tx, struct sg_arena *arena,
                           const struct sg_partner_capability *row,
                           struct sg_partner_capability *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, row->key.id);
    sg_param_text(&p, row->domain);
    if (row->is_by_hand)
        sg_param_int(&p, row->by_hand);
    else
        sg_param_null(&p);
    sg_param_text(&p, row->reason);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_api_row(tx, arena, SG_Q_API_CAPABILITY_SET, &p, take, row_r, "nothing was set", err);
}

bool sg_api_capability_find(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                            struct sg_partner_capability *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    return sg_api_row(tx, arena, SG_Q_API_CAPABILITY_FIND, &p, take, row_r, NOBODY, err);
}

bool sg_api_capability_delete(struct sg_tx *tx, const char *id, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    return sg_tx_query_one(tx, SG_Q_API_CAPABILITY_DELETE, &p, NULL, NOBODY, err);
}

bool sg_api_capability_list(struct sg_tx *tx, struct sg_arena *arena, const char *domain,
                            const struct sg_api_page *page, struct sg_partner_capability **rows_r,
                            size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, domain);
    sg_param_page(&p, page);
    *rows_r =
        sg_api_rows(tx, arena, SG_Q_API_CAPABILITY_LIST, &p, take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}
