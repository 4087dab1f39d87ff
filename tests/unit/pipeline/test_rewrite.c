/* Headers of what leaves: what stays, what goes, what is ours. REQ-11 REQ-60 REQ-61 REQ-100 */
#include "pipeline/quoted.h"
#include "pipeline/rewrite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char mail[] = "Received: from x\r\n"
                           "X-Sealgate-Submission: forged\r\n"
                           "from: Joe <joe@a.test>\r\n"
                           "x-sealgate-verdict: verified; domain=b.test\r\n"
                           "X-NZ-Secure-email: 1.0\r\n"
                           "Subject: folded\r\n\tover lines\r\n"
                           "MIME-Version: 1.0\r\n"
                           "Content-Type: text/plain;\r\n charset=utf-8\r\n"
                           "Content-Transfer-Encoding: 8bit\r\n"
                           "To: ann@b.test\r\n"
                           "\r\n"
                           "body\r\n";
static const char inner[] = "Content-Type: application/pdf\r\n"
                            "From: mallory@evil.test\r\n"
                            "Subject: inner\r\n"
                            "X-Sealgate-Id: msg_forged\r\n"
                            "Content-Transfer-Encoding: base64\r\n"
                            "\r\nAAAA\r\n";

static struct sg_gateway gateway = {.hostname = "gw.test", .subject_tags = "[signed OK]"};

struct parsed {
    struct sg_arena *arena;
    struct sg_spool *spool;
    struct sg_header_block block;
};

static struct parsed parse(const char *text, size_t len)
{
    static const struct sg_spool_limits limits = {65536, 65536, "/tmp"};
    static const struct sg_header_limits headers = {65536, 100};
    struct parsed p = {.arena = sg_arena_new(), .spool = sg_spool_new(&limits)};
    struct sg_error err = {0};
    assert_true(sg_spool_write(p.spool, text, len, &err));
    assert_true(sg_header_read(p.arena, p.spool, 0, len, &headers, &p.block, &err));
    return p;
}

static void drop(struct parsed *p)
{
    sg_arena_free(&p->arena);
    sg_spool_free(&p->spool);
}

static bool has(const struct sg_buf *b, const char *text)
{
    return b->len && memmem(b->data, b->len, text, strlen(text)) != NULL;
}

static struct sg_message message_of(const struct parsed *p)
{
    return (struct sg_message){
        .gw = &gateway, .msg_id = "msg_test", .now = 0, .headers = p->block, .body = p->spool};
}

static void plain_outbound_loses_the_proof_alone(void **state)
{
    (void)state;
    struct parsed p = parse(mail, sizeof mail - 1);
    SG_AUTO_BUF out = {0};
    sg_rewrite_plain_outbound(&p.block, &out);
    const char *proof = "X-Sealgate-Submission: forged\r\n";
    assert_int_equal(out.len + strlen(proof), p.block.raw.len);
    assert_false(has(&out, "Submission"));
    assert_true(has(&out, "x-sealgate-verdict"));
    drop(&p);
}

static void plain_inbound_loses_forged_results(void **state)
{
    (void)state;
    struct parsed p = parse(mail, sizeof mail - 1);
    struct sg_message m = message_of(&p);
    SG_AUTO_BUF out = {0};
    bool changed;
    sg_rewrite_plain_inbound(&m, &out, &changed);
    assert_true(changed);
    assert_false(has(&out, "ealgate"));
    assert_false(has(&out, "X-NZ-Secure-email"));
    assert_true(has(&out, "Subject: folded\r\n\tover lines\r\n"));
    drop(&p);
    static const char clean[] = "From: a@b.test\r\nSubject: x\r\n\r\n";
    p = parse(clean, sizeof clean - 1);
    m = message_of(&p);
    sg_buf_clear(&out);
    sg_rewrite_plain_inbound(&m, &out, &changed);
    assert_false(changed);
    assert_int_equal(out.len, p.block.raw.len);
    assert_memory_equal(out.data, p.block.raw.data, out.len);
    drop(&p);
}

static void header_ends_where_a_line_is_no_field(void **state)
{
    (void)state;
    static const char odd[] = "From: a@b.test\r\nno field\r\nX-Sealgate-Verdict: verified\r\n\r\n";
    struct parsed p = parse(odd, sizeof odd - 1);
    struct sg_message m = message_of(&p);
    SG_AUTO_BUF out = {0};
    bool changed;
    sg_rewrite_plain_inbound(&m, &out, &changed);
    assert_false(changed);
    assert_string_equal((char *)out.data, "From: a@b.test\r\n\r\n");
    sg_buf_clear(&out);
    sg_rewrite_attached(&m, NULL, &out);
    assert_string_equal((char *)out.data, "From: a@b.test\r\n\r\n");
    drop(&p);
}

static void sealed_has_marks_and_no_content_fields(void **state)
{
    (void)state;
    struct parsed p = parse(mail, sizeof mail - 1);
    struct sg_message m = message_of(&p);
    SG_AUTO_BUF out = {0};
    sg_rewrite_sealed(&m, "seemail", sg_bytes_str("Content-Type: x/y\r\n"), &out);
    assert_true(has(&out, "Received: by gw.test (Sealgate) with LMTP id msg_test;"));
    assert_true(has(&out, "X-NZ-Secure-email: 1.0\r\nX-SEEMail-Version: 2.0\r\n"));
    assert_true(has(&out, "Content-Type: x/y\r\n"));
    assert_false(has(&out, "text/plain"));
    assert_false(has(&out, "8bit"));
    assert_false(has(&out, "forged"));
    assert_false(has(&out, "x-sealgate-verdict"));
    sg_buf_clear(&out);
    sg_rewrite_sealed(&m, "securemail", sg_bytes_str(""), &out);
    assert_false(has(&out, "X-SEEMail-Version"));
    drop(&p);
}

static void opened_takes_inner_content_fields_alone(void **state)
{
    (void)state;
    struct parsed p = parse(mail, sizeof mail - 1), q = parse(inner, sizeof inner - 1);
    struct sg_message m = message_of(&p);
    SG_AUTO_BUF out = {0};
    sg_rewrite_opened(&m, &q.block, "verified; domain=a.test", &out);
    assert_true(has(&out, "X-Sealgate-Verdict: verified; domain=a.test\r\n"));
    assert_true(
        has(&out, "Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"));
    assert_true(has(&out, "MIME-Version: 1.0\r\n"));
    assert_true(has(&out, "Subject: folded"));
    assert_false(has(&out, "mallory"));
    assert_false(has(&out, "inner"));
    assert_false(has(&out, "forged"));
    assert_false(has(&out, "domain=b.test"));
    assert_false(has(&out, "text/plain"));
    drop(&p);
    drop(&q);
}

static void warning_keeps_no_claim(void **state)
{
    (void)state;
    struct parsed p = parse(mail, sizeof mail - 1);
    struct sg_message m = message_of(&p);
    SG_AUTO_BUF out = {0};
    sg_rewrite_warning(&m, "002", "bnd", &out);
    assert_true(has(&out, "X-Sealgate-Verdict: unverified; code=002\r\n"));
    assert_true(has(&out, "boundary=\"bnd\""));
    assert_false(has(&out, "X-NZ-Secure-email"));
    assert_false(has(&out, "domain=b.test"));
    assert_false(has(&out, "text/plain"));
    drop(&p);
}

static void assert_quoted(const char *text, const char *expected)
{
    SG_AUTO_BUF out = {0};
    sg_quoted_add(sg_bytes_str(text), &out);
    sg_buf_adds(&out, "");
    assert_string_equal(out.data ? (char *)out.data : "", expected);
}

#define TEN(s) s s s s s s s s s s

static void text_as_quoted_printable(void **state)
{
    (void)state;
    assert_quoted("", "");
    assert_quoted("Kia ora.\r\n\r\n", "Kia ora.\r\n\r\n");
    assert_quoted("a=b ~\t\x7f \r\n ", "a=3Db ~=09=7F=20\r\n=20");
    assert_quoted("a\rb\nc", "a=0Db=0Ac");
    assert_quoted("m\xc4\x81nuka \xff", "m=C4=81nuka =FF");
    assert_quoted(TEN("1234567") "12345\r\n", TEN("1234567") "12345\r\n"); /* 75 */
    assert_quoted(TEN("1234567") "123456", TEN("1234567") "12345=\r\n6");
    assert_quoted(TEN("1234567") "1234=", TEN("1234567") "1234=\r\n=3D");
    assert_quoted(TEN("1234567") "\xe2\x80\x93", TEN("1234567") "=\r\n=E2=80=93");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_outbound_loses_the_proof_alone),
        cmocka_unit_test(plain_inbound_loses_forged_results),
        cmocka_unit_test(header_ends_where_a_line_is_no_field),
        cmocka_unit_test(sealed_has_marks_and_no_content_fields),
        cmocka_unit_test(opened_takes_inner_content_fields_alone),
        cmocka_unit_test(warning_keeps_no_claim),
        cmocka_unit_test(text_as_quoted_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
