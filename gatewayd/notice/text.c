/* The words of tables 2 and 4, and the message around them. */
#include "notice/notice.h"

#include "common/id.h"

struct kind {
    const char *kind;
    const char *subject;
    const char *action; /* RFC 3464 */
};

static const struct kind kinds[] = {
    {"failure", "SECURE DELIVERY FAILURE", "failed"},
    {"delayed", "SECURE DELIVERY DELAYED", "delayed"},
    {"non-delivery", "NON DELIVERY REPORT", "failed"},
};

static const struct kind *kind_find(const char *kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].kind, kind) == 0)
            return &kinds[i];
    return &kinds[0];
}

#define DASH "\xe2\x80\x93"

static void first_lines(const struct sg_notice_content *c, struct sg_buf *out)
{
    if (strcmp(c->kind, "delayed") == 0)
        sg_buf_addf(out,
                    "SECURE DELIVERY DELAYED " DASH " Your message could not be delivered securely."
                    " The system will try again in %d hours. [Code: %s]\r\n",
                    c->hours, c->codes);
    else if (strcmp(c->kind, "failure") == 0)
        sg_buf_addf(out,
                    "SECURE DELIVERY FAILURE " DASH " Your message could not be delivered securely,"
                    " therefore, it was not sent. [Code: %s]\r\n",
                    c->codes);
    else /* REQ-74: table 4's line first */
        sg_buf_adds(out, "NON DELIVERY REPORT " DASH " Your message was NOT delivered to the"
                         " organisation responsible for handling the addressee's messages.\r\n"
                         "\r\n"
                         "Your message has NOT been delivered to the organisation responsible for"
                         " handling the addressee's messages\r\n");
}

/* A line of text from outside: no line break, no control character survives. */
static void line_add(struct sg_buf *out, const char *label, const char *value, size_t most)
{
    sg_buf_adds(out, label);
    for (size_t i = 0; value[i] && i < most; i++) {
        char c = (unsigned char)value[i] < 0x20 || value[i] == 0x7f ? ' ' : value[i];
        sg_buf_add(out, &c, 1);
    }
    sg_buf_adds(out, "\r\n");
}

static void human_part(const struct sg_notice_content *c, struct sg_buf *out)
{
    first_lines(c, out);
    sg_buf_adds(out, "\r\nThe message:\r\n");
    line_add(out, "  To: ", c->to, 600);
    line_add(out, "  From: ", c->from, 600);
    line_add(out, "  Date: ", c->date, 100);
    line_add(out, "  Subject: ", c->subject, 600);
    sg_buf_adds(out, "\r\nConcerning:\r\n");
    for (size_t i = 0; i < c->recipient_count; i++) {
        line_add(out, "  ", c->recipients[i].address, 320);
        if (*c->recipients[i].text)
            line_add(out, "    ", c->recipients[i].text, 400);
    }
}

static void status_part(const struct sg_notice_content *c, const char *hostname,
                        const struct kind *kind, struct sg_buf *out)
{
    sg_buf_addf(out, "Reporting-MTA: dns; %s\r\n", hostname);
    line_add(out, "Arrival-Date: ", c->arrival, 60);
    for (size_t i = 0; i < c->recipient_count; i++) {
        sg_buf_adds(out, "\r\n");
        line_add(out, "Final-Recipient: rfc822; ", c->recipients[i].address, 320);
        sg_buf_addf(out, "Action: %s\r\n", kind->action);
        line_add(out, "Status: ", c->recipients[i].status, 11);
    }
}

void sg_notice_message(const struct sg_notice_content *c, const char *domain, const char *recipient,
                       const char *hostname, const char *notice_id, sg_time now, struct sg_buf *out)
{
    const struct kind *kind = kind_find(c->kind);
    struct sg_id boundary = sg_id_new("bnd");
    char date[40];
    sg_time_rfc5322(now, date);
    sg_buf_addf(out,
                "From: postmaster@%s\r\n" /* REQ-92 */
                "To: %s\r\n"
                "Subject: %s\r\n"
                "Date: %s\r\n"
                "Message-ID: <%s@%s>\r\n"
                "Auto-Submitted: auto-replied\r\n" /* RFC 3834 */
                "MIME-Version: 1.0\r\n"
                "Content-Type: multipart/report; report-type=delivery-status;\r\n"
                "\tboundary=\"%s\"\r\n"
                "\r\n",
                domain, recipient, kind->subject, date, notice_id, hostname, boundary.text);
    sg_buf_addf(out,
                "--%s\r\n"
                "Content-Type: text/plain; charset=utf-8\r\n"
                "Content-Transfer-Encoding: 8bit\r\n\r\n",
                boundary.text);
    human_part(c, out);
    sg_buf_addf(out, "\r\n--%s\r\nContent-Type: message/delivery-status\r\n\r\n", boundary.text);
    status_part(c, hostname, kind, out);
    sg_buf_addf(out, "\r\n--%s--\r\n", boundary.text);
}

void sg_notice_unverified_text(const char *code, struct sg_buf *out)
{
    sg_buf_addf(out,
                "UNVERIFIED MESSAGE " DASH " The confidentiality, integrity and/or authenticity of"
                " this message could not be verified. [Code: %s]\r\n",
                code);
}
