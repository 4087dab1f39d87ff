/* Certification authorities, and who uses which. Their secrets are files of tenantd's host: here is
 * their name alone. */
#include "api/check.h"
#include "api/handlers.h"
#include "api/pem.h"
#include "api/render.h"
#include "schema/api_certlife.h"
#include "schema/certificate_order.h"

#define URL_MAX 300

static const char *const methods[] = {"est", "manual", NULL};
static const char *const ways[] = {"none", "password", "certificate", NULL};
static const char *const algorithms[] = {"rsa-2048", "rsa-3072", "rsa-4096",
                                         "ec-p256",  "ec-p384",  NULL};
static const char *const kinds[] = {"token", "wrapped", NULL};

struct authority_new {
    const char *name, *method, *est_url, *tls_ca_pem, *authentication, *account, *credential;
    const char *key_algorithm, *key_kind, *revocation_url, *directory_id;
    int64_t renewal_lead_days;
    bool is_default;
};

/* https, printable, without a user, a query or a fragment; "" stays. */
static bool check_url(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    const char *p = *value;
    if (!*p)
        return true;
    bool ok = strncasecmp(p, "https://", 8) == 0 && p[8] && p[8] != '/';
    for (; *p; p++)
        ok &= *p > ' ' && *p < 0x7f && !strchr("@?#\"<>\\", *p);
    if (!ok)
        return sg_fail(err, SG_E_INVALID,
                       "must be an https:// address without a user, a query or a fragment");
    char *url = sg_arena_strdup(arena, *value);
    for (size_t n = strlen(url); n > 8 && url[n - 1] == '/'; n--)
        url[n - 1] = 0;
    *value = url;
    return true;
}

static bool check_directory(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    (void)arena;
    return sg_id_valid(sg_bytes_str(*value), "dir") ||
           sg_fail(err, SG_E_INVALID, "is not the id of a directory source");
}

static bool check_authority(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    (void)arena;
    return sg_id_valid(sg_bytes_str(*value), "cau") ||
           sg_fail(err, SG_E_INVALID, "is not the id of an authority");
}

#define TEXT(member, least, most, ...)                                                             \
    {                                                                                              \
        .name = #member, .type = API_STRING, .offset = offsetof(struct authority_new, member),     \
        .min = (least), .max = (most), __VA_ARGS__                                                 \
    }
static const struct api_field new_fields[] = {
    TEXT(name, 1, 100, .check = api_check_name),
    TEXT(method, 0, 0, .choices = methods),
    TEXT(est_url, 0, URL_MAX, .optional = true, .initial_text = "", .check = check_url),
    {.name = "tls_ca_pem",
     .type = API_TEXT,
     .offset = offsetof(struct authority_new, tls_ca_pem),
     .optional = true,
     .max = API_PEM_CHARS_MAX,
     .check = api_check_pem,
     .initial_text = ""},
    TEXT(authentication, 0, 0, .optional = true, .initial_text = "none", .choices = ways),
    TEXT(account, 0, 200, .optional = true, .initial_text = ""),
    TEXT(credential, 0, 64, .optional = true, .initial_text = "", .check = api_check_credential),
    {.name = "renewal_lead_days",
     .type = API_INTEGER,
     .offset = offsetof(struct authority_new, renewal_lead_days),
     .optional = true,
     .min = 1,
     .max = 180,
     .initial = 30},
    TEXT(key_algorithm, 0, 0, .optional = true, .initial_text = "rsa-2048", .choices = algorithms),
    TEXT(key_kind, 0, 0, .optional = true, .initial_text = "wrapped", .choices = kinds),
    TEXT(revocation_url, 0, URL_MAX, .optional = true, .initial_text = "", .check = check_url),
    TEXT(directory_id, 0, 0, .optional = true, .check = check_directory),
    {.name = "is_default",
     .type = API_BOOLEAN,
     .offset = offsetof(struct authority_new, is_default),
     .optional = true},
};

static bool new_check(struct sg_arena *arena, void *out, struct sg_error *err)
{
    (void)arena;
    const struct authority_new *b = out;
    bool est = strcmp(b->method, "est") == 0;
    bool password = strcmp(b->authentication, "password") == 0;
    bool none = strcmp(b->authentication, "none") == 0;
    if (est != (*b->est_url != 0))
        return api_invalid(err, "est_url",
                           est ? "is needed for the method est" : "is for the method est alone");
    if (password != (*b->account != 0))
        return api_invalid(err, "account",
                           password ? "is needed with a password" : "goes with a password alone");
    if (none != (*b->credential == 0))
        return api_invalid(err, "credential",
                           none ? "goes with an authentication alone"
                                : "is needed: the name of the file");
    return true;
}
const struct api_spec api_authority_new = {new_fields, sizeof new_fields / sizeof new_fields[0],
                                           sizeof(struct authority_new), new_check};

struct authority_choice {
    const char *authority_id;
};
static const struct api_field choice_fields[] = {
    {.name = "authority_id",
     .type = API_STRING,
     .offset = offsetof(struct authority_choice, authority_id),
     .check = check_authority},
};
const struct api_spec api_authority_choice = {choice_fields, 1, sizeof(struct authority_choice),
                                              NULL};

static json_t *authority_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_authority *a = row;
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:s?, s:b, s:o, "
                     "s:o}",
                     "id", a->key.id, "name", a->name, "method", a->method, "est_url", a->est_url,
                     "tls_ca_pem", a->tls_ca_pem, "authentication", a->authentication, "account",
                     a->account, "credential", a->credential, "renewal_lead_days",
                     (json_int_t)a->renewal_lead_days, "key_algorithm", a->key_algorithm,
                     "key_kind", a->key_kind, "revocation_url", a->revocation_url, "directory_id",
                     a->directory_id, "is_default", a->is_default, "created_at",
                     api_json_time(a->key.at), "updated_at", api_json_time(a->updated_at));
}

static struct sg_api_authority wanted(const struct authority_new *b, const char *id)
{
    return (struct sg_api_authority){.key = {.id = id},
                                     .name = b->name,
                                     .method = b->method,
                                     .est_url = b->est_url,
                                     .tls_ca_pem = b->tls_ca_pem,
                                     .authentication = b->authentication,
                                     .account = b->account,
                                     .credential = b->credential,
                                     .renewal_lead_days = b->renewal_lead_days,
                                     .key_algorithm = b->key_algorithm,
                                     .key_kind = b->key_kind,
                                     .revocation_url = b->revocation_url,
                                     .directory_id = b->directory_id,
                                     .is_default = b->is_default};
}

static bool not_written(struct sg_error *err)
{
    if (err->code == SG_E_INVALID)
        return api_invalid(err, "directory_id", "there is no such directory source");
    return api_conflict(err, "/name", "the name is taken, or another authority is the default");
}

bool api_authority_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_id id = sg_id_new("cau");
    const struct sg_api_authority row = wanted(r->fields, id.text);
    struct sg_api_authority made;
    if (!sg_api_authority_insert(tx, r->arena, &row, &made, err))
        return not_written(err);
    return api_reply_created(r, sg_arena_printf(r->arena, "/v1/authorities/%s", id.text),
                             authority_json(r->arena, &made));
}

bool api_authority_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_page page;
    struct sg_api_authority *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_authority_list(tx, r->arena, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, authority_json);
}

bool api_authority_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_authority row;
    return sg_api_authority_find(tx, r->arena, api_param(r, "authority_id"), &row, err) &&
           api_reply_ok(r, authority_json(r->arena, &row));
}

bool api_authority_set(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct sg_api_authority row = wanted(r->fields, api_param(r, "authority_id"));
    struct sg_api_authority made;
    if (!sg_api_authority_update(tx, r->arena, &row, &made, err))
        return not_written(err);
    return api_reply_ok(r, authority_json(r->arena, &made));
}

bool api_authority_delete(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    if (sg_api_authority_delete(tx, api_param(r, "authority_id"), err))
        return api_reply_gone(r);
    return err->code == SG_E_INVALID ? sg_fail(err, SG_E_CONFLICT, "something uses this authority")
                                     : false;
}

/* The path says whose: a tenant's or a domain's. */
static const char *domain_of(const struct api_request *r)
{
    const char *id = api_param(r, "domain_id");
    return *id ? id : NULL;
}

static bool use_reply(struct api_request *r, const char *id)
{
    return api_reply_ok(r, json_pack("{s:s?}", "authority_id", id));
}

bool api_authority_use_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const char *id;
    return sg_api_authority_use_find(tx, r->arena, r->tenant.key.id, domain_of(r), &id, err) &&
           use_reply(r, id);
}

/* A domain that has none yet is to get its certificate now; a tenant's are found by the sweep. */
static bool ensure(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const char *domain_id = domain_of(r);
    return !domain_id || sg_certificate_ensure(tx, r->tenant.key.id, domain_id, 0, err);
}

bool api_authority_use_set(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct authority_choice *body = r->fields;
    if (!sg_api_authority_use_set(tx, r->tenant.key.id, domain_of(r), body->authority_id, err))
        return err->code == SG_E_INVALID
                   ? api_invalid(err, "authority_id", "there is no such authority")
                   : false;
    return ensure(r, tx, err) && use_reply(r, body->authority_id);
}

bool api_authority_use_unset(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return sg_api_authority_use_set(tx, r->tenant.key.id, domain_of(r), NULL, err) &&
           api_reply_gone(r);
}
