#include "support.h"

#include "api/settings.h"

#include <string.h>

static void test_listen(void **state)
{
    (void)state;
    static const struct {
        const char *listen;
        bool good;
    } cases[] = {
        {"inet:127.0.0.1:47005", true},
        {"inet:127.0.0.1:47005  unix:/run/apid.sock", true},
        {"inet:[::1]:47005", true},
        {"unix:/run/apid.sock", true},
        {"tls:0.0.0.0:443", true},
        {"tls:[::]:443 inet:127.0.0.1:47005", true},
        {"tls:localhost:443", false},
        {"tls:192.0.2.1", false},
        {"", false},
        {"inet:0.0.0.0:47005", false},
        {"inet:192.0.2.1:47005", false},
        {"inet:[::]:47005", false},
        {"inet:[2001:db8::1]:47005", false},
        {"inet:localhost:47005", false},
        {"inet:127.0.0.1", false},
        {"unix:run/apid.sock", false},
        {"127.0.0.1:47005", false},
        {"unix:/a unix:/b unix:/c unix:/d unix:/e", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char listen[200], clock[] = "";
        strcpy(listen, cases[i].listen);
        char file[] = "file.pem", rates[] = "*=1/1";
        struct api_settings s = {.listen = listen,
                                 .clock_file = clock,
                                 .rates = rates,
                                 .ops_listen = clock,
                                 .idle_timeout = 30000,
                                 .usage_table_time = 29999,
                                 .tls_certificate_file = file,
                                 .tls_key_file = file};
        struct sg_error err = {0};
        if (api_settings_check(&s, &err) != cases[i].good)
            fail_msg("%s: %s", cases[i].listen, err.detail);
        s.rates = clock; /* none */
        assert_false(api_settings_check(&s, &err));
        s.rates = rates;
        s.tls_key_file = clock; /* none */
        bool tls = strstr(cases[i].listen, "tls:") != NULL;
        if (api_settings_check(&s, &err) != (cases[i].good && !tls))
            fail_msg("%s: %s", cases[i].listen, err.detail);
    }
}

/* A client that is not waited for gets no table. */
static void test_table_time(void **state)
{
    (void)state;
    char listen[] = "unix:/run/apid.sock", rates[] = "*=1/1", none[] = "";
    struct api_settings s = {.listen = listen,
                             .clock_file = none,
                             .rates = rates,
                             .ops_listen = none,
                             .idle_timeout = 5000,
                             .usage_table_time = 4999};
    struct sg_error err = {0};
    assert_true(api_settings_check(&s, &err));
    s.usage_table_time = 5000;
    assert_false(api_settings_check(&s, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_listen),
                                       cmocka_unit_test(test_table_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
