/* A command that is an operation of the API: path, query and body out of the table. */
#include "gwctl.h"

#include "common/id.h"

#include <string.h>

/* The argument that stands for a part of the path, as what a path takes. */
static const char *part_resolve(struct gw *gw, const char *part, size_t len, const char *argument,
                                const char *tenant, struct sg_error *err)
{
    if (len == 9 && memcmp(part, "tenant_id", 9) == 0)
        return gw_tenant(gw, argument, err);
    if (len == 9 && memcmp(part, "domain_id", 9) == 0)
        return gw_domain(gw, tenant, argument, err);
    char prefix[4] = {0};
    memcpy(prefix, argument, strnlen(argument, 3));
    if (sg_id_valid(sg_bytes_str(argument), prefix))
        return argument;
    sg_fail(err, SG_E_USAGE, "%.80s is not an id", argument);
    return NULL;
}

/* tenant_r: the tenant in the path, NULL: none. */
static const char *path_make(struct gw *gw, const char **tenant_r, struct sg_error *err)
{
    const char *path = "", *p = gw->command->path;
    size_t argument = 0;
    *tenant_r = NULL;
    while (*p) {
        size_t n = strcspn(p, "{");
        path = sg_arena_printf(gw->arena, "%s%.*s", path, (int)n, p);
        p += n;
        if (!*p)
            break;
        size_t len = strcspn(++p, "}");
        const char *id = part_resolve(gw, p, len, gw->arguments[argument], *tenant_r, err);
        if (!id)
            return NULL;
        if (argument++ == 0 && memcmp(p, "tenant_id", 9) == 0)
            *tenant_r = id;
        path = sg_arena_printf(gw->arena, "%s%s", path, id);
        p += len + 1;
    }
    return path;
}

/* "A,B" */
static json_t *list_of(struct gw *gw, const char *text)
{
    json_t *list = json_array();
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, ",");
        json_array_append_new(list, json_string(sg_arena_str(gw->arena, sg_bytes_of(p, n))));
        p += n + (p[n] == ',');
    }
    return list;
}

static json_t *file_json(struct gw *gw, const char *path, struct sg_error *err)
{
    json_error_t why;
    const char *text = gw_file_read(gw, path, err);
    json_t *json = text ? json_loads(text, JSON_DECODE_ANY, &why) : NULL;
    if (text && !json)
        sg_fail(err, SG_E_USAGE, "%.100s is not JSON (line %d)", path, why.line);
    return json;
}

static json_t *value_of(struct gw *gw, const struct gw_field *f, const char *text,
                        struct sg_error *err)
{
    long number;
    const char *value = text;
    switch (f->kind) {
    case GW_INTEGER:
        return gw_number(text, f->option, -2147483647, 2147483647, &number, err)
                   ? json_integer(number)
                   : NULL;
    case GW_BOOLEAN:
        if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
            return json_boolean(*text == 't');
        sg_fail(err, SG_E_USAGE, "%s: true or false", f->option);
        return NULL;
    case GW_LIST:
        return list_of(gw, text);
    case GW_FILE:
        value = gw_file_read(gw, text, err);
        return value ? json_string(value) : NULL;
    case GW_JSON:
        return file_json(gw, text, err);
    case GW_STRING:
        break;
    }
    if (strcmp(f->name, "tenant_id") == 0)
        value = gw_tenant(gw, text, err);
    return value ? json_string(value) : NULL;
}

/* What the options say, upon what --body-file has. NULL after an error. */
static json_t *body_make(struct gw *gw, struct sg_error *err)
{
    const char *file = gw_option(gw, "--body-file");
    json_t *body = file ? file_json(gw, file, err) : json_object();
    for (const struct gw_field *f = gw->command->fields; body && f->name; f++) {
        const char *text = gw_option(gw, f->option);
        json_t *value = text ? value_of(gw, f, text, err) : NULL;
        if (text && (!value || json_object_set_new(body, f->name, value) != 0)) {
            json_decref(body);
            return NULL;
        }
    }
    return body;
}

static const char *query_make(struct gw *gw, const char *path, struct sg_error *err)
{
    for (const struct gw_field *f = gw->command->fields; path && f->name; f++) {
        const char *value = gw_option(gw, f->option);
        if (value && strcmp(f->name, "tenant_id") == 0 && !(value = gw_tenant(gw, value, err)))
            return NULL;
        path = gw_query(gw, path, f->name, value);
    }
    return path;
}

/* With --wait: the job that the answer names, when it is done. */
static bool answer_show(struct gw *gw, json_t *answer, const char *tenant, struct sg_error *err)
{
    const json_t *job = json_object_get(answer, "job");
    const char *id =
        json_string_value(job ? json_object_get(job, "id") : json_object_get(answer, "job_id"));
    if (!answer || !gw_option(gw, "--wait") || !id)
        return gw_show(gw, answer);
    json_t *done = gw_job_wait(gw, tenant, id, err);
    json_decref(answer);
    return gw_show(gw, done);
}

static bool change(struct gw *gw, const char *path, const char *tenant, struct sg_error *err)
{
    json_t *body = gw->command->body ? body_make(gw, err) : NULL;
    if (gw->command->body && !body)
        return false;
    json_t *answer = gw_call(gw, gw->command->method, path, body, err);
    if (answer && json_is_null(answer))
        gw_say(gw, "%s: done", gw->command->words);
    return answer_show(gw, answer, tenant, err);
}

bool gw_operation(struct gw *gw, struct sg_error *err)
{
    const char *tenant, *path = path_make(gw, &tenant, err), *out = gw_option(gw, "--out");
    if (!path)
        return false;
    if (strcmp(gw->command->method, "GET") != 0)
        return change(gw, path, tenant, err);
    path = query_make(gw, path, err);
    if (!path)
        return false;
    if (gw->command->columns)
        return gw_list(gw, path, gw->command->columns, err);
    if (!gw->command->raw)
        return gw_show(gw, gw_call(gw, "GET", path, NULL, err));
    struct sg_bytes answer;
    return gw_call_raw(gw, path, &answer, err) &&
           gw_file_write_bytes(out ? out : "-", answer, 0600, true, err);
}
