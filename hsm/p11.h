/*
 * A PKCS#11 module: loading it, the meaning of its return values to us, and the few calls that
 * take more than one line. Nothing here keeps state beyond the module itself.
 */
#ifndef SG_HSM_P11_H
#define SG_HSM_P11_H

#include "common/bytes.h"
#include "common/error.h"

#include <p11-kit/pkcs11.h>

struct sg_module {
    void *library;
    CK_FUNCTION_LIST *p11;
};

/* Loads it; nothing of it runs yet. */
SG_MUST_USE bool sg_module_open(struct sg_module *module, const char *path, struct sg_error *err);
/* C_Initialize; that it is done already is no error. */
SG_MUST_USE bool sg_module_start(const struct sg_module *module, struct sg_error *err);
/* C_Finalize. No other thread may be in the module. */
void sg_module_stop(const struct sg_module *module);
/* Unloads it, stopped or never started. */
void sg_module_close(struct sg_module *module);

enum sg_rv_kind {
    SG_RV_OK,
    SG_RV_STALE, /* an object's handle is no longer good: find it again */
    SG_RV_LOST,  /* the session or the login is gone: begin anew */
    SG_RV_PIN,   /* the PIN is wrong: never try it twice, the token would lock */
    SG_RV_FAILED /* the operation failed, the session may go on */
};
enum sg_rv_kind sg_rv_kind(CK_RV rv);

extern CK_BBOOL sg_p11_true, sg_p11_false;
#define SG_P11_BOOL(type, value)                                                                   \
    {                                                                                              \
        (type), (value) ? &sg_p11_true : &sg_p11_false, sizeof(CK_BBOOL)                           \
    }
#define SG_P11_VALUE(type, variable)                                                               \
    {                                                                                              \
        (type), &(variable), sizeof(variable)                                                      \
    }

/* Finds at most max objects; *count_r of them are in found. */
CK_RV sg_p11_find(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session, CK_ATTRIBUTE *attrs,
                  CK_ULONG attr_count, CK_OBJECT_HANDLE *found, CK_ULONG max, CK_ULONG *count_r);
/* One attribute into buf; *len_r 0 where the object has none. */
CK_RV sg_p11_get(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                 CK_ATTRIBUTE_TYPE type, void *buf, size_t size, size_t *len_r);
CK_RV sg_p11_sign(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key,
                  CK_MECHANISM *mechanism, struct sg_bytes in, uint8_t *out, size_t *len);
CK_RV sg_p11_decrypt(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key,
                     CK_MECHANISM *mechanism, struct sg_bytes in, uint8_t *out, size_t *len);

#endif
