/* client.h, sg_smtp_client_ask: does a server know an address; servers that follow a script. */
#include "common/clock.h"
#include "script.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

#define HELLO  "A", "S 220 hi", "C EHLO gw.test", "S 250 mx"
#define WITHIN 5000
#define KNOWN(who)                                                                                 \
    "C MAIL FROM:<>", "S 250 ok", "C RCPT TO:<" who ">", "S 250 ok", "C RSET", "S 250 ok"
#define GONE(who)                                                                                  \
    "C MAIL FROM:<>", "S 250 ok", "C RCPT TO:<" who ">", "S 550 5.1.1 who", "C RSET", "S 250 ok"

static struct sg_smtp_client *client_new(void)
{
    struct sg_smtp_client_options o = {.hostname = "gw.test",
                                       .slots = 1,
                                       .connect_timeout_ms = 30000,
                                       .command_timeout_ms = 30000,
                                       .idle_ms = 60000};
    return sg_smtp_client_new(&o);
}

static struct sg_smtp_destination at(const struct script *s)
{
    return (struct sg_smtp_destination){.host = "127.0.0.1", .port = script_port(s)};
}

static void expect(struct sg_smtp_client *c, const struct sg_smtp_destination *d,
                   const char *address, int code)
{
    struct sg_smtp_reply reply;
    struct sg_error err = {0};
    if (!sg_smtp_client_ask(c, d, address, WITHIN, &reply, &err))
        fail_msg("%s: %s", sg_error_name(err.code), err.detail);
    assert_int_equal(reply.code, code);
}

static void expect_not(struct sg_smtp_client *c, const struct sg_smtp_destination *d,
                       int64_t within_ms, enum sg_error_code code)
{
    struct sg_smtp_reply reply;
    struct sg_error err = {0};
    assert_false(sg_smtp_client_ask(c, d, "c@d.test", within_ms, &reply, &err));
    assert_int_equal(err.code, code);
}

static void a_connection_for_many(void **state)
{
    (void)state;
    static const char *const steps[] = {
        HELLO, KNOWN("c@d.test"), GONE("x@d.test"), KNOWN("e@d.test"), "C QUIT", "X", NULL};
    struct script *s = script_begin(steps);
    struct sg_smtp_destination d = at(s);
    struct sg_smtp_client *c = client_new();
    expect(c, &d, "c@d.test", 250);
    expect(c, &d, "x@d.test", 550);
    expect(c, &d, "e@d.test", 250);
    sg_smtp_client_free(&c);
    script_end(&s);
}

static void pipelined(void **state)
{
    (void)state;
    static const char *const steps[] = {"A",
                                        "S 220 hi",
                                        "C EHLO gw.test",
                                        "S 250-mx",
                                        "S 250 PIPELINING",
                                        "C MAIL FROM:<>",
                                        "C RCPT TO:<c@d.test>",
                                        "C RSET",
                                        "S 250 1",
                                        "S 550 5.1.1 2",
                                        "S 250 3",
                                        "C QUIT",
                                        "X",
                                        NULL};
    struct script *s = script_begin(steps);
    struct sg_smtp_destination d = at(s);
    struct sg_smtp_client *c = client_new();
    expect(c, &d, "c@d.test", 550);
    sg_smtp_client_free(&c);
    script_end(&s);
}

static void lmtp(void **state)
{
    (void)state;
    static const char *const steps[] = {
        "A", "S 220 hi", "C LHLO gw.test", "S 250 mx", GONE("c@d.test"), "C QUIT", "X", NULL};
    struct script *s = script_begin(steps);
    struct sg_smtp_destination d = at(s);
    d.lmtp = true;
    struct sg_smtp_client *c = client_new();
    expect(c, &d, "c@d.test", 550);
    sg_smtp_client_free(&c);
    script_end(&s);
}

/* Servers count refusals in a session and slow down: it is left before. */
static void five_refusals_a_session(void **state)
{
    (void)state;
    static const char *const steps[] = {HELLO,
                                        GONE("c@d.test"),
                                        GONE("c@d.test"),
                                        GONE("c@d.test"),
                                        GONE("c@d.test"),
                                        GONE("c@d.test"),
                                        "E",
                                        HELLO,
                                        KNOWN("c@d.test"),
                                        "C QUIT",
                                        "X",
                                        NULL};
    struct script *s = script_begin(steps);
    struct sg_smtp_destination d = at(s);
    struct sg_smtp_client *c = client_new();
    for (int i = 0; i < 5; i++)
        expect(c, &d, "c@d.test", 550);
    expect(c, &d, "c@d.test", 250);
    sg_smtp_client_free(&c);
    script_end(&s);
}

/* A kept connection that died is no answer, and another one is made. */
static void stale(void **state)
{
    (void)state;
    static const char *const steps[] = {
        HELLO, KNOWN("c@d.test"), "C* MAIL", "X", HELLO, KNOWN("c@d.test"), "C QUIT", "X", NULL};
    struct script *s = script_begin(steps);
    struct sg_smtp_destination d = at(s);
    struct sg_smtp_client *c = client_new();
    expect(c, &d, "c@d.test", 250);
    expect(c, &d, "c@d.test", 250);
    sg_smtp_client_free(&c);
    script_end(&s);
}

static void no_answer(void **state)
{
    (void)state;
    static const char *const scripts[][16] = {
        {"A", "S 554 go away", "E", NULL},
        {HELLO, "C MAIL FROM:<>", "X", NULL},
        {HELLO, "C MAIL FROM:<>", "S 250 ok", "C RCPT TO:<c@d.test>", "X", NULL},
        {HELLO, "C MAIL FROM:<>", "S 250 ok", "C RCPT TO:<c@d.test>", "S 421 4.3.2 down", "E",
         NULL},
        {HELLO, "C MAIL FROM:<>", "S 354 what", "E", NULL},
    };
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        struct script *s = script_begin(scripts[i]);
        struct sg_smtp_destination d = at(s);
        struct sg_smtp_client *c = client_new();
        expect_not(c, &d, WITHIN, SG_E_SMTP_CONNECT);
        sg_smtp_client_free(&c);
        script_end(&s);
    }
}

static void null_sender_refused(void **state)
{
    (void)state;
    static const char *const steps[] = {HELLO,
                                        "C MAIL FROM:<>",
                                        "S 550 5.7.1 no null sender",
                                        "C RCPT TO:<c@d.test>",
                                        "S 503 MAIL",
                                        "C RSET",
                                        "S 250 ok",
                                        "E",
                                        NULL};
    struct script *s = script_begin(steps);
    struct sg_smtp_destination d = at(s);
    struct sg_smtp_client *c = client_new();
    expect_not(c, &d, WITHIN, SG_E_SMTP_PEER);
    sg_smtp_client_free(&c);
    script_end(&s);
}

/* Each reply is in time, all of them are not: the end holds. */
static void within_its_time(void **state)
{
    (void)state;
    static const char *const steps[] = {HELLO, "C MAIL FROM:<>", "S 250 ok", "C* RCPT", "E", NULL};
    struct script *s = script_begin(steps);
    struct sg_smtp_destination d = at(s);
    struct sg_smtp_client *c = client_new();
    int64_t began = sg_clock_monotonic_ms();
    expect_not(c, &d, 300, SG_E_SMTP_CONNECT);
    int64_t took = sg_clock_monotonic_ms() - began;
    assert_in_range(took, 290, 3000);
    sg_smtp_client_free(&c);
    script_end(&s);
}

static void beyond_ascii(void **state)
{
    (void)state;
    static const char *const steps[] = {HELLO, "E", NULL};
    struct script *s = script_begin(steps);
    struct sg_smtp_destination d = at(s);
    struct sg_smtp_client *c = client_new();
    struct sg_smtp_reply reply;
    struct sg_error err = {0};
    assert_true(sg_smtp_client_ask(c, &d, "m\xc4\x81ori@d.test", WITHIN, &reply, &err));
    assert_string_equal(reply.enhanced, "5.6.7");
    assert_false(sg_smtp_client_ask(c, &d, "a@b.test>\r\nDATA", WITHIN, &reply, &err));
    assert_int_equal(err.code, SG_E_INVALID);
    sg_smtp_client_free(&c);
    script_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_for_many),
        cmocka_unit_test(pipelined),
        cmocka_unit_test(lmtp),
        cmocka_unit_test(five_refusals_a_session),
        cmocka_unit_test(stale),
        cmocka_unit_test(no_answer),
        cmocka_unit_test(null_sender_refused),
        cmocka_unit_test(within_its_time),
        cmocka_unit_test(beyond_ascii),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
