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
                   bool active, struct sg_error *err)
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
    sg_param_text(&p, active ? "active" : "installed");
    sg_param_text(&p, c->authority_id);
    sg_param_time_or_null(&p, c->renew_at);
    sg_param_text(&p, c->publication ? "waiting" : "unchecked");
    return sg_tx_query_one(tx, SG_Q_CERTIFICATE_INSERT, &p, NULL, "not inserted", err);
}

bool sg_certificate_other_signs(struct sg_tx *tx, const char *domain_id, const char *id,
                                bool *signs_r, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    sg_param_text(&p, id);
    sg_param_time(&p, sg_tx_now(tx));
    if (!sg_tx_query_one(tx, SG_Q_CERTIFICATE_SIGNS, &p, &rows, "no answer", err))
        return false;
    struct sg_row r = sg_row_at(&rows, 0, NULL);
    *signs_r = sg_row_bool(&r);
    return sg_row_end(&r, err);
}

/* It signs from now on: the others do not, and what waited for one is tried again (REQ-67). */
static bool cut_over(struct sg_tx *tx, const char *domain_id, const char *id, sg_time not_before,
                     struct sg_error *err)
{
    struct sg_params p = {0}, held = {0};
    sg_param_text(&p, domain_id);
    sg_param_time(&p, not_before);
    sg_param_time(&p, sg_tx_now(tx));
    sg_param_text(&p, id);
    sg_param_text(&held, domain_id);
    sg_param_time(&held, sg_tx_now(tx));
    return sg_tx_query(tx, SG_Q_CERTIFICATE_SUPERSEDE, &p, NULL, err) &&
           sg_tx_query(tx, SG_Q_HELD_RELEASE_OWN, &held, NULL, err);
}

bool sg_certificate_install(struct sg_tx *tx, struct sg_arena *arena,
                            const struct sg_certificate_new *c, const char **id_r,
                            struct sg_error *err)
{
    bool signs = false;
    if (!lock_domain(tx, c->domain_id, err) || !find_same(tx, arena, c, id_r, err))
        return false;
    if (*id_r)
        return true;
    *id_r = c->id;
    if (c->publication && !sg_certificate_other_signs(tx, c->domain_id, c->id, &signs, err))
        return false;
    return (signs || cut_over(tx, c->domain_id, c->id, c->not_before, err)) &&
           insert(tx, arena, c, !signs, err);
}

static void take_found(struct sg_row *r, void *item)
{
    struct sg_certificate_found *c = item;
    c->id = sg_row_text(r);
    c->tenant_id = sg_row_text(r);
    c->domain_id = sg_row_text(r);
    c->domain = sg_row_text(r);
    c->key_id = sg_row_text(r);
    c->state = sg_row_text(r);
    c->der = sg_row_bytes(r);
    c->chain = sg_row_bytes_array(r, &c->chain_count);
    c->serial = sg_row_text(r);
    c->not_before = sg_row_time(r);
    c->not_after = sg_row_time(r);
    c->created_at = sg_row_time(r);
    c->authority_id = sg_row_text(r);
    c->published = sg_row_text(r);
}

bool sg_certificate_find(struct sg_db *db, struct sg_arena *arena, const char *id,
                         struct sg_certificate_found *row_r, bool *found_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    return sg_db_find(db, arena, SG_Q_CERTIFICATE_FIND, &p, take_found, row_r, found_r, err);
}

bool sg_certificate_activate(struct sg_tx *tx, const struct sg_certificate_found *c,
                             struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, c->id);
    sg_param_time(&p, sg_tx_now(tx));
    return lock_domain(tx, c->domain_id, err) &&
           sg_tx_query(tx, SG_Q_CERTIFICATE_ACTIVATE, &p, &rows, err) &&
           (rows.affected == 0 || cut_over(tx, c->domain_id, c->id, c->not_before, err));
}

bool sg_certificate_published(struct sg_tx *tx, const char *id, const char *published,
                              const char *words, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_text(&p, published);
    sg_param_text(&p, words);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query(tx, SG_Q_CERTIFICATE_PUBLISHED, &p, NULL, err);
}

static bool take_bool(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)index, (void)count, (void)err;
    *(bool *)arg = sg_row_bool(r);
    return true;
}

bool sg_certificate_known(struct sg_db *db, const char *domain_id, struct sg_bytes der,
                          bool *known_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    sg_param_bytes(&p, der);
    *known_r = false;
    return sg_db_read(db, NULL, SG_Q_CERTIFICATE_KNOWN, &p, take_bool, known_r, err);
}

bool sg_certificate_revoked(struct sg_db *db, struct sg_bytes sha256, bool *revoked_r,
                            struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_bytes(&p, sha256);
    *revoked_r = false;
    return sg_db_read(db, NULL, SG_Q_CERTIFICATE_REVOKED, &p, take_bool, revoked_r, err);
}
