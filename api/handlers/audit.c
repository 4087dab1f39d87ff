#include "api/handlers.h"
#include "api/render.h"
#include "schema/api_job.h"

#include <stdlib.h>

static json_t *audit_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_audit *a = row;
    return json_pack("{s:I, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "id",
                     (json_int_t)strtoll(a->key.id, NULL, 10), "at", api_json_time(a->key.at),
                     "tenant_id", a->tenant_id, "actor", a->actor, "address", a->address,
                     "request_id", a->request_id, "action", a->action, "object", a->object,
                     "object_id", a->object_id, "before", api_json_parse(a->before), "after",
                     api_json_parse(a->after));
}

bool api_audit_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_page page;
    struct sg_api_audit *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_audit_list(tx, r->arena, r->tenant.key.id, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, audit_json);
}
