/* hsmctl: making a token, making key-encryption keys, listing. */
#include "hsm/ctl.h"
#include "hsm/ec.h"

#include <stdio.h>
#include <string.h>

#define SLOTS_MAX   256
#define OBJECTS_MAX 100000

/*
 * A slot whose token is not initialised; or the configured one. Or that of the token that an
 * earlier run began (*begun_r) and whose user PIN it did not come to set.
 */
static bool slot_find(struct sg_ctl *ctl, CK_SLOT_ID *slot_r, bool *begun_r, struct sg_error *err)
{
    CK_FUNCTION_LIST *p11 = ctl->module.p11;
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG count = SLOTS_MAX;
    bool found = false;
    CK_RV rv = p11->C_GetSlotList(CK_TRUE, slots, &count);
    if (rv != CKR_OK)
        return sg_fail_pkcs11(err, SG_E_HSM_UNAVAILABLE, rv, "no list of slots");
    for (CK_ULONG i = 0; i < count; i++) {
        CK_TOKEN_INFO info;
        if (p11->C_GetTokenInfo(slots[i], &info) != CKR_OK)
            continue;
        bool named =
            sg_bytes_equal(sg_p11_text(info.label, sizeof info.label), sg_bytes_str(ctl->label));
        if ((info.flags & CKF_TOKEN_INITIALIZED) && named) {
            *begun_r = !(info.flags & CKF_USER_PIN_INITIALIZED);
            return *begun_r ||
                   sg_fail(err, SG_E_CONFLICT, "there is a token %s already", ctl->label);
        }
        if (found || (info.flags & CKF_TOKEN_INITIALIZED))
            continue;
        if (ctl->settings.slot < 0 || slots[i] == (CK_SLOT_ID)ctl->settings.slot) {
            *slot_r = slots[i];
            found = true;
        }
    }
    return found ||
           sg_fail(err, SG_E_HSM_UNAVAILABLE, "no slot with a token that is not initialised");
}

static bool user_pin_set(struct sg_ctl *ctl, const struct sg_secret *so_pin,
                         const struct sg_secret *pin, struct sg_error *err)
{
    CK_FUNCTION_LIST *p11 = ctl->module.p11;
    struct sg_token_choice made = {.label = ctl->label, .slot = -1, .uri = ""};
    CK_SLOT_ID slot = 0;
    CK_SESSION_HANDLE session;
    if (!sg_token_find(&ctl->module, &made, &slot, err))
        return false;
    CK_RV rv = p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session);
    if (rv != CKR_OK)
        return sg_fail_pkcs11(err, SG_E_HSM_UNAVAILABLE, rv, "no session with the token");
    rv = p11->C_Login(session, CKU_SO, (CK_BYTE *)so_pin->data, so_pin->len);
    if (rv == CKR_OK) {
        rv = p11->C_InitPIN(session, (CK_BYTE *)pin->data, pin->len);
        p11->C_Logout(session);
    }
    p11->C_CloseSession(session);
    return rv == CKR_OK || sg_fail_pkcs11(err, SG_E_HSM_OPERATION, rv, "the user PIN is not set");
}

bool sg_ctl_token_init(struct sg_ctl *ctl, struct sg_error *err)
{
    uint8_t label[sizeof((CK_TOKEN_INFO *)0)->label];
    CK_SLOT_ID slot = 0;
    bool begun = false;
    SG_AUTO_SECRET so_pin = {0};
    SG_AUTO_SECRET pin = {0};
    if (!ctl->label || !ctl->label[0] || strlen(ctl->label) > sizeof label)
        return sg_fail(err, SG_E_USAGE, "--label of 1 to %zu characters is wanted", sizeof label);
    /* All that may be missing is asked for before anything is made. */
    if (!slot_find(ctl, &slot, &begun, err) || !sg_secret_read(&pin, ctl->settings.pin_file, err) ||
        !sg_ctl_pin(&so_pin, ctl->so_pin_file, "Security officer's PIN", err))
        return false;
    memset(label, ' ', sizeof label);
    memcpy(label, ctl->label, strlen(ctl->label));
    CK_RV rv = CKR_OK;
    if (!begun)
        rv = ctl->module.p11->C_InitToken(slot, so_pin.data, so_pin.len, label);
    if (rv != CKR_OK)
        return sg_fail_pkcs11(err, SG_E_HSM_OPERATION, rv, "the token is not initialised");
    if (!user_pin_set(ctl, &so_pin, &pin, err))
        return false;
    printf("token %s made\n", ctl->label);
    return true;
}

static bool log_in(struct sg_ctl *ctl, bool writable, CK_SESSION_HANDLE *session_r,
                   struct sg_error *err)
{
    struct sg_token_choice choice = sg_hsmd_token(&ctl->settings);
    CK_SLOT_ID slot = 0;
    return sg_token_find(&ctl->module, &choice, &slot, err) &&
           sg_token_login(&ctl->module, slot, ctl->settings.pin_file, writable, session_r, err);
}

bool sg_ctl_kek_make(struct sg_ctl *ctl, struct sg_error *err)
{
    CK_FUNCTION_LIST *p11 = ctl->module.p11;
    CK_SESSION_HANDLE session;
    struct sg_kek keks[SG_KEK_GENERATIONS];
    size_t count;
    if (!log_in(ctl, true, &session, err))
        return false;
    CK_RV rv = sg_kek_list(p11, session, ctl->settings.kek, keks, &count);
    unsigned generation = count ? keks[count - 1].generation + 1 : 1;
    if (rv == CKR_OK && count == SG_KEK_GENERATIONS)
        return sg_fail(err, SG_E_LIMIT, "the token has %d generations", SG_KEK_GENERATIONS);
    if (rv == CKR_OK)
        rv = sg_kek_make(p11, session, ctl->settings.kek, generation);
    p11->C_CloseSession(session);
    if (rv != CKR_OK)
        return sg_fail_pkcs11(err, SG_E_HSM_OPERATION, rv, "no key-encryption key made");
    printf("%s-%u made\n", ctl->settings.kek, generation);
    return true;
}

static void object_print(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                         const char *kind)
{
    uint8_t label[256], id[64], modulus[1024], params[64];
    size_t label_len, id_len, modulus_len = 0, params_len;
    if (sg_p11_get(p11, session, object, CKA_LABEL, label, sizeof label, &label_len) != CKR_OK ||
        sg_p11_get(p11, session, object, CKA_ID, id, sizeof id, &id_len) != CKR_OK)
        return;
    if (sg_p11_get(p11, session, object, CKA_MODULUS, modulus, sizeof modulus, &modulus_len) !=
        CKR_OK)
        modulus_len = 0;
    printf("%s\t", kind);
    enum sg_key_type curve;
    if (modulus_len)
        printf("rsa-%zu\t", modulus_len * 8);
    else if (sg_p11_get(p11, session, object, CKA_EC_PARAMS, params, sizeof params, &params_len) ==
                 CKR_OK &&
             sg_ec_type(sg_bytes_of(params, params_len), &curve))
        printf("ec-p%zu\t", sg_ec_field_size(curve) * 8);
    else
        printf("-\t");
    for (size_t i = 0; i < id_len; i++)
        printf("%02x", id[i]);
    printf("%s\t%.*s\n", id_len ? "" : "-", (int)label_len, (const char *)label);
}

static CK_RV class_print(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session, CK_OBJECT_CLASS class,
                         const char *kind)
{
    static CK_OBJECT_HANDLE found[OBJECTS_MAX];
    CK_ULONG count;
    CK_ATTRIBUTE attrs[] = {SG_P11_VALUE(CKA_CLASS, class), SG_P11_BOOL(CKA_TOKEN, true)};
    CK_RV rv = sg_p11_find(p11, session, attrs, 2, found, OBJECTS_MAX, &count);
    for (CK_ULONG i = 0; rv == CKR_OK && i < count; i++)
        object_print(p11, session, found[i], kind);
    return rv;
}

bool sg_ctl_list(struct sg_ctl *ctl, struct sg_error *err)
{
    CK_FUNCTION_LIST *p11 = ctl->module.p11;
    CK_SESSION_HANDLE session;
    if (!log_in(ctl, false, &session, err))
        return false;
    printf("kind\talgorithm\tid\tlabel\n");
    CK_RV rv = class_print(p11, session, CKO_SECRET_KEY, "secret");
    if (rv == CKR_OK)
        rv = class_print(p11, session, CKO_PRIVATE_KEY, "private");
    p11->C_CloseSession(session);
    return rv == CKR_OK || sg_fail_pkcs11(err, SG_E_HSM_OPERATION, rv, "cannot list");
}
