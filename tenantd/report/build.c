#include "reporting/build.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

json_t *sg_build_section(struct sg_build *b, const char *id, const char *title, const char *method,
                         const int *requirements)
{
    json_t *numbers = json_array();
    for (; *requirements; requirements++)
        json_array_append_new(numbers, json_integer(*requirements));
    json_t *section =
        json_pack("{s:s, s:s, s:s, s:o, s:[], s:[], s:[]}", "id", id, "title", title, "method",
                  method, "requirements", numbers, "figures", "tables", "charts");
    json_array_append_new(json_object_get(b->data, "sections"), section);
    return section;
}

void sg_build_figure(json_t *section, const char *name, const char *label, json_t *value,
                     const char *unit)
{
    json_array_append_new(json_object_get(section, "figures"),
                          json_pack("{s:s, s:s, s:o, s:s}", "name", name, "label", label, "value",
                                    value, "unit", unit));
}

SG_PRINTF(3, 0)
static void sentence(struct sg_build *b, const char *list, const char *fmt, va_list args)
{
    char text[1000];
    vsnprintf(text, sizeof text, fmt, args);
    json_array_append_new(json_object_get(b->data, list), json_string(text));
}

void sg_build_sentence(struct sg_build *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    sentence(b, "summary", fmt, args);
    va_end(args);
}

void sg_build_missing(struct sg_build *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    sentence(b, "missing", fmt, args);
    va_end(args);
}

json_t *sg_build_read(struct sg_build *b, enum sg_report_table table, struct sg_error *err)
{
    const char *text;
    json_error_t where;
    if (!sg_report_read(b->tx, b->arena, table, &b->scope, &text, err))
        return NULL;
    json_t *value = json_loads(text ? text : "null", JSON_DECODE_ANY, &where);
    if (!value)
        sg_fail(err, SG_E_INTERNAL, "a table of a report is no JSON: %s", where.text);
    return value;
}

bool sg_build_figures(struct sg_build *b, json_t *section, enum sg_report_table table,
                      const struct sg_build_label *labels, size_t count, struct sg_error *err)
{
    json_t *values = sg_build_read(b, table, err);
    if (!values)
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        json_t *value = json_object_get(values, labels[i].name);
        if (!value)
            ok = sg_fail(err, SG_E_INTERNAL, "a report has no %s", labels[i].name);
        else
            sg_build_figure(section, labels[i].name, labels[i].label, json_incref(value),
                            labels[i].type);
    }
    json_decref(values);
    return ok;
}

void sg_build_rows(json_t *section, const char *id, const char *title,
                   const struct sg_build_label *columns, size_t count, json_t *rows)
{
    json_t *heads = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(heads, json_pack("{s:s, s:s, s:s}", "name", columns[i].name, "label",
                                               columns[i].label, "type", columns[i].type));
    json_array_append_new(json_object_get(section, "tables"),
                          json_pack("{s:s, s:s, s:o, s:o}", "id", id, "title", title, "columns",
                                    heads, "rows", rows));
}

bool sg_build_table(struct sg_build *b, json_t *section, const char *id, const char *title,
                    enum sg_report_table table, const struct sg_build_label *columns, size_t count,
                    const json_t **rows_r, struct sg_error *err)
{
    json_t *rows = sg_build_read(b, table, err);
    if (!rows)
        return false;
    if (json_array_size(rows) > 0 && json_array_size(json_array_get(rows, 0)) != count) {
        json_decref(rows);
        return sg_fail(err, SG_E_INTERNAL, "table %s has other columns", id);
    }
    if (rows_r)
        *rows_r = rows; /* lives in data */
    sg_build_rows(section, id, title, columns, count, rows);
    return true;
}

void sg_build_chart(json_t *section, json_t *chart)
{
    json_array_append_new(json_object_get(section, "charts"), chart);
}

json_t *sg_build_percent(int64_t part, int64_t whole)
{
    char text[40];
    int64_t thousandths = whole > 0 ? (int64_t)((__int128)part * 100000 / whole) : 100000;
    snprintf(text, sizeof text, "%lld.%03lld", (long long)(thousandths / 1000),
             (long long)(thousandths % 1000));
    return json_string(text);
}
