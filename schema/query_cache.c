#include "schema/query_cache.h"

#include "schema/conn.h"
#include "schema/kept_rows.h"

#include "common/wait.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define DEPENDS 3
#define TABLES  32 /* that results depend on */
#define POLLS   3  /* within a lifetime */

/*
 * Of which rows a result depends: those of a table whose key, by which row_notify() of the
 * migrations names them, is that parameter, that column of the first row or that word. None of
 * these: all of the table.
 */
struct depends {
    const char *table;
    int parameter, column; /* from 1 */
    const char *word;
};
struct rule {
    enum sg_query query;
    struct depends depends[DEPENDS];
};

/* What a message asks about its domains, each by its key: so that it costs the same among many
 * thousands (REQ-6). */
static const struct rule rules[] = {
    {SG_Q_DOMAIN_FIND, {{.table = "domain", .parameter = 1}, {.table = "tenant", .column = 2}}},
    {SG_Q_DOMAIN_FIND_BY_NAME,
     {{.table = "domain", .parameter = 1}, {.table = "tenant", .column = 2}}},
    {SG_Q_SUBMITTER_MATCH, {{.table = "submitter"}, {.table = "tenant"}}},
    {SG_Q_POLICY_LOAD, {{.table = "policy", .parameter = 1}, {.table = "domain", .parameter = 1}}},
    {SG_Q_NEXT_HOP_FIND, {{.table = "next_hop", .parameter = 1}}},
    {SG_Q_CERTIFICATE_LIST,
     {{.table = "certificate", .parameter = 1}, {.table = "hsm_key", .parameter = 1}}},
    {SG_Q_MEMBER_DOMAIN_FIND,
     {{.table = "member_domain", .parameter = 1}, {.table = "domain", .parameter = 1}}},
    {SG_Q_MEMBER_DOMAIN_LISTS, {{.table = "member_domain", .parameter = 1}}},
    {SG_Q_EXCEPTION_LIST, {{.table = "smime_exception", .parameter = 1}}},
    {SG_Q_PARTNER_CAPABILITY_FIND, {{.table = "partner_capability", .parameter = 1}}},
    {SG_Q_PARTNER_CERTIFICATE_FIND,
     {{.table = "partner_certificate", .parameter = 1},
      {.table = "certificate", .word = "revoked"}}},
    {SG_Q_CERTIFICATE_REVOKED, {{.table = "certificate", .word = "revoked"}}},
    {SG_Q_DOMAIN_ANCHOR_LIST, {{.table = "domain_anchor", .parameter = 1}}},
    {SG_Q_CRL_BYPASS_FIND, {{.table = "crl_bypass"}}},
};

/* What the server said when it was last asked for its own count of changes. */
struct counted {
    const char *table;
    int64_t changes, file;
};

struct sg_query_cache {
    struct sg_cache *cache;
    int64_t wait_ms, poll_ms, polled_ms;
    struct counted counted[TABLES]; /* the listener's thread alone has to do with these */
    size_t table_count;
    int lost_fd;
    pthread_mutex_t lock;
    pthread_cond_t told;
    struct sg_conn *conn; /* it listens; used by who asks, one at a time */
    bool asking, leaving; /* leaving: conn is wanted back */
    unsigned waiting;     /* for who asks */
    uint64_t wanted, done;
    bool current; /* conn is there and answers */
};

static const struct rule *rule_of(enum sg_query query)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].query == query)
            return &rules[i];
    return NULL;
}

static void table_add(struct sg_query_cache *c, const char *table)
{
    for (size_t i = 0; i < c->table_count; i++)
        if (strcmp(c->counted[i].table, table) == 0)
            return;
    if (c->table_count == TABLES)
        abort();
    c->counted[c->table_count++].table = table;
}

struct sg_query_cache *sg_query_cache_new(const struct sg_db_cache_options *options,
                                          int64_t wait_ms)
{
    const struct sg_cache_options cache = {options->entries, options->bytes, options->lifetime_ms,
                                           free};
    struct sg_query_cache *c = calloc(1, sizeof *c);
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!c || fd < 0)
        abort();
    c->cache = sg_cache_new(&cache);
    c->wait_ms = wait_ms;
    c->poll_ms = options->lifetime_ms ? options->lifetime_ms / POLLS + 1 : INT32_MAX;
    c->lost_fd = fd;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        for (size_t d = 0; d < DEPENDS && rules[i].depends[d].table; d++)
            table_add(c, rules[i].depends[d].table);
    pthread_mutex_init(&c->lock, NULL);
    sg_cond_init(&c->told);
    return c;
}

void sg_query_cache_free(struct sg_query_cache **cache)
{
    struct sg_query_cache *c = *cache;
    if (!c)
        return;
    sg_cache_free(&c->cache);
    close(c->lost_fd);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->told);
    free(c);
    *cache = NULL;
}

/* Reading -------------------------------------------------------------------------------------- */

struct load {
    struct sg_db *db;
    const struct rule *rule;
    const struct sg_params *params;
    PGresult *result;
};

static bool ask(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct load *l = arg;
    struct sg_rows rows = {0};
    PQclear(l->result);
    l->result = NULL;
    if (!sg_tx_query(tx, l->rule->query, l->params, &rows, err))
        return false;
    l->result = rows.result;
    return true;
}

static struct sg_bytes parameter(const struct sg_params *p, int i)
{
    if (i < 0 || i >= p->count || !p->values[i])
        return (struct sg_bytes){0};
    return sg_bytes_of(p->values[i], p->formats[i] ? (size_t)p->lengths[i] : strlen(p->values[i]));
}

/* The marks of a table: one for a key, one for when all of its rows changed, one for when any did.
 */
static uint32_t mark_of_key(const char *table, struct sg_bytes key)
{
    return sg_cache_mark_of(table, key);
}
static uint32_t mark_of_all(const char *table)
{
    return sg_cache_mark_of(table, sg_bytes_str(" all"));
}
static uint32_t mark_of_any(const char *table)
{
    return sg_cache_mark_of(table, sg_bytes_str(" any"));
}

static void mark(struct sg_cache_value *v, const struct depends *d, const struct load *l)
{
    const PGresult *r = l->result;
    struct sg_bytes key = d->word ? sg_bytes_str(d->word) : parameter(l->params, d->parameter - 1);
    if (d->column && PQntuples(r) == 0)
        return;
    if (d->column)
        key =
            sg_bytes_of(PQgetvalue(r, 0, d->column - 1), (size_t)PQgetlength(r, 0, d->column - 1));
    if (key.data) {
        v->marks[v->mark_count++] = mark_of_key(d->table, key);
        v->marks[v->mark_count++] = mark_of_all(d->table);
    } else {
        v->marks[v->mark_count++] = mark_of_any(d->table);
    }
}
_Static_assert(2 * DEPENDS <= SG_CACHE_MARKS, "marks of a result");

static bool load(void *arg, struct sg_cache_value *value_r, struct sg_error *err)
{
    struct load *l = arg;
    const struct sg_db_context bare = {.bare = true};
    if (!sg_db_transact(l->db, &bare, ask, l, err)) {
        PQclear(l->result);
        return false;
    }
    for (size_t i = 0; i < DEPENDS && l->rule->depends[i].table; i++)
        mark(value_r, &l->rule->depends[i], l);
    value_r->value = sg_kept_rows_new(l->result, &value_r->bytes);
    PQclear(l->result);
    return true;
}

/* The query and its parameters; NULL is told from what is empty. */
static void key_make(enum sg_query query, const struct sg_params *p, struct sg_buf *key)
{
    sg_buf_add(key, &query, sizeof query);
    for (int i = 0; i < p->count; i++) {
        struct sg_bytes b = parameter(p, i);
        int64_t length = b.data ? (int64_t)b.len : -1;
        sg_buf_add(key, &length, sizeof length);
        if (b.len)
            sg_buf_add(key, b.data, b.len);
    }
}

bool sg_query_cache_has(const struct sg_query_cache *cache, enum sg_query query)
{
    return cache && rule_of(query);
}

bool sg_query_cache_get(struct sg_query_cache *cache, struct sg_db *db, enum sg_query query,
                        const struct sg_params *params, struct sg_rows *rows_r,
                        struct sg_cache_ref *ref_r, struct sg_error *err)
{
    static const struct sg_params none;
    struct load l = {.db = db, .rule = rule_of(query), .params = params ? params : &none};
    SG_AUTO_BUF key = {0};
    key_make(query, l.params, &key);
    if (!sg_cache_get(cache->cache, sg_buf_bytes(&key), load, &l, ref_r, err))
        return false;
    *rows_r = (struct sg_rows){.kept = ref_r->value, .count = sg_kept_rows_count(ref_r->value)};
    return true;
}

void sg_query_cache_release(struct sg_query_cache *cache, struct sg_cache_ref *ref)
{
    sg_cache_release(cache->cache, ref);
}

/* Keeping it current --------------------------------------------------------------------------- */

int sg_query_cache_lost_fd(const struct sg_query_cache *cache)
{
    return cache->lost_fd;
}

/* With the lock held. */
static void current_set(struct sg_query_cache *cache, bool current)
{
    if (cache->current != current)
        sg_cache_open(cache->cache, current);
    cache->current = current;
    if (cache->waiting)
        pthread_cond_broadcast(&cache->told);
}

void sg_query_cache_connected(struct sg_query_cache *cache, struct sg_conn *conn)
{
    uint64_t count;
    pthread_mutex_lock(&cache->lock);
    ssize_t n = read(cache->lost_fd, &count, sizeof count); /* that was another connection */
    (void)n;
    cache->conn = conn;
    cache->leaving = false;
    sg_cache_flush(cache->cache);
    cache->done = cache->wanted;
    current_set(cache, true);
    pthread_mutex_unlock(&cache->lock);
}

struct sg_conn *sg_query_cache_disconnect(struct sg_query_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    cache->leaving = true;
    current_set(cache, false);
    while (cache->asking) {
        cache->waiting++;
        pthread_cond_wait(&cache->told, &cache->lock);
        cache->waiting--;
    }
    struct sg_conn *conn = cache->conn;
    cache->conn = NULL;
    pthread_mutex_unlock(&cache->lock);
    return conn;
}

/* "next_hop dom_…", or the table alone. */
static void changed(struct sg_query_cache *cache, const char *payload)
{
    char table[64];
    size_t n = strcspn(payload, " ");
    if (n >= sizeof table) {
        sg_cache_flush(cache->cache);
        return;
    }
    memcpy(table, payload, n);
    table[n] = 0;
    sg_cache_mark(cache->cache, payload[n] ? mark_of_key(table, sg_bytes_str(payload + n + 1))
                                           : mark_of_all(table));
    sg_cache_mark(cache->cache, mark_of_any(table));
}

int sg_query_cache_poll_in(const struct sg_query_cache *c)
{
    int64_t left = c->polled_ms + c->poll_ms - sg_clock_monotonic_ms();
    return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

static struct counted *counted_of(struct sg_query_cache *c, const char *table)
{
    for (size_t i = 0; i < c->table_count; i++)
        if (table && strcmp(c->counted[i].table, table) == 0)
            return &c->counted[i];
    return NULL;
}

/* Of those tables that were changed since the last time all rows count as changed, for what was
 * told of them may not have been all. */
static bool counts_take(struct sg_query_cache *c, const struct sg_rows *rows, struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    for (int i = 0; i < rows->count; i++) {
        struct sg_row row = sg_row_at(rows, i, arena);
        struct counted *was = counted_of(c, sg_row_text(&row));
        int64_t changes = sg_row_int(&row), file = sg_row_int(&row);
        if (!sg_row_end(&row, err))
            return false;
        if (!was || (was->changes == changes && was->file == file))
            continue;
        was->changes = changes;
        was->file = file;
        sg_cache_mark(c->cache, mark_of_all(was->table));
        sg_cache_mark(c->cache, mark_of_any(was->table));
    }
    return true;
}

bool sg_query_cache_poll(struct sg_query_cache *c, struct sg_conn *conn, struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    const char *tables[TABLES];
    int64_t asked_ms = sg_clock_monotonic_ms();
    for (size_t i = 0; i < c->table_count; i++)
        tables[i] = c->counted[i].table;
    sg_param_texts(&p, arena, tables, c->table_count);
    c->polled_ms = asked_ms;
    if (!sg_conn_query(conn, SG_Q_ROW_CHANGES, &p, &rows, err) || !counts_take(c, &rows, err))
        return false;
    if ((size_t)rows.count == c->table_count)
        sg_cache_confirm(c->cache, asked_ms);
    return true;
}

/*
 * A session that listens is sent, ahead of the end of any command, what others had committed before
 * that command began: they signal it before their own commit is answered. So the emptiest of
 * commands tells whether something is new.
 */
static bool news_ask(struct sg_query_cache *cache, struct sg_conn *conn)
{
    struct sg_error err = {0};
    PGnotify *note;
    if (!sg_conn_script(conn, "", &err))
        return false;
    while ((note = PQnotifies(conn->pg))) {
        changed(cache, note->extra);
        PQfreemem(note);
    }
    return true;
}

/* Asks for all who want to know by now. Called and left under lock. */
static void ask_for_all(struct sg_query_cache *c)
{
    const uint64_t one = 1;
    uint64_t wanted = c->wanted;
    c->asking = true;
    pthread_mutex_unlock(&c->lock);
    bool ok = news_ask(c, c->conn);
    pthread_mutex_lock(&c->lock);
    c->asking = false;
    if (ok)
        c->done = wanted;
    else if (write(c->lost_fd, &one, sizeof one) != sizeof one)
        abort();
    current_set(c, ok && !c->leaving); /* without it everybody asks for himself */
}

void sg_query_cache_fresh(struct sg_query_cache *c)
{
    pthread_mutex_lock(&c->lock);
    sg_deadline deadline = sg_deadline_in(c->wait_ms);
    uint64_t mine = ++c->wanted;
    bool in_time = true;
    while (c->current && c->done < mine && in_time) {
        if (!c->asking) {
            ask_for_all(c);
            continue;
        }
        c->waiting++;
        in_time = sg_cond_wait(&c->told, &c->lock, deadline);
        c->waiting--;
    }
    if (c->current && c->done < mine)
        current_set(c, false);
    pthread_mutex_unlock(&c->lock);
}

void sg_db_fresh(struct sg_db *db)
{
    struct sg_query_cache *c = sg_db_query_cache(db);
    if (c)
        sg_query_cache_fresh(c);
}

void sg_db_cache_state(struct sg_db *db, struct sg_cache_state *state_r)
{
    struct sg_query_cache *c = sg_db_query_cache(db);
    *state_r = (struct sg_cache_state){0};
    if (c)
        sg_cache_state(c->cache, state_r);
}
