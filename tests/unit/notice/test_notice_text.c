/*
 * The words and the shape of notices; the texts of tables 2 and 4 to the byte.
 * REQ-42 REQ-57 REQ-73 REQ-74 REQ-77 REQ-78 REQ-79 REQ-92 REQ-94
 */
#include "notice/notice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define HOUR (3600 * SG_SECOND)
#define DASH "\xe2\x80\x93"

static bool has(const struct sg_buf *b, const char *text)
{
    return memmem(b->data, b->len, text, strlen(text)) != NULL;
}

static struct sg_notice_item items[] = {
    {.address = "ann@b.test", .code = "202", .status = "5.1.1", .words = "no such mailbox"},
    {.address = "bob@b.test", .code = "201", .status = "5.2.2", .words = ""},
    {.address = "cat@c.test", .code = "201", .status = "5.2.2", .words = ""}};

static struct sg_notice_about about(void)
{
    return (struct sg_notice_about){.original = {.to = "ann@b.test,\r\nX-Evil: 1",
                                                 .from = "Joe <joe@a.test>",
                                                 .date = "Mon, 1 Jan 2026 00:00:00 +0000",
                                                 .subject = "lunch"},
                                    .received_at = HOUR,
                                    .items = items,
                                    .item_count = 3};
}

static struct sg_notice notice(enum sg_notice_kind kind)
{
    return (struct sg_notice){.kind = kind,
                              .id = "ntc_x",
                              .hostname = "gw.test",
                              .domain = "b.test",
                              .recipient = "joe@a.test",
                              .addition = ""};
}

static void make(enum sg_notice_kind kind, struct sg_buf *out)
{
    struct sg_notice n = notice(kind);
    struct sg_notice_about a = about();
    sg_buf_clear(out);
    sg_notice_message(&n, &a, out);
}

static void frame(void **state)
{
    (void)state;
    SG_AUTO_BUF out = {0};
    make(SG_NOTICE_NON_DELIVERY, &out);
    assert_true(has(&out, "From: postmaster@b.test\r\n"));
    assert_true(has(&out, "To: joe@a.test\r\n"));
    assert_true(has(&out, "Auto-Submitted: auto-replied\r\n"));
    assert_true(has(&out, "multipart/report; report-type=delivery-status"));
    assert_true(has(&out, "Final-Recipient: rfc822; bob@b.test\r\n"));
    assert_true(has(&out, "  Subject: lunch\r\n"));
    assert_true(has(&out, "    no such mailbox\r\n"));
    assert_false(has(&out, "\nX-Evil")); /* no line of ours begins with a stranger's text */
    for (size_t i = 0; i < out.len; i++)
        if (out.data[i] == '\n')
            assert_true(i > 0 && out.data[i - 1] == '\r');
}

/* What ends a line, or turns round what stands behind it, becomes a space; what is text stays. */
static void controls(void **state)
{
    (void)state;
    static const struct {
        const char *subject, *shown;
    } cases[] = {
        {"a\tb\x7f"
         "c",
         "  Subject: a b c\r\n"},
        {"a=?utf-8?q?=0A?=b", "  Subject: a b\r\n"},
        {"a\xe2\x80\xa8"
         "b\xe2\x80\xa9"
         "c",
         "  Subject: a b c\r\n"}, /* U+2028, U+2029 */
        {"a\xc2\x80"
         "b\xc2\x85"
         "c\xc2\x9f"
         "d",
         "  Subject: a b c d\r\n"},
        {"=?utf-8?b?YeKArmI=?= c", "  Subject: a b c\r\n"}, /* U+202E */
        {"a\xe2\x80\xaa"
         "b\xe2\x81\xa6"
         "c\xe2\x81\xa9"
         "d",
         "  Subject: a b c d\r\n"},
        {"=?iso-8859-1?q?a=85b?=", "  Subject: a b\r\n"},
        {"a\xc2\xa0"
         "b\xe2\x80\xa7"
         "c\xe2\x80\xaf"
         "d\xe2\x81\xa5"
         "e\xe2\x81\xaa"
         "f\xe2\x80\x99s",
         "  Subject: a\xc2\xa0"
         "b\xe2\x80\xa7"
         "c\xe2\x80\xaf"
         "d\xe2\x81\xa5"
         "e\xe2\x81\xaa"
         "f\xe2\x80\x99s\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        SG_AUTO_BUF out = {0};
        struct sg_notice n = notice(SG_NOTICE_DELAYED);
        struct sg_notice_about a = about();
        a.original.subject = cases[i].subject;
        sg_notice_message(&n, &a, &out);
        if (!has(&out, cases[i].shown))
            fail_msg("%zu: not %s", i, cases[i].shown);
    }
}

/* Table 2 and table 4, each as the first line of the human part. */
static void words(void **state)
{
    (void)state;
    static const struct {
        enum sg_notice_kind kind;
        const char *line, *action;
    } cases[] = {
        {SG_NOTICE_FAILURE,
         "SECURE DELIVERY FAILURE " DASH " Your message could not be delivered securely, therefore,"
         " it was not sent. [Code: 201, 202]",
         "failed"},
        {SG_NOTICE_DELAYED,
         "SECURE DELIVERY DELAYED " DASH " Your message could not be delivered securely. The system"
         " will try again in 1 hours. [Code: 201, 202]",
         "delayed"},
        {SG_NOTICE_WAITING,
         "MESSAGE WAITING " DASH " Your message has not been delivered yet to the organisation"
         " responsible for handling the addressee's messages. It is kept, sealed, and will be tried"
         " again.",
         "delayed"},
        {SG_NOTICE_UNVERIFIED,
         "UNVERIFIED MESSAGE " DASH " The confidentiality, integrity and/or authenticity of this"
         " message could not be verified. [Code: 201, 202]",
         NULL},
        {SG_NOTICE_SYSTEM_FAILURE,
         "SYSTEM FAILURE MESSAGE " DASH " A message has passed through the Secure Email rule set"
         " without being processed. [Code: 201, 202]",
         NULL},
        {SG_NOTICE_SYSTEM_WARNING,
         "SYSTEM WARNING MESSAGE " DASH " A verified message has been received with no X-HEADER"
         " field.",
         NULL},
        {SG_NOTICE_RECEIPT,
         "DELIVERY RECEIPT " DASH
         " Your message has been successfully delivered to the organisation"
         " responsible for handling the addressee's messages. This is not a read receipt.",
         "delivered"},
        {SG_NOTICE_NON_DELIVERY,
         "NON DELIVERY REPORT " DASH
         " Your message was NOT delivered to the organisation responsible"
         " for handling the addressee's messages.",
         "failed"},
    };
    SG_AUTO_BUF out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[400];
        make(cases[i].kind, &out);
        snprintf(text, sizeof text, "8bit\r\n\r\n%s\r\n", cases[i].line);
        assert_true(has(&out, text));
        snprintf(text, sizeof text, "\r\nAction: %s\r\n", cases[i].action ? cases[i].action : "");
        assert_true(!cases[i].action || has(&out, text));
    }
    make(SG_NOTICE_NON_DELIVERY, &out);
    assert_true(has(&out, "messages.\r\n\r\nYour message has NOT been delivered to the organisation"
                          " responsible for handling the addressee's messages"));
}

/* REQ-57: until the next try, rounded up; the earliest of the recipients'. */
static void hours(void **state)
{
    (void)state;
    static const struct {
        sg_time wait;
        const char *text;
    } cases[] = {{1, "in 1 hours."},        {HOUR, "in 1 hours."},
                 {HOUR + 1, "in 2 hours."}, {4 * HOUR, "in 4 hours."},
                 {-HOUR, "in 1 hours."},    {47 * HOUR + 2, "in 48 hours."}};
    SG_AUTO_BUF out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sg_notice n = notice(SG_NOTICE_DELAYED);
        struct sg_notice_item some[] = {items[0], items[1]};
        struct sg_notice_about a = about();
        n.created_at = 100 * HOUR;
        some[0].retry_at = n.created_at + 60 * HOUR;
        some[1].retry_at = n.created_at + cases[i].wait;
        a.items = some;
        a.item_count = 2;
        sg_buf_clear(&out);
        sg_notice_message(&n, &a, &out);
        assert_true(has(&out, cases[i].text));
    }
}

static void receipt_says_when(void **state)
{
    (void)state;
    SG_AUTO_BUF out = {0};
    items[0].delivered_at = 2 * HOUR;
    make(SG_NOTICE_RECEIPT, &out);
    items[0].delivered_at = 0;
    assert_true(has(&out, "  ann@b.test\r\n    no such mailbox\r\n"
                          "    Received: Thu, 01 Jan 1970 02:00:00 +0000\r\n"));
    assert_true(has(&out, "Arrival-Date: Thu, 01 Jan 1970 01:00:00 +0000\r\n"));
}

/* REQ-78 and the domain's choice of the form. */
static void form(void **state)
{
    (void)state;
    SG_AUTO_BUF out = {0};
    struct sg_notice n = notice(SG_NOTICE_DELAYED);
    struct sg_notice_about a = about();
    n.addition = "See https://a.test/help\nor call us.";
    sg_notice_message(&n, &a, &out);
    assert_true(has(&out, "\r\n\r\nSee https://a.test/help\r\nor call us.\r\n\r\n--bnd"));
    assert_true(has(&out, "\r\n\r\n201: "));
    assert_true(has(&out, "\r\n202: "));
    n.brief = true;
    sg_buf_clear(&out);
    sg_notice_message(&n, &a, &out);
    assert_false(has(&out, "201: "));
    assert_true(has(&out, "[Code: 201, 202]") && has(&out, "  Subject: lunch\r\n"));
}

static void warning(void **state)
{
    (void)state;
    SG_AUTO_BUF out = {0};
    struct sg_notice_warning w = {"101, 111", "it was so", "Call 111.", false};
    sg_notice_warning_text(&w, &out);
    assert_true(has(&out, "UNVERIFIED MESSAGE " DASH " The confidentiality, integrity and/or"
                          " authenticity of this message could not be verified. [Code: 101, 111]"
                          "\r\n\r\n101: "));
    assert_true(has(&out, "\r\n111: ") && has(&out, "Here: it was so\r\n"));
    assert_true(has(&out, "\r\n\r\nCall 111.\r\n"));
    w.brief = true;
    sg_buf_clear(&out);
    sg_notice_warning_text(&w, &out);
    assert_false(has(&out, "it was so"));
}

static void summary(void **state)
{
    (void)state;
    SG_AUTO_BUF out = {0};
    struct sg_notice n = notice(SG_NOTICE_DELAYED);
    struct sg_notice_original o = about().original;
    struct sg_notice_line lines[] = {{o, "ann@b.test"}, {o, "bob@b.test"}};
    struct sg_notice_summary s = {"201", 9990, 0, 4 * HOUR, lines, 2};
    sg_notice_summary_message(&n, &s, &out);
    assert_true(has(&out, "\r\nSubject: SECURE DELIVERY DELAYED (9990 messages)\r\n"));
    assert_true(has(&out, "This notice stands for 9990 of its kind.\r\n"));
    assert_true(has(&out, "\r\n\r\nSECURE DELIVERY DELAYED " DASH " Your message could not be"
                          " delivered securely. The system will try again in 4 hours."
                          " [Code: 201]\r\n"));
    assert_true(has(&out, "  Concerning: bob@b.test\r\n\r\nAnd 9988 more.\r\n"));
    assert_true(has(&out, "Auto-Submitted: auto-generated\r\n"));
    s.stands_for = 2;
    sg_buf_clear(&out);
    sg_notice_summary_message(&n, &s, &out);
    assert_false(has(&out, " more.\r\n"));
}

/* RFC 6533: an address that is no ASCII. */
static void international(void **state)
{
    (void)state;
    SG_AUTO_BUF out = {0};
    struct sg_notice n = notice(SG_NOTICE_NON_DELIVERY);
    struct sg_notice_item one = {
        .address = "m\xc4\x81ori@b.test", .code = "", .status = "5.1.1", .words = ""};
    struct sg_notice_about a = about();
    a.items = &one;
    a.item_count = 1;
    sg_notice_message(&n, &a, &out);
    assert_true(has(&out, "Final-Recipient: utf-8; m\xc4\x81ori@b.test\r\n"));
    assert_true(has(&out, "Content-Type: message/global-delivery-status\r\n"));
}

/* What mail programs wrote in encoded words is read by people; no line of it becomes one of ours.
 */
static void encoded_words(void **state)
{
    (void)state;
    SG_AUTO_BUF out = {0};
    struct sg_notice n = notice(SG_NOTICE_NON_DELIVERY);
    struct sg_notice_about a = about();
    a.original.subject = "=?utf-8?Q?K=C4=81inga=0D=0AX-Evil:_1?=";
    sg_notice_message(&n, &a, &out);
    assert_true(has(&out, "  Subject: K\xc4\x81inga  X-Evil: 1\r\n"));
    assert_false(has(&out, "\nX-Evil"));
}

/* A long field is cut, and no character in half. */
static void long_field(void **state)
{
    (void)state;
    SG_AUTO_BUF out = {0};
    char subject[2001];
    for (size_t i = 0; i < 1000; i++)
        memcpy(subject + 2 * i, "\xc4\x81", 2);
    subject[2000] = 0;
    struct sg_notice n = notice(SG_NOTICE_NON_DELIVERY);
    struct sg_notice_about a = about();
    a.original.subject = subject;
    a.original.from = subject + 1; /* so that the cut falls elsewhere */
    sg_notice_message(&n, &a, &out);
    size_t line = 0;
    for (size_t i = 0; i < out.len; i++) {
        line = out.data[i] == '\n' ? 0 : line + 1;
        assert_true(line < 998);
        if (out.data[i] == '\r' && i > 0)
            assert_true(out.data[i - 1] != 0xc4);
    }
}

static void reasons(void **state)
{
    (void)state;
    static const struct {
        const char *enhanced;
        int code;
        const char *status, *words;
    } cases[] = {
        {"5.1.1", 550, "5.1.1", "no such mailbox"},
        {"5.1.10", 550, "5.1.10", "the domain takes no mail"},
        {"5.1.6", 551, "5.1.6", "the mailbox has moved"},
        {"5.2.1", 550, "5.2.1", "the mailbox is suspended"},
        {"5.2.2", 552, "5.2.2", "the mailbox is full"},
        {"4.2.2", 450, "5.2.2", "the mailbox is full"},
        {"5.2.99", 550, "5.2.99", "the mailbox cannot take it"},
        {"", 550, "5.1.1", "no such mailbox"},
        {"", 551, "5.1.6", "the mailbox has moved"},
        {"", 552, "5.2.2", "the mailbox is full"},
        {"", 554, "5.0.0", "the mail system did not take it"},
        {"5.1", 554, "5.0.0", "the mail system did not take it"},
        {"9.9.9", 0, "5.0.0", "the mail system did not take it"},
        {"5.1.1x", 0, "5.0.0", "the mail system did not take it"},
        {"5..1", 0, "5.0.0", "the mail system did not take it"},
        {"5.7.1", 554, "5.7.1", "the mail system may not take it"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char status[12];
        assert_string_equal(sg_notice_reason(cases[i].enhanced, cases[i].code, status),
                            cases[i].words);
        assert_string_equal(status, cases[i].status);
    }
}

static void codes(void **state)
{
    (void)state;
    static const char *const all[] = {"001", "002", "003", "004", "005", "008", "009",
                                      "101", "102", "103", "104", "105", "111", "112",
                                      "113", "114", "115", "201", "202", "211", "212"};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        assert_non_null(sg_notice_code_words(all[i]));
    /* a stranger's mail can have it, who wrote no agency into From */
    assert_null(strstr(sg_notice_code_words("002"), "agency"));
    assert_null(sg_notice_code_words("006"));
    assert_null(sg_notice_code_words(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame),
        cmocka_unit_test(controls),
        cmocka_unit_test(words),
        cmocka_unit_test(hours),
        cmocka_unit_test(receipt_says_when),
        cmocka_unit_test(form),
        cmocka_unit_test(warning),
        cmocka_unit_test(summary),
        cmocka_unit_test(international),
        cmocka_unit_test(long_field),
        cmocka_unit_test(reasons),
        cmocka_unit_test(codes),
        cmocka_unit_test(encoded_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
