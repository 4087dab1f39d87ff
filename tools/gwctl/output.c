#include "gwctl.h"

#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 100
#define PAGE_MAX      500
#define COLUMNS_MAX   10

void gw_print(FILE *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        /* C0, DEL, and C1 as UTF-8 has it: a terminal obeys these. */
        if (*p < 0x20 || *p == 0x7f)
            fputc('?', out);
        else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
            fputc('?', out), p++;
        else
            fputc(*p, out);
    }
}

void gw_say(const struct gw *gw, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    if (gw->json)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    gw_print(stdout, text);
    putchar('\n');
}

static size_t width(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

const char *gw_text(struct sg_arena *arena, const json_t *value)
{
    if (!value || json_is_null(value))
        return "-";
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_integer(value))
        return sg_arena_printf(arena, "%lld", (long long)json_integer_value(value));
    if (json_is_boolean(value))
        return json_is_true(value) ? "yes" : "no";
    if (json_is_array(value)) {
        const char *all = "";
        size_t i;
        json_t *item;
        json_array_foreach((json_t *)value, i, item) all =
            sg_arena_printf(arena, "%s%s%s", all, i ? ", " : "", gw_text(arena, item));
        return all;
    }
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    const char *copy = text ? sg_arena_strdup(arena, text) : "";
    free(text);
    return copy;
}

static void dump(const json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2));
    putchar('\n');
}

/* Several lines (PEM) stand below their name, indented. */
static void lines_print(struct sg_arena *arena, const char *text)
{
    putchar('\n');
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, "\n");
        fputs("    ", stdout);
        gw_print(stdout, sg_arena_str(arena, sg_bytes_of(p, n)));
        putchar('\n');
        p += n + (p[n] == '\n');
    }
}

bool gw_show(const struct gw *gw, json_t *value)
{
    const char *key;
    json_t *item;
    size_t widest = 0;
    if (!value)
        return false;
    if (gw->json && !json_is_null(value))
        dump(value);
    if (!gw->json) {
        json_object_foreach(value, key, item) widest = width(key) > widest ? width(key) : widest;
        json_object_foreach(value, key, item)
        {
            const char *text = gw_text(gw->arena, item);
            printf("%-*s  ", (int)widest, key);
            if (strncmp(text, "-----BEGIN ", 11) == 0) {
                lines_print(gw->arena, text);
                continue;
            }
            gw_print(stdout, text);
            putchar('\n');
        }
    }
    json_decref(value);
    return true;
}

json_t *gw_items(struct gw *gw, const char *path, long limit, bool *more_r, struct sg_error *err)
{
    json_t *all = json_array();
    const char *cursor = NULL;
    do {
        size_t left = (size_t)limit - json_array_size(all);
        const char *page = sg_arena_printf(gw->arena, "%zu", left < PAGE_MAX ? left : PAGE_MAX);
        const char *url = gw_query(gw, gw_query(gw, path, "limit", page), "cursor", cursor);
        GW_AUTO_JSON reply = gw_call(gw, "GET", url, NULL, err);
        const char *next = json_string_value(json_object_get(reply, "next_cursor"));
        if (!reply || json_array_extend(all, json_object_get(reply, "data")) != 0) {
            if (reply)
                sg_fail(err, SG_E_IO, "the answer is not a list");
            json_decref(all);
            return NULL;
        }
        cursor = next ? sg_arena_strdup(gw->arena, next) : NULL;
    } while (cursor && json_array_size(all) < (size_t)limit);
    *more_r = cursor != NULL;
    return all;
}

static const char *cell(struct gw *gw, const json_t *row, const char *key)
{
    return gw_text(gw->arena, json_object_get(row, key));
}

static void table_print(struct gw *gw, const json_t *items, const struct gw_column *columns)
{
    size_t count = 0, widths[COLUMNS_MAX] = {0}, i;
    json_t *row;
    for (; count < COLUMNS_MAX && columns[count].title; count++)
        widths[count] = width(columns[count].title);
    json_array_foreach((json_t *)items, i, row)
    {
        for (size_t c = 0; c < count; c++) {
            size_t n = width(cell(gw, row, columns[c].key));
            widths[c] = n > widths[c] ? n : widths[c];
        }
    }
    for (i = 0; i <= json_array_size(items); i++) {
        for (size_t c = 0; c < count; c++) {
            const char *text =
                i ? cell(gw, json_array_get(items, i - 1), columns[c].key) : columns[c].title;
            gw_print(stdout, text);
            if (c + 1 < count)
                printf("%*s", (int)(widths[c] - width(text) + 2), "");
        }
        putchar('\n');
    }
}

/* A command whose list has no pages takes no --limit. */
static bool has_pages(const struct gw *gw)
{
    for (const struct gw_option *o = gw->command->options; o && o->name; o++)
        if (strcmp(o->name, "--limit") == 0)
            return true;
    return gw->command->run != NULL;
}

static json_t *items_whole(struct gw *gw, const char *path, struct sg_error *err)
{
    GW_AUTO_JSON reply = gw_call(gw, "GET", path, NULL, err);
    json_t *items = json_object_get(reply, "data");
    if (reply && !json_is_array(items))
        sg_fail(err, SG_E_IO, "the answer is not a list");
    return json_is_array(items) ? json_incref(items) : NULL;
}

bool gw_list(struct gw *gw, const char *path, const struct gw_column *columns, struct sg_error *err)
{
    return gw_list_each(gw, path, columns, NULL, err);
}

bool gw_list_each(struct gw *gw, const char *path, const struct gw_column *columns,
                  void (*each)(struct sg_arena *arena, json_t *item), struct sg_error *err)
{
    size_t i;
    json_t *item;
    const char *option = gw_option(gw, "--limit");
    long limit = gw_option(gw, "--all") ? LONG_MAX : LIMIT_DEFAULT;
    bool more = false;
    if (option && !gw_number(option, "--limit", 1, 1000000, &limit, err))
        return false;
    GW_AUTO_JSON items =
        has_pages(gw) ? gw_items(gw, path, limit, &more, err) : items_whole(gw, path, err);
    if (!items)
        return false;
    if (!gw->json && each) {
        json_array_foreach(items, i, item) each(gw->arena, item);
    }
    if (gw->json)
        dump(items);
    else
        table_print(gw, items, columns);
    if (more)
        fprintf(stderr, "gwctl: there are more than these %ld: see --limit, --all\n", limit);
    return true;
}
