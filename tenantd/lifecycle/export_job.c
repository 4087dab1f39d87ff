/*
 * A tenant's complete export (REQ-156): each section in a file of its own without a name, for its
 * size stands before it in the tar; then a manifest of names, rows, sizes and hashes.
 */
#include "lifecycle/kinds.h"
#include "lifecycle/lifecycle.h"
#include "lifecycle/tar.h"
#include "schema/export.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct export
{
    struct sg_job *job;
    const struct sg_lifecycle *options;
    const char *tenant_id, *id, *file;
    struct sg_tar *tar;
    json_t *manifest;
    int64_t size;
    char sha256[65];
};

/* The section's lines, into spool. */
static bool lines_write(struct export *x, size_t section, FILE *spool, int64_t *rows_r,
                        struct sg_error *err)
{
    char after[200] = "";
    const char *heading = sg_export_heading(section);
    *rows_r = 0;
    if (*heading)
        fprintf(spool, "%s\r\n", heading);
    for (;;) {
        SG_AUTO_ARENA arena = sg_arena_new();
        struct sg_export_line *lines;
        size_t count = 0;
        if (!sg_export_page(x->job->db, arena, section, x->tenant_id, after, &lines, &count, err))
            return false;
        for (size_t i = 0; i < count; i++)
            if (lines[i].text)
                fprintf(spool, "%s%s", lines[i].text, *heading ? "\r\n" : "\n");
        *rows_r += (int64_t)count;
        if (count == 0)
            return (fflush(spool) == 0 && !ferror(spool)) ||
                   sg_fail_errno(err, SG_E_IO, "cannot write the export");
        snprintf(after, sizeof after, "%s", lines[count - 1].key);
    }
}

static bool spool_add(struct export *x, const char *name, FILE *spool, int64_t rows,
                      struct sg_error *err)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    char hex[65] = "", part[65536];
    unsigned n = 0;
    size_t len;
    int64_t size = ftello(spool);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
    rewind(spool);
    sg_tar_member(x->tar, name, size, sg_clock_now());
    while (ok && (len = fread(part, 1, sizeof part, spool)) > 0) {
        ok = EVP_DigestUpdate(md, part, len) == 1;
        sg_tar_write(x->tar, sg_bytes_of(part, len));
    }
    sg_tar_member_end(x->tar);
    ok = ok && !ferror(spool) && EVP_DigestFinal_ex(md, hash, &n) == 1;
    EVP_MD_CTX_free(md);
    sg_hex_lower(hash, ok ? n : 0, hex);
    json_array_append_new(x->manifest,
                          json_pack("{s:s, s:I, s:I, s:s}", "file", name, "rows", (json_int_t)rows,
                                    "size_bytes", (json_int_t)size, "sha256", hex));
    return ok || sg_fail(err, SG_E_IO, "cannot read what was exported");
}

static FILE *spool_open(const struct export *x, struct sg_error *err)
{
    int fd = open(x->options->export_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    FILE *spool = fd < 0 ? NULL : fdopen(fd, "w+");
    if (!spool)
        sg_fail_errno(err, SG_E_IO, "cannot write in %s", x->options->export_dir);
    return spool;
}

static bool sections_add(struct export *x, struct sg_error *err)
{
    for (size_t i = 0; sg_export_section(i); i++) {
        FILE *spool = spool_open(x, err);
        int64_t rows;
        bool ok = spool && lines_write(x, i, spool, &rows, err) &&
                  spool_add(x, sg_export_section(i), spool, rows, err);
        if (spool)
            fclose(spool);
        if (!ok)
            return false;
    }
    return true;
}

static bool manifest_add(struct export *x, struct sg_error *err)
{
    json_t *whole =
        json_pack("{s:i, s:s, s:s, s:s, s:O}", "format", 1, "tenant_id", x->tenant_id, "export_id",
                  x->id, "made_by", "sealgate " SG_VERSION, "files", x->manifest);
    char *text = whole ? json_dumps(whole, JSON_INDENT(1)) : NULL;
    json_decref(whole);
    if (!text)
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    sg_tar_member(x->tar, "manifest.json", (int64_t)strlen(text), sg_clock_now());
    sg_tar_write(x->tar, sg_bytes_str(text));
    sg_tar_member_end(x->tar);
    free(text);
    return true;
}

static bool done(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct export *x = arg;
    return sg_export_done(tx, x->tenant_id, x->id, x->file, x->size, x->sha256,
                          sg_tx_now(tx) + x->options->export_keep, err);
}

static bool file_make(struct export *x, const char *path, struct sg_error *err)
{
    struct sg_error why = {0};
    const char *part = sg_arena_printf(x->job->arena, "%s.part", path);
    if (!sg_tar_open(part, &x->tar, err))
        return false;
    bool ok = sections_add(x, err) && manifest_add(x, err);
    bool closed = sg_tar_close(&x->tar, &x->size, x->sha256, ok ? err : &why);
    if (ok && closed && rename(part, path) == 0)
        return true;
    if (ok && closed)
        sg_fail_errno(err, SG_E_IO, "cannot rename %s", part);
    unlink(part);
    return false;
}

/* Done again it makes the same file anew. */
bool sg_tenant_export_job(struct sg_job *job, struct sg_error *err)
{
    struct export x = {.job = job, .options = job->ctx};
    if (!*x.options->export_dir)
        return sg_fail(err, SG_E_CONFIG, "dir in [export] of tenantd.conf is not set");
    if (!sg_job_string(job, "tenant_id", &x.tenant_id, err) ||
        !sg_job_string(job, "export_id", &x.id, err))
        return false;
    x.file = sg_arena_printf(job->arena, "%s.tar.zst", x.id);
    x.manifest = json_array();
    const char *path = sg_arena_printf(job->arena, "%s/%s", x.options->export_dir, x.file);
    bool ok = file_make(&x, path, err);
    json_t *result = json_pack("{s:s, s:I}", "export_id", x.id, "size_bytes", (json_int_t)x.size);
    ok = ok && sg_job_commit(job, done, &x, &result, err);
    json_decref(result);
    json_decref(x.manifest);
    return ok;
}

bool sg_tenant_export_give_up(struct sg_job *job, struct sg_tx *tx, struct sg_error *err)
{
    const char *tenant, *id;
    return sg_job_string(job, "tenant_id", &tenant, err) &&
           sg_job_string(job, "export_id", &id, err) &&
           sg_export_failed(tx, tenant, id, "it was given up; its job says why", err);
}

struct expiry {
    struct sg_arena *arena;
    const char **files;
    size_t count;
};

static bool expire(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct expiry *e = arg;
    return sg_export_expire(tx, e->arena, &e->files, &e->count, err);
}

/* The files go after the commit; one that a crash leaves is found by nobody, for its row is
 * expired. */
bool sg_export_clean_job(struct sg_job *job, struct sg_error *err)
{
    const struct sg_lifecycle *options = job->ctx;
    struct expiry e = {.arena = job->arena};
    json_t *result = json_object();
    bool ok = sg_job_commit(job, expire, &e, &result, err);
    json_decref(result);
    for (size_t i = 0; ok && i < e.count; i++)
        unlink(sg_arena_printf(job->arena, "%s/%s", options->export_dir, e.files[i]));
    return ok;
}
