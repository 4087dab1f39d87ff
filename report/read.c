#include "report/report_internal.h"

#include <stdio.h>
#include <string.h>

const char *sg_report_text(const json_t *object, const char *name)
{
    const char *s = json_string_value(json_object_get(object, name));
    return s ? s : "";
}

int64_t sg_report_int(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

const json_t *sg_report_list(const json_t *object, const char *name)
{
    const json_t *list = json_object_get(object, name);
    return json_is_array(list) ? list : NULL; /* Jansson takes NULL for an empty one */
}

const json_t *sg_report_table_find(const json_t *data, const json_t *section, const char *id)
{
    size_t i, j;
    json_t *table, *one;
    json_array_foreach(sg_report_list(section, "tables"), i, table)
    {
        if (strcmp(sg_report_text(table, "id"), id) == 0)
            return table;
    }
    if (section)
        return NULL;
    json_array_foreach(sg_report_list(data, "sections"), j, one)
    {
        const json_t *found = json_is_object(one) ? sg_report_table_find(data, one, id) : NULL;
        if (found)
            return found;
    }
    return NULL;
}

int sg_report_column(const json_t *table, const char *name)
{
    size_t i;
    json_t *column;
    json_array_foreach(sg_report_list(table, "columns"), i, column)
    {
        if (strcmp(sg_report_text(column, "name"), name) == 0)
            return (int)i;
    }
    return -1;
}

int64_t sg_report_cell_int(const json_t *row, int column)
{
    if (column < 0)
        return 0;
    int64_t n = json_integer_value(json_array_get(row, (size_t)column));
    return n > 0 ? n : 0;
}

static const char *grouped(int64_t n, const char *group, char buf[SG_REPORT_VALUE_TEXT])
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)n), at = 0;
    int first = digits[0] == '-' ? 1 : 0;
    for (int i = 0; i < len; i++) {
        if (i > first && (len - i) % 3 == 0 && len - first > 4)
            at += snprintf(buf + at, (size_t)(SG_REPORT_VALUE_TEXT - at), "%s", group);
        buf[at++] = digits[i];
    }
    buf[at] = 0;
    return buf;
}

const char *sg_report_value(const json_t *value, const char *group, char buf[SG_REPORT_VALUE_TEXT])
{
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_boolean(value))
        return json_is_true(value) ? "yes" : "no";
    if (json_is_integer(value))
        return grouped(json_integer_value(value), group, buf);
    return "";
}
