/* Whose a domain is: the challenge in the DNS (REQ-135), and the postmaster's code (REQ-182). */
#include "api/check.h"
#include "api/handlers.h"
#include "api/render.h"
#include "schema/api_job.h"
#include "schema/api_ownership.h"

static json_t *challenge_json(struct sg_arena *arena, const struct sg_api_verification *v)
{
    if (!*v->challenge)
        return json_null();
    const char *name = sg_arena_printf(arena, SG_CHALLENGE_LABEL ".%s", v->name);
    return json_pack("{s:s, s:s, s:s}", "name", name, "type", "TXT", "value", v->challenge);
}

static const char *text_or_null(const char *text)
{
    return *text ? text : NULL;
}

static json_t *verification_json(struct sg_arena *arena, const struct sg_api_verification *v)
{
    return json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:s, s:o, s:o, s:o, s:o}", "domain_id",
        v->domain_id, "state", v->state, "method", v->method, "challenge", challenge_json(arena, v),
        "asked_at", api_json_time_or_null(v->asked_at), "deadline_at",
        api_json_time_or_null(v->deadline_at), "checked_at", api_json_time_or_null(v->checked_at),
        "result", api_json_text_or_null(text_or_null(v->result)), "dnssec",
        api_json_text_or_null(text_or_null(v->dnssec)), "attempts", (json_int_t)v->attempts,
        "last_error", v->last_error, "next_check_at", api_json_time_or_null(v->next_check_at),
        "missing_since", api_json_time_or_null(v->missing_since), "suspend_at",
        api_json_time_or_null(v->suspend_at), "verified_at", api_json_time_or_null(v->verified_at));
}

bool api_verification_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_verification v;
    return sg_api_verification_find(tx, r->arena, r->domain.key.id, &v, err) &&
           api_reply_ok(r, verification_json(r->arena, &v));
}

bool api_verification_ask(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_verification v;
    return sg_api_verification_ask(tx, r->arena, r->domain.key.id, &v, err) &&
           api_reply_ok(r, verification_json(r->arena, &v));
}

bool api_verification_check(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_verification v;
    struct sg_api_job job;
    const char *location;
    const char *id = r->domain.key.id;
    if (!sg_api_verification_find(tx, r->arena, id, &v, err))
        return false;
    if (!*v.challenge || strcmp(v.state, "failed") == 0 || strcmp(v.state, "revoked") == 0)
        return sg_fail(err, SG_E_CONFLICT, "no challenge is looked for: the domain is %s", v.state);
    return api_job_make_once(r, tx, "domain.check", json_pack("{s:s}", "domain_id", id),
                             sg_arena_printf(r->arena, "domain.check:%s", id), &job, &location,
                             err) &&
           api_reply_accepted(r, location, json_pack("{s:o}", "job", api_job_json(r->arena, &job)));
}

/* Postmaster ----------------------------------------------------------------------------------- */

struct confirm {
    const char *code;
};

static bool code_check(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    char *digits = sg_arena_strdup(arena, *value), *out = digits;
    for (const char *p = *value; *p; p++)
        if (*p != ' ' && *p != '-')
            *out++ = *p;
    *out = 0;
    *value = digits;
    return (strlen(digits) == 8 && strspn(digits, "0123456789") == 8) ||
           sg_fail(err, SG_E_INVALID, "must be the eight digits of the mail");
}

static const struct api_field confirm_fields[] = {{.name = "code",
                                                   .type = API_STRING,
                                                   .offset = offsetof(struct confirm, code),
                                                   .min = 8,
                                                   .max = 20,
                                                   .check = code_check}};
const struct api_spec api_postmaster_code = {confirm_fields, 1, sizeof(struct confirm), NULL};

static json_t *postmaster_json(struct sg_arena *arena, const struct sg_api_postmaster *p)
{
    return json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:s, s:o}", "domain_id", p->domain_id, "address",
        sg_arena_printf(arena, "postmaster@%s", p->name), "state", p->state, "asked_at",
        api_json_time_or_null(p->asked_at), "sent_at", api_json_time_or_null(p->sent_at),
        "expires_at", api_json_time_or_null(p->expires_at), "tries_left",
        (json_int_t)(strcmp(p->state, "sent") == 0 ? SG_POSTMASTER_TRIES - p->tries : 0),
        "last_error", p->last_error, "verified_at", api_json_time_or_null(p->verified_at));
}

bool api_postmaster_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_postmaster p;
    return sg_api_postmaster_find(tx, r->arena, r->domain.key.id, &p, err) &&
           api_reply_ok(r, postmaster_json(r->arena, &p));
}

bool api_postmaster_ask(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_postmaster p;
    struct sg_api_next_hop hop;
    struct sg_api_job job;
    const char *location, *state = r->domain.state, *id = r->domain.key.id;
    int64_t wait_s;
    if (strcmp(state, "verified") != 0 && strcmp(state, "attested") != 0)
        return sg_fail(err, SG_E_CONFLICT, "the domain is %s: first its ownership is proved",
                       state);
    if (!sg_api_next_hop_find(tx, r->arena, r->tenant.key.id, id, &hop, err))
        return err->code == SG_E_NOT_FOUND &&
               sg_fail(err, SG_E_CONFLICT, "the domain has no next hop that could take the mail");
    if (!sg_api_postmaster_ask(tx, r->arena, &r->domain, &wait_s, &p, err)) {
        if (err->code == SG_E_RATE)
            r->reply.retry_after = wait_s;
        return false;
    }
    return api_job_make_once(r, tx, "postmaster.send", json_pack("{s:s}", "domain_id", id),
                             sg_arena_printf(r->arena, "postmaster.send:%s", id), &job, &location,
                             err) &&
           api_reply_accepted(r, location, json_pack("{s:o}", "job", api_job_json(r->arena, &job)));
}

/* A wrong code is answered with an error, and counted: the transaction is not rolled back. */
bool api_postmaster_confirm(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct confirm *body = r->fields;
    struct sg_api_postmaster p;
    bool right;
    if (!sg_api_postmaster_confirm(tx, r->arena, r->domain.key.id, body->code, &right, &p, err))
        return false;
    if (right)
        return api_reply_ok(r, postmaster_json(r->arena, &p));
    struct sg_error wrong = {0};
    api_invalid(&wrong, "code", "is not the code of the last mail; %d tries are left",
                (int)(SG_POSTMASTER_TRIES - p.tries));
    api_reply_problem(r, &wrong);
    return true;
}
