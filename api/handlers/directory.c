/* Directories in which certificates and lists are found (of the whole platform). */
#include "api/check.h"
#include "api/handlers.h"
#include "api/pem.h"
#include "api/render.h"
#include "schema/api_job.h"
#include "schema/api_platform.h"

struct directory_new {
    const char *url, *base_dn, *ca_pem, *anchor_id, *filter, *attribute, *bind_dn, *credential;
    int64_t position;
};

static bool check_anchor(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    (void)arena;
    return sg_id_valid(sg_bytes_str(*value), "anc") ||
           sg_fail(err, SG_E_INVALID, "is not the id of a trust anchor");
}

/* RFC 4515, as far as a directory would not say it: brackets that fit, and the address in it. */
static bool check_filter(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    (void)arena;
    int depth = 0;
    bool ok = **value == '(' && strstr(*value, "{address}");
    for (const char *p = *value; *p && ok; p++) {
        depth += (*p == '(') - (*p == ')');
        ok = (unsigned char)*p >= 0x20 && (depth > 0 || (depth == 0 && !p[1]));
    }
    return (ok && depth == 0) ||
           sg_fail(err, SG_E_INVALID, "is no filter with {address} in it, as (mail={address})");
}

static bool check_attribute(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    (void)arena;
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t first = strspn(*value, letters);
    bool ok =
        first && strspn(*value + first, "0123456789-;abcdefghijklmnopqrstuvwxyz"
                                        "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(*value + first);
    return ok || sg_fail(err, SG_E_INVALID, "is no attribute, as userCertificate;binary");
}

static const struct api_field new_fields[] = {
    {.name = "url",
     .type = API_STRING,
     .offset = offsetof(struct directory_new, url),
     .min = 1,
     .max = 300,
     .check = api_check_ldap_url},
    {.name = "base_dn",
     .type = API_STRING,
     .offset = offsetof(struct directory_new, base_dn),
     .optional = true,
     .min = 1,
     .max = 300,
     .check = api_check_dn,
     .initial_text = "c=NZ"},
    {.name = "ca_pem",
     .type = API_TEXT,
     .offset = offsetof(struct directory_new, ca_pem),
     .optional = true,
     .max = API_PEM_CHARS_MAX,
     .check = api_check_pem,
     .initial_text = ""},
    {.name = "position",
     .type = API_INTEGER,
     .offset = offsetof(struct directory_new, position),
     .optional = true,
     .min = 0,
     .max = 1000,
     .initial = 100},
    {.name = "anchor_id",
     .type = API_STRING,
     .offset = offsetof(struct directory_new, anchor_id),
     .optional = true,
     .check = check_anchor},
    {.name = "filter",
     .type = API_STRING,
     .offset = offsetof(struct directory_new, filter),
     .optional = true,
     .min = 1,
     .max = 300,
     .check = check_filter,
     .initial_text = ""},
    {.name = "attribute",
     .type = API_STRING,
     .offset = offsetof(struct directory_new, attribute),
     .optional = true,
     .min = 1,
     .max = 100,
     .check = check_attribute,
     .initial_text = ""},
    {.name = "bind_dn",
     .type = API_STRING,
     .offset = offsetof(struct directory_new, bind_dn),
     .optional = true,
     .min = 1,
     .max = 300,
     .check = api_check_dn,
     .initial_text = ""},
    {.name = "credential",
     .type = API_STRING,
     .offset = offsetof(struct directory_new, credential),
     .optional = true,
     .min = 1,
     .max = 64,
     .check = api_check_credential,
     .initial_text = ""},
};

/* Who binds needs a password, and a password is nobody's without him. */
static bool check_account(struct sg_arena *arena, void *fields, struct sg_error *err)
{
    (void)arena;
    const struct directory_new *body = fields;
    if (*body->bind_dn && !*body->credential)
        return api_invalid(err, "credential", "is needed to bind: the name of the password's file");
    return *body->bind_dn || !*body->credential ||
           api_invalid(err, "bind_dn", "is needed: whose credential this is");
}
const struct api_spec api_directory_new = {new_fields, 9, sizeof(struct directory_new),
                                           check_account};

static json_t *directory_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_directory *d = row;
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:I, s:s?, s:s, s:s, s:s, s:s, s:o, s:{s:o, s:o, s:s, s:I, s:o}}",
        "id", d->key.id, "url", d->url, "base_dn", d->base_dn, "ca_pem", d->ca_pem, "position",
        (json_int_t)d->position, "anchor_id", d->anchor_id, "filter", d->filter, "attribute",
        d->attribute, "bind_dn", d->bind_dn, "credential", d->credential, "created_at",
        api_json_time(d->key.at), "reading", "succeeded_at", api_json_time_or_null(d->succeeded_at),
        "failed_at", api_json_time_or_null(d->failed_at), "last_error", d->last_error, "failures",
        (json_int_t)d->failures, "retry_at", api_json_time_or_null(d->retry_at));
}

/* Who is asked has changed: the lists are read anew. */
static bool sync(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_job job;
    const char *location;
    return api_job_make(r, tx, "directory.sync", json_object(), &job, &location, err);
}

bool api_directory_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct directory_new *body = r->fields;
    struct sg_id id = sg_id_new("dir");
    const struct sg_api_directory wanted = {.key = {.id = id.text},
                                            .url = body->url,
                                            .base_dn = body->base_dn,
                                            .ca_pem = body->ca_pem,
                                            .position = body->position,
                                            .anchor_id = body->anchor_id,
                                            .filter = body->filter,
                                            .attribute = body->attribute,
                                            .bind_dn = body->bind_dn,
                                            .credential = body->credential};
    struct sg_api_directory made;
    if (!sg_api_directory_insert(tx, r->arena, &wanted, &made, err))
        return err->code == SG_E_INVALID
                   ? api_invalid(err, "anchor_id", "there is no such trust anchor")
                   : api_conflict(err, "/url", "this directory is there already");
    return sync(r, tx, err) &&
           api_reply_created(r, sg_arena_printf(r->arena, "/v1/directory-sources/%s", id.text),
                             directory_json(r->arena, &made));
}

bool api_directory_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_page page;
    struct sg_api_directory *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_directory_list(tx, r->arena, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, directory_json);
}

bool api_directory_delete(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    if (sg_api_directory_delete(tx, api_param(r, "directory_id"), err))
        return sync(r, tx, err) && api_reply_gone(r);
    return err->code == SG_E_INVALID ? sg_fail(err, SG_E_CONFLICT, "an authority publishes there")
                                     : false;
}
