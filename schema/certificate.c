#include "schema/certificate.h"

#include "schema/db_internal.h"

struct list {
    struct sg_arena *arena;
    struct sg_certificate_row *rows;
    size_t count;
};

static bool take(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)err;
    struct list *list = arg;
    if (index == 0)
        list->rows = SG_ARENA_ARRAY(list->arena, struct sg_certificate_row, (size_t)count);
    list->count = (size_t)count;
    struct sg_certificate_row *row = &list->rows[index];
    row->id = sg_row_text(r);
    row->tenant_id = sg_row_text(r);
    row->domain_id = sg_row_text(r);
    row->key_id = sg_row_text(r);
    row->key_kind = sg_row_text(r);
    row->key_blob = sg_row_bytes(r);
    row->der = sg_row_bytes(r);
    row->chain = sg_row_bytes_array(r, &row->chain_count);
    row->not_before = sg_row_time(r);
    row->not_after = sg_row_time(r);
    row->state = sg_row_text(r);
    return true;
}

bool sg_certificate_list(struct sg_db *db, struct sg_arena *arena, const char *domain_id,
                         struct sg_certificate_row **rows_r, size_t *count_r, struct sg_error *err)
{
    struct list list = {.arena = arena};
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    if (!sg_db_read(db, arena, SG_Q_CERTIFICATE_LIST, &p, take, &list, err))
        return false;
    *rows_r = list.rows;
    *count_r = list.count;
    return true;
}

static bool lock_domain(struct sg_tx *tx, const char *domain_id, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    return sg_tx_query_one(tx, SG_Q_DOMAIN_LOCK, &p, NULL, "there is no such domain", err);
}

/* The id under which the domain has this certificate already; NULL: it has not. */
static bool find_same(struct sg_tx *tx, struct sg_arena *arena, const struct sg_certificate_new *c,
                      const char **id_r, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, c->domain_id);
    sg_param_bytes(&p, c->der);
    if (!sg_tx_query(tx, SG_Q_CERTIFICATE_FIND_SAME, &p, &rows, err))
        return false;
    *id_r = NULL;
    if (rows.count == 0)
        return true;
    struct sg_row r = sg_row_at(&rows, 0, arena);
    *id_r = sg_row_text(&r);
    return sg_row_end(&r, err);
}

static bool insert(struct sg_tx *tx, struct sg_arena *arena, const struct sg_certificate_new *c,
                   struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, c->id);
    sg_param_text(&p, c->tenant_id);
    sg_param_text(&p, c->domain_id);
    sg_param_text(&p, c->key_id);
    sg_param_bytes(&p, c->der);
    sg_param_bytes_array(&p, arena, c->chain, c->chain_count);
    sg_param_text(&p, c->subject);
    sg_param_text(&p, c->issuer);
    sg_param_text(&p, c->serial);
    sg_param_time(&p, c->not_before);
    sg_param_time(&p, c->not_after);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query_one(tx, SG_Q_CERTIFICATE_INSERT, &p, NULL, "not inserted", err);
}

bool sg_certificate_install(struct sg_tx *tx, struct sg_arena *arena,
                            const struct sg_certificate_new *c, const char **id_r,
                            struct sg_error *err)
{
    if (!lock_domain(tx, c->domain_id, err) || !find_same(tx, arena, c, id_r, err))
        return false;
    if (*id_r)
        return true;
    struct sg_params p = {0};
    sg_param_text(&p, c->domain_id);
    sg_param_time(&p, c->not_before);
    sg_param_time(&p, sg_tx_now(tx));
    *id_r = c->id;
    return sg_tx_query(tx, SG_Q_CERTIFICATE_SUPERSEDE, &p, NULL, err) && insert(tx, arena, c, err);
}
