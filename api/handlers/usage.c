/* What each tenant used in a month, for billing: as JSON, and as a table for a spreadsheet. */
#include "schema/usage.h"
#include "api/check.h"
#include "api/handlers.h"
#include "api/render.h"
#include "api/service.h"
#include "common/buf.h"
#include "common/deadline.h"

struct usage_query {
    struct api_page_query page;
    const char *month;
};
#define MONTH                                                                                      \
    {                                                                                              \
        .name = "month", .type = API_STRING, .offset = offsetof(struct usage_query, month),        \
        .optional = true, .check = api_check_month                                                 \
    }
static const struct api_field list_fields[] = {API_PAGE_FIELDS, MONTH};
const struct api_spec api_usage_query = {list_fields, 3, sizeof(struct usage_query), NULL};
static const struct api_field month_field[] = {MONTH};
const struct api_spec api_usage_month_query = {month_field, 1, sizeof(struct usage_query), NULL};

#define PORTION 50 /* tenants that are counted in one statement */

static json_t *numbers_put(json_t *o, const int64_t *numbers)
{
    for (size_t i = 0; i < SG_USAGE_NUMBERS; i++)
        json_object_set_new(o, sg_usage_names[i], json_integer(numbers[i]));
    return o;
}

static json_t *usage_json(struct sg_arena *arena, const void *row)
{
    const struct sg_api_usage *u = row;
    return numbers_put(json_pack("{s:s, s:s, s:s, s:s, s:I, s:o}", "tenant_id", u->key.id,
                                 "tenant_name", u->tenant_name, "month",
                                 sg_arena_printf(arena, "%.7s", u->month), "time_zone",
                                 u->time_zone, "adjustments", (json_int_t)u->adjustments,
                                 "closed_at", api_json_time_or_null(u->closed_at)),
                       u->numbers);
}

bool api_usage_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct usage_query *query = r->parameters;
    struct sg_api_page page;
    struct sg_api_usage *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_usage_list(tx, r->arena, NULL, query->month, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, usage_json);
}

/* The one of the tenant of the path. */
static bool find(struct api_request *r, struct sg_tx *tx, struct sg_api_usage **row_r,
                 struct sg_error *err)
{
    const struct usage_query *query = r->parameters;
    const struct sg_api_page one = {.limit = 1};
    size_t count;
    return sg_api_usage_list(tx, r->arena, r->tenant.key.id, query->month, &one, row_r, &count,
                             err) &&
           (count > 0 || sg_fail(err, SG_E_NOT_FOUND, "the tenant was not there in that month"));
}

bool api_usage_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_usage *usage;
    struct sg_api_usage_revision *revisions;
    size_t count;
    if (!find(r, tx, &usage, err) ||
        !sg_api_usage_revisions(tx, r->arena, usage->key.id, usage->month, &revisions, &count, err))
        return false;
    json_t *json = usage_json(r->arena, usage), *all = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(
            all,
            numbers_put(json_pack("{s:I, s:o, s:s}", "revision", (json_int_t)revisions[i].revision,
                                  "made_at", api_json_time(revisions[i].made_at), "watermark",
                                  revisions[i].watermark),
                        revisions[i].numbers));
    json_object_set_new(json, "revisions", all);
    return api_reply_ok(r, json);
}

/* A field of RFC 4180; one that a spreadsheet would take for a formula gets an apostrophe. */
static const char *csv_field(struct sg_arena *arena, const char *s)
{
    char *out = sg_arena_alloc(arena, 2 * strlen(s) + 4), *p = out;
    *p++ = '"';
    if (*s && strchr("=+-@\t\r", *s))
        *p++ = '\'';
    for (; *s; s++) {
        if (*s == '"')
            *p++ = '"';
        *p++ = *s;
    }
    *p++ = '"';
    *p = 0;
    return out;
}

static bool csv_row(struct sg_buf *out, struct sg_arena *arena, const struct sg_api_usage *u)
{
    bool ok = sg_buf_addf(out, "%.7s,%s,%s", u->month, u->key.id, csv_field(arena, u->tenant_name));
    for (size_t i = 0; i < SG_USAGE_NUMBERS; i++)
        ok &= sg_buf_addf(out, ",%lld", (long long)u->numbers[i]);
    return ok && sg_buf_addf(out, ",%lld,%s,%s\r\n", (long long)u->adjustments,
                             u->closed_at ? "closed" : "open", u->time_zone);
}

bool api_usage_csv(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct usage_query *query = r->parameters;
    struct sg_api_page page = {.limit = PORTION};
    struct sg_api_usage *rows;
    size_t count;
    SG_AUTO_BUF out;
    sg_buf_init(&out, 0);
    bool ok = sg_buf_adds(&out, "month,tenant_id,tenant_name");
    for (size_t i = 0; i < SG_USAGE_NUMBERS; i++)
        ok &= sg_buf_addf(&out, ",%s", sg_usage_names[i]);
    ok &= sg_buf_adds(&out, ",adjustments,state,time_zone\r\n");
    sg_deadline deadline = sg_deadline_in(r->service->usage_table_ms);
    r->reply.instead =
        "the table takes too long while the month is open: /v1/usage has it in pages";
    do {
        if (sg_deadline_left(deadline) == 0)
            return sg_fail(err, SG_E_TIMEOUT, "the table takes longer than [usage] table_time");
        if (!sg_api_usage_list(tx, r->arena, NULL, query->month, &page, &rows, &count, err))
            return false;
        for (size_t i = 0; i < count && i < PORTION; i++) {
            ok &= csv_row(&out, r->arena, &rows[i]);
            page.after = rows[i].key;
        }
    } while (count > PORTION);
    if (!ok)
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    return api_reply_text(r, "text/csv", "attachment; filename=\"usage.csv\"", sg_buf_bytes(&out));
}
