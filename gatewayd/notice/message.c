/* A notice about one message: the human part first, then the status in RFC 3464's form. */
#include "notice/notice_internal.h"

#include "common/id.h"

#include <stdio.h>
#include <stdlib.h>

/* RFC 3464 §2.3.3; NULL: no report, a message in plain text. */
static const char *const actions[SG_NOTICE_KINDS] = {
    [SG_NOTICE_FAILURE] = "failed",      [SG_NOTICE_DELAYED] = "delayed",
    [SG_NOTICE_NON_DELIVERY] = "failed", [SG_NOTICE_RECEIPT] = "delivered",
    [SG_NOTICE_WAITING] = "delayed",
};

/* Octets of the character at s where it ends a line or changes how what stands around it is shown;
 * else 0: controls of ASCII and Latin-1, U+2028 to U+202E, U+2066 to U+2069. */
static size_t control_length(const char *s)
{
    const unsigned char *c = (const unsigned char *)s;
    if (c[0] < 0x20 || c[0] == 0x7f)
        return 1;
    if (c[0] == 0xc2)
        return c[1] >= 0x80 && c[1] < 0xa0 ? 2 : 0;
    if (c[0] != 0xe2)
        return 0;
    return (c[1] == 0x80 && c[2] >= 0xa8 && c[2] <= 0xae) ||
                   (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9)
               ? 3
               : 0;
}

void sg_notice_line_add(struct sg_buf *out, const char *label, const char *value, size_t most)
{
    size_t len = strlen(value);
    if (len > most)
        for (len = most; len && ((unsigned char)value[len] & 0xc0) == 0x80;)
            len--; /* no half character */
    sg_buf_adds(out, label);
    for (size_t i = 0; i < len;) {
        size_t control = control_length(value + i);
        sg_buf_add(out, control ? " " : value + i, 1);
        i += control ? control : 1;
    }
    sg_buf_adds(out, "\r\n");
}

void sg_notice_original_add(const struct sg_notice_original *o, const char *indent,
                            struct sg_buf *out)
{
    const struct {
        const char *name, *value;
    } fields[] = {
        {"To: ", o->to}, {"From: ", o->from}, {"Date: ", o->date}, {"Subject: ", o->subject}};
    SG_AUTO_ARENA arena = sg_arena_new();
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        sg_buf_adds(out, indent);
        sg_notice_line_add(out, fields[i].name, sg_header_decode(arena, fields[i].value), 600);
    }
}

/* Line ends of any kind become CRLF. */
void sg_notice_addition_add(const char *addition, struct sg_buf *out)
{
    if (!*addition)
        return;
    sg_buf_adds(out, "\r\n");
    while (*addition) {
        size_t n = strcspn(addition, "\r\n");
        char *line = strndup(addition, n);
        sg_notice_line_add(out, "", line ? line : "", 990);
        free(line);
        addition += n;
        addition += strncmp(addition, "\r\n", 2) == 0 ? 2 : *addition != 0;
    }
}

void sg_notice_head(const struct sg_notice *n, const char *subject, bool reply, struct sg_buf *out)
{
    char date[40];
    sg_time_rfc5322(n->created_at, date);
    sg_buf_addf(out,
                "From: postmaster@%s\r\n" /* REQ-92 */
                "To: %s\r\n"
                "Subject: %s\r\n"
                "Date: %s\r\n"
                "Message-ID: <%s@%s>\r\n"
                "Auto-Submitted: %s\r\n" /* RFC 3834 §5 */
                "MIME-Version: 1.0\r\n",
                n->domain, n->recipient, subject, date, n->id, n->hostname,
                reply ? "auto-replied" : "auto-generated");
}

/* The codes of all items, each once, in the order of the table. */
static void codes_join(const struct sg_notice_about *a, char out[SG_NOTICE_CODES_MAX])
{
    const char *last = "";
    size_t len = 0;
    out[0] = 0;
    for (;;) {
        const char *next = NULL;
        for (size_t i = 0; i < a->item_count; i++) {
            const char *code = a->items[i].code;
            if (*code && strcmp(code, last) > 0 && (!next || strcmp(code, next) < 0))
                next = code;
        }
        if (!next || len + strlen(next) + 3 > SG_NOTICE_CODES_MAX)
            return;
        len +=
            (size_t)snprintf(out + len, SG_NOTICE_CODES_MAX - len, "%s%s", len ? ", " : "", next);
        last = next;
    }
}

static sg_time retry_first(const struct sg_notice_about *a)
{
    sg_time at = 0;
    for (size_t i = 0; i < a->item_count; i++)
        if (a->items[i].retry_at && (!at || a->items[i].retry_at < at))
            at = a->items[i].retry_at;
    return at;
}

static void items_add(const struct sg_notice_about *a, struct sg_buf *out)
{
    sg_buf_adds(out, "\r\nConcerning:\r\n");
    for (size_t i = 0; i < a->item_count; i++) {
        const struct sg_notice_item *item = &a->items[i];
        char date[40];
        sg_notice_line_add(out, "  ", item->address, 320);
        if (*item->words)
            sg_notice_line_add(out, "    ", item->words, 400);
        if (item->delivered_at) { /* REQ-73: date and time received */
            sg_time_rfc5322(item->delivered_at, date);
            sg_buf_addf(out, "    Received: %s\r\n", date);
        }
    }
}

static void human_part(const struct sg_notice *n, const struct sg_notice_about *a,
                       struct sg_buf *out)
{
    char codes[SG_NOTICE_CODES_MAX];
    codes_join(a, codes);
    sg_notice_first_line(n->kind, codes, n->created_at, retry_first(a), out);
    if (n->kind == SG_NOTICE_NON_DELIVERY) /* REQ-74: behind table 4's line */
        sg_buf_adds(out, "\r\nYour message has NOT been delivered to the organisation responsible"
                         " for handling the addressee's messages.\r\n");
    if (!n->brief && *codes) {
        sg_buf_adds(out, "\r\n");
        sg_notice_codes_explain(codes, out);
    }
    sg_buf_adds(out, "\r\nThe message:\r\n");
    sg_notice_original_add(&a->original, "  ", out);
    items_add(a, out);
    sg_notice_addition_add(n->addition, out);
}

/* RFC 6533: an address that is not ASCII has a type, and a part, of its own. */
static bool ascii(const char *s)
{
    while (*s && (unsigned char)*s < 0x80)
        s++;
    return *s == 0;
}

static bool ascii_all(const struct sg_notice_about *a)
{
    for (size_t i = 0; i < a->item_count; i++)
        if (!ascii(a->items[i].address))
            return false;
    return true;
}

static void status_part(const struct sg_notice *n, const struct sg_notice_about *a,
                        struct sg_buf *out)
{
    char date[40];
    sg_buf_addf(out, "Reporting-MTA: dns; %s\r\n", n->hostname);
    if (a->received_at) {
        sg_time_rfc5322(a->received_at, date);
        sg_buf_addf(out, "Arrival-Date: %s\r\n", date);
    }
    for (size_t i = 0; i < a->item_count; i++) {
        const struct sg_notice_item *item = &a->items[i];
        sg_buf_adds(out, "\r\n");
        sg_notice_line_add(
            out, ascii(item->address) ? "Final-Recipient: rfc822; " : "Final-Recipient: utf-8; ",
            item->address, 320);
        sg_buf_addf(out, "Action: %s\r\n", actions[n->kind]);
        sg_notice_line_add(out, "Status: ", item->status, 11);
        if (*item->code)
            sg_notice_line_add(out, "Diagnostic-Code: x-secure-email; ", item->code, 8);
        else if (*item->words)
            sg_notice_line_add(out, "Diagnostic-Code: x-secure-email; ", item->words, 400);
    }
}

static void report(const struct sg_notice *n, const struct sg_notice_about *a, struct sg_buf *out)
{
    struct sg_id boundary = sg_id_new("bnd");
    sg_buf_addf(out,
                "Content-Type: multipart/report; report-type=delivery-status;\r\n"
                "\tboundary=\"%s\"\r\n"
                "\r\n"
                "--%s\r\n"
                "Content-Type: text/plain; charset=utf-8\r\n"
                "Content-Transfer-Encoding: 8bit\r\n\r\n",
                boundary.text, boundary.text);
    human_part(n, a, out);
    sg_buf_addf(out, "\r\n--%s\r\nContent-Type: message/%s\r\n\r\n", boundary.text,
                ascii_all(a) ? "delivery-status" : "global-delivery-status");
    status_part(n, a, out);
    sg_buf_addf(out, "\r\n--%s--\r\n", boundary.text);
}

void sg_notice_message(const struct sg_notice *n, const struct sg_notice_about *a,
                       struct sg_buf *out)
{
    sg_notice_head(n, sg_notice_subject(n->kind), actions[n->kind] != NULL, out);
    if (actions[n->kind]) {
        report(n, a, out);
        return;
    }
    sg_buf_adds(out, "Content-Type: text/plain; charset=utf-8\r\n"
                     "Content-Transfer-Encoding: 8bit\r\n\r\n");
    human_part(n, a, out);
}
