#include "common/error.h"

#include "common/buf.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct row {
    enum sg_error_code code;
    const char *name;
    enum sg_error_class cls;
    int smtp;
    const char *enhanced;
    int http;
    const char *text;
};

static const struct row rows[] = {
    {SG_OK, "SG_OK", SG_CLASS_TEMPORARY, 250, "2.0.0", 200, "ok"},
#define SG_ERROR(name, number, cls, smtp, enhanced, http, text)                                    \
    {SG_E_##name, "SG_E_" #name, SG_CLASS_##cls, smtp, enhanced, http, text},
#include "errors.def"
#undef SG_ERROR
};

static const struct row *row_find(enum sg_error_code code)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].code == code)
            return &rows[i];
    return &rows[1]; /* INTERNAL */
}

const char *sg_error_name(enum sg_error_code code)
{
    return row_find(code)->name;
}

const char *sg_error_text(enum sg_error_code code)
{
    return row_find(code)->text;
}

const char *sg_error_enhanced(enum sg_error_code code)
{
    return row_find(code)->enhanced;
}

int sg_error_smtp(enum sg_error_code code)
{
    return row_find(code)->smtp;
}

int sg_error_http(enum sg_error_code code)
{
    return row_find(code)->http;
}

enum sg_error_class sg_error_class(enum sg_error_code code)
{
    return row_find(code)->cls;
}

const char *sg_error_slug(enum sg_error_code code)
{
    static _Thread_local char slug[48];
    const char *name = row_find(code)->name + strlen("SG_E_");
    size_t i = 0;
    for (; name[i] && i < sizeof slug - 1; i++)
        slug[i] = name[i] == '_' ? '-' : (char)(name[i] | 0x20);
    slug[i] = 0;
    return slug;
}

void sg_error_reset(struct sg_error *err)
{
    if (err)
        memset(err, 0, sizeof *err);
}

/* What a stranger said may stand in it: one line of UTF-8, for logs, answers and the database. */
static void one_line(char *text)
{
    const char *end = text + strlen(text);
    char *out = text;
    size_t n;
    for (const char *in = text; in < end; in += n ? n : 1) {
        unsigned char c = (unsigned char)*in;
        n = sg_utf8_length(sg_bytes_of(in, (size_t)(end - in)));
        if (n == 0 && c >= 0xc0 && end - in < 4) /* cut within a character */
            break;
        if (n == 0 || c < 0x20 || c == 0x7f)
            *out++ = '?';
        else
            out = (char *)memmove(out, in, n) + n;
    }
    *out = 0;
}

SG_PRINTF(5, 0)
static void fill(struct sg_error *err, enum sg_error_code code, enum sg_error_lib lib,
                 long lib_code, const char *fmt, va_list ap)
{
    char detail[sizeof err->detail]; /* the arguments may stand in err itself */
    vsnprintf(detail, sizeof detail, fmt, ap);
    one_line(detail);
    sg_error_reset(err);
    err->code = code;
    err->lib = lib;
    err->lib_code = lib_code;
    memcpy(err->detail, detail, sizeof detail);
}

static void append(struct sg_error *err, const char *what)
{
    size_t n = strlen(err->detail);
    snprintf(err->detail + n, sizeof err->detail - n, "%s%s", n ? ": " : "", what);
    one_line(err->detail);
}

bool sg_fail(struct sg_error *err, enum sg_error_code code, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        fill(err, code, SG_LIB_NONE, 0, fmt, ap);
        va_end(ap);
    }
    return false;
}

bool sg_fail_lib(struct sg_error *err, enum sg_error_code code, enum sg_error_lib lib,
                 long lib_code, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        fill(err, code, lib, lib_code, fmt, ap);
        va_end(ap);
    }
    return false;
}

bool sg_fail_errno(struct sg_error *err, enum sg_error_code code, const char *fmt, ...)
{
    int saved = errno;
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        fill(err, code, SG_LIB_ERRNO, saved, fmt, ap);
        va_end(ap);
        char text[96];
        append(err, strerror_r(saved, text, sizeof text));
    }
    errno = saved;
    return false;
}

bool sg_fail_openssl(struct sg_error *err, enum sg_error_code code, const char *fmt, ...)
{
    unsigned long e = ERR_peek_last_error();
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        fill(err, code, SG_LIB_OPENSSL, (long)e, fmt, ap);
        va_end(ap);
        if (e) {
            const char *reason = ERR_reason_error_string(e);
            append(err, reason ? reason : "OpenSSL error");
        }
    }
    ERR_clear_error();
    return false;
}

bool sg_fail_pkcs11(struct sg_error *err, enum sg_error_code code, unsigned long rv,
                    const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        fill(err, code, SG_LIB_PKCS11, (long)rv, fmt, ap);
        va_end(ap);
        char text[32];
        snprintf(text, sizeof text, "CK_RV 0x%lx", rv);
        append(err, text);
    }
    return false;
}
