/* A tenant's complete export (REQ-156): made by tenantd, fetched here until it expires. */
#include "api/handlers.h"
#include "api/render.h"
#include "api/service.h"
#include "schema/api_job.h"
#include "schema/api_message.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PENDING_DAYS 30 /* a job that nobody does */

static json_t *export_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct sg_api_export *e = row;
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:o, s:o, s:o}", "id", e->key.id,
                     "tenant_id", e->tenant_id, "state", e->state, "job_id", e->job_id,
                     "size_bytes", (json_int_t)e->size_bytes, "sha256", e->sha256, "error",
                     e->error, "created_at", api_json_time(e->key.at), "finished_at",
                     api_json_time_or_null(e->finished_at), "expires_at",
                     api_json_time(e->expires_at));
}

bool api_export_create(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_id id = sg_id_new("exp");
    struct sg_api_job job;
    struct sg_api_export made;
    const char *location;
    if (!*r->service->export_dir)
        return sg_fail(err, SG_E_CONFLICT, "exports are not set up on this platform");
    return api_job_make(
               r, tx, "tenant.export",
               json_pack("{s:s, s:s}", "tenant_id", r->tenant.key.id, "export_id", id.text), &job,
               &location, err) &&
           sg_api_export_insert(tx, r->arena, id.text, r->tenant.key.id, job.key.id,
                                sg_tx_now(tx) + PENDING_DAYS * 86400LL * SG_SECOND, &made, err) &&
           api_reply_accepted(r, location,
                              json_pack("{s:o, s:o}", "export", export_json(r->arena, &made), "job",
                                        api_job_json(r->arena, &job)));
}

bool api_export_list(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_page page;
    struct sg_api_export *rows;
    size_t count;
    return api_page_read(r, &page, err) &&
           sg_api_export_list(tx, r->arena, r->tenant.key.id, &page, &rows, &count, err) &&
           api_reply_list(r, &page, rows, count, sizeof *rows, export_json);
}

bool api_export_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_export row;
    return sg_api_export_find(tx, r->arena, r->tenant.key.id, api_param(r, "export_id"), &row,
                              err) &&
           api_reply_ok(r, export_json(r->arena, &row));
}

/* All that is read one by one elsewhere is in there. */
static bool reads_all(const struct api_request *r, struct sg_error *err)
{
    for (int scope = 0; scope < SG_SCOPE_COUNT; scope++)
        if (!sg_access_may(&r->caller.access, (enum sg_scope)scope, false))
            return sg_fail(err, SG_E_FORBIDDEN, "this needs the scope %s:read, as every other",
                           sg_scope_name((enum sg_scope)scope));
    return true;
}

/* A tenant can see in its audit log that the provider did. */
static bool read_audited(struct api_request *r, struct sg_tx *tx, const char *id,
                         struct sg_error *err)
{
    return r->caller.tenant_id || sg_api_audit_read(tx, r->tenant.key.id, "tenant_export", id,
                                                    "{\"what\":\"content\"}", err);
}

bool api_export_content(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    struct sg_api_export row;
    struct stat st;
    if (!reads_all(r, err) ||
        !sg_api_export_find(tx, r->arena, r->tenant.key.id, api_param(r, "export_id"), &row, err))
        return false;
    if (strcmp(row.state, "ready") != 0 || row.expires_at <= sg_tx_now(tx))
        return sg_fail(err, SG_E_CONFLICT, "the export is %s",
                       strcmp(row.state, "ready") == 0 ? "expired" : row.state);
    if (!read_audited(r, tx, row.key.id, err))
        return false;
    const char *path = sg_arena_printf(r->arena, "%s/%s", r->service->export_dir, row.file);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return sg_fail_errno(err, SG_E_IO, "cannot open the export");
    if (fstat(fd, &st) != 0 || st.st_size != row.size_bytes) {
        close(fd);
        return sg_fail(err, SG_E_IO, "the export's file is not what it was");
    }
    return api_reply_file(r, "application/zstd",
                          sg_arena_printf(r->arena, "attachment; filename=\"%s\"", row.file), fd,
                          (uint64_t)st.st_size);
}
