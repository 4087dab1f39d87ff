#include "support.h"

#include "api/allow.h"
#include "api/auth.h"
#include "api/router.h"

#include <openssl/sha.h>
#include <string.h>

#define TOKEN "sgt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void test_header(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        bool good;
    } cases[] = {
        {"Bearer " TOKEN, true},
        {"bearer " TOKEN, true},
        {"Bearer   " TOKEN, true},
        {NULL, false},
        {"", false},
        {"Bearer", false},
        {"Bearer ", false},
        {"Basic " TOKEN, false},
        {TOKEN, false},
        {"Bearer " TOKEN "A", false},
        {"Bearer " TOKEN " ", false},
        {"Bearer sgt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", false},
        {"Bearer sgx_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", false},
        {"Bearer sgt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t hash[32], want[32];
        struct sg_error err = {0};
        bool ok = api_auth_hash(cases[i].header, hash, &err);
        assert_true(ok == cases[i].good);
        if (!ok) {
            assert_int_equal(err.code, SG_E_UNAUTHENTICATED);
            assert_string_equal(err.detail, "a valid bearer token is needed");
            continue;
        }
        SHA256((const uint8_t *)TOKEN, strlen(TOKEN), want);
        assert_memory_equal(hash, want, 32);
    }
}

static void test_new(void **state)
{
    (void)state;
    uint8_t hash[32], again[32], other[32];
    char header[80] = "Bearer ";
    SG_AUTO_SECRET token = {0};
    struct sg_error err = {0};
    for (int i = 0; i < 50; i++) {
        api_auth_token_new(&token, hash);
        assert_int_equal(token.len, API_TOKEN_CHARS);
        memcpy(header + 7, token.data, token.len);
        assert_true(api_auth_hash(header, again, &err));
        assert_memory_equal(hash, again, 32);
        api_auth_token_new(&token, other);
        assert_memory_not_equal(hash, other, 32);
    }
}

static void test_judge(void **state)
{
    (void)state;
    const sg_time now = 1000 * SG_SECOND, later = now + 1;
    const struct {
        struct sg_api_token_auth token;
        enum sg_error_code code;
    } cases[] = {
        {{"tok_1", NULL, "provider-admin", "n", later, 0, NULL, NULL, 0, NULL, NULL, false}, SG_OK},
        {{"tok_1", "ten_1", "tenant-admin", "n", later, 0, "active", NULL, 0, NULL, NULL, false},
         SG_OK},
        {{"tok_1", "ten_1", "tenant-viewer", "n", later, 0, "active", NULL, 0, NULL, NULL, false},
         SG_OK},
        {{"tok_1", NULL, "provider-admin", "n", now, 0, NULL, NULL, 0, NULL, NULL, false},
         SG_E_UNAUTHENTICATED},
        {{"tok_1", NULL, "provider-admin", "n", later, 1, NULL, NULL, 0, NULL, NULL, false},
         SG_E_UNAUTHENTICATED},
        {{"tok_1", "ten_1", "tenant-admin", "n", later, later, "active", NULL, 0, NULL, NULL,
          false},
         SG_E_UNAUTHENTICATED},
        {{"tok_1", "ten_1", "tenant-admin", "n", later, 0, "suspended", NULL, 0, NULL, NULL, false},
         SG_E_FORBIDDEN},
        {{"tok_1", "ten_1", "tenant-viewer", "n", later, 0, "closed", NULL, 0, NULL, NULL, false},
         SG_E_FORBIDDEN},
        {{"tok_1", "ten_1", "tenant-viewer", "n", later, 0, NULL, NULL, 0, NULL, NULL, false},
         SG_E_FORBIDDEN},
        {{"tok_1", "ten_1", "provider-admin", "n", later, 0, "active", NULL, 0, NULL, NULL, false},
         SG_E_FORBIDDEN},
        {{"tok_1", NULL, "tenant-admin", "n", later, 0, NULL, NULL, 0, NULL, NULL, false},
         SG_E_FORBIDDEN},
        {{"tok_1", NULL, "auditor", "n", later, 0, NULL, "audit:read", 0, NULL, NULL, false},
         SG_OK},
        {{"tok_1", "ten_1", "auditor", "n", later, 0, "active", NULL, 0, NULL, NULL, false}, SG_OK},
        {{"tok_1", "ten_1", "billing", "n", later, 0, "active", NULL, 0, NULL, NULL, false},
         SG_E_FORBIDDEN},
        {{"tok_1", NULL, "auditor", "n", later, 0, NULL, "moon:read", 0, NULL, NULL, false},
         SG_E_FORBIDDEN},
        {{"tok_1", NULL, "root", "n", later, 0, NULL, NULL, 0, NULL, NULL, false}, SG_E_FORBIDDEN},
        {{"tok_1", NULL, "public", "n", later, 0, NULL, NULL, 0, NULL, NULL, false},
         SG_E_FORBIDDEN},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        struct api_caller caller = {0};
        struct sg_error err = {0};
        bool ok = api_auth_judge(arena, &cases[i].token, NULL, now, &caller, &err);
        if (ok != (cases[i].code == SG_OK) || err.code != cases[i].code)
            fail_msg("case %zu: %s %s", i, sg_error_name(err.code), err.detail);
        if (ok)
            assert_string_equal(caller.actor, "token:tok_1 n");
    }
}

/* RFC 8705 §3: a bound token is worth nothing without a certificate of its own client. */
static void test_client(void **state)
{
    (void)state;
    const struct sg_api_certificate_auth own = {.client_id = "cli_1"},
                                         other = {.client_id = "cli_2"};
    const struct {
        const char *client_state;
        bool bound;
        const struct sg_api_certificate_auth *certificate;
        enum sg_error_code code;
    } cases[] = {
        {"active", false, NULL, SG_OK},
        {"active", false, &other, SG_OK},
        {"active", true, &own, SG_OK},
        {"active", true, NULL, SG_E_UNAUTHENTICATED},
        {"active", true, &other, SG_E_UNAUTHENTICATED},
        {"disabled", false, NULL, SG_E_UNAUTHENTICATED},
        {"disabled", true, &own, SG_E_UNAUTHENTICATED},
        {NULL, false, NULL, SG_E_UNAUTHENTICATED},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        const struct sg_api_token_auth token = {.id = "tok_1",
                                                .role = "billing",
                                                .name = "n",
                                                .expires_at = 2,
                                                .client_id = "cli_1",
                                                .client_state = cases[i].client_state,
                                                .bound = cases[i].bound};
        struct api_caller caller = {0};
        struct sg_error err = {0};
        bool ok = api_auth_judge(arena, &token, cases[i].certificate, 1, &caller, &err);
        if (ok != (cases[i].code == SG_OK) || err.code != cases[i].code)
            fail_msg("case %zu: %s", i, sg_error_name(err.code));
        if (ok)
            assert_string_equal(caller.client_id, "cli_1");
    }
}

static void test_certificate(void **state)
{
    (void)state;
    const struct {
        struct sg_api_certificate_auth certificate;
        enum sg_error_code code;
    } cases[] = {
        {{"cli_1", NULL, "billing", "n", NULL, "active", NULL}, SG_OK},
        {{"cli_1", "ten_1", "auditor", "n", "keys:read", "active", "active"}, SG_OK},
        {{"cli_1", NULL, "billing", "n", NULL, "disabled", NULL}, SG_E_UNAUTHENTICATED},
        {{"cli_1", "ten_1", "auditor", "n", NULL, "active", "suspended"}, SG_E_FORBIDDEN},
        {{"cli_1", "ten_1", "billing", "n", NULL, "active", "active"}, SG_E_FORBIDDEN},
        {{"cli_1", NULL, "king", "n", NULL, "active", NULL}, SG_E_FORBIDDEN},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        struct api_caller caller = {0};
        struct sg_error err = {0};
        bool ok = api_auth_judge_certificate(arena, &cases[i].certificate, &caller, &err);
        if (ok != (cases[i].code == SG_OK) || err.code != cases[i].code)
            fail_msg("case %zu: %s", i, sg_error_name(err.code));
        if (ok)
            assert_string_equal(caller.actor, "client:cli_1 n");
    }
}

static struct api_caller caller_of(const char *role, const char *tenant_id, const char *scope)
{
    struct api_caller caller = {.tenant_id = tenant_id};
    struct sg_error err = {0};
    assert_true(sg_access_of(role, tenant_id != NULL, scope, &caller.access, &err));
    return caller;
}

static void test_allow(void **state)
{
    (void)state;
    const struct api_access read = API_READ(domains), write = API_WRITE(next_hops);
    const struct {
        const char *role, *own, *scope;
        const struct api_access *access;
        const char *tenant_id;
        enum sg_error_code code;
    } cases[] = {
        {"provider-admin", NULL, NULL, &write, "", SG_OK},
        {"provider-admin", NULL, NULL, &read, "ten_2", SG_OK},
        {"provider-admin", NULL, "domains:write", &read, "ten_2", SG_OK},
        {"provider-admin", NULL, "domains:read", &write, "ten_2", SG_E_FORBIDDEN},
        {"billing", NULL, NULL, &read, "ten_2", SG_OK},
        {"billing", NULL, NULL, &write, "ten_2", SG_E_FORBIDDEN},
        {"billing", NULL, "usage:read", &read, "ten_2", SG_E_FORBIDDEN},
        {"auditor", NULL, NULL, &read, "", SG_OK},
        {"auditor", "ten_1", NULL, &read, "ten_1", SG_OK},
        {"auditor", "ten_1", NULL, &read, "", SG_E_NOT_FOUND},
        {"tenant-admin", "ten_1", NULL, &write, "ten_1", SG_OK},
        {"tenant-admin", "ten_1", NULL, &read, "ten_1", SG_OK},
        {"tenant-admin", "ten_1", NULL, &read, "ten_2", SG_E_NOT_FOUND},
        {"tenant-admin", "ten_1", "held:write", &write, "ten_1", SG_E_FORBIDDEN},
        {"tenant-admin", "ten_1", "held:write", &write, "ten_2", SG_E_NOT_FOUND},
        {"tenant-admin", "ten_1", NULL, &write, "", SG_E_NOT_FOUND},
        {"tenant-viewer", "ten_1", NULL, &read, "ten_1", SG_OK},
        {"tenant-viewer", "ten_1", NULL, &write, "ten_1", SG_E_FORBIDDEN},
        {"tenant-viewer", "ten_1", NULL, &write, "ten_2", SG_E_NOT_FOUND},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct api_caller caller = caller_of(cases[i].role, cases[i].own, cases[i].scope);
        struct sg_error err = {0};
        bool ok = api_allow(&caller, cases[i].access, cases[i].tenant_id, &err);
        if (ok != (cases[i].code == SG_OK) || err.code != cases[i].code)
            fail_msg("case %zu: %s", i, sg_error_name(err.code));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),      cmocka_unit_test(test_new),
        cmocka_unit_test(test_judge),       cmocka_unit_test(test_client),
        cmocka_unit_test(test_certificate), cmocka_unit_test(test_allow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
