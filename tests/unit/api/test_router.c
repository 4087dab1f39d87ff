#include "support.h"

#include "api/router.h"

#include <string.h>

#define TEN "ten_00000000000000000000000001"
#define DOM "dom_00000000000000000000000002"

static void test_find(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path;
        const char *pattern; /* NULL: none */
        const char *allow;   /* of a 405 */
    } cases[] = {
        {"GET", "/healthz", "/healthz", NULL},
        {"GET", "/v1/tenants", "/v1/tenants", NULL},
        {"GET", "/v1/tenants/" TEN, "/v1/tenants/{tenant_id}", NULL},
        {"PUT", "/v1/tenants/" TEN "/domains/" DOM "/next-hop",
         "/v1/tenants/{tenant_id}/domains/{domain_id}/next-hop", NULL},
        {"DELETE", "/v1/tenants", NULL, "GET, POST"},
        {"HEAD", "/healthz", NULL, "GET"},
        {"OPTIONS", "/v1/tenants/" TEN "/domains/" DOM "/next-hop", NULL, "GET, PUT"},
        {"get", "/healthz", NULL, "GET"},
        {"GET", "/", NULL, NULL},
        {"GET", "", NULL, NULL},
        {"GET", "*", NULL, NULL},
        {"GET", "/v1/tenants/", NULL, NULL},
        {"GET", "//v1/tenants", NULL, NULL},
        {"GET", "/v1/tenants//domains", NULL, NULL},
        {"GET", "/v1/tenants/" DOM, NULL, NULL},
        {"GET", "/v1/tenants/ten_0", NULL, NULL},
        {"GET", "/v1/tenants/{tenant_id}", NULL, NULL},
        {"GET", "/v1/tenants/" TEN "%00", NULL, NULL},
        {"GET", "/v1/tenants/" TEN "/", NULL, NULL},
        {"GET", "/v2/tenants", NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        const struct api_route *route = NULL;
        struct api_params params = {0};
        const char *allow = NULL;
        struct sg_error err = {0};
        bool ok = api_route_find(arena, api_routes, api_route_count, cases[i].method, cases[i].path,
                                 &route, &params, &allow, &err);
        bool right = cases[i].pattern ? ok && strcmp(route->pattern, cases[i].pattern) == 0
                     : cases[i].allow ? !ok && err.code == SG_E_METHOD && allow &&
                                            strcmp(allow, cases[i].allow) == 0
                                      : !ok && err.code == SG_E_NOT_FOUND;
        if (!right)
            fail_msg("%s %s: %s %s", cases[i].method, cases[i].path, ok ? route->pattern : "none",
                     allow ? allow : "");
    }
}

static void test_params(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct api_request r = {.arena = arena};
    struct sg_error err;
    const char *allow;
    assert_true(api_route_find(arena, api_routes, api_route_count, "GET",
                               "/v1/tenants/" TEN "/domains/" DOM, &r.route, &r.params, &allow,
                               &err));
    assert_string_equal(api_param(&r, "tenant_id"), TEN);
    assert_string_equal(api_param(&r, "domain_id"), DOM);
    assert_string_equal(api_param(&r, "key_id"), "");
}

/* What must hold of every row of the table. */
static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < api_route_count; i++) {
        const struct api_route *r = &api_routes[i];
        bool reads = strcmp(r->method, "GET") == 0;
        assert_true((r->answer != NULL) != (r->transact != NULL));
        assert_true(r->access.need != API_NEED_NOTHING || r->answer);
        if (r->transact)
            assert_int_equal(r->access.need, reads ? API_NEED_READ : API_NEED_WRITE);
        if (reads)
            assert_null(r->body);
        else
            assert_null(r->query);
        for (size_t j = 0; j < i; j++)
            assert_false(strcmp(r->method, api_routes[j].method) == 0 &&
                         strcmp(r->pattern, api_routes[j].pattern) == 0);
    }
    json_t *all = api_routes_describe();
    assert_int_equal(json_array_size(all), api_route_count);
    json_decref(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_params),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
