#include "schema/certificate_order.h"

#include "schema/db_internal.h"
#include "schema/job.h"
#include "schema/pair.h"

#include <stdio.h>

#define ENSURE_ATTEMPTS 20

static bool lock_domain(struct sg_tx *tx, const char *domain_id, bool *found_r,
                        struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    if (!sg_tx_query(tx, SG_Q_DOMAIN_LOCK, &p, &rows, err))
        return false;
    *found_r = rows.count == 1;
    return true;
}

bool sg_life_find(struct sg_tx *tx, struct sg_arena *arena, const char *domain_id,
                  struct sg_life_row *row_r, bool *found_r, struct sg_error *err)
{
    if (!lock_domain(tx, domain_id, found_r, err))
        return false;
    if (!*found_r)
        return true;
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    sg_param_time(&p, sg_tx_now(tx));
    if (!sg_tx_query_one(tx, SG_Q_LIFE_FACTS, &p, &rows, "there is no such domain", err))
        return false;
    struct sg_row r = sg_row_at(&rows, 0, arena);
    row_r->tenant_id = sg_row_text(&r);
    row_r->domain = sg_row_text(&r);
    row_r->domain_state = sg_row_text(&r);
    row_r->tenant_state = sg_row_text(&r);
    row_r->certificate_id = sg_row_text(&r);
    row_r->not_before = sg_row_time(&r);
    row_r->not_after = sg_row_time(&r);
    row_r->renew_at = sg_row_time(&r);
    row_r->key_id = sg_row_text(&r);
    row_r->key_made = sg_row_time(&r);
    row_r->key_algorithm = sg_row_text(&r);
    row_r->order_id = sg_row_text(&r);
    row_r->again_at = sg_row_time(&r);
    return sg_row_end(&r, err);
}

bool sg_certificate_ensure(struct sg_tx *tx, const char *tenant_id, const char *domain_id,
                           sg_time at, struct sg_error *err)
{
    char payload[80], unique[80];
    snprintf(payload, sizeof payload, "{\"domain_id\": \"%s\"}", domain_id);
    snprintf(unique, sizeof unique, "certificate.ensure %s%s", at ? "again " : "", domain_id);
    struct sg_job_new job = {.tenant_id = tenant_id,
                             .kind = "certificate.ensure",
                             .payload_json = payload,
                             .max_attempts = ENSURE_ATTEMPTS,
                             .priority = SG_JOB_NORMAL,
                             .run_at = at,
                             .unique_key = unique};
    return sg_job_insert(tx, &job, NULL, err);
}

bool sg_life_due(struct sg_db *db, struct sg_arena *arena, sg_time now, const char *after,
                 int limit, struct sg_pair **pairs_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_time(&p, now);
    sg_param_text(&p, after);
    sg_param_int(&p, limit);
    return sg_pairs_read(db, arena, SG_Q_LIFE_DUE, &p, pairs_r, count_r, err);
}

bool sg_life_expiring(struct sg_db *db, struct sg_arena *arena, sg_time by, const char *after,
                      int limit, struct sg_pair **pairs_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_time(&p, by);
    sg_param_text(&p, after);
    sg_param_int(&p, limit);
    return sg_pairs_read(db, arena, SG_Q_LIFE_EXPIRING, &p, pairs_r, count_r, err);
}

bool sg_order_open_list(struct sg_db *db, struct sg_arena *arena, const char *after, int limit,
                        struct sg_pair **pairs_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, after);
    sg_param_int(&p, limit);
    return sg_pairs_read(db, arena, SG_Q_ORDER_OPEN_LIST, &p, pairs_r, count_r, err);
}

bool sg_order_insert(struct sg_tx *tx, const struct sg_order_new *order, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, order->id);
    sg_param_text(&p, order->tenant_id);
    sg_param_text(&p, order->domain_id);
    sg_param_text(&p, order->authority_id);
    sg_param_text(&p, order->reason);
    sg_param_text(&p, order->state);
    sg_param_text(&p, order->key_id);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query_one(tx, SG_Q_ORDER_INSERT, &p, NULL, "not inserted", err);
}

static void take(struct sg_row *r, void *item)
{
    struct sg_order_row *o = item;
    o->id = sg_row_text(r);
    o->tenant_id = sg_row_text(r);
    o->domain_id = sg_row_text(r);
    o->domain = sg_row_text(r);
    o->domain_state = sg_row_text(r);
    o->tenant_state = sg_row_text(r);
    o->authority_id = sg_row_text(r);
    o->reason = sg_row_text(r);
    o->state = sg_row_text(r);
    o->explanation = sg_row_text(r);
    o->key_id = sg_row_text(r);
    o->certificate_id = sg_row_text(r);
    o->chain = sg_row_bytes_array(r, &o->chain_count);
    o->attempts = (int)sg_row_int(r);
    o->polls = (int)sg_row_int(r);
    o->next_at = sg_row_time(r);
    o->created_at = sg_row_time(r);
    o->renews = sg_row_bool(r);
}

bool sg_order_find(struct sg_db *db, struct sg_arena *arena, const char *id, sg_time now,
                   struct sg_order_row *row_r, bool *found_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_time(&p, now);
    return sg_db_find(db, arena, SG_Q_ORDER_FIND, &p, take, row_r, found_r, err);
}

bool sg_order_move(struct sg_tx *tx, struct sg_arena *arena, const struct sg_order_move *move,
                   struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, move->id);
    sg_param_text(&p, move->from);
    sg_param_text(&p, move->to);
    sg_param_text(&p, move->cause ? move->cause : "");
    sg_param_text(&p, move->explanation ? move->explanation : "");
    sg_param_int(&p, move->attempts);
    sg_param_int(&p, move->polls);
    sg_param_time_or_null(&p, move->next_at);
    sg_param_bytes_array(&p, arena, move->chain, move->chain_count);
    sg_param_text(&p, move->certificate_id);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_bool(&p, move->finished);
    if (!sg_tx_query(tx, SG_Q_ORDER_MOVE, &p, &rows, err))
        return false;
    return rows.affected == 1 ||
           sg_fail(err, SG_E_CONFLICT, "the order is not %s any more", move->from);
}

bool sg_order_open_of_key(struct sg_tx *tx, struct sg_arena *arena, const char *domain_id,
                          const char *key_id, const char **id_r, const char **state_r,
                          struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    sg_param_text(&p, key_id);
    *id_r = *state_r = NULL;
    if (!sg_tx_query(tx, SG_Q_ORDER_OPEN_OF_KEY, &p, &rows, err))
        return false;
    if (rows.count == 0)
        return true;
    struct sg_row r = sg_row_at(&rows, 0, arena);
    *id_r = sg_row_text(&r);
    *state_r = sg_row_text(&r);
    return sg_row_end(&r, err);
}
