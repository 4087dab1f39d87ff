#include "report/svg.h"

#include <stdio.h>
#include <string.h>

#define WIDE    7              /* a table of more columns is set smaller */
#define RECORDS 9              /* one of more than these, with words in it, row by row */
#define THIN    "\xe2\x80\xaf" /* narrow no-break space, between groups of digits */

struct page {
    const json_t *report, *data;
    struct sg_buf *out;
};

static void put(const struct page *p, const char *html)
{
    sg_buf_adds(p->out, html);
}

static void put_text(const struct page *p, const char *s)
{
    sg_report_put_text(p->out, s);
}

static void element(const struct page *p, const char *tag, const char *class, const char *s)
{
    sg_buf_addf(p->out, *class ? "<%s class=\"%s\">" : "<%s>", tag, class);
    put_text(p, s);
    sg_buf_addf(p->out, "</%s>", tag);
}

static const char *subject(const struct page *p)
{
    return sg_report_text(json_object_get(p->data, "subject"), "name");
}

static const char *period(const struct page *p, const char *name)
{
    return sg_report_text(json_object_get(p->data, "period"), name);
}

/* The running header and the page numbers of a print. */
static void page_rules(const struct page *p)
{
    put(p, "@page{size:A4;margin:21mm 17mm 19mm;"
           "@top-left{font:8pt sans-serif;color:#4a5a68;content:\"");
    sg_report_put_css(p->out, sg_report_text(p->data, "provider"));
    put(p, "\"}@top-right{font:8pt sans-serif;color:#4a5a68;content:\"");
    sg_report_put_css(p->out, sg_report_text(p->data, "title"));
    put(p, ", ");
    sg_report_put_css(p->out, subject(p));
    put(p, ", ");
    sg_report_put_css(p->out, period(p, "month"));
    put(p, "\"}@bottom-left{font:7pt monospace;color:#4a5a68;content:\"SHA-256 ");
    sg_report_put_css(p->out, sg_report_text(p->report, "sha256"));
    put(p, "\"}@bottom-right{font:8pt sans-serif;color:#4a5a68;content:\"Page \" counter(page) \" "
           "of \" "
           "counter(pages)}}");
}

static void head(const struct page *p)
{
    put(p, "<!doctype html>\n<html lang=\"en-NZ\"><head><meta charset=\"utf-8\">"
           "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
           "style-src 'unsafe-inline'\"><meta name=\"viewport\" "
           "content=\"width=device-width\"><title>");
    put_text(p, sg_report_text(p->data, "title"));
    put(p, ", ");
    put_text(p, subject(p));
    put(p, ", ");
    put_text(p, period(p, "month"));
    put(p, "</title><style>");
    put(p, sg_report_style);
    page_rules(p);
    put(p, "</style></head>\n<body>\n");
}

static void fact_open(const struct page *p, const char *name)
{
    put(p, "<tr><th scope=\"row\">");
    put(p, name);
    put(p, "</th><td>");
}

static void fact_close(const struct page *p)
{
    put(p, "</td></tr>");
}

/* "2026-11-25T11:23:14.033Z" as people read it; another text as it is. */
static void put_time(const struct page *p, const char *rfc3339)
{
    size_t len = strlen(rfc3339);
    bool is = len == 24 && rfc3339[10] == 'T' && rfc3339[23] == 'Z';
    char text[32] = "";
    if (is)
        snprintf(text, sizeof text, "%.10s %.5s UTC", rfc3339, rfc3339 + 11);
    put_text(p, is ? text : rfc3339);
}

static void header(const struct page *p)
{
    bool complete = json_is_true(json_object_get(json_object_get(p->data, "period"), "complete"));
    put(p, "<header>");
    element(p, "p", "provider", sg_report_text(p->data, "provider"));
    element(p, "h1", "", sg_report_text(p->data, "title"));
    put(p, "<p class=\"about\">");
    put_text(p, subject(p));
    put(p, " · ");
    put_text(p, period(p, "name"));
    put(p, complete ? " <span class=\"state whole\">whole month</span></p>"
                    : " <span class=\"state open\">provisional: the month is not over</span></p>");
    put(p, "<table class=\"facts\"><tbody>");
    fact_open(p, "Period");
    put_text(p, period(p, "begins_local"));
    put(p, " to ");
    put_text(p, period(p, "until_local"));
    put(p, ", ");
    put_text(p, period(p, "time_zone"));
    put(p, "<br><span class=\"method\">");
    put_time(p, period(p, "begins_at"));
    put(p, " to ");
    put_time(p, period(p, "until"));
    put(p, ". Days and times in this report are those of ");
    put_text(p, period(p, "time_zone"));
    put(p, " unless they say UTC.</span>");
    fact_close(p);
    fact_open(p, "Made");
    put_time(p, sg_report_text(p->report, "made_at"));
    sg_buf_addf(p->out, ", revision %lld, ", (long long)sg_report_int(p->report, "revision"));
    put_text(p, sg_report_text(p->report, "state"));
    fact_close(p);
    fact_open(p, "Report");
    put_text(p, sg_report_text(p->report, "id"));
    fact_close(p);
    put(p, "</tbody></table></header>\n");
}

static void sentences(const struct page *p, const char *name, const char *open, const char *close)
{
    size_t i;
    json_t *s;
    const json_t *list = sg_report_list(p->data, name);
    if (json_array_size(list) == 0)
        return;
    put(p, open);
    json_array_foreach(list, i, s)
        element(p, "p", "", json_is_string(s) ? json_string_value(s) : "");
    put(p, close);
}

static void figure_value(const struct page *p, const json_t *v)
{
    char buf[SG_REPORT_VALUE_TEXT];
    bool zero = json_is_integer(v) && json_integer_value(v) == 0;
    element(p, "td", zero ? "num none" : "num", sg_report_value(v, THIN, buf));
}

static void figures(const struct page *p, const json_t *section)
{
    size_t i;
    json_t *figure;
    const json_t *list = sg_report_list(section, "figures");
    if (json_array_size(list) == 0)
        return;
    put(p, "<table class=\"figures\"><tbody>\n");
    json_array_foreach(list, i, figure)
    {
        put(p, "<tr data-figure=\"");
        put_text(p, sg_report_text(figure, "name"));
        const char *label = sg_report_text(figure, "label");
        bool part = *label >= 'a' && *label <= 'z';
        put(p, part ? "\"><th scope=\"row\" class=\"part\">" : "\"><th scope=\"row\">");
        put_text(p, label);
        put(p, "</th>");
        figure_value(p, json_object_get(figure, "value"));
        element(p, "td", "unit", sg_report_text(figure, "unit"));
        put(p, "</tr>\n");
    }
    put(p, "</tbody></table>\n");
}

/* How a column's cells are set: NULL, it is not shown. */
static const char *column_class(const json_t *column)
{
    static const char *const known[][2] = {{"integer", "num"}, {"decimal", "num"},
                                           {"date", "fixed"},  {"time", "fixed"},
                                           {"words", "words"}, {"hidden", NULL}};
    const char *type = sg_report_text(column, "type");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(type, known[i][0]) == 0)
            return known[i][1];
    return "";
}

/* How a table is set, by its columns. */
static const char *table_class(const json_t *columns)
{
    size_t i, visible = 0;
    bool words = false;
    json_t *column;
    json_array_foreach(columns, i, column)
    {
        visible += column_class(column) != NULL;
        words |= strcmp(sg_report_text(column, "type"), "words") == 0;
    }
    return words && visible > RECORDS ? "records" : visible > WIDE ? "wide" : "";
}

static void heads(const struct page *p, const json_t *columns)
{
    size_t i;
    json_t *column;
    put(p, "<thead><tr role=\"row\">");
    json_array_foreach(columns, i, column)
    {
        const char *class = column_class(column);
        if (!class)
            continue;
        sg_buf_addf(p->out, "<th role=\"columnheader\" scope=\"col\" class=\"%s\">", class);
        put_text(p, sg_report_text(column, "label"));
        put(p, "</th>");
    }
    put(p, "</tr></thead>");
}

/* A cell bears its column's name, for where a table is set row by row. */
static void cell(const struct page *p, const json_t *column, const json_t *v)
{
    char buf[SG_REPORT_VALUE_TEXT];
    const char *class = column_class(column);
    bool zero = json_is_integer(v) && json_integer_value(v) == 0 && strcmp(class, "num") == 0;
    sg_buf_addf(p->out, "<td role=\"cell\" class=\"%s%s\" data-label=\"", class,
                zero ? " none" : "");
    put_text(p, sg_report_text(column, "label"));
    put(p, "\">");
    put_text(p, sg_report_value(v, THIN, buf));
    put(p, "</td>");
}

static void table(const struct page *p, const json_t *t)
{
    size_t i, j;
    json_t *column, *row;
    const json_t *columns = sg_report_list(t, "columns"), *rows = sg_report_list(t, "rows");
    bool none = json_array_size(rows) == 0;
    sg_buf_addf(p->out, "<table role=\"table\" class=\"%s\" data-table=\"",
                none ? "" : table_class(columns));
    put_text(p, sg_report_text(t, "id"));
    put(p, "\">");
    element(p, "caption", "", sg_report_text(t, "title"));
    if (none) {
        put(p, "<tbody><tr><td>None.</td></tr></tbody></table>\n");
        return;
    }
    heads(p, columns);
    put(p, "<tbody>\n");
    json_array_foreach(rows, i, row)
    {
        put(p, "<tr role=\"row\">");
        json_array_foreach(columns, j, column)
        {
            if (column_class(column))
                cell(p, column, json_array_get(row, j));
        }
        put(p, "</tr>\n");
    }
    put(p, "</tbody></table>\n");
}

static void charts(const struct page *p, const json_t *section)
{
    size_t i;
    json_t *chart;
    json_array_foreach(sg_report_list(section, "charts"), i, chart)
    {
        SG_AUTO_BUF svg;
        sg_buf_init(&svg, SG_REPORT_SIZE_MAX);
        sg_report_svg(p->data, section, chart, &svg);
        if (svg.len == 0)
            continue;
        put(p, "<figure>");
        element(p, "figcaption", "", sg_report_text(chart, "title"));
        sg_buf_add(p->out, svg.data, svg.len);
        put(p, "</figure>\n");
    }
}

static void section(const struct page *p, const json_t *s)
{
    size_t i;
    json_t *item;
    put(p, "<section id=\"");
    put_text(p, sg_report_text(s, "id"));
    put(p, "\">");
    element(p, "h2", "", sg_report_text(s, "title"));
    const json_t *requirements = sg_report_list(s, "requirements");
    put(p, "<p class=\"method\">");
    put_text(p, sg_report_text(s, "method"));
    json_array_foreach(requirements, i, item) sg_buf_addf(
        p->out, i == 0 ? " (Requirement %lld" : ", %lld", (long long)json_integer_value(item));
    put(p, json_array_size(requirements) ? ".)</p>\n" : "</p>\n");
    figures(p, s);
    charts(p, s);
    json_array_foreach(sg_report_list(s, "tables"), i, item) table(p, item);
    put(p, "</section>\n");
}

static void signatures(const struct page *p)
{
    size_t i;
    json_t *s;
    put(p, "<section class=\"sign\" id=\"sign-off\"><h2>Sign-off</h2>\n");
    json_array_foreach(sg_report_list(p->report, "signatures"), i, s)
    {
        put(p, "<div class=\"signed\"><blockquote>");
        put_text(p, sg_report_text(s, "words"));
        put(p, "</blockquote><strong>");
        put_text(p, sg_report_text(s, "name"));
        put(p, "</strong>, ");
        put_text(p, sg_report_text(s, "title"));
        put(p, ", ");
        put_time(p, sg_report_text(s, "signed_at"));
        put(p, "</div>\n");
    }
    put(p, "<p class=\"method\">I have read this report, and state that to the best of my "
           "knowledge it is "
           "complete and correct.</p><div class=\"lines\"><div>Name and "
           "title</div><div>Signature</div>"
           "<div>Date</div></div></section>\n");
}

static void footer(const struct page *p)
{
    put(p, "<footer><p>Data SHA-256 <code id=\"sha256\">");
    put_text(p, sg_report_text(p->report, "sha256"));
    sg_buf_addf(p->out, "</code>, schema %lld. ", (long long)sg_report_int(p->data, "schema"));
    put(p, "The hash is of the report\xe2\x80\x99s data as JSON (UTF-8, members sorted by name, no "
           "white space); the "
           "JSON, CSV and HTML forms carry the same numbers.</p></footer>\n"
           "</body></html>\n");
}

bool sg_report_html(const json_t *report, struct sg_buf *out, struct sg_error *err)
{
    struct page p = {.report = report, .data = json_object_get(report, "data"), .out = out};
    size_t i;
    json_t *s;
    head(&p);
    header(&p);
    sentences(&p, "summary", "<div class=\"summary\">", "</div>\n");
    json_array_foreach(sg_report_list(p.data, "sections"), i, s) section(&p, s);
    sentences(&p, "missing", "<section class=\"missing\" id=\"missing\"><h2>What is missing</h2>",
              "</section>\n");
    signatures(&p);
    footer(&p);
    return !out->overflown ||
           sg_fail(err, SG_E_LIMIT, "the report is longer than %d bytes", SG_REPORT_SIZE_MAX);
}
