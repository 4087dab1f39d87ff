/* The networks that secure mail may be sent into, and what tells one set of them from another.
 * REQ-125 */
#include "pipeline/egress.h"

#include "schema/egress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *configured[2];
static size_t count;
static int asked;

bool sg_egress_list(struct sg_db *db, struct sg_arena *arena, const char *const **networks_r,
                    size_t *count_r, struct sg_error *err)
{
    (void)db, (void)arena, (void)err;
    *networks_r = configured;
    *count_r = count;
    asked++;
    return true;
}

static uint64_t version(struct sg_egress *e)
{
    struct sg_networks *networks;
    struct sg_error err = {0};
    assert_true(sg_egress_get(e, &networks, &err));
    uint64_t found = networks ? sg_networks_version(networks) : 0;
    sg_networks_unref(&networks);
    return found;
}

/* Connections are kept, and counted, by the version: where it changes of itself there are twice as
 * many to a server as may be. */
static void what_is_the_same_stays_the_same(void **state)
{
    (void)state;
    struct sg_egress *e = sg_egress_new(NULL, 30000);
    configured[0] = "192.0.2.0/24";
    count = 1;
    uint64_t first = version(e);
    assert_true(first > 0);
    sg_egress_changed(e); /* read anew */
    assert_true(version(e) == first);
    configured[1] = "2001:db8::/32";
    count = 2;
    sg_egress_changed(e);
    uint64_t second = version(e);
    assert_true(second != first);
    count = 0;
    sg_egress_changed(e);
    assert_true(version(e) == 0);
    count = 1;
    sg_egress_changed(e);
    assert_true(version(e) != first && version(e) != second && version(e) != 0);
    sg_egress_free(&e);
}

/* PostgreSQL is asked again when they are as old as they may get. */
static void known_for_so_long(void **state)
{
    (void)state;
    configured[0] = "192.0.2.0/24";
    count = 1;
    static const struct {
        int64_t holds_ms;
        int asked;
    } cases[] = {{60000, 1}, {0, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sg_egress *e = sg_egress_new(NULL, cases[i].holds_ms);
        asked = 0;
        for (int k = 0; k < 3; k++)
            version(e);
        assert_int_equal(asked, cases[i].asked);
        sg_egress_free(&e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_the_same_stays_the_same),
        cmocka_unit_test(known_for_so_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
