/* hsm/blob.c: a wrapped key's form, and that everything it is bound to is under the MAC. */
#include "hsm/blob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t octets[400] = {9, 8, 7};

static struct sg_blob blob_of(enum sg_blob_type type)
{
    return (struct sg_blob){.type = type,
                            .generation = 0x01020304,
                            .spki = sg_bytes_of(octets, type == SG_BLOB_PRIVATE ? 294 : 0),
                            .wrapped = sg_bytes_of(octets, 400),
                            .mac = sg_bytes_of(octets, SG_MAC_SIZE)};
}

static void survives_the_trip(void **state)
{
    (void)state;
    for (int type = SG_BLOB_PRIVATE; type <= SG_BLOB_DATA; type++) {
        struct sg_blob blob = blob_of((enum sg_blob_type)type), back;
        struct sg_error err;
        uint8_t out[SG_HSM_BLOB_MAX];
        size_t len = sg_blob_encode(&blob, out, sizeof out);
        assert_true(len > 0);
        assert_true(sg_blob_decode(sg_bytes_of(out, len), blob.type, &back, &err));
        assert_int_equal(back.generation, blob.generation);
        assert_true(sg_bytes_equal(back.spki, blob.spki));
        assert_true(sg_bytes_equal(back.wrapped, blob.wrapped));
        assert_true(sg_bytes_equal(back.mac, blob.mac));
        /* of another type, shorter, longer: damaged */
        enum sg_blob_type other = type == SG_BLOB_DATA ? SG_BLOB_PRIVATE : SG_BLOB_DATA;
        assert_false(sg_blob_decode(sg_bytes_of(out, len), other, &back, &err));
        for (size_t n = 0; n < len; n++)
            assert_false(sg_blob_decode(sg_bytes_of(out, n), blob.type, &back, &err));
        assert_int_equal(err.code, SG_E_HSM_KEY);
        out[len] = 0;
        assert_false(sg_blob_decode(sg_bytes_of(out, len + 1), blob.type, &back, &err));
    }
}

static void does_not_overflow(void **state)
{
    (void)state;
    struct sg_blob blob = blob_of(SG_BLOB_PRIVATE);
    uint8_t out[SG_HSM_BLOB_MAX];
    size_t len = sg_blob_encode(&blob, out, sizeof out);
    assert_int_equal(sg_blob_encode(&blob, out, len), len);
    for (size_t size = 0; size < len; size++)
        assert_int_equal(sg_blob_encode(&blob, out, size), 0);
}

/* Each name and each part of the blob changes what the MAC is over. */
static void everything_is_bound(void **state)
{
    (void)state;
    uint8_t base[SG_BLOB_BOUND_MAX], changed[SG_BLOB_BOUND_MAX];
    struct sg_blob blob = blob_of(SG_BLOB_PRIVATE);
    const struct sg_hsm_request names = {.class = SG_HSM_DCA,
                                         .id = sg_bytes_str("key_1"),
                                         .tenant = sg_bytes_str("ten_1"),
                                         .domain = sg_bytes_str("dom_1"),
                                         .binding = sg_bytes_str("b")};
    size_t len = sg_blob_bound(&blob, &names, base);
    assert_true(len > 0);
#define DIFFERS(change)                                                                            \
    do {                                                                                           \
        struct sg_blob b = blob;                                                                   \
        struct sg_hsm_request n = names;                                                           \
        change;                                                                                    \
        size_t other = sg_blob_bound(&b, &n, changed);                                             \
        assert_true(other > 0);                                                                    \
        assert_false(sg_bytes_equal(sg_bytes_of(base, len), sg_bytes_of(changed, other)));         \
    } while (0)
    DIFFERS(n.class = SG_HSM_ARCHIVE);
    DIFFERS(n.id = sg_bytes_str("key_2"));
    DIFFERS(n.tenant = sg_bytes_str("ten_2"));
    DIFFERS(n.domain = sg_bytes_str("dom_2"));
    DIFFERS(n.binding = sg_bytes_str(""));
    DIFFERS(b.type = SG_BLOB_DATA);
    DIFFERS(b.generation = 5);
    DIFFERS(b.spki.len--);
    DIFFERS(b.wrapped.len--);
    /* What moves from one name into the next is another name. */
    DIFFERS(n.id = sg_bytes_str("key_1t"); n.tenant = sg_bytes_str("en_1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(survives_the_trip),
        cmocka_unit_test(does_not_overflow),
        cmocka_unit_test(everything_is_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
