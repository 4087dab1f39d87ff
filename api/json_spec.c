#include "api/json_spec.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define DEPTH_MAX 8

/* Where a value comes from, for the name of a field at fault. */
struct source {
    bool query;
    const char *path; /* of the object that the field is in, as a JSON pointer: "/domains/1" */
    int depth;
};

static const struct source whole_body = {.path = ""};

/* Fills err->field from a name of foreign origin: escaped (RFC 6901 §3) and cut, in whole
 * characters. */
static void field_set(struct sg_error *err, const struct source *source, const char *name)
{
    size_t n = 0, max = sizeof err->field - 5;
    if (!source->query) {
        n = strlen(source->path) > max ? max : strlen(source->path);
        memcpy(err->field, source->path, n);
        err->field[n++] = '/';
    }
    for (const char *s = name; *s; s++) {
        if (n >= max && ((unsigned char)*s & 0xc0) != 0x80)
            break;
        if (!source->query && (*s == '~' || *s == '/')) {
            err->field[n++] = '~';
            err->field[n++] = *s == '~' ? '0' : '1';
        } else {
            err->field[n++] = *s;
        }
    }
    err->field[n] = 0;
}

static bool fail_at(struct sg_error *err, const struct source *source, const char *name,
                    enum sg_error_code code, const char *fmt, ...) SG_PRINTF(5, 6);
static bool fail_at(struct sg_error *err, const struct source *source, const char *name,
                    enum sg_error_code code, const char *fmt, ...)
{
    char text[200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    sg_fail(err, code, "%s", text);
    if (err)
        field_set(err, source, name);
    return false;
}

bool api_invalid(struct sg_error *err, const char *field, const char *fmt, ...)
{
    char text[200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return fail_at(err, &whole_body, field, SG_E_INVALID, "%s", text);
}

static bool digits(const char **s, int count, int *out)
{
    *out = 0;
    for (int i = 0; i < count; i++, (*s)++) {
        if (**s < '0' || **s > '9')
            return false;
        *out = *out * 10 + (**s - '0');
    }
    return true;
}

static bool accept(const char **s, char c)
{
    return **s == c && (*s)++;
}

bool api_time_parse(const char *s, sg_time *time_r)
{
    int year, month, day, hour, minute, second;
    if (!digits(&s, 4, &year) || !accept(&s, '-') || !digits(&s, 2, &month) || !accept(&s, '-') ||
        !digits(&s, 2, &day) || !accept(&s, 'T') || !digits(&s, 2, &hour) || !accept(&s, ':') ||
        !digits(&s, 2, &minute) || !accept(&s, ':') || !digits(&s, 2, &second))
        return false;
    int64_t micros = 0, unit = 100000;
    if (accept(&s, '.')) {
        if (!isdigit((unsigned char)*s))
            return false;
        for (; isdigit((unsigned char)*s) && unit; s++, unit /= 10)
            micros += (*s - '0') * unit;
    }
    if (strcmp(s, "Z") != 0 || year < 1970 || hour > 23 || minute > 59 || second > 59)
        return false;
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = minute,
                    .tm_sec = second};
    time_t t = timegm(&tm);
    /* timegm() carries over what is out of range, as in 31 February. */
    if (t == (time_t)-1 || tm.tm_mon != month - 1 || tm.tm_mday != day)
        return false;
    *time_r = (sg_time)t * SG_SECOND + micros;
    return true;
}

static int64_t characters(const char *s)
{
    int64_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static bool choice_check(const struct api_field *f, const char *s, const struct source *source,
                         struct sg_error *err)
{
    char list[160] = "";
    size_t n = 0;
    for (int i = 0; f->choices[i]; i++) {
        if (strcmp(f->choices[i], s) == 0)
            return true;
        int wrote = snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", f->choices[i]);
        n = wrote > 0 && n + (size_t)wrote < sizeof list ? n + (size_t)wrote : sizeof list - 1;
    }
    return fail_at(err, source, f->name, SG_E_INVALID, "must be one of %s", list);
}

static bool string_read(const struct api_field *f, struct sg_arena *arena, const char *s,
                        const struct source *source, const char **out, struct sg_error *err)
{
    for (const char *p = s; *p; p++) {
        unsigned char c = (unsigned char)*p;
        bool space = f->type == API_TEXT && (c == '\n' || c == '\r' || c == '\t');
        if ((c < 0x20 && !space) || c == 0x7f)
            return fail_at(err, source, f->name, SG_E_INVALID, "has a control character");
    }
    int64_t length = characters(s);
    if (length < f->min)
        return fail_at(err, source, f->name, SG_E_INVALID,
                       f->min == 1 ? "must not be empty" : "must have at least %lld characters",
                       (long long)f->min);
    if (f->max && length > f->max)
        return fail_at(err, source, f->name, SG_E_INVALID, "is longer than %lld characters",
                       (long long)f->max);
    if (f->choices && !choice_check(f, s, source, err))
        return false;
    const char *value = sg_arena_strdup(arena, s);
    struct sg_error why = {0};
    if (f->check && !f->check(arena, &value, &why))
        return fail_at(err, source, f->name, SG_E_INVALID, "%.199s", why.detail);
    *out = value;
    return true;
}

/* What is inside a member, or an item of it. */
static struct source inside(const struct source *source, struct sg_arena *arena, const char *name,
                            size_t item)
{
    const char *path = item == SIZE_MAX
                           ? sg_arena_printf(arena, "%s/%s", source->path, name)
                           : sg_arena_printf(arena, "%s/%s/%zu", source->path, name, item);
    return (struct source){.path = path, .depth = source->depth + 1};
}

static bool count_check(const struct api_field *f, size_t count, const struct source *source,
                        struct sg_error *err)
{
    if (count < f->items_min)
        return fail_at(err, source, f->name, SG_E_INVALID, "must have at least %zu", f->items_min);
    return count <= f->items_max ||
           fail_at(err, source, f->name, SG_E_INVALID, "has more than %zu", f->items_max);
}

static bool strings_read(const struct api_field *f, struct sg_arena *arena, const json_t *value,
                         const struct source *source, struct api_strings *out, struct sg_error *err)
{
    size_t count = json_array_size(value);
    if (!count_check(f, count, source, err))
        return false;
    *out = (struct api_strings){count, sg_arena_alloc_array(arena, sizeof(char *), count + 1)};
    const struct source list = inside(source, arena, f->name, SIZE_MAX);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(value, i);
        struct api_field of_item = *f;
        of_item.name = sg_arena_printf(arena, "%zu", i);
        if (!json_is_string(item))
            return fail_at(err, &list, of_item.name, SG_E_INVALID, "must be a string");
        if (!string_read(&of_item, arena, json_string_value(item), &list, &out->items[i], err))
            return false;
    }
    return true;
}

static bool object_read(const struct api_spec *spec, struct sg_arena *arena, const json_t *object,
                        const struct source *source, void *out, struct sg_error *err);

static bool objects_read(const struct api_field *f, struct sg_arena *arena, const json_t *value,
                         const struct source *source, struct api_objects *out, struct sg_error *err)
{
    size_t count = json_array_size(value), size = f->object->size;
    if (!count_check(f, count, source, err))
        return false;
    *out = (struct api_objects){count, sg_arena_alloc_array(arena, size, count + 1)};
    for (size_t i = 0; i < count; i++) {
        const struct source at = inside(source, arena, f->name, i);
        if (!object_read(f->object, arena, json_array_get(value, i), &at,
                         (char *)out->items + i * size, err))
            return false;
    }
    return true;
}

static bool member_read(const struct api_field *f, struct sg_arena *arena, const json_t *value,
                        const struct source *source, void **out, struct sg_error *err)
{
    const struct source at = inside(source, arena, f->name, SIZE_MAX);
    *out = sg_arena_alloc_array(arena, f->object->size, 1);
    return object_read(f->object, arena, value, &at, *out, err);
}

static bool value_read(const struct api_field *f, struct sg_arena *arena, const json_t *value,
                       const struct source *source, void *out, struct sg_error *err)
{
    static const char *const expected[] = {
        "a string", "a string",          "an integer", "true or false",
        "a time",   "a list of strings", "an object",  "a list of objects",
        ""};
    void *at = (char *)out + f->offset;
    switch (f->type) {
    case API_STRING:
    case API_TEXT:
        if (!json_is_string(value))
            break;
        return string_read(f, arena, json_string_value(value), source, at, err);
    case API_INTEGER:
        if (!json_is_integer(value))
            break;
        *(int64_t *)at = json_integer_value(value);
        if (*(int64_t *)at < f->min || *(int64_t *)at > f->max)
            return fail_at(err, source, f->name, SG_E_INVALID, "must be from %lld to %lld",
                           (long long)f->min, (long long)f->max);
        return true;
    case API_BOOLEAN:
        if (!json_is_boolean(value))
            break;
        *(bool *)at = json_is_true(value);
        return true;
    case API_TIME:
        if (!json_is_string(value))
            break;
        if (!api_time_parse(json_string_value(value), at))
            return fail_at(err, source, f->name, SG_E_INVALID,
                           "must be a time in UTC, as 2026-11-23T04:05:06Z");
        return true;
    case API_STRINGS:
        if (!json_is_array(value))
            break;
        return strings_read(f, arena, value, source, at, err);
    case API_OBJECT:
        if (!json_is_object(value))
            break;
        return member_read(f, arena, value, source, at, err);
    case API_OBJECTS:
        if (!json_is_array(value))
            break;
        return objects_read(f, arena, value, source, at, err);
    case API_INLINE: /* has no value of its own */
        break;
    }
    return fail_at(err, source, f->name, SG_E_INVALID, "must be %s", expected[f->type]);
}

static void initial_set(const struct api_field *f, void *out)
{
    void *at = (char *)out + f->offset;
    if (f->type == API_INTEGER)
        *(int64_t *)at = f->initial;
    else if (f->type == API_STRING || f->type == API_TEXT)
        *(const char **)at = f->initial_text;
}

static const struct api_field *field_find(const struct api_spec *spec, const char *name)
{
    const struct api_field *found = NULL;
    for (size_t i = 0; spec && i < spec->count && !found; i++) {
        const struct api_field *f = &spec->fields[i];
        if (f->type == API_INLINE)
            found = field_find(f->object, name);
        else if (strcmp(f->name, name) == 0)
            found = f;
    }
    return found;
}

/* A check names the field as if its object were the whole; the path to that goes before it. */
static bool spec_check(const struct api_spec *spec, struct sg_arena *arena,
                       const struct source *source, void *out, struct sg_error *err)
{
    struct sg_error why = {0};
    if (!spec || !spec->check || spec->check(arena, out, &why))
        return true;
    if (err) {
        *err = why;
        if (!source->query && *source->path && why.field[0] == '/')
            snprintf(err->field, sizeof err->field, "%.40s%.23s", source->path, why.field);
    }
    return false;
}

static bool fields_read(const struct api_spec *spec, struct sg_arena *arena, const json_t *object,
                        const struct source *source, void *out, struct sg_error *err)
{
    for (size_t i = 0; spec && i < spec->count; i++) {
        const struct api_field *f = &spec->fields[i];
        if (f->type == API_INLINE) {
            void **at = (void **)((char *)out + f->offset);
            *at = sg_arena_alloc_array(arena, f->object->size, 1);
            if (!fields_read(f->object, arena, object, source, *at, err))
                return false;
            continue;
        }
        const json_t *value = json_object_get(object, f->name);
        if (value && !value_read(f, arena, value, source, out, err))
            return false;
        if (!value && !f->optional)
            return fail_at(err, source, f->name, SG_E_INVALID, "is required");
        if (!value)
            initial_set(f, out);
    }
    return spec_check(spec, arena, source, out, err);
}

static bool object_read(const struct api_spec *spec, struct sg_arena *arena, const json_t *object,
                        const struct source *source, void *out, struct sg_error *err)
{
    const char *key;
    json_t *value;
    if (!json_is_object(object) || source->depth > DEPTH_MAX) {
        sg_fail(err, SG_E_INVALID, "must be an object");
        snprintf(err->field, sizeof err->field, "%.63s", source->path);
        return false;
    }
    json_object_foreach((json_t *)object, key, value)
    {
        if (!field_find(spec, key))
            return fail_at(err, source, key, SG_E_UNKNOWN_FIELD, "there is no such %s",
                           source->query ? "parameter" : "field");
    }
    return fields_read(spec, arena, object, source, out, err);
}

static void json_release(json_t **value)
{
    json_decref(*value);
}

bool api_spec_read(const struct api_spec *spec, struct sg_arena *arena, struct sg_bytes body,
                   void *out, struct sg_error *err)
{
    json_error_t why;
    __attribute__((cleanup(json_release))) json_t *object =
        json_loadb((const char *)body.data, body.len, JSON_REJECT_DUPLICATES, &why);
    if (!object && json_error_code(&why) == json_error_duplicate_key)
        return sg_fail(err, SG_E_MALFORMED, "the body has a field twice (line %d, column %d)",
                       why.line, why.column);
    if (!object)
        return sg_fail(err, SG_E_MALFORMED, "the body is not JSON (line %d, column %d)", why.line,
                       why.column);
    if (!json_is_object(object))
        return sg_fail(err, SG_E_MALFORMED, "the body is not a JSON object");
    return object_read(spec, arena, object, &whole_body, out, err);
}

/* Decodes %XX in place; false for a bad escape or a NUL. "+" is a space, as forms have it. */
static bool percent_decode(char *s)
{
    char *to = s;
    for (; *s; s++) {
        if (*s == '%') {
            if (!isxdigit((unsigned char)s[1]) || !isxdigit((unsigned char)s[2]))
                return false;
            const char hex[3] = {s[1], s[2], 0};
            *to = (char)strtoul(hex, NULL, 16);
            if (!*to++)
                return false;
            s += 2;
        } else {
            *to++ = *s == '+' ? ' ' : *s;
        }
    }
    *to = 0;
    return true;
}

/* A parameter's text as JSON of its field's type; NULL where it cannot be. */
static json_t *query_value(const struct api_field *f, const char *text)
{
    if (f && f->type == API_INTEGER) {
        char *end;
        if (!isdigit((unsigned char)*text) || strlen(text) > 18)
            return json_null();
        long long n = strtoll(text, &end, 10);
        return *end ? json_null() : json_integer(n);
    }
    return json_string(text);
}

bool api_spec_read_query(const struct api_spec *spec, struct sg_arena *arena,
                         const struct api_pair *pairs, size_t count, void *out,
                         struct sg_error *err)
{
    const struct source source = {.query = true, .path = ""};
    __attribute__((cleanup(json_release))) json_t *object = json_object();
    for (size_t i = 0; i < count; i++) {
        char *name = sg_arena_strdup(arena, pairs[i].name);
        char *text = sg_arena_strdup(arena, pairs[i].value ? pairs[i].value : "");
        if (!percent_decode(name) || !percent_decode(text))
            return sg_fail(err, SG_E_MALFORMED, "the query string has a bad escape");
        if (json_object_get(object, name))
            return fail_at(err, &source, name, SG_E_MALFORMED, "is given twice");
        if (json_object_set_new(object, name, query_value(field_find(spec, name), text)) != 0)
            return sg_fail(err, SG_E_MALFORMED, "the query string is not UTF-8");
    }
    return object_read(spec, arena, object, &source, out, err);
}

static json_t *field_describe(const struct api_field *f)
{
    static const char *const types[] = {"string", "string", "integer", "boolean", "string",
                                        "array",  "object", "array",   ""};
    bool list = f->type == API_STRINGS || f->type == API_OBJECTS;
    json_t *field = json_pack("{s:s, s:s, s:b}", "name", f->name, "type", types[f->type],
                              "required", !f->optional);
    json_t *choices = f->choices ? json_array() : NULL;
    for (int c = 0; choices && f->choices[c]; c++)
        json_array_append_new(choices, json_string(f->choices[c]));
    if (choices)
        json_object_set_new(field, "enum", choices);
    if (f->type == API_INTEGER || f->type == API_STRING || f->type == API_TEXT ||
        f->type == API_STRINGS) {
        json_object_set_new(field, "min", json_integer(f->min));
        json_object_set_new(field, "max", json_integer(f->max));
    }
    if (list) {
        json_object_set_new(field, "items_min", json_integer((json_int_t)f->items_min));
        json_object_set_new(field, "items_max", json_integer((json_int_t)f->items_max));
    }
    if (f->object)
        json_object_set_new(field, "fields", api_spec_describe(f->object));
    if (f->type == API_INTEGER && f->optional)
        json_object_set_new(field, "default", json_integer(f->initial));
    if (f->initial_text)
        json_object_set_new(field, "default", json_string(f->initial_text));
    return field;
}

json_t *api_spec_describe(const struct api_spec *spec)
{
    json_t *fields = json_array();
    for (size_t i = 0; spec && i < spec->count; i++) {
        const struct api_field *f = &spec->fields[i];
        json_t *field = f->type == API_INLINE ? api_spec_describe(f->object) : field_describe(f);
        if (f->type == API_INLINE)
            json_array_extend(fields, field);
        else
            json_array_append(fields, field);
        json_decref(field);
    }
    return fields;
}
