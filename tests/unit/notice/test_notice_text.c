/* The words and the shape of notices. REQ-42 REQ-57 REQ-74 REQ-77 REQ-92 */
#include "notice/notice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool has(const struct sg_buf *b, const char *text)
{
    return memmem(b->data, b->len, text, strlen(text)) != NULL;
}

static struct sg_notice_recipient recipients[] = {{"ann@b.test", "5.1.1", "550 no such mailbox"},
                                                  {"bob@b.test", "5.2.2", ""}};

static struct sg_notice_content content_of(const char *kind, const char *codes)
{
    return (struct sg_notice_content){.kind = kind,
                                      .codes = codes,
                                      .to = "ann@b.test,\r\nX-Evil: 1",
                                      .from = "Joe <joe@a.test>",
                                      .date = "Mon, 1 Jan 2026 00:00:00 +0000",
                                      .subject = "lunch",
                                      .arrival = "Mon, 1 Jan 2026 00:00:01 +0000",
                                      .hours = 2,
                                      .recipients = recipients,
                                      .recipient_count = 2};
}

static void make(const char *kind, const char *codes, struct sg_buf *out)
{
    struct sg_notice_content c = content_of(kind, codes);
    sg_notice_message(&c, "b.test", "joe@a.test", "gw.test", "ntc_x", 0, out);
}

static void frame(void **state)
{
    (void)state;
    SG_AUTO_BUF out = {0};
    make("non-delivery", "", &out);
    assert_true(has(&out, "From: postmaster@b.test\r\n"));
    assert_true(has(&out, "To: joe@a.test\r\n"));
    assert_true(has(&out, "Auto-Submitted: auto-replied\r\n"));
    assert_true(has(&out, "multipart/report; report-type=delivery-status"));
    assert_true(has(&out, "Final-Recipient: rfc822; ann@b.test\r\nAction: failed\r\n"
                          "Status: 5.1.1\r\n"));
    assert_true(has(&out, "Final-Recipient: rfc822; bob@b.test\r\n"));
    assert_true(has(&out, "  Subject: lunch\r\n"));
    assert_false(has(&out, "\nX-Evil")); /* no line of ours begins with a stranger's text */
    for (size_t i = 0; i < out.len; i++)
        if (out.data[i] == '\n')
            assert_true(i > 0 && out.data[i - 1] == '\r');
}

static void words(void **state)
{
    (void)state;
    SG_AUTO_BUF out = {0};
    make("non-delivery", "", &out);
    const char *first =
        "8bit\r\n\r\nNON DELIVERY REPORT \xe2\x80\x93 Your message was NOT delivered"
        " to the organisation responsible for handling the addressee's messages.";
    assert_true(has(&out, first));
    assert_true(has(&out, "\r\nYour message has NOT been delivered to the organisation responsible"
                          " for handling the addressee's messages"));
    sg_buf_clear(&out);
    make("delayed", "201", &out);
    assert_true(has(&out, "SECURE DELIVERY DELAYED \xe2\x80\x93 Your message could not be delivered"
                          " securely. The system will try again in 2 hours. [Code: 201]\r\n"));
    assert_true(has(&out, "Action: delayed\r\n"));
    sg_buf_clear(&out);
    make("failure", "202", &out);
    assert_true(has(&out, "SECURE DELIVERY FAILURE \xe2\x80\x93 Your message could not be delivered"
                          " securely, therefore, it was not sent. [Code: 202]\r\n"));
    sg_buf_clear(&out);
    sg_notice_unverified_text("003", &out);
    assert_true(has(&out, "UNVERIFIED MESSAGE \xe2\x80\x93 The confidentiality, integrity and/or"
                          " authenticity of this message could not be verified. [Code: 003]\r\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(frame), cmocka_unit_test(words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
