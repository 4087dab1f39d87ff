/*
 * Contacts of the provider and of tenants (REQ-143), without personal data: a role, an
 * organisation, the mailbox of a role, the phone of a desk. What looks like a person's mailbox is
 * refused unless whoever writes it states that it is a role's.
 */
#include "schema/api_contact.h"

#include "api/check.h"
#include "api/handlers.h"
#include "api/render.h"

#include <ctype.h>

#define DAY (86400 * SG_SECOND)

static const char *const roles[] = {"postmaster", "security", "technical",    "billing",    "abuse",
                                    "privacy",    "legal",    "service-desk", "management", NULL};

struct contact {
    const char *role, *organisation, *mailbox, *phone;
    int64_t review_days;
    bool role_mailbox;
};

/* "+64 4 123 4567", "0800 22 55 34 ext 2" */
static bool check_phone(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    (void)arena;
    size_t digits = 0;
    for (const char *p = *value; *p; p++)
        digits += isdigit((unsigned char)*p) != 0;
    if (strspn(*value, "0123456789 +()-extEXT.") != strlen(*value) || (**value && digits < 3))
        return sg_fail(err, SG_E_INVALID, "must be a telephone number");
    return true;
}

static const struct api_field fields[] = {
    {.name = "role",
     .type = API_STRING,
     .offset = offsetof(struct contact, role),
     .choices = roles},
    {.name = "organisation",
     .type = API_STRING,
     .offset = offsetof(struct contact, organisation),
     .min = 1,
     .max = 200,
     .check = api_check_name},
    {.name = "mailbox",
     .type = API_STRING,
     .offset = offsetof(struct contact, mailbox),
     .min = 3,
     .max = 320,
     .check = api_check_mailbox},
    {.name = "role_mailbox",
     .type = API_BOOLEAN,
     .offset = offsetof(struct contact, role_mailbox),
     .optional = true},
    {.name = "phone",
     .type = API_STRING,
     .offset = offsetof(struct contact, phone),
     .optional = true,
     .max = 40,
     .check = check_phone,
     .initial_text = ""},
    {.name = "review_days",
     .type = API_INTEGER,
     .offset = offsetof(struct contact, review_days),
     .optional = true,
     .min = 1,
     .max = 730,
     .initial = 180},
};

/* "first.last", "f.last", "first_last": two parts of letters, none of which names a role. */
static bool looks_personal(const char *mailbox)
{
    static const char *const words[] = {"postmaster", "security", "support", "service", "desk",
                                        "help",       "helpdesk", "billing", "abuse",   "mail",
                                        "admin",      "team",     "office",  "privacy", "legal",
                                        "noc",        "ops",      "it",      "info",    "accounts",
                                        "technical",  "duty",     NULL};
    const char *p = mailbox;
    int parts = 0;
    while (*p != '@') {
        size_t n = strcspn(p, "._-@");
        for (size_t i = 0; i < n; i++)
            if (!isalpha((unsigned char)p[i]) && (unsigned char)p[i] < 0x80)
                return false;
        for (size_t w = 0; words[w]; w++)
            if (strlen(words[w]) == n && strncmp(words[w], p, n) == 0)
                return false;
        parts += n > 0;
        p += n;
        p += *p != '@';
    }
    return parts >= 2;
}

static bool check(struct sg_arena *arena, void *out, struct sg_error *err)
{
    (void)arena;
    const struct contact *body = out;
    return body->role_mailbox || !looks_personal(body->mailbox) ||
           api_invalid(err, "mailbox",
                       "looks like a person's: contacts are roles (REQ-143). Where it is a "
                       "role's all the same, say so with role_mailbox");
}
const struct api_spec api_contact_body = {fields, 6, sizeof(struct contact), check};

struct contact_query {
    struct api_page_query page;
    const char *role, *stale;
};
static const char *const yes_no[] = {"true", "false", NULL};
static const struct api_field query_fields[] = {
    API_PAGE_FIELDS,
    {.name = "role",
     .type = API_STRING,
     .offset = offsetof(struct contact_query, role),
     .optional = true,
     .choices = roles},
    {.name = "stale",
     .type = API_STRING,
     .offset = offsetof(struct contact_query, stale),
     .optional = true,
     .choices = yes_no},
};
const struct api_spec api_contact_query = {query_fields, 4, sizeof(struct contact_query), NULL};

static json_t *contact_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_contact *c = row;
    sg_time due = c->reviewed_at + c->review_days * DAY;
    return json_pack("{s:s, s:o, s:s, s:s, s:s, s:b, s:s, s:I, s:o, s:o, s:b, s:o, s:o}", "id",
                     c->key.id, "tenant_id", api_json_text_or_null(c->tenant_id), "role", c->role,
                     "organisation", c->organisation, "mailbox", c->mailbox, "role_mailbox",
                     c->role_mailbox, "phone", c->phone, "review_days", (json_int_t)c->review_days,
                     "reviewed_at", api_json_time(c->reviewed_at), "review_due_at",
                     api_json_time(due), "stale", due <= sg_clock_now(), "created_at",
                     api_json_time(c->key.at), "updated_at", api_json_time(c->updated_at));
}

/* NULL: the provider's own. */
static const char *owner(const struct api_request *r)
{
    return r->tenant.key.id;
}

static struct sg_api_contact wanted(const struct api_request *r, const char *id)
{
    const struct contact *body = r->fields;
    return (struct sg_api_contact){.key = {.id = id},
                                   .tenant_id = owner(r),
                                   .role = body->role,
                                   .organisation = body->organisation,
                                   .mailbox = body->mailbox,
                                   .role_mailbox = body->role_mailbox,
                                   .phone = body->phone,
                                   .review_days = body->review_days};
}

bool api_contact_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_id id = sg_id_new("con");
    const struct sg_api_contact row = wanted(r, id.text);
    struct sg_api_contact made;
    return sg_api_contact_insert(tx, r->arena, &row, &made, err) &&
           api_reply_created(r, sg_arena_printf(r->arena, "%s/%s", r->path, id.text),
                             contact_json(r->arena, &made));
}

static bool list(struct api_request *r, struct sg_tx *tx, const char *tenant_id,
                 struct sg_error *err)
{
    const struct contact_query *query = r->parameters;
    bool stale = query->stale && strcmp(query->stale, "true") == 0;
    struct sg_api_page page;
    struct sg_api_contact *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_contact_list(tx, r->arena, tenant_id, query->role, stale, &page, &rows, &count,
                               err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, contact_json);
}

bool api_contact_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return list(r, tx, owner(r), err);
}

/* Whom a tenant's people turn to. */
bool api_provider_contact_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return list(r, tx, NULL, err);
}

bool api_contact_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_contact row;
    return sg_api_contact_find(tx, r->arena, owner(r), api_param(r, "contact_id"), &row, err) &&
           api_reply_ok(r, contact_json(r->arena, &row));
}

bool api_contact_set(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct sg_api_contact row = wanted(r, api_param(r, "contact_id"));
    struct sg_api_contact now;
    return sg_api_contact_set(tx, r->arena, &row, &now, err) &&
           api_reply_ok(r, contact_json(r->arena, &now));
}

bool api_contact_review(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_contact row;
    return sg_api_contact_review(tx, r->arena, owner(r), api_param(r, "contact_id"), &row, err) &&
           api_reply_ok(r, contact_json(r->arena, &row));
}

bool api_contact_delete(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return sg_api_contact_delete(tx, owner(r), api_param(r, "contact_id"), err) &&
           api_reply_gone(r);
}
