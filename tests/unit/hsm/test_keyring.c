/* hsm/keyring.c on a token of our own: labels, and what goes wrong with them. */
#include "hsm/keyring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define OBJECTS 2000

/* The token: secret keys and nothing else. A handle is the place in the array, and one. */
static char labels[OBJECTS][64];
static size_t object_count, searched;
static int makes_left; /* that C_GenerateKey does before it fails */
static bool destroys;

static CK_RV find_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    (void)session, (void)attrs, (void)count;
    searched = 0;
    return CKR_OK;
}

static CK_RV find(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *found, CK_ULONG max,
                  CK_ULONG *count_r)
{
    (void)session;
    for (*count_r = 0; searched < object_count && *count_r < max; searched++)
        if (labels[searched][0])
            found[(*count_r)++] = searched + 1;
    return CKR_OK;
}

static CK_RV find_final(CK_SESSION_HANDLE session)
{
    (void)session;
    return CKR_OK;
}

static CK_RV get(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attrs,
                 CK_ULONG count)
{
    const char *label = labels[object - 1];
    (void)session;
    assert_true(count == 1 && attrs[0].type == CKA_LABEL);
    attrs[0].ulValueLen = strlen(label);
    memcpy(attrs[0].pValue, label, strlen(label));
    return CKR_OK;
}

static CK_OBJECT_HANDLE add(const char *label)
{
    assert_true(object_count < OBJECTS);
    snprintf(labels[object_count], sizeof labels[0], "%s", label);
    return ++object_count;
}

static CK_RV generate(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *attrs,
                      CK_ULONG count, CK_OBJECT_HANDLE *key_r)
{
    char label[64];
    (void)session, (void)mechanism;
    if (makes_left-- <= 0)
        return CKR_DEVICE_ERROR;
    for (CK_ULONG i = 0; i < count; i++)
        if (attrs[i].type == CKA_LABEL)
            snprintf(label, sizeof label, "%.*s", (int)attrs[i].ulValueLen,
                     (const char *)attrs[i].pValue);
    *key_r = add(label);
    return CKR_OK;
}

static CK_RV destroy(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
    (void)session;
    if (!destroys)
        return CKR_DEVICE_ERROR;
    labels[object - 1][0] = 0;
    return CKR_OK;
}

static CK_RV session_info(CK_SESSION_HANDLE session, CK_SESSION_INFO *info)
{
    (void)session;
    memset(info, 0, sizeof *info);
    info->state = CKS_RO_USER_FUNCTIONS;
    return CKR_OK;
}

static CK_FUNCTION_LIST list = {.C_FindObjectsInit = find_init,
                                .C_FindObjects = find,
                                .C_FindObjectsFinal = find_final,
                                .C_GetAttributeValue = get,
                                .C_GenerateKey = generate,
                                .C_DestroyObject = destroy,
                                .C_GetSessionInfo = session_info};

/* ---------------------------------------------------------------------------------------------- */

static struct sg_keyring *keyring;
static struct sg_kek kek;
static struct sg_error err;

static int setup(void **state)
{
    (void)state;
    memset(labels, 0, sizeof labels);
    memset(&err, 0, sizeof err);
    object_count = 0;
    makes_left = OBJECTS;
    destroys = true;
    keyring = sg_keyring_new("kek");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sg_keyring_free(&keyring);
    return 0;
}

static CK_RV get_of(unsigned generation)
{
    const struct sg_session session = {.p11 = &list, .generation = 1};
    return sg_keyring_get(keyring, &session, generation, &kek, &err);
}

/* The number that hsmctl gives to the next generation. */
static unsigned next(void)
{
    struct sg_kek keks[SG_KEK_GENERATIONS];
    size_t count;
    assert_int_equal(sg_kek_list(&list, 1, "kek", keks, &count), CKR_OK);
    return count ? keks[count - 1].generation + 1 : 1;
}

static void generations_are_found(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 4; n++)
        assert_int_equal(sg_kek_make(&list, 1, "kek", n), CKR_OK);
    assert_int_equal(get_of(0), CKR_OK);
    assert_int_equal(kek.generation, 3);
    assert_int_equal(get_of(2), CKR_OK);
    assert_string_equal(labels[kek.kek - 1], "kek-2");
    assert_string_equal(labels[kek.data - 1], "kek-data-2");
    assert_string_equal(labels[kek.mac - 1], "kek-mac-2");
    assert_int_equal(get_of(4), SG_RV_REFUSED);
    assert_int_equal(err.code, SG_E_HSM_KEY);
    assert_int_equal(next(), 4);
}

/* One that was made meanwhile is wrapped under from then on. */
static void what_is_known_is_read_anew(void **state)
{
    (void)state;
    assert_int_equal(sg_kek_make(&list, 1, "kek", 1), CKR_OK);
    assert_int_equal(get_of(0), CKR_OK);
    assert_int_equal(sg_kek_make(&list, 1, "kek", 2), CKR_OK);
    assert_int_equal(get_of(0), CKR_OK);
    assert_int_equal(kek.generation, 1);
    sg_keyring_renew(keyring);
    assert_int_equal(get_of(0), CKR_OK);
    assert_int_equal(kek.generation, 2);
}

static void what_fails_leaves_nothing(void **state)
{
    (void)state;
    for (int made = 0; made < 3; made++) {
        makes_left = made;
        assert_int_equal(sg_kek_make(&list, 1, "kek", 1), CKR_DEVICE_ERROR);
        assert_int_equal(next(), 1);
        for (size_t i = 0; i < object_count; i++)
            assert_string_equal(labels[i], "");
    }
}

/* Nor does what could not be destroyed come to be part of another generation. */
static void a_number_is_given_once(void **state)
{
    (void)state;
    assert_int_equal(sg_kek_make(&list, 1, "kek", 1), CKR_OK);
    makes_left = 1;
    destroys = false;
    assert_int_equal(sg_kek_make(&list, 1, "kek", 2), CKR_DEVICE_ERROR);
    assert_int_equal(next(), 3);
    assert_int_equal(get_of(0), CKR_OK);
    assert_int_equal(kek.generation, 1);
    assert_int_equal(get_of(2), SG_RV_REFUSED);
}

/* Which of the two would be a matter of luck. The other generations serve. */
static void a_part_that_is_there_twice(void **state)
{
    static const char *const parts[] = {"kek-3", "kek-data-3", "kek-mac-3"};
    for (size_t i = 0; i < 3; i++) {
        teardown(state);
        setup(state);
        for (unsigned n = 1; n < 4; n++)
            assert_int_equal(sg_kek_make(&list, 1, "kek", n), CKR_OK);
        add(parts[i]);
        assert_int_equal(get_of(3), SG_RV_REFUSED);
        assert_int_equal(err.code, SG_E_HSM_UNAVAILABLE); /* a hand can mend it */
        assert_int_equal(get_of(0), CKR_OK);
        assert_int_equal(kek.generation, 2);
        assert_int_equal(get_of(1), CKR_OK);
        assert_int_equal(next(), 4);
    }
}

static void among_many_keys_of_others(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++)
        add("somebody's");
    assert_int_equal(sg_kek_make(&list, 1, "kek", 1), CKR_OK);
    assert_int_equal(get_of(1), CKR_OK);
    assert_int_equal(next(), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(generations_are_found, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_known_is_read_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(what_fails_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_number_is_given_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_part_that_is_there_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(among_many_keys_of_others, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
