/*
 * A PKCS#11 module for tests: SoftHSM with faults. The file that SG_FAULT_FILE names holds the
 * fault's name; one-shot faults remove it. Each call looks at it anew.
 *
 *   lose    once:  C_SignInit answers CKR_SESSION_HANDLE_INVALID
 *   stale   once:  C_SignInit answers CKR_KEY_HANDLE_INVALID
 *   logout  once:  C_SignInit logs the process out, for real
 *   gone    as long as the file is there: no token, no session, no operation
 *   sick    until C_Initialize is called: C_OpenSession answers CKR_GENERAL_ERROR, and C_SignInit
 *           CKR_FUNCTION_FAILED
 *   deaf    until C_Initialize is called: C_SignInit, C_DecryptInit, C_UnwrapKey and C_GenerateKey
 *           answer CKR_GENERAL_ERROR; sessions are opened, and their state is told
 *   deaf still   the same, as long as the file is there
 *   hide    until C_Initialize is called: C_FindObjects finds nothing
 *   unmade       as long as the file is there: C_GenerateKey makes no AES key
 *   unmade left  the same, and C_DestroyObject destroys nothing
 *   full    as long as the file is there: C_UnwrapKey, C_GenerateKey and C_DeriveKey answer
 *           CKR_DEVICE_MEMORY while there are three objects that they made since the file came
 *   swap    once:  C_GenerateKeyPair gives the public half of another pair
 *   slow    as long as the file is there: C_Sign takes 300 ms longer, and makes a file of that
 *           name with ".slow" behind it when it begins
 *   count   as long as the file is there: how many objects each C_FindObjects has found is a line
 * of the file of that name with ".found" behind it hang CALL   as long as the file says so: that
 * call, or with "all" each of them, does not come back; a file of that name with ".hung" behind it
 * is made when one begins to hang never CALL  the same, and it does not come back either when the
 * file is gone CALL: initialize finalize open-session login info find generate sign decrypt unwrap
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <p11-kit/pkcs11.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SOFTHSM "/usr/lib/softhsm/libsofthsm2.so"

static CK_FUNCTION_LIST list, *real;

static bool fault(const char *name)
{
    const char *path = getenv("SG_FAULT_FILE");
    char text[32] = "";
    FILE *f = path ? fopen(path, "re") : NULL;
    if (!f)
        return false;
    bool read = fgets(text, sizeof text, f) != NULL;
    fclose(f);
    return read && strcmp(text, name) == 0;
}

/* Only one thread gets it. */
static bool fault_once(const char *name)
{
    return fault(name) && unlink(getenv("SG_FAULT_FILE")) == 0;
}

static bool deaf(void)
{
    return fault("deaf") || fault("deaf still");
}

static void mark(const char *suffix)
{
    char path[256];
    snprintf(path, sizeof path, "%s.%s", getenv("SG_FAULT_FILE"), suffix);
    close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
}

static bool hangs(const char *how, const char *call)
{
    char one[32], all[32];
    snprintf(one, sizeof one, "%s %s", how, call);
    snprintf(all, sizeof all, "%s all", how);
    return fault(one) || fault(all);
}

/* Before the call is done. */
static void hang(const char *call)
{
    const struct timespec pause_10ms = {0, 10000000};
    bool never = hangs("never", call);
    if (!never && !hangs("hang", call))
        return;
    mark("hung");
    while (never || hangs("hang", call))
        nanosleep(&pause_10ms, NULL);
}

static CK_RV sign_init(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    if (fault("gone"))
        return CKR_DEVICE_REMOVED;
    if (fault("sick"))
        return CKR_FUNCTION_FAILED;
    if (deaf())
        return CKR_GENERAL_ERROR;
    if (fault_once("lose"))
        return CKR_SESSION_HANDLE_INVALID;
    if (fault_once("stale"))
        return CKR_KEY_HANDLE_INVALID;
    if (fault_once("logout"))
        real->C_Logout(session);
    return real->C_SignInit(session, mechanism, key);
}

static atomic_int made; /* session objects, while the fault is "full" */

static bool full(void)
{
    return fault("full") && atomic_load(&made) >= 3;
}

static CK_RV made_one(CK_RV rv)
{
    if (rv == CKR_OK && fault("full"))
        atomic_fetch_add(&made, 1);
    return rv;
}

static CK_RV generate_key(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *attrs,
                          CK_ULONG count, CK_OBJECT_HANDLE *key_r)
{
    if (mechanism->mechanism == CKM_AES_KEY_GEN && (fault("unmade") || fault("unmade left")))
        return CKR_DEVICE_ERROR;
    if (full())
        return CKR_DEVICE_MEMORY;
    if (deaf())
        return CKR_GENERAL_ERROR;
    return made_one(real->C_GenerateKey(session, mechanism, attrs, count, key_r));
}

static CK_RV destroy_object(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
    CK_RV rv = fault("unmade left") ? CKR_DEVICE_ERROR : real->C_DestroyObject(session, object);
    if (rv == CKR_OK && fault("full"))
        atomic_fetch_sub(&made, 1);
    return rv;
}

static CK_RV generate_key_pair(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
                               CK_ATTRIBUTE *public_attrs, CK_ULONG public_count,
                               CK_ATTRIBUTE *private_attrs, CK_ULONG private_count,
                               CK_OBJECT_HANDLE *public_r, CK_OBJECT_HANDLE *private_r)
{
    CK_OBJECT_HANDLE other;
    hang("generate");
    CK_RV rv = real->C_GenerateKeyPair(session, mechanism, public_attrs, public_count,
                                       private_attrs, private_count, public_r, private_r);
    if (rv == CKR_OK && fault_once("swap"))
        rv = real->C_GenerateKeyPair(session, mechanism, public_attrs, public_count, private_attrs,
                                     private_count, public_r, &other);
    return rv;
}

static CK_RV sign(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG len, CK_BYTE *out,
                  CK_ULONG *out_len)
{
    struct timespec pause = {0, 300000000};
    if (fault("slow")) {
        mark("slow");
        nanosleep(&pause, NULL);
    }
    hang("sign");
    return real->C_Sign(session, data, len, out, out_len);
}

static CK_RV decrypt_init(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    if (deaf())
        return CKR_GENERAL_ERROR;
    return fault("gone") ? CKR_DEVICE_REMOVED : real->C_DecryptInit(session, mechanism, key);
}

static CK_RV decrypt(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG len, CK_BYTE *out,
                     CK_ULONG *out_len)
{
    hang("decrypt");
    return real->C_Decrypt(session, in, len, out, out_len);
}

static CK_RV unwrap(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE with,
                    CK_BYTE *wrapped, CK_ULONG len, CK_ATTRIBUTE *attrs, CK_ULONG count,
                    CK_OBJECT_HANDLE *key_r)
{
    hang("unwrap");
    if (full())
        return CKR_DEVICE_MEMORY;
    if (deaf())
        return CKR_GENERAL_ERROR;
    return made_one(real->C_UnwrapKey(session, mechanism, with, wrapped, len, attrs, count, key_r));
}

static CK_RV derive(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE from,
                    CK_ATTRIBUTE *attrs, CK_ULONG count, CK_OBJECT_HANDLE *key_r)
{
    if (full())
        return CKR_DEVICE_MEMORY;
    return made_one(real->C_DeriveKey(session, mechanism, from, attrs, count, key_r));
}

static CK_RV initialize(void *args)
{
    hang("initialize");
    fault_once("sick");
    fault_once("hide");
    fault_once("deaf");
    return real->C_Initialize(args);
}

static CK_RV finalize(void *reserved)
{
    hang("finalize");
    return real->C_Finalize(reserved);
}

static CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_BYTE *pin, CK_ULONG len)
{
    hang("login");
    return real->C_Login(session, user, pin, len);
}

static void found_note(CK_ULONG count)
{
    char path[256], line[32];
    snprintf(path, sizeof path, "%s.found", getenv("SG_FAULT_FILE"));
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    int len = snprintf(line, sizeof line, "%lu\n", count);
    if (fd < 0 || write(fd, line, (size_t)len) != len)
        abort();
    close(fd);
}

static CK_RV find_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    hang("find");
    return fault("gone") ? CKR_DEVICE_REMOVED : real->C_FindObjectsInit(session, attrs, count);
}

static CK_RV find(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *found, CK_ULONG max,
                  CK_ULONG *count_r)
{
    CK_RV rv = real->C_FindObjects(session, found, max, count_r);
    if (fault("hide"))
        *count_r = 0;
    if (rv == CKR_OK && fault("count"))
        found_note(*count_r);
    return rv;
}

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *app, CK_NOTIFY notify,
                          CK_SESSION_HANDLE *session_r)
{
    hang("open-session");
    if (fault("sick"))
        return CKR_GENERAL_ERROR;
    return fault("gone") ? CKR_TOKEN_NOT_PRESENT
                         : real->C_OpenSession(slot, flags, app, notify, session_r);
}

static CK_RV session_info(CK_SESSION_HANDLE session, CK_SESSION_INFO *info)
{
    hang("info");
    return fault("gone") ? CKR_DEVICE_REMOVED : real->C_GetSessionInfo(session, info);
}

static CK_RV token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
    return fault("gone") ? CKR_TOKEN_NOT_PRESENT : real->C_GetTokenInfo(slot, info);
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list_r)
{
    CK_C_GetFunctionList get;
    void *library = dlopen(SOFTHSM, RTLD_NOW | RTLD_LOCAL);
    void *symbol = library ? dlsym(library, "C_GetFunctionList") : NULL;
    if (!symbol)
        return CKR_GENERAL_ERROR;
    memcpy(&get, &symbol, sizeof get);
    CK_RV rv = get(&real);
    if (rv != CKR_OK)
        return rv;
    list = *real;
    list.C_SignInit = sign_init;
    list.C_Sign = sign;
    list.C_Decrypt = decrypt;
    list.C_UnwrapKey = unwrap;
    list.C_DeriveKey = derive;
    list.C_Initialize = initialize;
    list.C_Finalize = finalize;
    list.C_Login = login;
    list.C_GenerateKey = generate_key;
    list.C_DestroyObject = destroy_object;
    list.C_GenerateKeyPair = generate_key_pair;
    list.C_DecryptInit = decrypt_init;
    list.C_FindObjectsInit = find_init;
    list.C_FindObjects = find;
    list.C_OpenSession = open_session;
    list.C_GetSessionInfo = session_info;
    list.C_GetTokenInfo = token_info;
    *list_r = &list;
    return CKR_OK;
}
