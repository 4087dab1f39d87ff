/* Why a report that was made anew is another: in words, for a person who asks. */
#include "reporting/build.h"

#include <stdio.h>
#include <string.h>

#define WORDS_MAX 50

static void say(json_t *words, const char *text)
{
    if (json_array_size(words) < WORDS_MAX)
        json_array_append_new(words, json_string(text));
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *s = json_string_value(json_object_get(object, name));
    return s ? s : "";
}

static void show(const json_t *value, char out[80])
{
    if (json_is_integer(value))
        snprintf(out, 80, "%lld", (long long)json_integer_value(value));
    else if (json_is_string(value))
        snprintf(out, 80, "%.60s", json_string_value(value));
    else
        snprintf(out, 80, "%s",
                 json_is_true(value)    ? "yes"
                 : json_is_false(value) ? "no"
                                        : "nothing");
}

/* An item of a list by the member that names it. */
static const json_t *find(const json_t *list, const char *key, const char *name)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        if (strcmp(text_of(item, key), name) == 0)
            return item;
    }
    return NULL;
}

static void log_compare(json_t *words, const json_t *before, const json_t *now)
{
    static const char *const counts[] = {"messages", "recipients", "breaches", "samples"};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        int64_t was = json_integer_value(json_object_get(before, counts[i])),
                is = json_integer_value(json_object_get(now, counts[i]));
        char text[160];
        if (was == is)
            continue;
        snprintf(text, sizeof text, "the log of the period has %lld %s now, and had %lld: rows %s",
                 (long long)is, counts[i], (long long)was,
                 is > was ? "that came late" : "that were deleted, by the rules of retention");
        say(words, text);
    }
}

static void figures(json_t *words, const json_t *before, const json_t *now)
{
    size_t i;
    json_t *figure;
    json_array_foreach(json_object_get(now, "figures"), i, figure)
    {
        const char *name = text_of(figure, "name");
        const json_t *value = json_object_get(figure, "value");
        const json_t *old =
            json_object_get(find(json_object_get(before, "figures"), "name", name), "value");
        char was[80], is[80], text[300];
        if (old && json_equal(old, value))
            continue;
        show(old, was);
        show(value, is);
        snprintf(text, sizeof text, "%.60s, %.60s: %s now, %s before", text_of(now, "title"),
                 text_of(figure, "label"), is, was);
        say(words, text);
    }
}

static void tables(json_t *words, const json_t *before, const json_t *now)
{
    size_t i, j;
    json_t *table, *row;
    json_array_foreach(json_object_get(now, "tables"), i, table)
    {
        const json_t *rows = json_object_get(table, "rows");
        const json_t *old = json_object_get(
            find(json_object_get(before, "tables"), "id", text_of(table, "id")), "rows");
        size_t other = 0;
        char text[300];
        json_array_foreach(rows, j, row) other += !json_equal(row, json_array_get(old, j));
        if (json_array_size(old) > json_array_size(rows))
            other += json_array_size(old) - json_array_size(rows);
        if (other == 0)
            continue;
        snprintf(text, sizeof text, "%.60s, table %.60s: %zu rows are other than before",
                 text_of(now, "title"), text_of(table, "title"), other);
        say(words, text);
    }
}

json_t *sg_report_differ(const json_t *before, const json_t *now, const json_t *log_before,
                         const json_t *log_now)
{
    json_t *words = json_array();
    size_t i;
    json_t *section;
    const json_t *period = json_object_get(before, "period");
    if (!json_is_true(json_object_get(period, "complete")))
        say(words, "it was made before while the month was not over");
    log_compare(words, log_before, log_now);
    json_array_foreach(json_object_get(now, "sections"), i, section)
    {
        const json_t *old = find(json_object_get(before, "sections"), "id", text_of(section, "id"));
        figures(words, old, section);
        tables(words, old, section);
    }
    if (json_array_size(words) == 0)
        say(words, "its words are other than before");
    return words;
}
