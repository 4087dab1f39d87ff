#include "schema/api_platform.h"

#include "schema/api_internal.h"

static void anchor_take(struct sg_row *row, void *item)
{
    struct sg_api_anchor *a = item;
    sg_row_key(row, &a->key);
    a->der = sg_row_bytes(row);
    a->sha256 = sg_row_bytes(row);
    a->subject = sg_row_text(row);
    a->not_after = sg_row_time(row);
}

static void directory_take(struct sg_row *row, void *item)
{
    struct sg_api_directory *d = item;
    sg_row_key(row, &d->key);
    d->url = sg_row_text(row);
    d->base_dn = sg_row_text(row);
    d->ca_pem = sg_row_text(row);
    d->position = sg_row_int(row);
    d->succeeded_at = sg_row_time(row);
    d->failed_at = sg_row_time(row);
    d->last_error = sg_row_text(row);
    d->failures = sg_row_int(row);
    d->retry_at = sg_row_time(row);
    d->anchor_id = sg_row_is_null(row) ? NULL : "";
    const char *anchor = sg_row_text(row);
    if (d->anchor_id)
        d->anchor_id = anchor;
    d->filter = sg_row_text(row);
    d->attribute = sg_row_text(row);
    d->bind_dn = sg_row_text(row);
    d->credential = sg_row_text(row);
}

static void member_take(struct sg_row *row, void *item)
{
    struct sg_api_member *m = item;
    sg_row_key(row, &m->key);
    m->name = sg_row_text(row);
    m->environment = sg_row_text(row);
    m->source = sg_row_text(row);
}

/* Deletes by id. */
static bool gone(struct sg_tx *tx, enum sg_query query, const char *id, const char *what,
                 struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    return sg_tx_query_one(tx, query, &p, NULL, what, err);
}

/* A page of everything. */
static void *page_of(struct sg_tx *tx, struct sg_arena *arena, enum sg_query query,
                     const struct sg_api_page *page, sg_fill_fn take, size_t size, size_t *count_r,
                     struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_page(&p, page);
    return sg_api_rows(tx, arena, query, &p, take, size, count_r, err);
}

bool sg_api_anchor_insert(struct sg_tx *tx, struct sg_arena *arena, const struct sg_api_anchor *row,
                          struct sg_api_anchor *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, row->key.id);
    sg_param_bytes(&p, row->der);
    sg_param_bytes(&p, row->sha256);
    sg_param_text(&p, row->subject);
    sg_param_time(&p, row->not_after);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_api_row(tx, arena, SG_Q_API_ANCHOR_INSERT, &p, anchor_take, row_r, "no anchor made",
                      err);
}

bool sg_api_anchor_delete(struct sg_tx *tx, const char *id, struct sg_error *err)
{
    return gone(tx, SG_Q_API_ANCHOR_DELETE, id, "no such trust anchor", err);
}

bool sg_api_anchor_list(struct sg_tx *tx, struct sg_arena *arena, const struct sg_api_page *page,
                        struct sg_api_anchor **rows_r, size_t *count_r, struct sg_error *err)
{
    *rows_r =
        page_of(tx, arena, SG_Q_API_ANCHOR_LIST, page, anchor_take, sizeof **rows_r, count_r, err);
    return *rows_r != NULL;
}

bool sg_api_directory_insert(struct sg_tx *tx, struct sg_arena *arena,
                             const struct sg_api_directory *row, struct sg_api_directory *row_r,
                             struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, row->key.id);
    sg_param_text(&p, row->url);
    sg_param_text(&p, row->base_dn);
    sg_param_text(&p, row->ca_pem);
    sg_param_int(&p, row->position);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_text(&p, row->anchor_id);
    sg_param_text(&p, row->filter);
    sg_param_text(&p, row->attribute);
    sg_param_text(&p, row->bind_dn);
    sg_param_text(&p, row->credential);
    return sg_api_row(tx, arena, SG_Q_API_DIRECTORY_INSERT, &p, directory_take, row_r,
                      "no directory made", err);
}

bool sg_api_directory_delete(struct sg_tx *tx, const char *id, struct sg_error *err)
{
    return gone(tx, SG_Q_API_DIRECTORY_DELETE, id, "no such directory", err);
}

bool sg_api_directory_list(struct sg_tx *tx, struct sg_arena *arena, const struct sg_api_page *page,
                           struct sg_api_directory **rows_r, size_t *count_r, struct sg_error *err)
{
    *rows_r = page_of(tx, arena, SG_Q_API_DIRECTORY_LIST, page, directory_take, sizeof **rows_r,
                      count_r, err);
    return *rows_r != NULL;
}

bool sg_api_member_insert(struct sg_tx *tx, struct sg_arena *arena, const struct sg_api_member *row,
                          struct sg_api_member *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, row->key.id);
    sg_param_text(&p, row->name);
    sg_param_text(&p, row->environment);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_api_row(tx, arena, SG_Q_API_MEMBER_INSERT, &p, member_take, row_r, "no member made",
                      err);
}

bool sg_api_member_delete(struct sg_tx *tx, const char *id, struct sg_error *err)
{
    return gone(tx, SG_Q_API_MEMBER_DELETE, id, "no such member domain", err);
}

bool sg_api_member_find(struct sg_tx *tx, struct sg_arena *arena, const char *id,
                        struct sg_api_member *row_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    return sg_api_row(tx, arena, SG_Q_API_MEMBER_FIND, &p, member_take, row_r,
                      "no such member domain", err);
}

bool sg_api_member_list(struct sg_tx *tx, struct sg_arena *arena,
                        const struct sg_api_member_filter *filter, const struct sg_api_page *page,
                        struct sg_api_member **rows_r, size_t *count_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_page(&p, page);
    sg_param_text(&p, filter->name);
    sg_param_text(&p, filter->environment);
    sg_param_text(&p, filter->source);
    *rows_r = sg_api_rows(tx, arena, SG_Q_API_MEMBER_LIST, &p, member_take, sizeof **rows_r,
                          count_r, err);
    return *rows_r != NULL;
}
