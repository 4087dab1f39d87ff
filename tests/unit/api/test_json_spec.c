#include "support.h"

#include "api/json_spec.h"

#include <string.h>

struct thing {
    const char *name, *kind, *text;
    int64_t size;
    bool flag;
    sg_time at;
};

static bool no_spaces(struct sg_arena *arena, const char **value, struct sg_error *err)
{
    if (strchr(*value, ' '))
        return sg_fail(err, SG_E_INVALID, "has a space");
    *value = sg_arena_printf(arena, "<%s>", *value);
    return true;
}

static const char *const kinds[] = {"one", "two", NULL};
static const struct api_field fields[] = {
    {.name = "name",
     .type = API_STRING,
     .offset = offsetof(struct thing, name),
     .min = 1,
     .max = 5,
     .check = no_spaces},
    {.name = "kind",
     .type = API_STRING,
     .offset = offsetof(struct thing, kind),
     .optional = true,
     .choices = kinds,
     .initial_text = "one"},
    {.name = "text", .type = API_TEXT, .offset = offsetof(struct thing, text), .optional = true},
    {.name = "size",
     .type = API_INTEGER,
     .offset = offsetof(struct thing, size),
     .optional = true,
     .min = 1,
     .max = 10,
     .initial = 7},
    {.name = "flag", .type = API_BOOLEAN, .offset = offsetof(struct thing, flag), .optional = true},
    {.name = "at", .type = API_TIME, .offset = offsetof(struct thing, at), .optional = true},
};

static bool thing_check(struct sg_arena *arena, void *out, struct sg_error *err)
{
    (void)arena;
    const struct thing *t = out;
    return !t->flag || t->size != 9 || api_invalid(err, "size", "must not be 9 with flag");
}
static const struct api_spec spec = {fields, COUNT(fields), sizeof(struct thing), thing_check};

/* What holds others: strings, an object, objects, which hold objects of the same kind. */
struct nest {
    struct api_strings words;
    struct thing *thing;
    struct api_objects things, nests;
};
static const struct api_spec nest_spec;
static const struct api_field nest_fields[] = {
    {.name = "words",
     .type = API_STRINGS,
     .offset = offsetof(struct nest, words),
     .optional = true,
     .min = 2,
     .max = 5,
     .check = no_spaces,
     .items_min = 1,
     .items_max = 3},
    {.name = "thing",
     .type = API_OBJECT,
     .offset = offsetof(struct nest, thing),
     .optional = true,
     .object = &spec},
    {.name = "things",
     .type = API_OBJECTS,
     .offset = offsetof(struct nest, things),
     .optional = true,
     .items_max = 12,
     .object = &spec},
    {.name = "nests",
     .type = API_OBJECTS,
     .offset = offsetof(struct nest, nests),
     .optional = true,
     .items_max = 1,
     .object = &nest_spec},
};
static const struct api_spec nest_spec = {nest_fields, COUNT(nest_fields), sizeof(struct nest),
                                          NULL};

static void test_nested(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct nest n = {0};
    struct sg_error err = {0};
    const char *body = "{\"words\":[\"ab\",\"äöüßé\"],\"thing\":{\"name\":\"t\",\"size\":3},"
                       "\"things\":[{\"name\":\"a\"},{\"name\":\"b\",\"flag\":true}],"
                       "\"nests\":[{\"things\":[]}]}";
    if (!api_spec_read(&nest_spec, arena, sg_bytes_str(body), &n, &err))
        fail_msg("%s %s", err.field, err.detail);
    assert_int_equal(n.words.count, 2);
    assert_string_equal(n.words.items[1], "<äöüßé>");
    assert_string_equal(n.thing->name, "<t>");
    assert_int_equal(n.thing->size, 3);
    const struct thing *things = n.things.items;
    assert_int_equal(n.things.count, 2);
    assert_string_equal(things[1].name, "<b>");
    assert_true(things[1].flag && !things[0].flag);
    assert_int_equal(things[0].size, 7);
    const struct nest *inner = n.nests.items;
    assert_int_equal(n.nests.count, 1);
    assert_null(inner->thing);
    assert_int_equal(inner->things.count, 0);
    assert_true(api_spec_read(&nest_spec, arena, sg_bytes_str("{}"), &n, &err));
    json_t *told = api_spec_describe(&(const struct api_spec){nest_fields, 3, 0, NULL});
    json_t *thing = json_array_get(told, 2);
    assert_int_equal(json_integer_value(json_object_get(thing, "items_max")), 12);
    assert_int_equal(json_array_size(json_object_get(thing, "fields")), COUNT(fields));
    json_decref(told);
}

static const struct {
    const char *body;
    enum sg_error_code code;
    const char *field;
} nested_bad[] = {
    {"{\"words\":\"ab\"}", SG_E_INVALID, "/words"},
    {"{\"words\":{}}", SG_E_INVALID, "/words"},
    {"{\"words\":null}", SG_E_INVALID, "/words"},
    {"{\"words\":[]}", SG_E_INVALID, "/words"},
    {"{\"words\":[\"ab\",\"ab\",\"ab\",\"ab\"]}", SG_E_INVALID, "/words"},
    {"{\"words\":[\"ab\",1]}", SG_E_INVALID, "/words/1"},
    {"{\"words\":[\"ab\",null]}", SG_E_INVALID, "/words/1"},
    {"{\"words\":[\"ab\",\"abcdef\"]}", SG_E_INVALID, "/words/1"},
    {"{\"words\":[\"a\"]}", SG_E_INVALID, "/words/0"},
    {"{\"words\":[\"a b\"]}", SG_E_INVALID, "/words/0"},
    {"{\"thing\":[]}", SG_E_INVALID, "/thing"},
    {"{\"thing\":{}}", SG_E_INVALID, "/thing/name"},
    {"{\"thing\":{\"name\":\"a\",\"a/b\":1}}", SG_E_UNKNOWN_FIELD, "/thing/a~1b"},
    {"{\"thing\":{\"name\":\"a\",\"flag\":true,\"size\":9}}", SG_E_INVALID, "/thing/size"},
    {"{\"things\":{}}", SG_E_INVALID, "/things"},
    {"{\"things\":[1]}", SG_E_INVALID, "/things/0"},
    {"{\"things\":[{\"name\":\"a\"},[]]}", SG_E_INVALID, "/things/1"},
    {"{\"things\":[{\"name\":\"a\"},{}]}", SG_E_INVALID, "/things/1/name"},
    {"{\"things\":[{\"name\":\"a\",\"flag\":true,\"size\":9}]}", SG_E_INVALID, "/things/0/size"},
    {"{\"things\":[{\"name\":\"a\",\"name\":\"a\"}]}", SG_E_MALFORMED, ""},
    {"{\"nests\":[{\"nests\":[{\"words\":[\"ab\",\"\"]}]}]}", SG_E_INVALID,
     "/nests/0/nests/0/words/1"},
    {"{\"nests\":[{},{}]}", SG_E_INVALID, "/nests"},
};

static void test_nested_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(nested_bad); i++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        struct nest n = {0};
        struct sg_error err = {0};
        bool ok = api_spec_read(&nest_spec, arena, sg_bytes_str(nested_bad[i].body), &n, &err);
        if (ok || err.code != nested_bad[i].code || strcmp(err.field, nested_bad[i].field) != 0)
            fail_msg("%s: %s at \"%s\": %s", nested_bad[i].body, sg_error_name(err.code), err.field,
                     err.detail);
    }
}

/* A spec within a spec, member beside member. */
static void test_inline(void **state)
{
    (void)state;
    struct both {
        struct thing *thing;
        const char *more;
    };
    const struct api_field both_fields[] = {
        {.type = API_INLINE, .offset = offsetof(struct both, thing), .object = &spec},
        {.name = "more", .type = API_STRING, .offset = offsetof(struct both, more), .max = 3},
    };
    const struct api_spec both = {both_fields, 2, sizeof(struct both), NULL};
    static const struct {
        const char *body, *field;
    } wrong[] = {{"{\"more\":\"x\"}", "/name"},
                 {"{\"name\":\"a\"}", "/more"},
                 {"{\"name\":\"a\",\"more\":\"x\",\"other\":1}", "/other"},
                 {"{\"name\":\"a\",\"more\":\"x\",\"flag\":true,\"size\":9}", "/size"}};
    SG_AUTO_ARENA arena = sg_arena_new();
    struct both b = {0};
    struct sg_error err = {0};
    assert_true(
        api_spec_read(&both, arena, sg_bytes_str("{\"more\":\"x\",\"name\":\"a\"}"), &b, &err));
    assert_string_equal(b.thing->name, "<a>");
    assert_string_equal(b.more, "x");
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_false(api_spec_read(&both, arena, sg_bytes_str(wrong[i].body), &b, &err));
        assert_string_equal(err.field, wrong[i].field);
    }
    json_t *told = api_spec_describe(&both);
    assert_int_equal(json_array_size(told), COUNT(fields) + 1);
    json_decref(told);
}

/* Eight levels are read, a ninth is refused; the pointer is cut and stays text. */
static void test_deep(void **state)
{
    (void)state;
    for (int levels = 1; levels < 100; levels++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        struct nest n = {0};
        struct sg_error err = {0};
        char body[2000] = "";
        for (int i = 0; i < levels; i++)
            strcat(body, "{\"nests\":[");
        strcat(body, "{}");
        for (int i = 0; i < levels; i++)
            strcat(body, "]}");
        bool ok = api_spec_read(&nest_spec, arena, sg_bytes_str(body), &n, &err);
        if (ok != (levels <= 8))
            fail_msg("%d levels: %s %s", levels, err.field, err.detail);
        assert_true(ok || strncmp(err.field, "/nests/0/nests/0", 16) == 0);
    }
}

static void test_good(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct thing t = {0};
    struct sg_error err = {0};
    const char *body = "{\"name\":\"äöüßé\",\"text\":\"a\\nb\",\"flag\":true,"
                       "\"at\":\"2026-11-23T04:05:06.789Z\"}";
    assert_true(api_spec_read(&spec, arena, sg_bytes_str(body), &t, &err));
    assert_string_equal(t.name, "<äöüßé>"); /* five characters, ten bytes */
    assert_string_equal(t.kind, "one");
    assert_string_equal(t.text, "a\nb");
    assert_int_equal(t.size, 7);
    assert_true(t.flag);
    char text[SG_TIME_TEXT];
    sg_time_rfc3339(t.at, text);
    assert_string_equal(text, "2026-11-23T04:05:06.789Z");
}

static const struct {
    const char *body;
    enum sg_error_code code;
    const char *field;
} bad[] = {
    {"", SG_E_MALFORMED, ""},
    {"{", SG_E_MALFORMED, ""},
    {"[]", SG_E_MALFORMED, ""},
    {"null", SG_E_MALFORMED, ""},
    {"{\"name\":\"a\"} x", SG_E_MALFORMED, ""},
    {"{\"name\":\"a\",\"name\":\"b\"}", SG_E_MALFORMED, ""},
    {"{\"name\":\"a\\u0000b\"}", SG_E_MALFORMED, ""},
    {"{\"name\":\"\xff\"}", SG_E_MALFORMED, ""},
    {"{\"name\":\"a\",\"size\":99999999999999999999}", SG_E_MALFORMED, ""},
    {"{}", SG_E_INVALID, "/name"},
    {"{\"name\":null}", SG_E_INVALID, "/name"},
    {"{\"name\":1}", SG_E_INVALID, "/name"},
    {"{\"name\":\"\"}", SG_E_INVALID, "/name"},
    {"{\"name\":\"abcdef\"}", SG_E_INVALID, "/name"},
    {"{\"name\":\"a b\"}", SG_E_INVALID, "/name"},
    {"{\"name\":\"a\\nb\"}", SG_E_INVALID, "/name"},
    {"{\"name\":\"a\\u007f\"}", SG_E_INVALID, "/name"},
    {"{\"name\":\"a\",\"text\":\"\\u0001\"}", SG_E_INVALID, "/text"},
    {"{\"name\":\"a\",\"kind\":\"three\"}", SG_E_INVALID, "/kind"},
    {"{\"name\":\"a\",\"kind\":\"One\"}", SG_E_INVALID, "/kind"},
    {"{\"name\":\"a\",\"size\":0}", SG_E_INVALID, "/size"},
    {"{\"name\":\"a\",\"size\":11}", SG_E_INVALID, "/size"},
    {"{\"name\":\"a\",\"size\":1.0}", SG_E_INVALID, "/size"},
    {"{\"name\":\"a\",\"size\":\"1\"}", SG_E_INVALID, "/size"},
    {"{\"name\":\"a\",\"flag\":1}", SG_E_INVALID, "/flag"},
    {"{\"name\":\"a\",\"at\":\"now\"}", SG_E_INVALID, "/at"},
    {"{\"name\":\"a\",\"flag\":true,\"size\":9}", SG_E_INVALID, "/size"},
    {"{\"name\":\"a\",\"nome\":1}", SG_E_UNKNOWN_FIELD, "/nome"},
    {"{\"name\":\"a\",\"a/b~c\":1}", SG_E_UNKNOWN_FIELD, "/a~1b~0c"},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        struct thing t = {0};
        struct sg_error err = {0};
        assert_false(api_spec_read(&spec, arena, sg_bytes_str(bad[i].body), &t, &err));
        if (err.code != bad[i].code || strcmp(err.field, bad[i].field) != 0 || !err.detail[0])
            fail_msg("%s: %s at \"%s\": %s", bad[i].body, sg_error_name(err.code), err.field,
                     err.detail);
    }
}

/* A long foreign name is cut in whole characters: what is left is UTF-8. */
static void test_long_name(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    for (size_t pad = 0; pad < 6; pad++) {
        char body[512] = "{\"", *p = body + 2;
        for (size_t i = 0; i < pad; i++)
            *p++ = i % 2 ? '~' : 'x';
        for (size_t i = 0; i < 60; i++)
            p = strcpy(p, "\xf0\x9f\x98\x80") + 4;
        strcpy(p, "\":1}");
        struct thing t = {0};
        struct sg_error err = {0};
        assert_false(api_spec_read(&spec, arena, sg_bytes_str(body), &t, &err));
        assert_int_equal(err.code, SG_E_UNKNOWN_FIELD);
        json_t *text = json_string(err.field);
        assert_non_null(text);
        json_decref(text);
    }
}

static void test_query(void **state)
{
    (void)state;
    static const struct {
        struct api_pair pairs[3];
        size_t count;
        enum sg_error_code code;
        const char *field;
    } cases[] = {
        {{{"name", "a%2Bb"}, {"size", "3"}}, 2, SG_OK, ""},
        {{{"name", "a"}, {"name", "b"}}, 2, SG_E_MALFORMED, "name"},
        {{{"name", "a"}, {"size", "3x"}}, 2, SG_E_INVALID, "size"},
        {{{"name", "a"}, {"size", "-3"}}, 2, SG_E_INVALID, "size"},
        {{{"name", "a"}, {"size", ""}}, 2, SG_E_INVALID, "size"},
        {{{"name", "a"}, {"size", "1111111111111111111111"}}, 2, SG_E_INVALID, "size"},
        {{{"name", NULL}}, 1, SG_E_INVALID, "name"},
        {{{"name", "%00"}}, 1, SG_E_MALFORMED, ""},
        {{{"name", "%4"}}, 1, SG_E_MALFORMED, ""},
        {{{"name", "%ff"}}, 1, SG_E_MALFORMED, ""},
        {{{"%ff", "a"}}, 1, SG_E_MALFORMED, ""},
        {{{"n%61me", "a"}}, 1, SG_OK, ""},
        {{{"name", "a"}, {"other/", "b"}}, 2, SG_E_UNKNOWN_FIELD, "other/"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        struct thing t = {0};
        struct sg_error err = {0};
        bool ok = api_spec_read_query(&spec, arena, cases[i].pairs, cases[i].count, &t, &err);
        if (ok != (cases[i].code == SG_OK) || err.code != cases[i].code ||
            strcmp(err.field, cases[i].field) != 0)
            fail_msg("case %zu: %s at \"%s\": %s", i, sg_error_name(err.code), err.field,
                     err.detail);
    }
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_error err = {0};
    assert_true(api_spec_read_query(NULL, arena, NULL, 0, NULL, &err));
    assert_false(api_spec_read_query(NULL, arena, (struct api_pair[]){{"a", "b"}}, 1, NULL, &err));
    assert_int_equal(err.code, SG_E_UNKNOWN_FIELD);
    assert_true(api_spec_read(NULL, arena, sg_bytes_str("{}"), NULL, &err));
    assert_false(api_spec_read(NULL, arena, sg_bytes_str("{\"a\":1}"), NULL, &err));
    assert_int_equal(err.code, SG_E_UNKNOWN_FIELD);
}

static void test_time(void **state)
{
    (void)state;
    static const char *const good[] = {"1970-01-01T00:00:00Z", "2024-02-29T23:59:59.999999Z",
                                       "2026-11-23T04:05:06.7Z"};
    static const char *const wrong[] = {"2023-02-29T00:00:00Z",         "2026-11-23",
                                        "2026-11-23T04:05:06",          "2026-11-23T04:05:06+00:00",
                                        "2026-11-23t04:05:06Z",         "2026-11-23T04:05:06z",
                                        "2026-11-23T24:00:00Z",         "2026-11-23T23:60:00Z",
                                        "2026-11-23T23:59:60Z",         "2026-13-01T00:00:00Z",
                                        "2026-00-01T00:00:00Z",         "2026-11-23T04:05:06.Z",
                                        "2026-11-23T04:05:06.1234567Z", "1969-12-31T23:59:59Z",
                                        "2026-11-23T04:05:06Z ",        ""};
    sg_time t;
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(api_time_parse(good[i], &t));
    assert_int_equal(t % SG_SECOND, 700000);
    for (size_t i = 0; i < COUNT(wrong); i++)
        if (api_time_parse(wrong[i], &t))
            fail_msg("taken: %s", wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),       cmocka_unit_test(test_nested),
        cmocka_unit_test(test_nested_bad), cmocka_unit_test(test_deep),
        cmocka_unit_test(test_inline),     cmocka_unit_test(test_bad),
        cmocka_unit_test(test_query),      cmocka_unit_test(test_long_name),
        cmocka_unit_test(test_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
