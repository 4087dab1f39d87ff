/*
 * Reports: below a tenant its own, platform-wide every one. They are made by tenantd; here they are
 * asked for, shown as JSON, CSV or HTML (rendered from the same data), and signed.
 */
#include "report/report.h"
#include "api/check.h"
#include "api/handlers.h"
#include "api/pem.h"
#include "api/render.h"
#include "schema/api_job.h"
#include "schema/api_report.h"

static const char *const kinds[] = {"breach",  "compliance", "availability",
                                    "service", "usage",      NULL};
static const char *const states[] = {"current", "superseded", NULL};
static const char *const subjects[] = {"platform", "tenants", NULL};

/* As it is written; api_check_month() makes its first day of it. */
static bool month(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    const char *day = *value;
    return api_check_month(arena, &day, err);
}

struct report_new {
    const char *kind, *period;
};
static const struct api_field new_fields[] = {
    {.name = "kind",
     .type = API_STRING,
     .offset = offsetof(struct report_new, kind),
     .choices = kinds},
    {.name = "period",
     .type = API_STRING,
     .offset = offsetof(struct report_new, period),
     .min = 7,
     .max = 7,
     .check = month},
};
const struct api_spec api_report_new = {new_fields, 2, sizeof(struct report_new), NULL};

struct report_query {
    struct api_page_query page;
    struct sg_api_report_filter filter;
};
#define AT(member) offsetof(struct report_query, filter.member)
static const struct api_field query_fields[] = {
    API_PAGE_FIELDS,
    {.name = "kind", .type = API_STRING, .offset = AT(kind), .optional = true, .choices = kinds},
    {.name = "period",
     .type = API_STRING,
     .offset = AT(period),
     .optional = true,
     .min = 7,
     .max = 7,
     .check = month},
    {.name = "state", .type = API_STRING, .offset = AT(state), .optional = true, .choices = states},
    {.name = "subject",
     .type = API_STRING,
     .offset = AT(subject),
     .optional = true,
     .choices = subjects},
};
const struct api_spec api_report_query = {
    query_fields, sizeof query_fields / sizeof query_fields[0], sizeof(struct report_query), NULL};

struct csv_query {
    const char *table;
};
static const struct api_field csv_fields[] = {{.name = "table",
                                               .type = API_STRING,
                                               .offset = offsetof(struct csv_query, table),
                                               .optional = true,
                                               .min = 1,
                                               .max = 60}};
const struct api_spec api_report_csv_query = {csv_fields, 1, sizeof(struct csv_query), NULL};

struct signature_new {
    const char *sha256, *name, *title, *words;
};
#define SIGN(member) offsetof(struct signature_new, member)
static const struct api_field signature_fields[] = {
    {.name = "sha256", .type = API_STRING, .offset = SIGN(sha256), .min = 64, .max = 64},
    {.name = "name", .type = API_STRING, .offset = SIGN(name), .min = 1, .max = 200},
    {.name = "title", .type = API_STRING, .offset = SIGN(title), .min = 1, .max = 200},
    {.name = "words", .type = API_TEXT, .offset = SIGN(words), .min = 1, .max = 2000},
};
const struct api_spec api_signature_new = {signature_fields, 4, sizeof(struct signature_new), NULL};

/* The tenant of the path; NULL on the provider's own paths. */
static const char *tenant_of(const struct api_request *r)
{
    const char *id = api_param(r, "tenant_id");
    return *id ? id : NULL;
}

static json_t *head_json(struct sg_arena *arena, const void *row)
{
    const struct sg_api_report *r = row;
    return json_pack("{s:s, s:o, s:s, s:s, s:I, s:s, s:b, s:o, s:o, s:s, s:I}", "id", r->key.id,
                     "tenant_id", api_json_text_or_null(r->tenant_id), "kind", r->kind, "period",
                     r->period, "revision", (json_int_t)r->revision, "state", r->state, "complete",
                     r->complete, "sha256", api_json_hex_or_null(arena, r->sha256), "made_at",
                     api_json_time(r->key.at), "made_by", r->made_by, "signature_count",
                     (json_int_t)r->signature_count);
}

static json_t *report_json(struct sg_arena *arena, const struct sg_api_report *r)
{
    json_t *json = head_json(arena, r);
    json_object_set_new(json, "differs", api_json_parse(r->differs));
    json_object_set_new(json, "watermark", api_json_parse(r->watermark));
    json_object_set_new(json, "signatures", api_json_parse(r->signatures));
    json_object_set_new(json, "deliveries", api_json_parse(r->deliveries));
    json_object_set_new(json, "data", api_json_parse(r->data));
    return json;
}

static bool find(struct api_request *r, struct sg_tx *tx, struct sg_api_report *report_r,
                 struct sg_error *err)
{
    return sg_api_report_find(tx, r->arena, tenant_of(r), api_param(r, "report_id"), report_r, err);
}

bool api_report_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct report_new *body = r->fields;
    const char *tenant = tenant_of(r), *location;
    struct sg_api_job job;
    json_t *payload = json_pack("{s:s, s:s, s:s}", "kind", body->kind, "period", body->period,
                                "asked_by", r->caller.actor);
    const char *key = sg_arena_printf(r->arena, "report.make:%s:%s:%s", tenant ? tenant : "-",
                                      body->kind, body->period);
    return api_job_make_once(r, tx, "report.make", payload, key, &job, &location, err) &&
           api_reply_accepted(r, location, json_pack("{s:o}", "job", api_job_json(r->arena, &job)));
}

bool api_report_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct report_query *query = r->parameters;
    struct sg_api_page page;
    struct sg_api_report *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_report_list(tx, r->arena, tenant_of(r), &query->filter, &page, &rows, &count,
                              err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, head_json);
}

bool api_report_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_report report;
    return find(r, tx, &report, err) && api_reply_ok(r, report_json(r->arena, &report));
}

/* What was rendered, as a file with a name of its own. */
static bool reply_form(struct api_request *r, const struct sg_api_report *report,
                       const struct sg_buf *form, const char *media_type, const char *extension)
{
    const char *name =
        sg_arena_printf(r->arena, "inline; filename=\"%s-%s-r%lld.%s\"", report->kind,
                        report->period, (long long)report->revision, extension);
    return api_reply_text(r, media_type, name, sg_buf_bytes(form));
}

bool api_report_csv(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct csv_query *query = r->parameters;
    struct sg_api_report report;
    if (!find(r, tx, &report, err))
        return false;
    SG_AUTO_BUF form;
    sg_buf_init(&form, SG_REPORT_SIZE_MAX);
    json_t *json = report_json(r->arena, &report);
    bool ok = sg_report_csv(json, query->table, &form, err) &&
              reply_form(r, &report, &form, "text/csv", "csv");
    json_decref(json);
    return ok;
}

bool api_report_html(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_report report;
    if (!find(r, tx, &report, err))
        return false;
    SG_AUTO_BUF form;
    sg_buf_init(&form, SG_REPORT_SIZE_MAX);
    json_t *json = report_json(r->arena, &report);
    bool ok =
        sg_report_html(json, &form, err) && reply_form(r, &report, &form, "text/html", "html");
    json_decref(json);
    return ok;
}

/* By mail to its recipients; report is of the path. */
static bool mail(struct api_request *r, struct sg_tx *tx, const struct sg_api_report *report,
                 struct sg_api_job *job_r, const char **location_r, struct sg_error *err)
{
    const char *key = sg_arena_printf(r->arena, "report.mail:%s", report->key.id);
    return api_job_make_once(r, tx, "report.mail", json_pack("{s:s}", "report_id", report->key.id),
                             key, job_r, location_r, err);
}

bool api_report_mail(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_report report;
    struct sg_api_job job;
    const char *location;
    if (!find(r, tx, &report, err))
        return false;
    if (strcmp(report.state, "current") != 0)
        return sg_fail(err, SG_E_CONFLICT, "the report was superseded");
    return sg_api_report_requeue(tx, tenant_of(r), report.key.id, err) &&
           mail(r, tx, &report, &job, &location, err) &&
           api_reply_accepted(r, location, json_pack("{s:o}", "job", api_job_json(r->arena, &job)));
}

/* Of the platform's reports those that go to the administrator of SecureMail are sent when the
 * security officer has signed them. */
static bool sent_when_signed(const struct sg_api_report *report)
{
    return !report->tenant_id && report->complete &&
           (strcmp(report->kind, "breach") == 0 || strcmp(report->kind, "compliance") == 0);
}

/* Who signs says what is signed: the hash is that of the report that was read. */
bool api_report_sign(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct signature_new *body = r->fields;
    struct sg_api_report report;
    uint8_t *sha256 = sg_arena_alloc(r->arena, 32);
    for (int i = 0; i < 32; i++)
        if (strspn(body->sha256, "0123456789abcdef") != 64 ||
            sscanf(body->sha256 + (size_t)2 * i, "%2hhx", &sha256[i]) != 1)
            return api_invalid(err, "sha256", "must be 64 digits of lower-case hexadecimal");
    const struct sg_api_signature signature = {.report_id = api_param(r, "report_id"),
                                               .tenant_id = tenant_of(r),
                                               .sha256 = sg_bytes_of(sha256, 32),
                                               .name = body->name,
                                               .title = body->title,
                                               .words = body->words,
                                               .actor = r->caller.actor};
    struct sg_api_job job;
    const char *location;
    return find(r, tx, &report, err) && sg_api_report_sign(tx, &signature, err) &&
           (!sent_when_signed(&report) || mail(r, tx, &report, &job, &location, err)) &&
           find(r, tx, &report, err) && api_reply_ok(r, report_json(r->arena, &report));
}
