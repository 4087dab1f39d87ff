#include "report/report_internal.h"

#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"

/* How long the character at s is that must not be shown; 0: it may. Strings of Jansson are UTF-8.
 */
static size_t unfit(const char *s)
{
    const unsigned char *u = (const unsigned char *)s;
    if ((u[0] < 0x20 && u[0] != '\n' && u[0] != '\t') || u[0] == 0x7f)
        return 1;
    if (u[0] == 0xc2 && u[1] >= 0x80 && u[1] <= 0x9f) /* C1 */
        return 2;
    /* U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069: they reorder what stands around them. */
    if (u[0] == 0xe2 && u[1] == 0x80 &&
        (u[2] == 0x8e || u[2] == 0x8f || (u[2] >= 0xaa && u[2] <= 0xae)))
        return 3;
    return u[0] == 0xe2 && u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xa9 ? 3 : 0;
}

static const char *entity(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void sg_report_put_text(struct sg_buf *out, const char *s)
{
    while (*s) {
        size_t n = unfit(s);
        const char *e = entity(*s);
        if (n > 0)
            sg_buf_adds(out, REPLACEMENT);
        else if (e)
            sg_buf_adds(out, e);
        else
            sg_buf_add(out, s, 1);
        s += n ? n : 1;
    }
}

/* Whatever is not a letter, a digit or a blank of ASCII is written as \HEX: neither the string nor
 * the element around it can be left. */
void sg_report_put_css(struct sg_buf *out, const char *s)
{
    while (*s) {
        size_t n = unfit(s);
        unsigned char c = (unsigned char)*s;
        if (n > 0) {
            sg_buf_adds(out, "\\FFFD ");
        } else if (c >= 0x80 || c == ' ' || (c >= '0' && c <= '9') ||
                   ((c | 32) >= 'a' && (c | 32) <= 'z')) {
            sg_buf_add(out, s, 1);
        } else {
            sg_buf_addf(out, "\\%X ", c);
        }
        s += n ? n : 1;
    }
}
