#include "smtp/reply.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void sg_smtp_reply_set(struct sg_smtp_reply *reply, int code, const char *enhanced, const char *fmt,
                       ...)
{
    va_list ap;
    reply->code = code;
    reply->undeclared = 0;
    snprintf(reply->enhanced, sizeof reply->enhanced, "%s", enhanced);
    va_start(ap, fmt);
    vsnprintf(reply->text, sizeof reply->text, fmt, ap);
    va_end(ap);
    for (char *p = reply->text; *p; p++)
        if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
            *p = '?';
}

/* Where the peer is at fault it may know why; our configuration and our bugs are not its business.
 */
static bool peers_fault(enum sg_error_code code)
{
    return sg_error_class(code) == SG_CLASS_PERMANENT && sg_error_smtp(code) / 100 == 5 &&
           sg_error_http(code) < 500;
}

static bool no_room(const struct sg_error *err)
{
    return err->lib == SG_LIB_ERRNO && (err->lib_code == ENOSPC || err->lib_code == EDQUOT);
}

void sg_smtp_reply_error(struct sg_smtp_reply *reply, const struct sg_error *err)
{
    if (no_room(err)) { /* whichever file it was */
        sg_smtp_reply_set(reply, 452, "4.3.1", "no space left");
        return;
    }
    int code = sg_error_smtp(err->code);
    if (code == 421)
        code = 451; /* 421 says that the connection closes (RFC 5321 §3.8), and it does not */
    const char *text = sg_error_text(err->code), *enhanced = sg_error_enhanced(err->code);
    if (err->detail[0] && peers_fault(err->code))
        sg_smtp_reply_set(reply, code, enhanced, "%s: %s", text, err->detail);
    else
        sg_smtp_reply_set(reply, code, enhanced, "%s", text);
}
