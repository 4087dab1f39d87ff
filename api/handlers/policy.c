/*
 * Policies: settings that a platform has, a tenant may set otherwise, and a domain again. What is
 * not set at a level is inherited from the one above; what is set nowhere has its default. The
 * table here is what is known: a name that is not in it is refused. A reserved setting is kept and
 * shown, and nothing acts on it yet.
 */
#include "schema/api_policy.h"

#include "api/check.h"
#include "api/handlers.h"
#include "api/render.h"

#include <stdlib.h>

#define ADDITION_MAX 1000

static const char *const notice_forms[] = {"full", "brief", NULL};
static const char *const unverified_actions[] = {"deliver", "delete", NULL};
static const char *const unverified_forms[] = {"attached", "prefixed", NULL};
static const char *const undecodable_actions[] = {"quarantine", "send", NULL};
static const char *const changed_certificate[] = {"replace", "pin", "ask", NULL};
static const char *const unknown_encrypted[] = {"deliver_with_warning", "warning_only", NULL};

struct policy {
    const char *notice_form, *notice_addition, *administrator_address;
    const char *unverified_action, *unverified_form, *unknown_encrypted, *undecodable_action;
    const char *changed_certificate;
    int64_t notice_repeat_hours, notice_burst, hold_lifetime_hours, hold_retry_minutes;
    int64_t crl_grace_hours;
    sg_time crl_bypass_until;
    bool flag;
};

#define TEXT(name_, choices_)                                                                      \
    {                                                                                              \
        .name = #name_, .type = API_STRING, .offset = offsetof(struct policy, name_),              \
        .optional = true, .choices = (choices_)                                                    \
    }
#define NUMBER(name_, min_, max_)                                                                  \
    {                                                                                              \
        .name = #name_, .type = API_INTEGER, .offset = offsetof(struct policy, name_),             \
        .optional = true, .min = (min_), .max = (max_)                                             \
    }
/* Only looked at, and kept as it was written: hence one place for all. */
#define FLAG(name_)                                                                                \
    {                                                                                              \
        .name = #name_, .type = API_BOOLEAN, .offset = offsetof(struct policy, flag),              \
        .optional = true                                                                           \
    }

static const struct api_field fields[] = {
    NUMBER(hold_lifetime_hours, 1, 1440),
    NUMBER(hold_retry_minutes, 1, 1440),
    FLAG(require_acknowledgements),
    TEXT(notice_form, notice_forms),
    NUMBER(notice_repeat_hours, 0, 168),
    NUMBER(notice_burst, 1, 1000),
    {.name = "notice_addition",
     .type = API_TEXT,
     .offset = offsetof(struct policy, notice_addition),
     .optional = true,
     .max = ADDITION_MAX},
    {.name = "administrator_address",
     .type = API_STRING,
     .offset = offsetof(struct policy, administrator_address),
     .optional = true,
     .min = 3,
     .max = 320,
     .check = api_check_mailbox},
    FLAG(administrator_notices),
    TEXT(unverified_action, unverified_actions),
    TEXT(unverified_form, unverified_forms),
    TEXT(unknown_encrypted, unknown_encrypted),
    TEXT(undecodable_action, undecodable_actions),
    FLAG(attachment_scanning),
    FLAG(receipts_for_unauthenticated),
    FLAG(seal_to_correspondents),
    FLAG(discovery_approval),
    FLAG(classification_approval),
    NUMBER(crl_grace_hours, 0, 1440),
    {.name = "crl_bypass_until",
     .type = API_TIME,
     .offset = offsetof(struct policy, crl_bypass_until),
     .optional = true},
    FLAG(weak_algorithms),
    TEXT(changed_certificate, changed_certificate),
};
#define FIELDS (sizeof fields / sizeof fields[0])

/* Of each setting, in the order of fields: its default, what serves it, whether anything acts. */
static const struct {
    const char *initial, *requirement;
    bool reserved;
    bool platform_only;
} about[FIELDS] = {
    {"null", "REQ-57", false, false}, /* null: [hold] lifetime of gatewayd.conf */
    {"null", "REQ-57", false, false}, /* null: [hold] retry_first */
    {"false", "REQ-157", false, true},
    {"\"full\"", "REQ-94", false, false},
    {"24", "REQ-94", false, false},
    {"10", "REQ-94", false, false},
    {"\"\"", "REQ-78", false, false},
    {"null", "REQ-94", false, false}, /* null: postmaster@ the domain */
    {"true", "REQ-113", false, false},
    {"\"deliver\"", "REQ-76", false, false},
    {"\"attached\"", "REQ-76", false, false},
    {"\"deliver_with_warning\"", "REQ-80", false, false},
    {"\"quarantine\"", "REQ-33", false, false},
    {"false", "REQ-34", false, false},
    {"false", "REQ-75", false, false},
    {"true", "REQ-72", false, false},
    {"false", "REQ-54", false, false},
    {"false", "REQ-55", false, true},
    {"null", "REQ-40", false, false}, /* null: [certificates] crl_grace of gatewayd.conf */
    {"null", "REQ-59", false, false},
    {"false", "REQ-24", false, false},
    {"\"replace\"", "REQ-83", false, false},
};

const struct api_spec api_policy_body = {fields, FIELDS, sizeof(struct policy), NULL};

static const char *level_of(const struct sg_api_policy *p)
{
    return p->domain_id ? "domain" : p->tenant_id ? "tenant" : "platform";
}

/* The last level that sets it; the default where none does. */
static json_t *effective(size_t field, json_t *const *levels, const struct sg_api_policy *rows,
                         size_t count)
{
    json_t *value = NULL;
    const char *from = "default";
    for (size_t i = 0; i < count; i++) {
        json_t *set = json_object_get(levels[i], fields[field].name);
        if (!set)
            continue;
        value = set;
        from = level_of(&rows[i]);
    }
    return json_pack("{s:s, s:o, s:s, s:s, s:b}", "name", fields[field].name, "value",
                     value ? json_incref(value) : api_json_parse(about[field].initial), "from",
                     from, "requirement", about[field].requirement, "reserved",
                     about[field].reserved);
}

static bool show(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_policy *rows;
    size_t count;
    const char *tenant = r->tenant.key.id, *domain = r->domain.key.id;
    const char *level = domain ? "domain" : tenant ? "tenant" : "platform";
    if (!sg_api_policy_list(tx, r->arena, tenant, domain, &rows, &count, err))
        return false;
    json_t **levels = SG_ARENA_ARRAY(r->arena, json_t *, count + 1);
    json_t *own = NULL, *all = json_array(), *at = json_null();
    for (size_t i = 0; i < count; i++) {
        levels[i] = api_json_parse(rows[i].settings);
        if (strcmp(level_of(&rows[i]), level) == 0) {
            own = json_incref(levels[i]);
            at = api_json_time(rows[i].updated_at);
        }
    }
    for (size_t f = 0; f < FIELDS; f++)
        json_array_append_new(all, effective(f, levels, rows, count));
    for (size_t i = 0; i < count; i++)
        json_decref(levels[i]);
    return api_reply_ok(r,
                        json_pack("{s:s, s:o, s:o, s:o}", "level", level, "settings",
                                  own ? own : json_object(), "effective", all, "updated_at", at));
}

bool api_policy_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return show(r, tx, err);
}

/* The body was read by the table above; it is kept as it was written, for what it leaves out is
 * inherited. */
bool api_policy_set(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct policy *policy = r->fields;
    if (policy->crl_bypass_until &&
        !api_crl_bypass_end_check(r, "crl_bypass_until", policy->crl_bypass_until, err))
        return false;
    json_t *body = json_loadb((const char *)r->body.data, r->body.len, 0, NULL);
    for (size_t f = 0; r->tenant.key.id && f < FIELDS; f++) {
        if (about[f].platform_only && json_object_get(body, fields[f].name)) {
            json_decref(body);
            return api_invalid(err, fields[f].name, "is the platform's alone");
        }
    }
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (!text)
        return sg_fail(err, SG_E_INTERNAL, "the policy could not be written as JSON");
    bool ok = sg_api_policy_set(tx, r->tenant.key.id, r->domain.key.id, text, err);
    free(text);
    return ok && show(r, tx, err);
}
