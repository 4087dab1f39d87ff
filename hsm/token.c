#include "hsm/token.h"

#include <p11-kit/uri.h>
#include <string.h>

#define SLOTS_MAX 256

static void uri_free(P11KitUri **uri)
{
    p11_kit_uri_free(*uri);
}
#define AUTO_URI __attribute__((cleanup(uri_free))) P11KitUri *

struct sg_bytes sg_p11_text(const void *field, size_t size)
{
    struct sg_bytes text = sg_bytes_of(field, size);
    while (text.len && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == 0))
        text.len--;
    return text;
}

static bool uri_parse(const char *text, P11KitUri *uri, struct sg_error *err)
{
    int rc = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri);
    if (rc != P11_KIT_URI_OK)
        return sg_fail(err, SG_E_CONFIG, "uri: %s", p11_kit_uri_message(rc));
    if (p11_kit_uri_any_unrecognized(uri))
        return sg_fail(err, SG_E_CONFIG, "uri: an attribute that is not known");
    if (p11_kit_uri_get_pin_value(uri) || p11_kit_uri_get_pin_source(uri))
        return sg_fail(err, SG_E_CONFIG, "uri: the PIN belongs into pin_file");
    if (p11_kit_uri_get_module_path(uri) || p11_kit_uri_get_module_name(uri))
        return sg_fail(err, SG_E_CONFIG, "uri: the module is set by the key module");
    CK_ULONG objects = 0;
    p11_kit_uri_get_attributes(uri, &objects);
    if (objects)
        return sg_fail(err, SG_E_CONFIG, "uri: names an object; a token is wanted");
    return true;
}

bool sg_token_choice_check(const struct sg_token_choice *choice, struct sg_error *err)
{
    int set = (choice->label[0] != 0) + (choice->slot >= 0) + (choice->uri[0] != 0);
    if (set != 1)
        return sg_fail(err, SG_E_CONFIG, "set exactly one of token, slot and uri in [pkcs11]");
    if (strlen(choice->label) > sizeof((CK_TOKEN_INFO *)0)->label)
        return sg_fail(err, SG_E_CONFIG, "token: a label has at most 32 characters");
    if (!choice->uri[0])
        return true;
    AUTO_URI uri = p11_kit_uri_new();
    return uri_parse(choice->uri, uri, err);
}

bool sg_token_choice_matches(const struct sg_token_choice *choice, const CK_INFO *module,
                             CK_SLOT_ID id, const CK_SLOT_INFO *slot, const CK_TOKEN_INFO *token)
{
    if (choice->slot >= 0)
        return id == (CK_SLOT_ID)choice->slot;
    if (choice->label[0])
        return sg_bytes_equal(sg_p11_text(token->label, sizeof token->label),
                              sg_bytes_str(choice->label));
    AUTO_URI uri = p11_kit_uri_new();
    if (!uri_parse(choice->uri, uri, NULL))
        return false;
    CK_SLOT_ID wanted = p11_kit_uri_get_slot_id(uri);
    return (wanted == (CK_SLOT_ID)-1 || wanted == id) &&
           p11_kit_uri_match_module_info(uri, module) && p11_kit_uri_match_slot_info(uri, slot) &&
           p11_kit_uri_match_token_info(uri, token);
}

bool sg_token_find(const struct sg_module *module, const struct sg_token_choice *choice,
                   CK_SLOT_ID *slot_r, struct sg_error *err)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG count = SLOTS_MAX;
    CK_INFO info;
    int found = 0;
    CK_RV rv = module->p11->C_GetInfo(&info);
    if (rv == CKR_OK)
        rv = module->p11->C_GetSlotList(CK_TRUE, slots, &count);
    if (rv != CKR_OK)
        return sg_fail_pkcs11(err, SG_E_HSM_UNAVAILABLE, rv, "no list of slots");
    for (CK_ULONG i = 0; i < count; i++) {
        CK_SLOT_INFO slot;
        CK_TOKEN_INFO token;
        if (module->p11->C_GetSlotInfo(slots[i], &slot) != CKR_OK ||
            module->p11->C_GetTokenInfo(slots[i], &token) != CKR_OK ||
            !sg_token_choice_matches(choice, &info, slots[i], &slot, &token))
            continue;
        *slot_r = slots[i];
        found++;
    }
    if (found > 1)
        return sg_fail(err, SG_E_CONFIG, "%d tokens fit the configuration", found);
    return found == 1 || sg_fail(err, SG_E_HSM_UNAVAILABLE, "the token is not there");
}

bool sg_token_login(const struct sg_module *module, CK_SLOT_ID slot, const char *pin_file,
                    bool writable, CK_SESSION_HANDLE *session_r, struct sg_error *err)
{
    SG_AUTO_SECRET pin = {0};
    if (!sg_secret_read(&pin, pin_file, err)) {
        if (err)
            err->code = SG_E_CONFIG; /* also where it is too long or no file: the token is well */
        return false;
    }
    CK_FLAGS flags = CKF_SERIAL_SESSION | (writable ? CKF_RW_SESSION : 0);
    CK_RV rv = module->p11->C_OpenSession(slot, flags, NULL, NULL, session_r);
    if (rv != CKR_OK)
        return sg_fail_pkcs11(err, SG_E_HSM_UNAVAILABLE, rv, "no session with the token");
    rv = module->p11->C_Login(*session_r, CKU_USER, pin.data, pin.len);
    if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN)
        return true;
    module->p11->C_CloseSession(*session_r);
    if (sg_rv_kind(rv) == SG_RV_PIN)
        return sg_fail_pkcs11(err, SG_E_CONFIG, rv, "the token refuses the PIN of %s", pin_file);
    return sg_fail_pkcs11(err, SG_E_HSM_UNAVAILABLE, rv, "no login to the token");
}

bool sg_token_pin_refused(const struct sg_error *err)
{
    return err->code == SG_E_CONFIG && err->lib == SG_LIB_PKCS11;
}
