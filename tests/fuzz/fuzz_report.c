/*
 * A report of any JSON: its page has no element but ours, each of its tables as CSV has lines of as
 * many cells, and no cell that is a formula.
 */
#include "report/report.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const tags[] = {
    "!doctype ", "html",    "head",  "meta ", "title",   "style",      "body",       "header",
    "footer",    "section", "div",   "h1",    "h2",      "p",          "table",      "thead",
    "tbody",     "tr",      "th",    "td",    "caption", "br",         "span",       "svg ",
    "desc ",     "text ",   "rect ", "path ", "figure",  "figcaption", "blockquote", "strong",
    "code ",     "text>",   "svg>",  "desc>", "code>"};

static void page_check(const struct sg_buf *page)
{
    const char *s = (const char *)page->data;
    while ((s = strchr(s, '<'))) {
        s += s[1] == '/' ? 2 : 1;
        bool known = false;
        for (size_t i = 0; !known && i < sizeof tags / sizeof tags[0]; i++)
            known = strncmp(s, tags[i], strlen(tags[i])) == 0;
        if (!known)
            abort();
        /* An attribute is quoted, and ends with its quotes. */
        const char *end = s + strcspn(s, "<>");
        size_t quotes = 0;
        for (const char *q = s; q < end; q++)
            quotes += *q == '"';
        if (*end != '>' || quotes % 2 != 0)
            abort();
    }
}

/* One cell; returns where it ends. */
static const char *cell(const char *s)
{
    if (*s != '"')
        return s + strcspn(s, ",\r\n");
    s++;
    if (*s && strchr("=+-@\t\r\n", *s))
        abort(); /* a formula */
    for (; *s != '"' || s[1] == '"'; s++) {
        if (*s == 0)
            abort();
        s += *s == '"';
    }
    return s + 1;
}

static void csv_check(const struct sg_buf *text)
{
    const char *s = (const char *)text->data;
    size_t columns = 0;
    for (size_t line = 0; s && *s; line++) {
        size_t n = 1;
        for (s = cell(s); *s == ','; n++)
            s = cell(s + 1);
        if (strncmp(s, "\r\n", 2) != 0 || (line > 0 && n != columns))
            abort();
        columns = n;
        s += 2;
    }
}

static void tables_check(const json_t *report)
{
    size_t i, j;
    json_t *section, *table;
    json_array_foreach(json_object_get(json_object_get(report, "data"), "sections"), i, section)
    {
        json_array_foreach(json_object_get(section, "tables"), j, table)
        {
            struct sg_error err = {0};
            SG_AUTO_BUF out;
            sg_buf_init(&out, 1 << 20);
            const char *id = json_string_value(json_object_get(table, "id"));
            if (id && sg_report_csv(report, id, &out, &err))
                csv_check(&out);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sg_error err = {0};
    json_t *report = json_loadb((const char *)data, size, 0, NULL);
    if (!report)
        return 0;
    SG_AUTO_BUF page;
    SG_AUTO_BUF figures;
    sg_buf_init(&page, 1 << 20);
    sg_buf_init(&figures, 1 << 20);
    if (sg_report_html(report, &page, &err))
        page_check(&page);
    if (sg_report_csv(report, NULL, &figures, &err))
        csv_check(&figures);
    tables_check(report);
    json_decref(report);
    return 0;
}
