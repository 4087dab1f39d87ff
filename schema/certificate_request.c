#include "schema/certificate_request.h"

#include "schema/db_internal.h"

bool sg_certificate_request_ask(struct sg_db *db, const struct sg_certificate_request *row,
                                sg_time not_since, bool *asked_r, struct sg_error *err)
{
    struct sg_params p = {0};
    int affected = 0;
    sg_param_text(&p, row->partner);
    sg_param_text(&p, row->id);
    sg_param_text(&p, row->tenant_id);
    sg_param_text(&p, row->domain_id);
    sg_param_time(&p, row->created_at);
    sg_param_time(&p, not_since);
    if (!sg_db_change(db, SG_Q_CERTIFICATE_REQUEST_ASK, &p, &affected, err))
        return false;
    *asked_r = affected == 1;
    return true;
}

struct list {
    struct sg_arena *arena;
    struct sg_certificate_request *rows;
    size_t count;
};

static bool take(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)err;
    struct list *list = arg;
    if (index == 0)
        list->rows = SG_ARENA_ARRAY(list->arena, struct sg_certificate_request, (size_t)count);
    list->count = (size_t)count;
    struct sg_certificate_request *row = &list->rows[index];
    row->id = sg_row_text(r);
    row->partner = sg_row_text(r);
    row->tenant_id = sg_row_text(r);
    row->domain_id = sg_row_text(r);
    row->created_at = sg_row_time(r);
    row->attempts = (int)sg_row_int(r);
    return true;
}

bool sg_certificate_request_claim(struct sg_db *db, struct sg_arena *arena, sg_time now,
                                  const struct sg_claim *claim,
                                  struct sg_certificate_request **rows_r, size_t *count_r,
                                  struct sg_error *err)
{
    struct list list = {.arena = arena};
    if (!sg_db_claim(db, arena, SG_Q_CERTIFICATE_REQUEST_CLAIM, now, claim, take, &list, err))
        return false;
    *rows_r = list.rows;
    *count_r = list.count;
    return true;
}

bool sg_certificate_request_sent(struct sg_db *db, const char *id, sg_time now,
                                 struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_time(&p, now);
    return sg_db_change(db, SG_Q_CERTIFICATE_REQUEST_SENT, &p, NULL, err);
}

bool sg_certificate_request_failed(struct sg_db *db, const char *id, sg_time next_try_at, bool last,
                                   const char *why, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_time(&p, next_try_at);
    sg_param_bool(&p, last);
    sg_param_text(&p, why);
    return sg_db_change(db, SG_Q_CERTIFICATE_REQUEST_FAILED, &p, NULL, err);
}

static void sent_at(struct sg_row *r, void *item)
{
    *(sg_time *)item = sg_row_time(r);
}

bool sg_certificate_request_find(struct sg_db *db, const char *partner, const char *domain_id,
                                 bool *asked_r, struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_params p = {0};
    sg_time at;
    sg_param_text(&p, partner);
    sg_param_text(&p, domain_id);
    return sg_db_find(db, arena, SG_Q_CERTIFICATE_REQUEST_FIND, &p, sent_at, &at, asked_r, err);
}

bool sg_certificate_request_answered(struct sg_db *db, const char *partner, sg_time now,
                                     struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, partner);
    sg_param_time(&p, now);
    return sg_db_change(db, SG_Q_CERTIFICATE_REQUEST_ANSWERED, &p, NULL, err);
}

bool sg_certificate_answer_claim(struct sg_db *db, const struct sg_certificate_answer *row,
                                 sg_time not_since, bool *may_r, struct sg_error *err)
{
    struct sg_params p = {0};
    int affected = 0;
    sg_param_text(&p, row->domain_id);
    sg_param_text(&p, row->partner);
    sg_param_text(&p, row->tenant_id);
    sg_param_time(&p, row->answered_at);
    sg_param_time(&p, row->signed_at);
    sg_param_time(&p, not_since);
    if (!sg_db_change(db, SG_Q_CERTIFICATE_ANSWER_CLAIM, &p, &affected, err))
        return false;
    *may_r = affected == 1;
    return true;
}

bool sg_certificate_answer_release(struct sg_db *db, const struct sg_certificate_answer *row,
                                   struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, row->domain_id);
    sg_param_text(&p, row->partner);
    sg_param_time(&p, row->answered_at);
    return sg_db_change(db, SG_Q_CERTIFICATE_ANSWER_RELEASE, &p, NULL, err);
}
