/* client.h: one transaction, against servers that follow a script. */
#include "script.h"

#include "common/clock.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define HELLO   "A", "S 220 hi", "C EHLO gw.test"
#define LHELLO  "A", "S 220 hi", "C LHLO gw.test"
#define CONTENT "D Subject: x\r\n\r\nhello\r\n"

static const char *const joe[] = {"c@d.test"};
static const char *const three[] = {"c@d.test", "e@d.test", "f@d.test"};

struct result {
    bool ok;
    struct sg_error err;
    struct sg_smtp_reply replies[60];
};

static struct sg_smtp_client *client_new(void)
{
    struct sg_smtp_client_options o = {.hostname = "gw.test",
                                       .slots = 2,
                                       .slot_wait_ms = 5000,
                                       .connect_timeout_ms = 30000,
                                       .command_timeout_ms = 30000,
                                       .data_timeout_ms = 30000,
                                       .idle_ms = 60000};
    return sg_smtp_client_new(&o);
}

static struct sg_smtp_envelope to(const char *const *recipients, size_t count)
{
    return (struct sg_smtp_envelope){
        .sender = "a@b.test", .recipients = recipients, .recipient_count = count};
}

/* One message against a script; the client ends before the script does. */
static struct result play(const char *const *steps, bool lmtp, const struct sg_smtp_envelope *e,
                          const char *text)
{
    struct result r = {0};
    struct script *s = script_begin(steps);
    struct sg_smtp_client *c = client_new();
    struct sg_smtp_destination d = {.host = "127.0.0.1", .port = script_port(s), .lmtp = lmtp};
    struct sg_smtp_piece piece = {.bytes = sg_bytes_str(text)};
    r.ok = sg_smtp_client_send(c, &d, e, &piece, 1, r.replies, &r.err);
    sg_smtp_client_free(&c);
    script_end(&s);
    return r;
}

#define MESSAGE "Subject: x\r\n\r\nhello\r\n"

static void assert_reply(const struct sg_smtp_reply *r, int code, const char *enhanced)
{
    assert_int_equal(r->code, code);
    assert_string_equal(r->enhanced, enhanced);
}

static void simple(void **state)
{
    (void)state;
    static const char *const steps[] = {HELLO,
                                        "S 250 mx.test",
                                        "C MAIL FROM:<a@b.test>",
                                        "S 250 2.1.0 ok",
                                        "C RCPT TO:<c@d.test>",
                                        "S 250 2.1.5 ok",
                                        "C DATA",
                                        "S 354 go",
                                        CONTENT,
                                        "S 250 2.6.0 queued as 7",
                                        "C QUIT",
                                        "X",
                                        NULL};
    struct sg_smtp_envelope e = to(joe, 1);
    e.body_8bit = e.notify_never = true; /* nothing of that is offered */
    struct result r = play(steps, false, &e, MESSAGE);
    assert_true(r.ok);
    assert_reply(&r.replies[0], 250, "2.6.0");
    assert_string_equal(r.replies[0].text, "queued as 7");
}

/* What is of 8 bits is sent as it is, and the reply says that nobody had offered to take it. */
static void eightbit(void **state)
{
    (void)state;
    static const char *const offers[] = {"S 250 mx.test", "S 250 8BITMIME"};
    static const char *const contents[] = {"D a\r\n", "D a\xc3\xa9\r\n", "D a\x7f\r\n"};
    for (size_t i = 0; i < 6; i++) {
        bool offer = i / 3, high = i % 3 == 1;
        const char *const steps[] = {HELLO,
                                     "S 250-mx.test",
                                     offers[offer],
                                     offer ? "C MAIL FROM:<a@b.test> BODY=8BITMIME"
                                           : "C MAIL FROM:<a@b.test>",
                                     "S 250 2.1.0 ok",
                                     "C RCPT TO:<c@d.test>",
                                     "S 250 2.1.5 ok",
                                     "C DATA",
                                     "S 354 go",
                                     contents[i % 3],
                                     "S 250 2.6.0 queued as 7",
                                     "E",
                                     NULL};
        struct sg_smtp_envelope e = to(joe, 1);
        e.body_8bit = true;
        struct result r = play(steps, false, &e, contents[i % 3] + 2);
        assert_true(r.ok);
        assert_reply(&r.replies[0], 250, "2.6.0");
        assert_int_equal(r.replies[0].undeclared, high && !offer);
    }
}

static void offered(void **state)
{
    (void)state;
    static const char *const steps[] = {HELLO,
                                        "S 250-mx.test",
                                        "S 250-pipelining",
                                        "S 250-SIZE 1000",
                                        "S 250-8BITMIME",
                                        "S 250-SMTPUTF8",
                                        "S 250 DSN",
                                        "C MAIL FROM:<a@b.test> SIZE=21 BODY=8BITMIME SMTPUTF8",
                                        "C RCPT TO:<c@d.test> NOTIFY=NEVER",
                                        "C RCPT TO:<e@d.test> NOTIFY=NEVER",
                                        "C RCPT TO:<f@d.test> NOTIFY=NEVER",
                                        "C DATA", /* all of it before any reply */
                                        "S 250 ok",
                                        "S 250 ok",
                                        "S 550-5.1.1 no",
                                        "S 550 5.1.1 such user",
                                        "S 251 ok",
                                        "S 354 go",
                                        CONTENT,
                                        "S 250 2.0.0 ok",
                                        "E",
                                        NULL};
    struct sg_smtp_envelope e = to(three, 3);
    e.smtputf8 = e.body_8bit = e.notify_never = true;
    struct result r = play(steps, false, &e, MESSAGE);
    assert_true(r.ok);
    assert_reply(&r.replies[0], 250, "2.0.0");
    assert_reply(&r.replies[1], 550, "5.1.1");
    assert_string_equal(r.replies[1].text, "no such user");
    assert_reply(&r.replies[2], 250, "2.0.0");
}

static void lmtp_replies(void **state)
{
    (void)state;
    static const char *const steps[] = {LHELLO,
                                        "S 250-mx.test",
                                        "S 250 PIPELINING",
                                        "C MAIL FROM:<a@b.test>",
                                        "C RCPT TO:<c@d.test>",
                                        "C RCPT TO:<e@d.test>",
                                        "C RCPT TO:<f@d.test>",
                                        "C DATA",
                                        "S 250 ok",
                                        "S 250 ok",
                                        "S 451 4.2.1 full",
                                        "S 250 ok",
                                        "S 354 go",
                                        CONTENT,
                                        "S 250 2.0.0 first",
                                        "S 552 5.2.2 third",
                                        "E",
                                        NULL};
    struct sg_smtp_envelope e = to(three, 3);
    struct result r = play(steps, true, &e, MESSAGE);
    assert_true(r.ok);
    assert_reply(&r.replies[0], 250, "2.0.0");
    assert_reply(&r.replies[1], 451, "4.2.1");
    assert_reply(&r.replies[2], 552, "5.2.2");
}

static void lmtp_cut_between_replies(void **state)
{
    (void)state;
    static const char *const steps[] = {
        LHELLO,   "S 250 PIPELINING",  "C* MAIL",  "C* RCPT",  "C* RCPT",
        "C DATA", "S 250 ok",          "S 250 ok", "S 250 ok", "S 354 go",
        CONTENT,  "S 250 2.0.0 first", "X",        NULL};
    struct sg_smtp_envelope e = to(three, 2);
    struct result r = play(steps, true, &e, MESSAGE);
    assert_true(r.ok);
    assert_reply(&r.replies[0], 250, "2.0.0");
    assert_reply(&r.replies[1], 451, "4.4.2");
    assert_non_null(strstr(r.replies[1].text, "may have been taken"));
}

static void mail_refused(void **state)
{
    (void)state;
    static const char *const steps[] = {
        HELLO,    "S 250-mx.test",  "S 250 PIPELINING", "C* MAIL",       "C* RCPT",       "C* RCPT",
        "C DATA", "S 550 5.7.1 no", "S 503 5.5.1 x",    "S 503 5.5.1 x", "S 503 5.5.1 x", "E",
        NULL};
    struct sg_smtp_envelope e = to(three, 2);
    struct result r = play(steps, false, &e, MESSAGE);
    assert_true(r.ok);
    assert_reply(&r.replies[0], 550, "5.7.1");
    assert_reply(&r.replies[1], 550, "5.7.1");
    static const char *const plain[] = {HELLO, "S 250 mx", "C* MAIL", "S 451 4.7.1 later",
                                        "E",   NULL};
    r = play(plain, false, &e, MESSAGE);
    assert_true(r.ok);
    assert_reply(&r.replies[1], 451, "4.7.1");
}

static void all_recipients_refused(void **state)
{
    (void)state;
    struct sg_smtp_envelope e = to(three, 2);
    static const char *const steps[] = {HELLO,
                                        "S 250-mx",
                                        "S 250 PIPELINING",
                                        "C* MAIL",
                                        "C* RCPT",
                                        "C* RCPT",
                                        "C DATA",
                                        "S 250 ok",
                                        "S 550 5.1.1 a",
                                        "S 450 4.2.0 b",
                                        "S 503 5.5.1 no recipients",
                                        "E",
                                        NULL};
    struct result r = play(steps, false, &e, MESSAGE);
    assert_true(r.ok);
    assert_reply(&r.replies[0], 550, "5.1.1");
    assert_reply(&r.replies[1], 450, "4.2.0");
    /* A server that says 354 all the same gets no content. */
    static const char *const keen[] = {
        HELLO,      "S 250-mx",      "S 250 PIPELINING", "C* MAIL",  "C* RCPT", "C* RCPT", "C DATA",
        "S 250 ok", "S 550 5.1.1 a", "S 450 4.2.0 b",    "S 354 go", "E",       NULL};
    r = play(keen, false, &e, MESSAGE);
    assert_true(r.ok);
    assert_reply(&r.replies[0], 550, "5.1.1");
    assert_reply(&r.replies[1], 450, "4.2.0");
}

static void data_refused(void **state)
{
    (void)state;
    struct sg_smtp_envelope e = to(three, 2);
    static const char *const steps[] = {HELLO,     "S 250 mx",       "C* MAIL", "S 250 ok",
                                        "C* RCPT", "S 550 5.1.1 no", "C* RCPT", "S 250 ok",
                                        "C DATA",  "S 554 5.3.0 no", "E",       NULL};
    struct result r = play(steps, false, &e, MESSAGE);
    assert_true(r.ok);
    assert_reply(&r.replies[0], 550, "5.1.1");
    assert_reply(&r.replies[1], 554, "5.3.0");
}

/* A 250 where 354 is due must not pass for a delivery. */
static void odd_replies(void **state)
{
    (void)state;
    struct sg_smtp_envelope e = to(joe, 1);
    static const char *const early[] = {HELLO,      "S 250 mx", "C* MAIL",  "S 250 ok", "C* RCPT",
                                        "S 250 ok", "C DATA",   "S 250 ok", "E",        NULL};
    struct result r = play(early, false, &e, MESSAGE);
    assert_false(r.ok);
    assert_int_equal(r.err.code, SG_E_SMTP_CONNECT);
    static const char *const again[] = {HELLO,     "S 250 mx", "C* MAIL", "S 250 ok",
                                        "C* RCPT", "S 250 ok", "C DATA",  "S 354 go",
                                        CONTENT,   "S 354 go", "E",       NULL};
    r = play(again, false, &e, MESSAGE);
    assert_false(r.ok);
    assert_int_equal(r.err.code, SG_E_SMTP_PEER);
    static const char *const taken[] = {
        HELLO,     "S 250 mx", "C* MAIL", "S 250 ok",
        "C* RCPT", "S 250 ok", "C DATA",  "S 354 go\r\n250 2.0.0 taken",
        "E",       NULL};
    r = play(taken, false, &e, MESSAGE);
    assert_false(r.ok);
    assert_int_equal(r.err.code, SG_E_SMTP_CONNECT);
    static const char *const junk[] = {HELLO,     "S 250 mx", "C* MAIL", "S 250 ok",
                                       "C* RCPT", "S 250 ok", "C DATA",  "S 354 go",
                                       CONTENT,   "S hm?",    "E",       NULL};
    r = play(junk, false, &e, MESSAGE);
    assert_false(r.ok);
    assert_int_equal(r.err.code, SG_E_SMTP_PEER);
}

static void lost(void **state)
{
    (void)state;
    struct sg_smtp_envelope e = to(three, 2);
    static const char *const before[] = {HELLO,     "S 250 mx", "C* MAIL", "S 250 ok",
                                         "C* RCPT", "X",        NULL};
    struct result r = play(before, false, &e, MESSAGE);
    assert_false(r.ok);
    assert_int_equal(r.err.code, SG_E_SMTP_CONNECT);
    static const char *const after[] = {HELLO,      "S 250 mx", "C* MAIL",  "S 250 ok", "C* RCPT",
                                        "S 250 ok", "C* RCPT",  "S 250 ok", "C DATA",   "S 354 go",
                                        CONTENT,    "X",        NULL};
    r = play(after, false, &e, MESSAGE);
    assert_false(r.ok);
    assert_int_equal(r.err.code, SG_E_SMTP_PEER);
    /* One was answered for: the others get a reply of their own. */
    static const char *const some[] = {
        HELLO,     "S 250 mx", "C* MAIL", "S 250 ok", "C* RCPT", "S 550 5.1.1 no",
        "C* RCPT", "S 250 ok", "C DATA",  "X",        NULL};
    r = play(some, false, &e, MESSAGE);
    assert_true(r.ok);
    assert_reply(&r.replies[0], 550, "5.1.1");
    assert_reply(&r.replies[1], 451, "4.4.2");
    static const char *const closing[] = {HELLO,     "S 250 mx",          "C* MAIL", "S 250 ok",
                                          "C* RCPT", "S 421 4.3.2 going", "E",       NULL};
    r = play(closing, false, &e, MESSAGE);
    assert_true(r.ok);
    assert_reply(&r.replies[0], 421, "4.3.2");
    assert_reply(&r.replies[1], 421, "4.3.2");
}

static void no_welcome(void **state)
{
    (void)state;
    struct sg_smtp_envelope e = to(joe, 1);
    static const char *const busy[] = {"A", "S 421 4.3.2 busy", "E", NULL};
    static const char *const no[] = {"A", "S 554 5.3.2 no", "E", NULL};
    static const char *const mute[] = {"A", "X", NULL};
    static const char *const *const all[] = {busy, no, mute};
    for (size_t i = 0; i < 3; i++) {
        struct result r = play(all[i], false, &e, MESSAGE);
        assert_false(r.ok);
        assert_int_equal(r.err.code, SG_E_SMTP_CONNECT);
    }
    static const char *const old[] = {
        HELLO, "S 502 what", "C HELO gw.test", "S 250 mx", "C* MAIL", "S 550 no", "E", NULL};
    assert_true(play(old, false, &e, MESSAGE).ok);
    static const char *const not_lmtp[] = {LHELLO, "S 500 what", "E", NULL};
    assert_false(play(not_lmtp, true, &e, MESSAGE).ok);
}

static void not_sendable(void **state)
{
    (void)state;
    struct sg_smtp_envelope e = to(joe, 1);
    static const char *const steps[] = {
        HELLO,      "S 250-mx", "S 250 PIPELINING", "C* MAIL", "C* RCPT", "C DATA",
        "S 250 ok", "S 250 ok", "S 354 go",         "E",       NULL};
    static const char *const texts[] = {"a\nb\r\n", "a\rb\r\n", "a\r\n.\n", "a\r"};
    for (size_t i = 0; i < 4; i++) {
        struct result r = play(steps, false, &e, texts[i]);
        assert_false(r.ok);
        assert_int_equal(r.err.code, SG_E_INVALID);
    }
    /* Addresses that would break out of their command never get as far as a connection. */
    static const char *const none[] = {NULL};
    static const char *const evil[] = {"c@d.test>\r\nRCPT TO:<x@y.test"};
    struct sg_smtp_envelope bad[] = {to(evil, 1), to(joe, 1), to(joe, 0)};
    bad[1].sender = "a b";
    for (size_t i = 0; i < 3; i++) {
        struct result r = play(none, false, &bad[i], MESSAGE);
        assert_false(r.ok);
        assert_int_equal(r.err.code, SG_E_INVALID);
    }
}

static void answered_without_asking(void **state)
{
    (void)state;
    static const char *const steps[] = {HELLO, "S 250-mx", "S 250 SIZE 20", "E", NULL};
    struct sg_smtp_envelope e = to(three, 2);
    struct result r = play(steps, false, &e, MESSAGE); /* 21 octets */
    assert_true(r.ok);
    assert_reply(&r.replies[0], 552, "5.3.4");
    assert_reply(&r.replies[1], 552, "5.3.4");
    e.smtputf8 = true;
    r = play(steps, false, &e, "x\r\n");
    assert_true(r.ok);
    assert_reply(&r.replies[1], 550, "5.6.7");
    static const char *const beyond[] = {"j\xc3\xb6@d.test"};
    struct sg_smtp_envelope u = to(beyond, 1);
    r = play(steps, false, &u, "x\r\n");
    assert_reply(&r.replies[0], 550, "5.6.7");
}

/* More recipients than go out in one piece, and content in many, from memory and a spool. */
static void large(void **state)
{
    (void)state;
    static char rcpts[60][20], ok[] = "S 250 ok";
    static const char *list[60], *steps[400];
    size_t n = 0;
    static const char *const head[] = {HELLO, "S 250-mx", "S 250 PIPELINING", "C* MAIL"};
    for (size_t i = 0; i < sizeof head / sizeof *head; i++)
        steps[n++] = head[i];
    for (size_t i = 0; i < 60; i++) {
        snprintf(rcpts[i], sizeof rcpts[i], "r%zu@d.test", i);
        list[i] = rcpts[i];
        if (i == 49) /* fifty commands, then their replies */
            for (int k = 0; k < 50; k++)
                steps[n++] = ok;
        steps[n++] = "C* RCPT TO:<r";
    }
    steps[n++] = "C DATA";
    for (int k = 0; k < 11; k++)
        steps[n++] = k == 5 ? "S 550 5.1.1 no" : ok;
    static const char *const tail[] = {"S 354 go", "D*", "S 250 2.0.0 ok", "E", NULL};
    for (size_t i = 0; i < 5; i++)
        steps[n++] = tail[i];
    struct script *s = script_begin(steps);
    struct sg_smtp_client *c = client_new();
    struct sg_smtp_destination d = {.host = "127.0.0.1", .port = script_port(s)};
    struct sg_spool_limits limits = {1000, 10 << 20, "/tmp"};
    SG_AUTO_SPOOL spool = sg_spool_new(&limits);
    struct sg_error err;
    for (int i = 0; i < 20000; i++)
        assert_true(sg_spool_write(spool, "..of some length, with a dot in front\r\n", 39, &err));
    struct sg_smtp_piece pieces[] = {{.bytes = sg_bytes_str("Subject: x\r\n")},
                                     {.bytes = sg_bytes_str("\r\n")},
                                     {.spool = spool, .offset = 39, .len = UINT64_MAX}};
    struct sg_smtp_envelope e = to(list, 60);
    static struct sg_smtp_reply replies[60];
    assert_true(sg_smtp_client_send(c, &d, &e, pieces, 3, replies, &err));
    for (size_t i = 0; i < 60; i++)
        assert_int_equal(replies[i].code, i == 54 ? 550 : 250);
    sg_smtp_client_free(&c);
    script_end(&s);
}

static void pieces_and_dots(void **state)
{
    (void)state;
    static const char *const steps[] = {HELLO,
                                        "S 250-mx",
                                        "S 250 SIZE 0",
                                        "C MAIL FROM:<> SIZE=14",
                                        "S 250 ok",
                                        "C* RCPT",
                                        "S 250 ok",
                                        "C DATA",
                                        "S 354 go",
                                        "D a\r\n..b\r\n...\r\nc.d\r\n",
                                        "S 250 ok",
                                        "E",
                                        NULL};
    struct script *s = script_begin(steps);
    struct sg_smtp_client *c = client_new();
    struct sg_smtp_destination d = {.host = "127.0.0.1", .port = script_port(s)};
    struct sg_spool_limits limits = {1000, 1000, "/tmp"};
    SG_AUTO_SPOOL spool = sg_spool_new(&limits);
    struct sg_error err;
    assert_true(sg_spool_write(spool, "--.b\r\n..\r\n--", 12, &err));
    struct sg_smtp_piece pieces[] = {{.bytes = sg_bytes_str("a\r")},
                                     {.bytes = sg_bytes_str("\n")},
                                     {.spool = spool, .offset = 2, .len = 8},
                                     {.bytes = sg_bytes_str("c.d")}};
    struct sg_smtp_envelope e = to(joe, 1);
    e.sender = "";
    struct sg_smtp_reply reply;
    assert_true(sg_smtp_client_send(c, &d, &e, pieces, 4, &reply, &err));
    assert_int_equal(reply.code, 250);
    sg_smtp_client_free(&c);
    script_end(&s);
}

static void timeouts(void **state)
{
    (void)state;
    struct sg_smtp_client_options o = {.hostname = "gw.test",
                                       .slots = 1,
                                       .slot_wait_ms = 100,
                                       .connect_timeout_ms = 2000,
                                       .command_timeout_ms = 300,
                                       .data_timeout_ms = 300,
                                       .idle_ms = 1000};
    static const char *const mute[] = {"A", "E", NULL};
    static const char *const slow[] = {HELLO, "S 250 mx", "C* MAIL", "E", NULL};
    static const char *const last[] = {HELLO,     "S 250 mx", "C* MAIL", "S 250 ok",
                                       "C* RCPT", "S 250 ok", "C DATA",  "S 354 go",
                                       CONTENT,   "E",        NULL};
    const struct {
        const char *const *steps;
        enum sg_error_code code;
    } rows[] = {{mute, SG_E_SMTP_CONNECT}, {last, SG_E_SMTP_PEER}, {slow, SG_E_SMTP_CONNECT}};
    for (size_t i = 0; i < 3; i++) {
        int64_t begin = sg_clock_monotonic_ms();
        if (i == 2)
            o.command_timeout_ms = 60000; /* many answers that each take long have less together */
        struct sg_smtp_client *c = sg_smtp_client_new(&o);
        struct script *s = script_begin(rows[i].steps);
        struct sg_smtp_destination d = {.host = "127.0.0.1", .port = script_port(s)};
        struct sg_smtp_reply reply;
        struct sg_error err;
        assert_false(script_send(c, &d, &reply, &err));
        assert_int_equal(err.code, rows[i].code);
        assert_non_null(strstr(err.detail, "time"));
        assert_true(sg_clock_monotonic_ms() - begin < 30000);
        sg_smtp_client_free(&c);
        script_end(&s);
    }
}

/* It would never get the message if all had to be taken in time. */
static void a_slow_server_gets_it_for_some(void **state)
{
    (void)state;
    static const char *const steps[] = {
        HELLO,      "S 250 mx", "C* MAIL", "S 250 ok", "C* RCPT TO:<c@d.test>",
        "P 700",    "S 250 ok", "C DATA",  "S 354 go", "D*",
        "S 250 ok", "E",        NULL};
    struct sg_smtp_client_options o = {.hostname = "gw.test",
                                       .slots = 1,
                                       .slot_wait_ms = 100,
                                       .connect_timeout_ms = 30000,
                                       .command_timeout_ms = 30000,
                                       .data_timeout_ms = 1200,
                                       .idle_ms = 1000};
    struct sg_smtp_client *c = sg_smtp_client_new(&o);
    struct script *s = script_begin(steps);
    struct sg_smtp_destination d = {.host = "127.0.0.1", .port = script_port(s)};
    struct sg_smtp_envelope e = to(three, 3);
    struct sg_smtp_piece piece = {.bytes = sg_bytes_str("x\r\n")};
    struct sg_smtp_reply replies[3];
    struct sg_error err = {0};
    assert_true(sg_smtp_client_send(c, &d, &e, &piece, 1, replies, &err));
    assert_reply(&replies[0], 250, "");
    assert_reply(&replies[1], 451, "4.4.2");
    assert_reply(&replies[2], 451, "4.4.2");
    sg_smtp_client_free(&c);
    script_end(&s);
}

static int setup(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN); /* as in the daemons */
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(simple),
        cmocka_unit_test(offered),
        cmocka_unit_test(eightbit),
        cmocka_unit_test(lmtp_replies),
        cmocka_unit_test(lmtp_cut_between_replies),
        cmocka_unit_test(mail_refused),
        cmocka_unit_test(all_recipients_refused),
        cmocka_unit_test(data_refused),
        cmocka_unit_test(odd_replies),
        cmocka_unit_test(lost),
        cmocka_unit_test(no_welcome),
        cmocka_unit_test(not_sendable),
        cmocka_unit_test(answered_without_asking),
        cmocka_unit_test(large),
        cmocka_unit_test(pieces_and_dots),
        cmocka_unit_test(timeouts),
        cmocka_unit_test(a_slow_server_gets_it_for_some),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
