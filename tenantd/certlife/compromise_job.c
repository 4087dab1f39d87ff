/*
 * certificate.compromise (REQ-174, 200): the call itself has revoked the domain's certificates
 * here, so that none signs and mail is held (211). From here on: a new key and certificate, the
 * held mail released, the old ones revoked at the authority, on its list and out of the directory.
 */
#include "certlife/ensure.h"
#include "certlife/kinds.h"
#include "certlife/order.h"
#include "certlife/publication.h"
#include "certlife/raise.h"
#include "schema/revocation.h"

struct compromise {
    struct sg_job *job;
    struct sg_compromise_row row;
};

static bool load(struct compromise *c, struct sg_error *err)
{
    const char *id;
    bool found;
    if (!sg_job_string(c->job, "compromise_id", &id, err) ||
        !sg_compromise_find(c->job->db, c->job->arena, id, &c->row, &found, err))
        return false;
    return found || sg_fail(err, SG_E_NOT_FOUND, "there is no such compromise");
}

/* A step that is reached: when that was, where it is known, else now. */
static void mark(sg_time *at, bool reached, sg_time when, sg_time now)
{
    if (reached && !*at)
        *at = when ? when : now;
}

/* What is known by now, from the order, its certificate and the revocations. */
static void observe(struct compromise *c, sg_time now)
{
    struct sg_compromise_row *r = &c->row;
    bool active = r->certificate_state && strcmp(r->certificate_state, "active") == 0;
    bool waits = r->published &&
                 (strcmp(r->published, "waiting") == 0 || strcmp(r->published, "overdue") == 0);
    mark(&r->installed_at, r->certificate_id != NULL, r->certified_at, now);
    /* In the transaction that made it active: at once, for no other signs. */
    mark(&r->released_at, active, r->certified_at, now);
    mark(&r->revoked_at, r->queued == 0, r->told_at, now);
    mark(&r->listed_at, r->unlisted == 0, r->all_listed, now);
    mark(&r->removed_at, r->present == 0, r->all_removed, now);
    mark(&r->published_at, active && !waits, r->seen_at, now);
}

static const char *waits_for(struct compromise *c)
{
    const struct sg_compromise_row *r = &c->row;
    if (!r->installed_at)
        return sg_arena_printf(c->job->arena, "a new certificate%s%s",
                               r->order_explanation && *r->order_explanation ? ": " : "",
                               r->order_explanation ? r->order_explanation : "");
    if (!r->revoked_at)
        return "the authority, which is to be told";
    if (!r->published_at)
        return "the new certificate in the directory";
    if (!r->listed_at)
        return "the old ones on the revocation list";
    if (!r->removed_at)
        return "the old ones to leave the directory";
    return "";
}

/* Another order where there is none, or the last one came to nothing. */
static bool order(struct sg_tx *tx, struct compromise *c, struct sg_error *err)
{
    struct sg_compromise_row *r = &c->row;
    const char *because = "";
    sg_time now = sg_tx_now(tx);
    bool over = r->order_state &&
                (strcmp(r->order_state, "failed") == 0 || strcmp(r->order_state, "cancelled") == 0);
    if (r->certificate_id || (r->order_id && !(over && now >= r->order_next_at)))
        return true;
    enum sg_order_wish wish = over ? SG_WISH_REQUEST : SG_WISH_COMPROMISE;
    if (!sg_order_ensure(tx, c->job->arena, r->domain_id, wish, &r->order_id, &because, err))
        return false;
    r->order_explanation = r->order_id ? "" : because;
    mark(&r->ordered_at, r->order_id != NULL, now, now);
    return true;
}

static bool advance(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct compromise *c = arg;
    struct sg_raise raise = {.kind = "certificate.compromised",
                             .severity = "critical",
                             .tenant_id = c->row.tenant_id,
                             .domain_id = c->row.domain_id,
                             .domain = c->row.domain,
                             .about = c->row.id,
                             .cause = "compromise",
                             .words = c->row.reason};
    if (!order(tx, c, err))
        return false;
    c->row.waits_for = waits_for(c);
    return sg_compromise_update(tx, &c->row, err) &&
           (c->row.begun || sg_raise_domain(tx, c->job->arena, &raise, err));
}

static bool finish(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct compromise *c = arg;
    c->row.state = "done";
    c->row.waits_for = "";
    return sg_compromise_update(tx, &c->row, err) &&
           sg_settle_domain(tx, c->job->arena, "certificate.compromised", c->row.domain_id,
                            "new key and certificate; the old ones are revoked, listed and out of "
                            "the directory",
                            err);
}

bool sg_certificate_compromise_job(struct sg_job *job, struct sg_error *err)
{
    struct compromise c = {.job = job};
    if (!load(&c, err))
        return false;
    sg_time now = sg_clock_now();
    bool before = strcmp(c.row.state, "done") == 0;
    const struct sg_compromise_row *r = &c.row;
    observe(&c, now);
    if (before || (r->installed_at && r->released_at && r->revoked_at && r->published_at &&
                   r->listed_at && r->removed_at)) {
        json_t *result =
            json_pack("{s:s, s:s?}", "compromise_id", r->id, "certificate_id", r->certificate_id);
        bool ok = sg_job_commit(job, before ? NULL : finish, &c, &result, err);
        json_decref(result);
        return ok;
    }
    return sg_job_later(job, advance, &c, sg_look_again(r->created_at, now), "it goes on", err);
}
