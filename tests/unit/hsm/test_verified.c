/* hsm/verified.c: says of no name that it was verified but of one that was. */
#include "hsm/verified.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void name_of(uint32_t place, uint8_t rest, uint8_t name[SG_CACHE_NAME])
{
    memset(name, rest, SG_CACHE_NAME);
    memcpy(name, &place, sizeof place);
}

static void only_what_was_added(void **state)
{
    (void)state;
    struct sg_verified *v = sg_verified_new();
    uint8_t name[SG_CACHE_NAME], other[SG_CACHE_NAME];
    name_of(7, 1, name);
    assert_false(sg_verified_has(v, name));
    sg_verified_add(v, name);
    assert_true(sg_verified_has(v, name));
    for (size_t i = 0; i < SG_CACHE_NAME; i++) {
        memcpy(other, name, sizeof other);
        other[i] ^= 1;
        assert_false(sg_verified_has(v, other));
    }
    sg_verified_free(&v);
}

static void newer_takes_the_place(void **state)
{
    (void)state;
    struct sg_verified *v = sg_verified_new();
    uint8_t older[SG_CACHE_NAME], newer[SG_CACHE_NAME], beside[SG_CACHE_NAME];
    name_of(7, 1, older);
    name_of(7 + SG_VERIFIED_PLACES, 1, newer);
    name_of(6 + SG_VERIFIED_PLACES, 1, beside);
    sg_verified_add(v, older);
    sg_verified_add(v, beside);
    assert_true(sg_verified_has(v, older));
    sg_verified_add(v, newer);
    assert_false(sg_verified_has(v, older));
    assert_true(sg_verified_has(v, newer));
    assert_true(sg_verified_has(v, beside));
    sg_verified_free(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_what_was_added),
                                       cmocka_unit_test(newer_takes_the_place)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
