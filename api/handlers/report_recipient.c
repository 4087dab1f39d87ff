/* To whom reports go by mail: each tenant's own, and the provider's. */
#include "api/check.h"
#include "api/handlers.h"
#include "api/render.h"
#include "schema/api_report.h"

static const char *const kinds[] = {"breach",  "compliance", "availability",
                                    "service", "usage",      NULL};

/* An address that mail can be sent to. */
static bool address(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    if (!api_check_address(arena, value, err))
        return false;
    const char *at = strrchr(*value, '@'), *domain = at ? at + 1 : "";
    struct sg_error why = {0};
    bool ok = at && at > *value && strcspn(*value, " \t<>()[],;:\\\"") == strlen(*value) &&
              api_check_dns_name(arena, &domain, &why);
    for (const char *p = *value; ok && *p; p++)
        ok = *p > ' ' && *p < 127;
    return ok || sg_fail(err, SG_E_INVALID, "is no address of a mailbox");
}

static const struct api_field new_fields[] = {
    {.name = "kind",
     .type = API_STRING,
     .offset = offsetof(struct sg_api_report_recipient, kind),
     .choices = kinds},
    {.name = "address",
     .type = API_STRING,
     .offset = offsetof(struct sg_api_report_recipient, address),
     .min = 3,
     .max = 254,
     .check = address},
};
const struct api_spec api_report_recipient_new = {new_fields, 2,
                                                  sizeof(struct sg_api_report_recipient), NULL};

static const char *tenant_of(const struct api_request *r)
{
    const char *id = api_param(r, "tenant_id");
    return *id ? id : NULL;
}

static json_t *recipient_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_report_recipient *r = row;
    return json_pack("{s:s, s:o, s:s, s:s, s:o}", "id", r->key.id, "tenant_id",
                     api_json_text_or_null(r->tenant_id), "kind", r->kind, "address", r->address,
                     "created_at", api_json_time(r->key.at));
}

bool api_report_recipient_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_report_recipient recipient = *(const struct sg_api_report_recipient *)r->fields,
                                   made;
    recipient.tenant_id = tenant_of(r);
    if (!sg_api_report_recipient_insert(tx, r->arena, &recipient, &made, err))
        return api_conflict(err, "/address", "the address gets these reports already");
    return api_reply_created(r, sg_arena_printf(r->arena, "%s/%s", r->path, made.key.id),
                             recipient_json(r->arena, &made));
}

bool api_report_recipient_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_page page;
    struct sg_api_report_recipient *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_report_recipient_list(tx, r->arena, tenant_of(r), &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, recipient_json);
}

bool api_report_recipient_delete(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    return sg_api_report_recipient_delete(tx, tenant_of(r), api_param(r, "report_recipient_id"),
                                          err) &&
           api_reply_gone(r);
}
