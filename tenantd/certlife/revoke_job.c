/* certificate.revoke: the authority is told, or a person is; then it is seen to have been done. */
#include "certlife/access.h"
#include "certlife/install.h"
#include "certlife/kinds.h"
#include "certlife/publication.h"
#include "certlife/raise.h"
#include "common/certificate.h"
#include "schema/revocation.h"

#include <openssl/evp.h>
#include <stdlib.h>

#define ANSWER_MAX ((size_t)64 * 1024)

struct revocation {
    struct sg_job *job;
    const struct sg_certlife *life;
    struct sg_revocation_row row;
    struct sg_authority_row authority; /* id NULL: none is known */
    bool overdue;
};

static bool load(struct revocation *r, struct sg_error *err)
{
    const char *id;
    bool found;
    if (!sg_job_string(r->job, "revocation_id", &id, err) ||
        !sg_revocation_find(r->job->db, r->job->arena, id, &r->row, &found, err))
        return false;
    if (!found)
        return sg_fail(err, SG_E_NOT_FOUND, "there is no such revocation");
    return !r->row.authority_id || sg_authority_find(r->job->db, r->job->arena, r->row.authority_id,
                                                     &r->authority, &found, err);
}

static const char *issuer_sha256(struct revocation *r)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (r->row.chain_count == 0 ||
        EVP_Digest(r->row.chain[0].data, r->row.chain[0].len, hash, &len, EVP_sha256(), NULL) != 1)
        return NULL;
    char *hex = sg_arena_alloc(r->job->arena, 2 * (size_t)len + 1);
    sg_hex_lower(hash, len, hex);
    return hex;
}

/* 200 or 204: it knows. The same again changes nothing there. */
static bool post(struct revocation *r, struct sg_error *err)
{
    SG_AUTO_ACCESS access = {0};
    SG_AUTO_HTTP_ANSWER answer = {0};
    json_t *body = json_pack("{s:s, s:s, s:s*}", "serial", r->row.serial, "reason", r->row.reason,
                             "issuer_sha256", issuer_sha256(r));
    char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    struct sg_http_request request = {.url = r->authority.revocation_url,
                                      .content_type = "application/json",
                                      .body = sg_bytes_str(text),
                                      .max_bytes = ANSWER_MAX};
    bool ok = sg_access_open(r->life, &r->authority, &access, err) &&
              sg_http_ask(&access.http, &request, &answer, err);
    free(text);
    return ok && (answer.status == 200 || answer.status == 204 ||
                  sg_fail(err, SG_E_AUTHORITY, "%.120s: it answered %ld: %.80s", request.url,
                          answer.status, answer.body.len ? (const char *)answer.body.data : ""));
}

static void tell(struct revocation *r, sg_time now)
{
    struct sg_error why = {0};
    struct sg_arena *arena = r->job->arena;
    if (!r->authority.id || !*r->authority.revocation_url) {
        r->row.state = "by_hand";
        r->row.explanation = sg_arena_printf(
            arena, "a person tells the authority%s%s to revoke the serial number %s (%s)",
            r->authority.id ? " " : "", r->authority.id ? r->authority.name : "", r->row.serial,
            r->row.reason);
    } else if (post(r, &why)) {
        r->row.state = "requested";
        r->row.requested_at = now;
        r->row.explanation = "the authority was told; its list and the directory are watched";
    } else {
        r->row.explanation = sg_arena_strdup(arena, why.detail);
    }
}

static bool issuers_read(struct revocation *r, STACK_OF(X509) *issuers, struct sg_error *err)
{
    for (size_t i = 0; i < r->row.chain_count; i++)
        if (!sg_x509_push(issuers, r->row.chain[i]))
            return sg_fail_openssl(err, SG_E_INTERNAL, "a chain cannot be read");
    return sg_anchors_read(r->job, issuers, err);
}

/* On the list, and out of the directory? What cannot be known now is asked again. */
static bool watch(struct revocation *r, sg_time now, struct sg_error *err)
{
    struct sg_error why = {0};
    bool listed = false, there = true;
    STACK_OF(X509) *issuers = sk_X509_new_null();
    X509 *x = sg_certificate_read(r->row.der);
    bool ok = x && issuers_read(r, issuers, err);
    if (ok && !r->row.listed_at && !sg_revocation_listed(r->life, x, issuers, &listed, &why))
        r->row.explanation = sg_arena_strdup(r->job->arena, why.detail);
    if (listed)
        r->row.listed_at = now;
    sk_X509_pop_free(issuers, X509_free);
    X509_free(x);
    if (!ok)
        return false;
    if (r->row.removed_at)
        return true;
    if (!r->authority.id || !r->authority.directory_url)
        there = false; /* nobody looks */
    else if (!sg_publication_look(r->life, r->job->arena, &r->authority, r->row.domain, r->row.der,
                                  &there, &why))
        r->row.explanation = sg_arena_strdup(r->job->arena, why.detail);
    if (!there)
        r->row.removed_at = now;
    return true;
}

static bool write(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct revocation *r = arg;
    struct sg_raise raise = {.kind = "certificate.unrevoked",
                             .severity = "critical",
                             .tenant_id = r->row.tenant_id,
                             .domain_id = r->row.domain_id,
                             .domain = r->row.domain,
                             .about = r->row.certificate_id,
                             .cause = r->row.state,
                             .words = r->row.explanation};
    return sg_revocation_update(tx, &r->row, err) &&
           (!r->overdue || sg_raise_domain(tx, r->job->arena, &raise, err));
}

static bool confirmed(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct revocation *r = arg;
    return sg_revocation_update(tx, &r->row, err) &&
           sg_settle_domain(tx, r->job->arena, "certificate.unrevoked", r->row.domain_id,
                            "it is on the list and out of the directory", err);
}

bool sg_certificate_revoke_job(struct sg_job *job, struct sg_error *err)
{
    struct revocation r = {.job = job, .life = job->ctx};
    if (!load(&r, err))
        return false;
    sg_time now = sg_clock_now();
    bool before = strcmp(r.row.state, "confirmed") == 0;
    if (!before && (strcmp(r.row.state, "queued") == 0 || strcmp(r.row.state, "by_hand") == 0))
        tell(&r, now);
    if (!before && !watch(&r, now, err))
        return false;
    bool over = r.row.not_after <= now; /* lists forget what has ended */
    if (before || over || (r.row.listed_at && r.row.removed_at)) {
        r.row.state = "confirmed";
        r.row.explanation = over && !r.row.listed_at ? "it has ended meanwhile" : "";
        json_t *result = json_pack("{s:s}", "revocation_id", r.row.id);
        bool ok = sg_job_commit(job, before ? NULL : confirmed, &r, &result, err);
        json_decref(result);
        return ok;
    }
    r.overdue = now - r.row.created_at >= r.life->publication_timeout;
    return sg_job_later(job, write, &r, sg_look_again(r.row.created_at, now), r.row.explanation,
                        err);
}
