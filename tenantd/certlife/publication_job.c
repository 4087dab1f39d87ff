/* certificate.publication: cut-over when the new certificate is where partners look for it. */
#include "certlife/kinds.h"
#include "certlife/publication.h"
#include "certlife/raise.h"
#include "schema/certificate.h"

struct watch {
    struct sg_job *job;
    const struct sg_certlife *life;
    struct sg_certificate_found c;
    bool overdue;
    const char *words;
};

static bool published(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct watch *w = arg;
    return sg_certificate_published(tx, w->c.id, "published", "", err) &&
           sg_certificate_activate(tx, &w->c, err) &&
           sg_settle_domain(tx, w->job->arena, "certificate.unpublished", w->c.domain_id,
                            "the certificate is in the directory", err);
}

/* Where no other signs any more, this one does, published or not: its mail would be held. */
static bool missing(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct watch *w = arg;
    bool other;
    struct sg_raise raise = {.kind = "certificate.unpublished",
                             .severity = "warning",
                             .tenant_id = w->c.tenant_id,
                             .domain_id = w->c.domain_id,
                             .domain = w->c.domain,
                             .about = w->c.id,
                             .cause = "unpublished",
                             .words = w->words};
    return sg_certificate_published(tx, w->c.id, w->overdue ? "overdue" : "waiting", w->words,
                                    err) &&
           sg_certificate_other_signs(tx, w->c.domain_id, w->c.id, &other, err) &&
           (other || sg_certificate_activate(tx, &w->c, err)) &&
           (!w->overdue || sg_raise_domain(tx, w->job->arena, &raise, err));
}

static bool end(struct sg_job *job, sg_db_fn fn, void *arg, const char *what, struct sg_error *err)
{
    json_t *result = json_pack("{s:s}", "published", what);
    bool ok = sg_job_commit(job, fn, arg, &result, err);
    json_decref(result);
    return ok;
}

static bool look(struct watch *w, bool *there, struct sg_error *err)
{
    struct sg_authority_row authority = {0};
    struct sg_error why = {0};
    bool found = false;
    *there = false;
    if (w->c.authority_id &&
        !sg_authority_find(w->job->db, w->job->arena, w->c.authority_id, &authority, &found, err))
        return false;
    if (!found || !authority.directory_url) {
        *there = true; /* nobody looks any more */
        return true;
    }
    if (!sg_publication_look(w->life, w->job->arena, &authority, w->c.domain, w->c.der, there,
                             &why))
        w->words = sg_arena_strdup(w->job->arena, why.detail);
    else if (!*there)
        w->words = sg_arena_printf(w->job->arena, "its certificate is not in the directory %s",
                                   authority.directory_url);
    return true;
}

bool sg_certificate_publication_job(struct sg_job *job, struct sg_error *err)
{
    struct watch w = {.job = job, .life = job->ctx};
    const char *id;
    bool found, there;
    if (!sg_job_string(job, "certificate_id", &id, err) ||
        !sg_certificate_find(job->db, job->arena, id, &w.c, &found, err))
        return false;
    if (!found)
        return sg_fail(err, SG_E_NOT_FOUND, "there is no such certificate");
    sg_time now = sg_clock_now();
    if ((strcmp(w.c.state, "installed") != 0 && strcmp(w.c.state, "active") != 0) ||
        w.c.not_after <= now)
        return end(job, NULL, NULL, w.c.published, err);
    if (!look(&w, &there, err))
        return false;
    if (there)
        return end(job, published, &w, "published", err);
    w.overdue = now - w.c.created_at >= w.life->publication_timeout;
    return sg_job_later(job, missing, &w, sg_look_again(w.c.created_at, now), w.words, err);
}
