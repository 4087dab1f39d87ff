/* reply.h, reply_reader.h */
#include "smtp/reply.h"
#include "smtp/reply_reader.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static enum reply_step read_lines(struct sg_smtp_reply *reply, const char *const *lines)
{
    struct reply_reader reader = {.reply = reply};
    enum reply_step step = REPLY_BAD;
    for (; *lines; lines++) {
        step = reply_reader_line(&reader, sg_bytes_str(*lines));
        if (step != REPLY_MORE)
            return step;
    }
    return step;
}

static void one(const char *line, int code, const char *enhanced, const char *text)
{
    const char *const lines[] = {line, NULL};
    struct sg_smtp_reply reply;
    assert_int_equal(read_lines(&reply, lines), REPLY_END);
    assert_int_equal(reply.code, code);
    assert_string_equal(reply.enhanced, enhanced);
    assert_string_equal(reply.text, text);
}

static void single_lines(void **state)
{
    (void)state;
    one("250 2.1.5 Ok", 250, "2.1.5", "Ok");
    one("250", 250, "", "");
    one("250 ", 250, "", "");
    one("250 Ok", 250, "", "Ok");
    one("550 5.1.1", 550, "5.1.1", "");
    one("451 4.123.456 later", 451, "4.123.456", "later");
    one("451 4.1234.1 later", 451, "", "4.1234.1 later");
    one("550 2.1.1 class does not fit", 550, "", "2.1.1 class does not fit");
    one("550 5.1.1x", 550, "", "5.1.1x");
    one("550 5.1", 550, "", "5.1");
    one("354 go", 354, "", "go");
    one("550 a\tb\xc3\xa9", 550, "", "a?b??");
}

/* A full disk has a status of its own, whichever file was on it. */
static void no_room(void **state)
{
    (void)state;
    struct sg_smtp_reply reply;
    struct sg_error err = {0};
    errno = ENOSPC;
    sg_fail_errno(&err, SG_E_JOURNAL, "x");
    sg_smtp_reply_error(&reply, &err);
    assert_int_equal(reply.code, 452);
    assert_string_equal(reply.enhanced, "4.3.1");
    errno = EIO;
    sg_fail_errno(&err, SG_E_JOURNAL, "x");
    sg_smtp_reply_error(&reply, &err);
    assert_int_equal(reply.code, 451);
    assert_string_equal(reply.enhanced, "4.3.0");
}

static void several_lines(void **state)
{
    (void)state;
    const char *const lines[] = {"550-5.7.1 No,", "550-5.7.1 not", "550 5.7.1 today", NULL};
    struct sg_smtp_reply reply;
    assert_int_equal(read_lines(&reply, lines), REPLY_END);
    assert_string_equal(reply.enhanced, "5.7.1");
    assert_string_equal(reply.text, "No, not today");
    const char *const mixed[] = {"550-5.7.1 No,", "250 yes", NULL};
    assert_int_equal(read_lines(&reply, mixed), REPLY_END);
    assert_int_equal(reply.code, 250);
    assert_string_equal(reply.enhanced, "");
    const char *const open[] = {"250-a", "250-b", NULL};
    assert_int_equal(read_lines(&reply, open), REPLY_MORE);
}

static void bad_lines(void **state)
{
    (void)state;
    static const char *const bad[] = {"",     "2",     "25",      "25x ok", "150 x", "650 x",
                                      "250x", "hello", " 250 ok", "-250",   "050 x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *const lines[] = {bad[i], NULL};
        struct sg_smtp_reply reply;
        if (read_lines(&reply, lines) != REPLY_BAD)
            fail_msg("taken: %s", bad[i]);
    }
}

static void endless(void **state)
{
    (void)state;
    struct sg_smtp_reply reply;
    struct reply_reader reader = {.reply = &reply};
    int n = 0;
    while (reply_reader_line(&reader, sg_bytes_str("250-more and more")) == REPLY_MORE)
        n++;
    assert_int_equal(n, 200);
    assert_true(strlen(reply.text) < sizeof reply.text);
}

static void errors(void **state)
{
    (void)state;
    struct sg_smtp_reply reply;
    struct sg_error err;
    sg_fail(&err, SG_E_CMS, "bad tag\r\n250 Ok");
    sg_smtp_reply_error(&reply, &err);
    assert_int_equal(reply.code, 550);
    assert_string_equal(reply.enhanced, "5.6.0");
    assert_null(strpbrk(reply.text, "\r\n"));
    assert_non_null(strstr(reply.text, "bad tag"));
    sg_fail(&err, SG_E_INTERNAL, "at /var/lib/x");
    sg_smtp_reply_error(&reply, &err);
    assert_int_equal(reply.code, 451);
    assert_string_equal(reply.text, "internal error");
    sg_fail(&err, SG_E_CONFIG, "no /etc/secret");
    sg_smtp_reply_error(&reply, &err);
    assert_null(strstr(reply.text, "secret"));
    sg_fail(&err, SG_E_DB_UNAVAILABLE, "host db7");
    sg_smtp_reply_error(&reply, &err);
    assert_null(strstr(reply.text, "db7"));
    /* 421 announces a close; as an answer to a message it is 451. */
    sg_fail(&err, SG_E_BUSY, "x");
    sg_smtp_reply_error(&reply, &err);
    assert_int_equal(reply.code, 451);
    assert_string_equal(reply.enhanced, "4.3.2");
}

static void long_text(void **state)
{
    (void)state;
    struct sg_smtp_reply reply;
    sg_smtp_reply_set(&reply, 250, "2.0.0", "%0600d", 7);
    assert_int_equal(strlen(reply.text), sizeof reply.text - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_lines), cmocka_unit_test(several_lines), cmocka_unit_test(no_room),
        cmocka_unit_test(bad_lines),    cmocka_unit_test(endless),       cmocka_unit_test(errors),
        cmocka_unit_test(long_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
