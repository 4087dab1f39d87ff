/* The judgement about this host's clock. REQ-90 REQ-141 */
#include "common/clock.h"
#include "schema/clock_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MS 1000

static void test_judgement(void **state)
{
    (void)state;
    static const struct {
        struct sg_clock_sync sync;
        bool compared;
        int64_t away_us;
        const char *says; /* NULL: all is well */
    } cases[] = {
        /* tolerance 1 s */
        {{.synchronised = true}, true, 0, NULL},
        {{.synchronised = true, .error_us = 1000 * MS}, true, 1000 * MS, NULL},
        {{.synchronised = true, .offset_us = -1000 * MS}, true, -1000 * MS, NULL},
        {{.synchronised = true, .maximum_us = 9000 * MS}, true, 0, NULL},
        {{.synchronised = false}, true, 0, "not synchronised"},
        {{.synchronised = true, .error_us = 1000 * MS + 1}, true, 0, "may be wrong by 1000 ms"},
        {{.synchronised = true, .offset_us = -1000 * MS - 1}, true, 0, "corrected: -1000 ms"},
        {{.synchronised = true}, true, 1000 * MS + 1, "ahead by 1000 ms"},
        {{.synchronised = true}, true, -2000 * MS, "behind by 2000 ms"},
        {{.synchronised = true}, false, 5000 * MS, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char words[200] = "";
        const char *said =
            sg_clock_judge(&cases[i].sync, cases[i].compared, cases[i].away_us, 1000, words);
        assert_int_equal(said == NULL, cases[i].says == NULL);
        if (said)
            assert_non_null(strstr(said, cases[i].says));
    }
}

static void test_real(void **state)
{
    (void)state;
    struct sg_clock_sync sync;
    struct sg_error err = {0};
    assert_true(sg_clock_sync_read(&sync, &err)); /* nobody needs a privilege to read it */
    assert_true(sync.error_us >= 0 && sync.maximum_us >= 0 && sync.elsewhere_us == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_judgement),
                                       cmocka_unit_test(test_real)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
