#include "support.h"

#include "api/render.h"

#include <string.h>

struct item {
    struct sg_api_key key;
};

static json_t *item_json(struct sg_arena *arena, const void *row)
{
    (void)arena;
    const struct item *item = row;
    return json_string(item->key.id);
}

static void test_pages(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    const struct item items[] = {{{"key_a", 1}}, {{"key_b", 1700000000123456}}, {{"key_c", 3}}};
    struct api_request r = {.arena = arena};
    const struct sg_api_page two = {.limit = 2};
    assert_true(api_reply_list(&r, &two, items, 3, sizeof items[0], item_json));
    assert_int_equal(json_array_size(json_object_get(r.reply.body, "data")), 2);

    /* The cursor leads behind the last one shown. */
    struct api_page_query query = {
        .limit = 2, .cursor = json_string_value(json_object_get(r.reply.body, "next_cursor"))};
    struct sg_api_page page;
    struct sg_error err = {0};
    assert_non_null(query.cursor);
    r.parameters = &query;
    assert_true(api_page_read(&r, &page, &err));
    assert_string_equal(page.after.id, "key_b");
    assert_int_equal(page.after.at, 1700000000123456);
    assert_int_equal(page.limit, 2);

    const struct sg_api_page three = {.limit = 3};
    assert_true(api_reply_list(&r, &three, items, 3, sizeof items[0], item_json));
    assert_true(json_is_null(json_object_get(r.reply.body, "next_cursor")));
    api_reply_clear(&r);
}

static void test_bad_cursors(void **state)
{
    (void)state;
    static const char *const bad[] = {"x",
                                      "!!!!",
                                      "AAAA",
                                      "    ",
                                      "MTIz" /* 123 */,
                                      "MTIzOg" /* 123: */,
                                      "OmtleV9h" /* :key_a */,
                                      "MTprJw" /* 1:k' */,
                                      "MTo=",
                                      "MTprAGI" /* 1:k NUL b */,
                                      "LTE6a2V5X2E" /* -1:key_a */,
                                      "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA6YQ" /* twenty digits */};
    SG_AUTO_ARENA arena = sg_arena_new();
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct api_page_query query = {.limit = 1, .cursor = bad[i]};
        struct api_request r = {.arena = arena, .parameters = &query};
        struct sg_api_page page;
        struct sg_error err = {0};
        bool ok = api_page_read(&r, &page, &err);
        /* A cut-off NUL leaves a cursor that is merely another one. */
        if (ok && strcmp(page.after.id, "k") != 0)
            fail_msg("taken: %s as %s", bad[i], page.after.id);
        if (!ok)
            assert_string_equal(err.field, "cursor");
    }
}

/* The database's words and our own faults stay inside. */
static void test_problem(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct api_request r = {.arena = arena, .id = sg_id_new("req")};
    struct sg_error err = {0};
    sg_fail_lib(&err, SG_E_CONFLICT, SG_LIB_SQL, 0, "api_x: duplicate key: secret_constraint");
    api_reply_problem(&r, &err);
    assert_int_equal(r.reply.status, 409);
    assert_null(json_object_get(r.reply.body, "detail"));
    assert_string_equal(json_string_value(json_object_get(r.reply.body, "type")),
                        "urn:sealgate:error:conflict");
    assert_false(api_conflict(&err, "/name", "it is there already"));
    api_reply_problem(&r, &err);
    assert_string_equal(json_string_value(json_object_get(r.reply.body, "pointer")), "/name");
    assert_string_equal(json_string_value(json_object_get(r.reply.body, "detail")),
                        "it is there already");
    sg_fail(&err, SG_E_INTERNAL, "a secret");
    api_reply_problem(&r, &err);
    assert_int_equal(r.reply.status, 500);
    assert_null(json_object_get(r.reply.body, "detail"));
    assert_string_equal(json_string_value(json_object_get(r.reply.body, "request_id")), r.id.text);
    sg_fail(&err, SG_E_DB_UNAVAILABLE, "host=secret");
    api_reply_problem(&r, &err);
    assert_int_equal(r.reply.status, 503);
    assert_null(json_object_get(r.reply.body, "detail"));
    api_reply_clear(&r);
    for (int known = 0; known < 2; known++) {
        r.reply.instead = known ? "the same in pages" : NULL;
        sg_fail(&err, SG_E_TIMEOUT, "statement x");
        api_reply_problem(&r, &err);
        assert_int_equal(r.reply.status, 504);
        json_t *detail = json_object_get(r.reply.body, "detail");
        assert_true(known ? strcmp(json_string_value(detail), "the same in pages") == 0 : !detail);
        api_reply_clear(&r);
    }
    r.reply.instead = "the same in pages"; /* the database is away: not there either */
    sg_fail(&err, SG_E_DB_UNAVAILABLE, "host=secret");
    api_reply_problem(&r, &err);
    assert_null(json_object_get(r.reply.body, "detail"));
    api_reply_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_bad_cursors),
        cmocka_unit_test(test_problem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
