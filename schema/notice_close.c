/* Closing notices: what goes singly, what is folded into a summary, which receipts are true. */
#include "schema/notice.h"

#include "schema/db_internal.h"
#include "schema/policy.h"

#include "common/id.h"

#define RECEIPT_AGE   (30 * SG_DAY) /* after this nobody will say what became of the message */
#define RECEIPT_WAIT  SG_SECOND     /* the first time; then a quarter of its age */
#define RECEIPT_MOST  (3600 * SG_SECOND)
#define RECEIPT_GRACE (60 * SG_SECOND) /* those that are delivered wait so long for the others */

struct close {
    sg_time now;
    int most;
    int64_t lines;
    struct sg_notice_closed done;
};

struct open {
    const char *id, *tenant_id, *domain_id, *kind, *recipient, *codes, *partner;
    int64_t items;
};

struct verdict {
    const char *state;
    const char *summary_id; /* NULL: goes singly */
    bool drop;              /* the original is not listed, and not needed any more */
};

static bool notice_close(struct sg_tx *tx, const struct open *n, const struct verdict *v,
                         sg_time at, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, n->id);
    sg_param_text(&p, v->state);
    sg_param_text(&p, n->codes);
    sg_param_text(&p, n->partner);
    sg_param_text(&p, v->summary_id);
    sg_param_time(&p, at);
    sg_param_bool(&p, v->drop);
    return sg_tx_query(tx, SG_Q_NOTICE_CLOSE, &p, NULL, err);
}

static bool notice_delete(struct sg_tx *tx, const char *id, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    return sg_tx_query(tx, SG_Q_NOTICE_DELETE, &p, NULL, err);
}

/* Counts it in its period: singly or folded. */
static bool fold_count(struct sg_tx *tx, struct sg_arena *arena, const struct open *n,
                       const struct sg_domain_policy *policy, const struct close *c,
                       struct verdict *v, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    struct sg_id summary = sg_id_new("ntc");
    sg_param_text(&p, n->domain_id);
    sg_param_text(&p, n->kind);
    sg_param_text(&p, n->recipient);
    sg_param_text(&p, n->partner);
    sg_param_text(&p, n->codes);
    sg_param_text(&p, n->tenant_id);
    sg_param_text(&p, summary.text);
    sg_param_time(&p, c->now);
    sg_param_time(&p, c->now + policy->notice_repeat_hours * 3600 * SG_SECOND);
    sg_param_int(&p, policy->notice_burst);
    if (!sg_tx_query_one(tx, SG_Q_NOTICE_FOLD_COUNT, &p, &rows, "notices were not counted", err))
        return false;
    struct sg_row r = sg_row_at(&rows, 0, arena);
    int64_t folded = sg_row_int(&r);
    const char *id = sg_row_text(&r);
    if (folded > 0)
        *v = (struct verdict){"folded", id, folded > c->lines};
    return sg_row_end(&r, err);
}

static bool open_settle(struct sg_tx *tx, struct sg_arena *arena, const struct open *n,
                        struct close *c, struct sg_error *err)
{
    struct sg_domain_policy policy;
    struct verdict v = {.state = "pending"};
    if (n->items == 0) /* two told of the same at the same time, and the other had it all */
        return notice_delete(tx, n->id, err);
    if (!sg_domain_policy_read(tx, arena, n->domain_id, &policy, err) ||
        (policy.notice_repeat_hours > 0 && !fold_count(tx, arena, n, &policy, c, &v, err)))
        return false;
    if (v.summary_id)
        c->done.folded++;
    else
        c->done.singly++;
    return notice_close(tx, n, &v, c->now, err);
}

static bool close_due(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct close *c = arg;
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_time(&p, c->now);
    sg_param_int(&p, c->most);
    c->done = (struct sg_notice_closed){0};
    if (!sg_tx_query(tx, SG_Q_NOTICE_OPEN_TAKE, &p, &rows, err))
        return false;
    for (int i = 0; i < rows.count; i++) {
        struct sg_row r = sg_row_at(&rows, i, arena);
        struct open n = {.id = sg_row_text(&r)};
        n.tenant_id = sg_row_text(&r);
        n.domain_id = sg_row_text(&r);
        n.kind = sg_row_text(&r);
        n.recipient = sg_row_text(&r);
        n.items = sg_row_int(&r);
        n.codes = sg_row_text(&r);
        n.partner = sg_row_text(&r);
        if (!sg_row_end(&r, err) || !open_settle(tx, arena, &n, c, err))
            return false;
    }
    return true;
}

bool sg_notice_close_due(struct sg_db *db, sg_time now, int most, int64_t lines,
                         struct sg_notice_closed *closed_r, struct sg_error *err)
{
    struct close c = {.now = now, .most = most, .lines = lines};
    if (!sg_db_transact(db, NULL, close_due, &c, err))
        return false;
    *closed_r = c.done;
    return true;
}

/* Periods -------------------------------------------------------------------------------------- */

struct periods {
    sg_time now;
    int most;
    size_t summaries;
};

static bool period_end(struct sg_tx *tx, const char *summary_id, int64_t folded, sg_time now,
                       struct sg_error *err)
{
    struct sg_id next = sg_id_new("ntc");
    struct sg_params p = {0}, q = {0};
    sg_param_text(&p, summary_id);
    if (folded == 0)
        return sg_tx_query(tx, SG_Q_NOTICE_FOLD_DELETE, &p, NULL, err);
    sg_param_time(&p, now);
    sg_param_text(&q, summary_id);
    sg_param_text(&q, next.text);
    sg_param_time(&q, now);
    return sg_tx_query(tx, SG_Q_NOTICE_SUMMARY_INSERT, &p, NULL, err) &&
           sg_tx_query(tx, SG_Q_NOTICE_FOLD_RESTART, &q, NULL, err);
}

static bool periods_end(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct periods *e = arg;
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_time(&p, e->now);
    sg_param_int(&p, e->most);
    e->summaries = 0;
    if (!sg_tx_query(tx, SG_Q_NOTICE_FOLD_ENDED, &p, &rows, err))
        return false;
    for (int i = 0; i < rows.count; i++) {
        struct sg_row r = sg_row_at(&rows, i, arena);
        const char *id = sg_row_text(&r);
        int64_t folded = sg_row_int(&r);
        if (!sg_row_end(&r, err) || !period_end(tx, id, folded, e->now, err))
            return false;
        e->summaries += folded > 0;
    }
    return true;
}

bool sg_notice_periods_end(struct sg_db *db, sg_time now, int most, size_t *summaries_r,
                           struct sg_error *err)
{
    struct periods e = {.now = now, .most = most};
    if (!sg_db_transact(db, NULL, periods_end, &e, err))
        return false;
    *summaries_r = e.summaries;
    return true;
}

/* Receipts ------------------------------------------------------------------------------------- */

struct receipts {
    sg_time now;
    int most;
    size_t closed;
};

static bool postpone(struct sg_tx *tx, const char *id, sg_time at, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, id);
    sg_param_time(&p, at);
    return sg_tx_query(tx, SG_Q_NOTICE_POSTPONE, &p, NULL, err);
}

static sg_time ask_again(sg_time now, sg_time created_at)
{
    sg_time wait = (now - created_at) / 4;
    return now + (wait < RECEIPT_WAIT ? RECEIPT_WAIT : wait > RECEIPT_MOST ? RECEIPT_MOST : wait);
}

/* Goes out for those who have it; the others get an open notice of their own. */
static bool receipt_close(struct sg_tx *tx, const char *id, bool rest, sg_time now, sg_time again,
                          struct sg_error *err)
{
    struct open n = {.id = id, .codes = "", .partner = ""};
    struct verdict v = {.state = "pending"};
    struct sg_id other = sg_id_new("ntc");
    struct sg_params prune = {0}, copy = {0}, move = {0};
    sg_param_text(&prune, id);
    sg_param_text(&copy, id);
    sg_param_text(&copy, other.text);
    sg_param_time(&copy, again);
    sg_param_text(&move, id);
    sg_param_text(&move, other.text);
    return sg_tx_query(tx, SG_Q_NOTICE_RECEIPT_PRUNE, &prune, NULL, err) &&
           notice_close(tx, &n, &v, now, err) &&
           (!rest || (sg_tx_query(tx, SG_Q_NOTICE_RECEIPT_REST, &copy, NULL, err) &&
                      sg_tx_query(tx, SG_Q_NOTICE_RECEIPT_MOVE, &move, NULL, err)));
}

static bool receipt_settle(struct sg_tx *tx, const char *id, sg_time created_at, int64_t waiting,
                           int64_t delivered, struct receipts *c, struct sg_error *err)
{
    sg_time age = c->now - created_at;
    if (waiting > 0 && age < (delivered ? RECEIPT_GRACE : RECEIPT_AGE))
        return postpone(tx, id, ask_again(c->now, created_at), err);
    if (delivered == 0)
        return notice_delete(tx, id, err);
    c->closed++;
    return receipt_close(tx, id, waiting > 0, c->now, ask_again(c->now, created_at), err);
}

static bool receipts_close(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct receipts *c = arg;
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_time(&p, c->now);
    sg_param_int(&p, c->most);
    c->closed = 0;
    if (!sg_tx_query(tx, SG_Q_NOTICE_RECEIPT_TAKE, &p, &rows, err))
        return false;
    for (int i = 0; i < rows.count; i++) {
        struct sg_row r = sg_row_at(&rows, i, arena);
        const char *id = sg_row_text(&r);
        sg_time created_at = sg_row_time(&r);
        int64_t waiting = sg_row_int(&r);
        int64_t delivered = sg_row_int(&r);
        if (!sg_row_end(&r, err) || !receipt_settle(tx, id, created_at, waiting, delivered, c, err))
            return false;
    }
    return true;
}

bool sg_notice_receipts_close(struct sg_db *db, sg_time now, int most, size_t *closed_r,
                              struct sg_error *err)
{
    struct receipts c = {.now = now, .most = most};
    if (!sg_db_transact(db, NULL, receipts_close, &c, err))
        return false;
    *closed_r = c.closed;
    return true;
}
