/* What is read out of a report that Postfix made. REQ-74 REQ-77 REQ-93 */
#include "notice/notice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char header[] = "Content-Type: multipart/report; report-type=delivery-status;\r\n"
                             "\tboundary=\"b/1\"\r\n";

static void read(struct sg_arena *arena, const char *head, const char *body,
                 struct sg_notice_report *r)
{
    struct sg_spool_limits limits = {4096, 65536, "/tmp"};
    struct sg_header_limits most = {4096, 50};
    SG_AUTO_SPOOL spool = sg_spool_new(&limits);
    struct sg_header_block block;
    assert_true(sg_spool_write(spool, head, strlen(head), NULL));
    assert_true(sg_header_read(arena, spool, 0, strlen(head), &most, &block, NULL));
    sg_notice_report_read(arena, &block, sg_bytes_str(body), r);
}

/* The n-th (from 0) of that name; "": there are not so many. */
static const char *field(const struct sg_notice_report *r, const char *name, size_t n)
{
    for (size_t i = 0; i < r->field_count; i++)
        if (strcmp(r->fields[i].name, name) == 0 && n-- == 0)
            return r->fields[i].value;
    return "";
}

static void postfix_bounce(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_notice_report r;
    read(arena, header,
         "This is a MIME-encapsulated message.\r\n\r\n"
         "--b/1\r\nContent-Description: Notification\r\nContent-Type: text/plain\r\n\r\n"
         "Final-Recipient: rfc822; lie@b.test\r\nAction: failed\r\n\r\n"
         "--b/1\r\nContent-Description: Delivery report\r\n"
         "Content-Type: message/delivery-status\r\n\r\n"
         "Reporting-MTA: dns; mx.test\r\nX-Postfix-Queue-ID: 4ABC\r\n"
         "Arrival-Date: Mon, 1 Jan 2026 00:00:00 +0000\r\n\r\n"
         "Final-Recipient: rfc822; ann@b.test\r\nAction: failed\r\nStatus: 4.2.2\r\n"
         "Diagnostic-Code: smtp; 450 4.2.2 full of secrets\r\n\r\n"
         "Final-Recipient: rfc822; bob@b.test\r\nAction: delayed\r\nStatus: 4.4.1\r\n\r\n"
         "Final-Recipient: utf-8; m\xc4\x81@b.test\r\nAction: FAILED\r\n"
         "Diagnostic-Code: X-Postfix; connect to 127.0.0.1\r\n\r\n"
         "--b/1\r\nContent-Description: Undelivered Message\r\nContent-Type: message/rfc822\r\n\r\n"
         "Received: from x\r\nto: ann@b.test,\r\n bob@b.test\r\nFrom: Joe <joe@a.test>\r\n"
         "Subject: lunch\r\n\ttoday\r\nSubject: dinner\r\nX-Other: y\r\n z\r\n"
         "Date: Mon, 1 Jan 2026 00:00:00 +0000\r\n\r\nSubject: body\r\n\r\n--b/1--\r\n",
         &r);
    assert_string_equal(r.queue_id, "4ABC");
    assert_int_equal(r.failure_count, 2);
    assert_string_equal(r.failures[0].recipient, "ann@b.test");
    assert_string_equal(r.failures[0].status, "4.2.2");
    assert_true(r.failures[0].replied);
    assert_string_equal(r.failures[1].recipient, "m\xc4\x81@b.test");
    assert_string_equal(r.failures[1].status, "");
    assert_false(r.failures[1].replied);
    assert_string_equal(field(&r, "To", 0), "ann@b.test, bob@b.test");
    assert_string_equal(field(&r, "From", 0), "Joe <joe@a.test>");
    assert_string_equal(field(&r, "Subject", 0), "lunch\ttoday");
    assert_string_equal(field(&r, "Date", 0), "Mon, 1 Jan 2026 00:00:00 +0000");
    assert_string_equal(field(&r, "Subject", 1), "dinner");
    assert_int_equal(r.field_count, 5);
}

/* REQ-93: by what it is judged whether the message may be answered, wherever it stands. */
static void sent_by_a_machine(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_notice_report r;
    read(arena, header,
         "--b/1\nContent-Type: text/rfc822-headers\n\nAuto-Submitted: no\nFrom: a@x.test\n"
         "content-type: multipart/report;\n boundary=x\nauto-submitted:\n auto-replied\n"
         "FROM: postmaster@x.test\n\n--b/1--\n",
         &r);
    assert_string_equal(field(&r, "Auto-Submitted", 0), "no");
    assert_string_equal(field(&r, "Auto-Submitted", 1), " auto-replied");
    assert_string_equal(field(&r, "Content-Type", 0), "multipart/report; boundary=x");
    assert_string_equal(field(&r, "From", 1), "postmaster@x.test");
}

/* So many that nobody has them: the first are enough. */
static void fields_without_end(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_BUF body = {0};
    struct sg_notice_report r;
    sg_buf_adds(&body, "--b/1\r\nContent-Type: message/rfc822\r\n\r\n");
    for (int i = 0; i < 1000; i++)
        sg_buf_adds(&body, "To: ann@b.test\r\n");
    sg_buf_add(&body, "", 1);
    read(arena, header, (const char *)body.data, &r);
    assert_int_equal(r.field_count, 64);
}

/* Only the first status part counts: what a returned message holds is a stranger's. */
static void second_status_is_not_read(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_notice_report r;
    read(arena, header,
         "--b/1\nContent-Type: message/delivery-status\n\nX-Postfix-Queue-ID: 1\n\n"
         "Final-Recipient: rfc822; a@b.test\nAction: failed\n\n"
         "--b/1\nContent-Type: message/delivery-status\n\nX-Postfix-Queue-ID: 2\n\n"
         "Final-Recipient: rfc822; c@b.test\nAction: failed\n\n--b/1--\n",
         &r);
    assert_string_equal(r.queue_id, "1");
    assert_int_equal(r.failure_count, 1);
    assert_string_equal(field(&r, "Subject", 0), "");
}

static void many_recipients(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_BUF body = {0};
    struct sg_notice_report r;
    sg_buf_adds(&body, "--b/1\r\nContent-Type: message/delivery-status\r\n\r\nA: b\r\n\r\n");
    for (int i = 0; i < 100; i++)
        sg_buf_addf(&body, "Action: failed\r\nFinal-Recipient: rfc822; u%d@b.test\r\n\r\n", i);
    sg_buf_add(&body, "", 1);
    read(arena, header, (const char *)body.data, &r);
    assert_int_equal(r.failure_count, 100);
    assert_string_equal(r.failures[99].recipient, "u99@b.test");
}

static void no_report(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_notice_report r;
    static const char *const heads[] = {
        "Subject: x\r\n", "Content-Type: multipart/mixed; boundary=b\r\n",
        "Content-Type: multipart/report\r\n", "Content-Type: multipart/report; boundary=\"\"\r\n"};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        read(arena, heads[i],
             "--b\r\nContent-Type: message/delivery-status\r\n\r\n\r\n"
             "Final-Recipient: rfc822; a@b.test\r\nAction: failed\r\n\r\n",
             &r);
        assert_int_equal(r.failure_count, 0);
    }
    read(arena, header, "", &r);
    assert_int_equal(r.failure_count, 0);
}

/* A field of a hundred thousand folded lines costs no more than its octets. */
static void folded_without_end(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_BUF body = {0};
    struct sg_notice_report r;
    sg_buf_adds(&body, "--b/1\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n");
    for (int i = 0; i < 100000; i++)
        sg_buf_adds(&body, " y\r\n");
    sg_buf_add(&body, "", 1);
    read(arena, header, (const char *)body.data, &r);
    assert_true(strlen(field(&r, "Subject", 0)) < 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(postfix_bounce),     cmocka_unit_test(second_status_is_not_read),
        cmocka_unit_test(many_recipients),    cmocka_unit_test(no_report),
        cmocka_unit_test(folded_without_end), cmocka_unit_test(sent_by_a_machine),
        cmocka_unit_test(fields_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
