/* hsm/token.c: which token is meant, by label, slot and URI (RFC 7512). */
#include "hsm/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static CK_INFO module_info;
static CK_SLOT_INFO slot_info;
static CK_TOKEN_INFO token_info;

static void text_set(unsigned char *field, size_t size, const char *text)
{
    memset(field, ' ', size);
    memcpy(field, text, strlen(text));
}

static int setup(void **state)
{
    (void)state;
    text_set(module_info.manufacturerID, sizeof module_info.manufacturerID, "SoftHSM");
    text_set(slot_info.slotDescription, sizeof slot_info.slotDescription, "SoftHSM slot");
    text_set(token_info.label, sizeof token_info.label, "Sealgate one");
    text_set(token_info.manufacturerID, sizeof token_info.manufacturerID, "SoftHSM project");
    text_set(token_info.model, sizeof token_info.model, "SoftHSM v2");
    text_set(token_info.serialNumber, sizeof token_info.serialNumber, "0a1b2c3d4e5f6071");
    return 0;
}

static bool matches(const char *label, int64_t slot, const char *uri)
{
    struct sg_token_choice choice = {.label = label, .slot = slot, .uri = uri};
    return sg_token_choice_matches(&choice, &module_info, 17, &slot_info, &token_info);
}

static void by_label_and_slot(void **state)
{
    (void)state;
    assert_true(matches("Sealgate one", -1, ""));
    assert_false(matches("Sealgate", -1, ""));
    assert_false(matches("Sealgate one ", -1, ""));
    assert_true(matches("", 17, ""));
    assert_false(matches("", 18, ""));
}

static void by_uri(void **state)
{
    (void)state;
    assert_true(matches("", -1, "pkcs11:token=Sealgate%20one"));
    assert_true(matches("", -1, "pkcs11:token=Sealgate%20one;serial=0a1b2c3d4e5f6071"));
    assert_true(matches("", -1, "pkcs11:manufacturer=SoftHSM%20project;model=SoftHSM%20v2"));
    assert_true(matches("", -1, "pkcs11:slot-id=17"));
    assert_false(matches("", -1, "pkcs11:slot-id=18"));
    assert_false(matches("", -1, "pkcs11:token=Sealgate%20one;serial=0a1b2c3d4e5f6072"));
    assert_false(matches("", -1, "pkcs11:token=Sealgate"));
    assert_false(matches("", -1, "pkcs11:token=Sealgate%20one;slot-id=3"));
    assert_false(matches("", -1, "pkcs11:library-manufacturer=Somebody;token=Sealgate%20one"));
}

static void exactly_one_choice(void **state)
{
    (void)state;
    struct sg_error err;
    struct sg_token_choice none = {.label = "", .slot = -1, .uri = ""};
    struct sg_token_choice two = {.label = "T", .slot = 0, .uri = ""};
    struct sg_token_choice long_label = {
        .label = "123456789012345678901234567890123", .slot = -1, .uri = ""};
    struct sg_token_choice one = {.label = "T", .slot = -1, .uri = ""};
    assert_false(sg_token_choice_check(&none, &err));
    assert_false(sg_token_choice_check(&two, &err));
    assert_false(sg_token_choice_check(&long_label, &err));
    assert_true(sg_token_choice_check(&one, &err));
}

static void uris_that_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "http://example.test",
        "pkcs11",
        "pkcs11:token=%zz",
        "pkcs11:token=T?pin-value=1234",
        "pkcs11:token=T?pin-source=file:/etc/pin",
        "pkcs11:token=T;object=key",
        "pkcs11:token=T?module-path=/tmp/evil.so",
        "pkcs11:token=T;unheard-of=1",
    };
    struct sg_error err;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sg_token_choice choice = {.label = "", .slot = -1, .uri = bad[i]};
        if (sg_token_choice_check(&choice, &err))
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(err.code, SG_E_CONFIG);
    }
}

static void return_values_have_one_meaning(void **state)
{
    (void)state;
    assert_int_equal(sg_rv_kind(CKR_OK), SG_RV_OK);
    assert_int_equal(sg_rv_kind(CKR_SESSION_HANDLE_INVALID), SG_RV_LOST);
    assert_int_equal(sg_rv_kind(CKR_TOKEN_NOT_PRESENT), SG_RV_LOST);
    assert_int_equal(sg_rv_kind(CKR_KEY_HANDLE_INVALID), SG_RV_STALE);
    assert_int_equal(sg_rv_kind(CKR_PIN_INCORRECT), SG_RV_PIN);
    assert_int_equal(sg_rv_kind(CKR_PIN_LOCKED), SG_RV_PIN);
    assert_int_equal(sg_rv_kind(CKR_GENERAL_ERROR), SG_RV_FAILED);
    assert_int_equal(sg_rv_kind(CKR_VENDOR_DEFINED), SG_RV_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_label_and_slot),
        cmocka_unit_test(by_uri),
        cmocka_unit_test(exactly_one_choice),
        cmocka_unit_test(uris_that_are_refused),
        cmocka_unit_test(return_values_have_one_meaning),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
