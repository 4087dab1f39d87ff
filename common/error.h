/*
 * Errors: what can fail returns bool (true: it worked) and fills an explicit struct sg_error.
 *
 * errors.def is the one table: name, number, class, SMTP reply, enhanced status code, HTTP
 * status, text. The error code of a library is kept beside ours, never flattened.
 */
#ifndef SG_COMMON_ERROR_H
#define SG_COMMON_ERROR_H

#include <stdbool.h>
#include <stddef.h>

#define SG_MUST_USE          __attribute__((warn_unused_result))
#define SG_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

enum sg_error_class {
    SG_CLASS_TEMPORARY, /* try again later: the world is at fault */
    SG_CLASS_PERMANENT, /* the peer's input or request is at fault */
    SG_CLASS_BUG        /* our own fault */
};

enum sg_error_code {
    SG_OK = 0,
#define SG_ERROR(name, number, cls, smtp, enhanced, http, text) SG_E_##name = number,
#include "errors.def"
#undef SG_ERROR
};

enum sg_error_lib {
    SG_LIB_NONE,
    SG_LIB_ERRNO,
    SG_LIB_OPENSSL, /* ERR_peek_last_error() */
    SG_LIB_X509,    /* X509_V_ERR_* */
    SG_LIB_PKCS11,  /* CK_RV */
    SG_LIB_SQL,     /* SQLSTATE, five characters in sqlstate */
    SG_LIB_LDAP,    /* LDAP result code */
    SG_LIB_CURL,    /* CURLcode */
    SG_LIB_SMTP     /* reply code of the peer */
};

struct sg_error {
    enum sg_error_code code;
    enum sg_error_lib lib;
    long lib_code;
    char sqlstate[6];
    char field[64];   /* config key or JSON pointer at fault, "" where none is */
    char detail[256]; /* one line in words; never a secret, never message content */
};

/* Clears err. */
void sg_error_reset(struct sg_error *err);

/* Fill err (may be NULL) and return false, so that `return sg_fail(err, …)` reads well. */
bool sg_fail(struct sg_error *err, enum sg_error_code code, const char *fmt, ...) SG_PRINTF(3, 4);
bool sg_fail_lib(struct sg_error *err, enum sg_error_code code, enum sg_error_lib lib,
                 long lib_code, const char *fmt, ...) SG_PRINTF(5, 6);
/* errno, with strerror() behind the text. */
bool sg_fail_errno(struct sg_error *err, enum sg_error_code code, const char *fmt, ...)
    SG_PRINTF(3, 4);
/* The youngest error of OpenSSL's queue, whose queue is then cleared. */
bool sg_fail_openssl(struct sg_error *err, enum sg_error_code code, const char *fmt, ...)
    SG_PRINTF(3, 4);
/* PKCS#11, by its CK_RV. */
bool sg_fail_pkcs11(struct sg_error *err, enum sg_error_code code, unsigned long rv,
                    const char *fmt, ...) SG_PRINTF(4, 5);

const char *sg_error_name(enum sg_error_code code);     /* "SG_E_NOT_FOUND" */
const char *sg_error_slug(enum sg_error_code code);     /* "not-found", for urn:sealgate:error: */
const char *sg_error_text(enum sg_error_code code);     /* the table's sentence */
const char *sg_error_enhanced(enum sg_error_code code); /* "4.3.0" (RFC 3463) */
int sg_error_smtp(enum sg_error_code code);             /* 451 */
int sg_error_http(enum sg_error_code code);             /* 503 */
enum sg_error_class sg_error_class(enum sg_error_code code);

#endif
