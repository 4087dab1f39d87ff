/* Coordinates are whole numbers in tenths of a pixel: printf's decimals depend on the locale. */
#include "report/svg.h"

#include <stdio.h>
#include <string.h>

#define WIDTH       7000
#define SERIES_MAX  8
#define ROWS_MAX    400 /* a chart of more is no picture; its table stays */
#define DAY_MINUTES 1440
#define VALUE_MAX   (INT64_C(1) << 40) /* beyond it, a bar is as long */

struct chart {
    const json_t *data, *section, *chart, *table;
    const json_t *rows;
    size_t count;
    struct sg_buf *out;
};

static void begin(const struct chart *c, int height, const char *what)
{
    const char *id = sg_report_text(c->chart, "id");
    sg_buf_adds(c->out, "<svg role=\"img\" aria-labelledby=\"");
    sg_report_put_text(c->out, id);
    sg_buf_adds(c->out, "-t ");
    sg_report_put_text(c->out, id);
    sg_buf_addf(c->out, "-d\" viewBox=\"0 0 %d %d\"><title id=\"", WIDTH, height);
    sg_report_put_text(c->out, id);
    sg_buf_adds(c->out, "-t\">");
    sg_report_put_text(c->out, sg_report_text(c->chart, "title"));
    sg_buf_adds(c->out, "</title><desc id=\"");
    sg_report_put_text(c->out, id);
    sg_buf_addf(c->out, "-d\">%s The same numbers stand in the table \xe2\x80\x9c", what);
    sg_report_put_text(c->out, sg_report_text(c->table, "title"));
    sg_buf_adds(c->out, "\xe2\x80\x9d.</desc>");
}

static void end(const struct chart *c)
{
    sg_buf_adds(c->out, "</svg>");
}

static void text(const struct chart *c, int x, int y, const char *class, const char *s)
{
    sg_buf_addf(c->out, "<text x=\"%d\" y=\"%d\" class=\"%s\">", x, y, class);
    sg_report_put_text(c->out, s);
    sg_buf_adds(c->out, "</text>");
}

static void rect(const struct chart *c, int x, int y, int width, int height, const char *class)
{
    sg_buf_addf(c->out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" class=\"%s\"/>", x, y,
                width, height, class);
}

static void line(const struct chart *c, int x1, int y1, int x2, int y2, const char *class)
{
    sg_buf_addf(c->out, "<path d=\"M%d %dL%d %d\" class=\"%s\"/>", x1, y1, x2, y2, class);
}

/* The next of 1, 2, 5, 10, 20 … that is not below n. */
static int64_t nice(int64_t n)
{
    int64_t step = 1;
    while (step < n) {
        if (2 * step >= n)
            return 2 * step;
        if (5 * step >= n)
            return 5 * step;
        step *= 10;
    }
    return step;
}

static const char *cell_text(const json_t *row, int column, char buf[SG_REPORT_VALUE_TEXT])
{
    return column < 0 ? "" : sg_report_value(json_array_get(row, (size_t)column), "", buf);
}

static int64_t cell(const json_t *row, int column)
{
    int64_t n = sg_report_cell_int(row, column);
    return n < VALUE_MAX ? n : VALUE_MAX;
}

struct series {
    int columns[SERIES_MAX];
    int colours[SERIES_MAX];
    const char *labels[SERIES_MAX];
    int count;
};

static void series_read(const struct chart *c, struct series *s)
{
    size_t i;
    json_t *name;
    s->count = 0;
    json_array_foreach(sg_report_list(c->chart, "values"), i, name)
    {
        int column =
            json_is_string(name) ? sg_report_column(c->table, json_string_value(name)) : -1;
        if (column < 0 || s->count == SERIES_MAX)
            continue;
        s->labels[s->count] = sg_report_text(
            json_array_get(sg_report_list(c->table, "columns"), (size_t)column), "label");
        const json_t *colour = json_array_get(sg_report_list(c->chart, "colours"), i);
        s->colours[s->count] = json_is_integer(colour)
                                   ? (int)(json_integer_value(colour) & (SERIES_MAX - 1))
                                   : s->count;
        s->columns[s->count++] = column;
    }
}

static int64_t sum(const json_t *row, const struct series *s)
{
    int64_t total = 0;
    for (int i = 0; i < s->count; i++)
        total += cell(row, s->columns[i]);
    return total;
}

#define BARS_LEFT   560
#define BARS_TOP    340
#define BARS_HEIGHT 1700

static void legend(const struct chart *c, const struct series *s)
{
    int x = BARS_LEFT;
    for (int i = 0; i < s->count; i++) {
        char class[8];
        snprintf(class, sizeof class, "s%d", s->colours[i]);
        rect(c, x, 20, 110, 110, class);
        text(c, x + 160, 118, "l", s->labels[i]);
        x += 340 + 62 * (int)(strlen(s->labels[i]) < 60 ? strlen(s->labels[i]) : 60);
    }
}

static void bar(const struct chart *c, const json_t *row, const struct series *s, int64_t top,
                int x, int width)
{
    int64_t below = 0;
    for (int i = 0; i < s->count; i++) {
        char class[8];
        int64_t n = cell(row, s->columns[i]);
        int y0 = (int)(BARS_HEIGHT * below / top), y1 = (int)(BARS_HEIGHT * (below + n) / top);
        snprintf(class, sizeof class, "s%d", s->colours[i]);
        /* What is there is seen, however little it is. */
        if (n > 0)
            rect(c, x, BARS_TOP + BARS_HEIGHT - y1, width, y1 > y0 ? y1 - y0 : 6, class);
        below += n;
    }
}

static void bars(const struct chart *c)
{
    struct series s;
    size_t i;
    json_t *row;
    int64_t top = 1;
    char buf[SG_REPORT_VALUE_TEXT];
    int label = sg_report_column(c->table, sg_report_text(c->chart, "label"));
    series_read(c, &s);
    json_array_foreach(c->rows, i, row)
    {
        int64_t n = sum(row, &s);
        top = n > top ? n : top;
    }
    top = nice(top);
    begin(c, 2400, "Stacked bars, one for each row.");
    legend(c, &s);
    for (int i4 = 0; i4 <= 4; i4++) {
        int y = BARS_TOP + BARS_HEIGHT - BARS_HEIGHT * i4 / 4;
        line(c, BARS_LEFT, y, WIDTH, y, i4 ? "g" : "a");
        json_t *n = json_integer(top * i4 / 4);
        if (top * i4 % 4 == 0)
            text(c, BARS_LEFT - 60, y + 35, "n", sg_report_value(n, "\xe2\x80\xaf", buf));
        json_decref(n);
    }
    int step = (WIDTH - BARS_LEFT) / (int)c->count, width = step * 7 / 10 > 0 ? step * 7 / 10 : 1;
    json_array_foreach(c->rows, i, row)
    {
        int x = BARS_LEFT + step * (int)i + step * 15 / 100;
        const char *day = cell_text(row, label, buf);
        size_t len = strlen(day);
        bar(c, row, &s, top, x, width);
        /* Of "2026-10-05" the day. */
        if (c->count <= 31)
            text(c, x + width / 2, BARS_TOP + BARS_HEIGHT + 150, "m", len == 10 ? day + 8 : day);
    }
    end(c);
}

#define HBAR_HEIGHT 200
#define HBAR_LEFT   2400
#define HBAR_WIDTH  3900

static void hbars(const struct chart *c)
{
    size_t i;
    json_t *row;
    int64_t top = 1;
    char buf[SG_REPORT_VALUE_TEXT];
    int label = sg_report_column(c->table, sg_report_text(c->chart, "label")),
        value = sg_report_column(c->table, sg_report_text(c->chart, "value"));
    json_array_foreach(c->rows, i, row) top = cell(row, value) > top ? cell(row, value) : top;
    begin(c, HBAR_HEIGHT * (int)c->count + 20, "A bar for each row.");
    json_array_foreach(c->rows, i, row)
    {
        int y = HBAR_HEIGHT * (int)i, width = (int)(HBAR_WIDTH * cell(row, value) / top);
        text(c, HBAR_LEFT - 80, y + 140, "n", cell_text(row, label, buf));
        rect(c, HBAR_LEFT, y + 40, width > 0 ? width : 6, HBAR_HEIGHT - 70, "s0");
        json_t *n = value < 0 ? NULL : json_array_get(row, (size_t)value);
        text(c, HBAR_LEFT + width + 60, y + 140, "l", sg_report_value(n, "\xe2\x80\xaf", buf));
    }
    end(c);
}

#define DAY_LEFT   1000
#define DAY_HEIGHT 130
#define DAY_TOP    380

static const char *state_class(const char *state)
{
    static const char *const known[][2] = {
        {"down", "down"}, {"maintenance", "kept"}, {"unmeasured", "dark"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(state, known[i][0]) == 0)
            return known[i][1];
    return "down";
}

static void timeline_key(const struct chart *c)
{
    static const char *const key[][2] = {
        {"up", "up"}, {"down", "down"}, {"kept", "maintenance"}, {"dark", "not measured"}};
    for (int i = 0, x = DAY_LEFT; i < 4; i++, x += 1150) {
        rect(c, x, 20, 110, 110, key[i][0]);
        text(c, x + 160, 118, "l", key[i][1]);
    }
}

/* Where a day's strip lies; -1: the day is none of the chart's. */
static int day_top(const json_t *days, int label, const char *day)
{
    size_t i;
    json_t *row;
    char buf[SG_REPORT_VALUE_TEXT];
    json_array_foreach(days, i, row)
    {
        if (i < ROWS_MAX && strcmp(cell_text(row, label, buf), day) == 0)
            return DAY_TOP + (int)i * DAY_HEIGHT;
    }
    return -1;
}

static void outage(const struct chart *c, const json_t *row, const json_t *days, int label)
{
    char buf[SG_REPORT_VALUE_TEXT];
    const json_t *t = c->table;
    int64_t from = cell(row, sg_report_column(t, sg_report_text(c->chart, "from"))),
            length = cell(row, sg_report_column(t, sg_report_text(c->chart, "length")));
    const char *day = cell_text(row, sg_report_column(t, sg_report_text(c->chart, "day")), buf);
    int y = day_top(days, label, day);
    if (y < 0 || from >= DAY_MINUTES)
        return;
    length = from + length > DAY_MINUTES ? DAY_MINUTES - from : length; /* a day of 25 hours */
    int x = DAY_LEFT + (int)from * 4, width = (int)length * 4;
    const char *state = cell_text(row, sg_report_column(t, sg_report_text(c->chart, "state")), buf);
    rect(c, x, y, width > 20 ? width : 20, DAY_HEIGHT - 20, state_class(state));
}

static void timeline(const struct chart *c)
{
    size_t i;
    json_t *row;
    char buf[SG_REPORT_VALUE_TEXT];
    const json_t *table =
        sg_report_table_find(c->data, c->section, sg_report_text(c->chart, "rows"));
    const json_t *days = sg_report_list(table, "rows");
    int label = sg_report_column(table, sg_report_text(c->chart, "label"));
    size_t count = json_array_size(days);
    if (count == 0 || count > ROWS_MAX)
        return;
    begin(c, DAY_TOP + DAY_HEIGHT * (int)count + 20, "A strip of 24 hours for each day.");
    timeline_key(c);
    for (int hour = 0; hour <= 24; hour += 3) {
        char name[16];
        snprintf(name, sizeof name, "%d:00", hour);
        text(c, DAY_LEFT + hour * 240, DAY_TOP - 60, "m", name);
    }
    json_array_foreach(days, i, row)
    {
        int y = DAY_TOP + (int)i * DAY_HEIGHT;
        text(c, DAY_LEFT - 80, y + 90, "d", cell_text(row, label, buf));
        rect(c, DAY_LEFT, y, DAY_MINUTES * 4, DAY_HEIGHT - 20, "up");
    }
    json_array_foreach(c->rows, i, row) outage(c, row, days, label);
    end(c);
}

void sg_report_svg(const json_t *data, const json_t *section, const json_t *chart,
                   struct sg_buf *out)
{
    static const struct {
        const char *kind;
        void (*draw)(const struct chart *c);
        bool empty; /* has something to show where its table has no rows */
    } kinds[] = {{"bars", bars, false}, {"hbars", hbars, false}, {"timeline", timeline, true}};
    struct chart c = {.data = data, .section = section, .chart = chart, .out = out};
    c.table = sg_report_table_find(data, section, sg_report_text(chart, "table"));
    c.rows = sg_report_list(c.table, "rows");
    c.count = json_array_size(c.rows);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].kind, sg_report_text(chart, "kind")) == 0 && c.table &&
            (c.count > 0 || kinds[i].empty) && (c.count <= ROWS_MAX || kinds[i].empty))
            kinds[i].draw(&c);
}
