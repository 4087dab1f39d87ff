/* RFC 4180. What a spreadsheet would run as a formula is defused (an apostrophe in front). */
#include "report/report_internal.h"

#include <string.h>

static void put_cell(struct sg_buf *out, const json_t *value, bool first)
{
    char buf[SG_REPORT_VALUE_TEXT];
    const char *s = sg_report_value(value, "", buf);
    if (!first)
        sg_buf_adds(out, ",");
    if (!json_is_string(value)) {
        sg_buf_adds(out, s);
        return;
    }
    sg_buf_adds(out, "\"");
    if (*s && strchr("=+-@\t\r\n", *s))
        sg_buf_adds(out, "'");
    for (; *s; s++)
        sg_buf_add(out, *s == '"' ? "\"\"" : s, *s == '"' ? 2 : 1);
    sg_buf_adds(out, "\"");
}

static void put_name(struct sg_buf *out, const json_t *object, const char *name, bool first)
{
    json_t *text = json_object_get(object, name);
    put_cell(out, json_is_string(text) ? text : NULL, first);
}

static void figures(const json_t *data, struct sg_buf *out)
{
    size_t i, j;
    json_t *section, *figure;
    sg_buf_adds(out, "section,name,label,value,unit\r\n");
    json_array_foreach(sg_report_list(data, "sections"), i, section)
    {
        json_array_foreach(sg_report_list(section, "figures"), j, figure)
        {
            put_name(out, section, "id", true);
            put_name(out, figure, "name", false);
            put_name(out, figure, "label", false);
            put_cell(out, json_object_get(figure, "value"), false);
            put_name(out, figure, "unit", false);
            sg_buf_adds(out, "\r\n");
        }
    }
}

/* Every line has as many cells as there are columns, whatever its row has. */
static void rows(const json_t *table, struct sg_buf *out)
{
    size_t i, j, columns = json_array_size(sg_report_list(table, "columns"));
    json_t *column, *row;
    json_array_foreach(sg_report_list(table, "columns"), i, column)
        put_name(out, column, "name", i == 0);
    sg_buf_adds(out, "\r\n");
    json_array_foreach(sg_report_list(table, "rows"), i, row)
    {
        for (j = 0; j < columns; j++)
            put_cell(out, json_array_get(row, j), j == 0);
        sg_buf_adds(out, "\r\n");
    }
}

bool sg_report_csv(const json_t *report, const char *table, struct sg_buf *out,
                   struct sg_error *err)
{
    const json_t *data = json_object_get(report, "data");
    if (!table) {
        figures(data, out);
    } else {
        const json_t *found = sg_report_table_find(data, NULL, table);
        if (!found)
            return sg_fail(err, SG_E_NOT_FOUND, "the report has no such table");
        rows(found, out);
    }
    return !out->overflown ||
           sg_fail(err, SG_E_LIMIT, "the report is longer than %d bytes", SG_REPORT_SIZE_MAX);
}
