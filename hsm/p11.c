#include "hsm/p11.h"

#include <dlfcn.h>
#include <string.h>

CK_BBOOL sg_p11_true = CK_TRUE, sg_p11_false = CK_FALSE;

bool sg_module_open(struct sg_module *module, const char *path, struct sg_error *err)
{
    memset(module, 0, sizeof *module);
    module->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!module->library)
        return sg_fail(err, SG_E_CONFIG, "PKCS#11 module: %s", dlerror());
    CK_C_GetFunctionList get;
    void *symbol = dlsym(module->library, "C_GetFunctionList");
    memcpy(&get, &symbol, sizeof get);
    if (!get || get(&module->p11) != CKR_OK || !module->p11) {
        dlclose(module->library);
        module->library = NULL;
        return sg_fail(err, SG_E_CONFIG, "%s is no PKCS#11 module", path);
    }
    return true;
}

bool sg_module_start(const struct sg_module *module, struct sg_error *err)
{
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    CK_RV rv = module->p11->C_Initialize(&args);
    return rv == CKR_OK || rv == CKR_CRYPTOKI_ALREADY_INITIALIZED ||
           sg_fail_pkcs11(err, SG_E_HSM_UNAVAILABLE, rv, "C_Initialize");
}

void sg_module_stop(const struct sg_module *module)
{
    module->p11->C_Finalize(NULL);
}

void sg_module_close(struct sg_module *module)
{
    if (module->library)
        dlclose(module->library);
    memset(module, 0, sizeof *module);
}

enum sg_rv_kind sg_rv_kind(CK_RV rv)
{
    switch (rv) {
    case CKR_OK:
        return SG_RV_OK;
    case CKR_KEY_HANDLE_INVALID:
    case CKR_OBJECT_HANDLE_INVALID:
        return SG_RV_STALE;
    case CKR_SESSION_HANDLE_INVALID:
    case CKR_SESSION_CLOSED:
    case CKR_USER_NOT_LOGGED_IN:
    case CKR_WRAPPING_KEY_HANDLE_INVALID:
    case CKR_UNWRAPPING_KEY_HANDLE_INVALID:
    case CKR_CRYPTOKI_NOT_INITIALIZED:
    case CKR_DEVICE_ERROR:
    case CKR_DEVICE_REMOVED:
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_TOKEN_NOT_RECOGNIZED:
    case CKR_SLOT_ID_INVALID:
        return SG_RV_LOST;
    case CKR_PIN_INCORRECT:
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE:
    case CKR_PIN_EXPIRED:
    case CKR_PIN_LOCKED:
    case CKR_USER_PIN_NOT_INITIALIZED:
        return SG_RV_PIN;
    default:
        return SG_RV_FAILED;
    }
}

CK_RV sg_p11_find(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session, CK_ATTRIBUTE *attrs,
                  CK_ULONG attr_count, CK_OBJECT_HANDLE *found, CK_ULONG max, CK_ULONG *count_r)
{
    *count_r = 0;
    CK_RV rv = p11->C_FindObjectsInit(session, attrs, attr_count);
    if (rv != CKR_OK)
        return rv;
    while (*count_r < max) {
        CK_ULONG n = 0;
        rv = p11->C_FindObjects(session, found + *count_r, max - *count_r, &n);
        if (rv != CKR_OK || n == 0)
            break;
        *count_r += n;
    }
    CK_RV final = p11->C_FindObjectsFinal(session);
    return rv != CKR_OK ? rv : final;
}

CK_RV sg_p11_get(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                 CK_ATTRIBUTE_TYPE type, void *buf, size_t size, size_t *len_r)
{
    CK_ATTRIBUTE attr = {type, buf, size};
    *len_r = 0;
    CK_RV rv = p11->C_GetAttributeValue(session, object, &attr, 1);
    if (rv == CKR_ATTRIBUTE_TYPE_INVALID)
        return CKR_OK;
    if (rv == CKR_OK && attr.ulValueLen <= size)
        *len_r = attr.ulValueLen;
    return rv;
}

CK_RV sg_p11_sign(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key,
                  CK_MECHANISM *mechanism, struct sg_bytes in, uint8_t *out, size_t *len)
{
    CK_ULONG n = *len;
    CK_RV rv = p11->C_SignInit(session, mechanism, key);
    if (rv == CKR_OK)
        rv = p11->C_Sign(session, (CK_BYTE *)in.data, in.len, out, &n);
    *len = rv == CKR_OK ? n : 0;
    return rv;
}

CK_RV sg_p11_decrypt(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key,
                     CK_MECHANISM *mechanism, struct sg_bytes in, uint8_t *out, size_t *len)
{
    CK_ULONG n = *len;
    CK_RV rv = p11->C_DecryptInit(session, mechanism, key);
    if (rv == CKR_OK)
        rv = p11->C_Decrypt(session, (CK_BYTE *)in.data, in.len, out, &n);
    *len = rv == CKR_OK ? n : 0;
    return rv;
}
