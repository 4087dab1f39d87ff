/* server.h by raw dialogs over a Unix socket. */
#include "smtp/server.h"

#include "common/buf.h"
#include "peer.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define MAX_BYTES 100000

/* What the callback saw, for the one connection that each test has. */
static struct {
    pthread_mutex_t lock;
    int messages;
    struct sg_buf body, facts;
    const char *answer;    /* "550" and so on, for every recipient; NULL: answered by address */
    bool silent;           /* answers nothing */
    struct sg_buf answers; /* what the contents were answered with */
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool body_add(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    (void)err;
    return sg_buf_add(ctx, data, len);
}

static void on_message(void *ctx, struct sg_smtp_transaction *t, struct sg_smtp_reply *replies)
{
    (void)ctx;
    struct sg_error err;
    pthread_mutex_lock(&seen.lock);
    seen.messages++;
    sg_buf_clear(&seen.body);
    sg_buf_adds(&seen.body, "");
    sg_buf_clear(&seen.facts);
    struct sg_sink sink = {body_add, &seen.body};
    assert_true(sg_spool_copy(t->body, 0, UINT64_MAX, &sink, &err));
    const struct sg_smtp_xforward *x = &t->xforward;
    sg_buf_addf(&seen.facts, "<%s> utf8=%d 8bit=%d [%s|%s|%s|%s|%s|%s|%s]", t->sender, t->smtputf8,
                t->body_8bit, x->name, x->addr, x->port, x->proto, x->helo, x->ident, x->source);
    for (size_t i = 0; i < t->recipient_count; i++) {
        const char *a = t->recipients[i].address;
        sg_buf_addf(&seen.facts, " %s", a);
        if (seen.silent)
            continue;
        if (strncmp(a, "perm", 4) == 0)
            sg_smtp_reply_set(&replies[i], 550, "5.1.1", "no %s", a);
        else if (strncmp(a, "temp", 4) == 0)
            sg_smtp_reply_set(&replies[i], 421, "4.3.0", "later");
        else if (strncmp(a, "odd", 3) == 0)
            sg_smtp_reply_set(&replies[i], 250, "4.9.9", "held");
        else if (strncmp(a, "mad", 3) == 0)
            sg_smtp_reply_set(&replies[i], 354, "3.0.0", "what");
        else
            sg_smtp_reply_set(&replies[i], 250, "2.0.0", "taken");
    }
    pthread_mutex_unlock(&seen.lock);
}

static void on_answered(void *ctx, const struct sg_smtp_transaction *t,
                        const struct sg_smtp_reply *replies, size_t count)
{
    (void)ctx;
    assert_non_null(t->body);
    pthread_mutex_lock(&seen.lock);
    for (size_t i = 0; i < count; i++)
        sg_buf_addf(&seen.answers, "%d ", replies[i].code);
    sg_buf_adds(&seen.answers, "");
    pthread_mutex_unlock(&seen.lock);
}

static void expect_answered(const char *codes)
{
    pthread_mutex_lock(&seen.lock);
    assert_int_equal(seen.answers.len, strlen(codes));
    assert_memory_equal(seen.answers.data, codes, strlen(codes));
    sg_buf_clear(&seen.answers);
    pthread_mutex_unlock(&seen.lock);
}

static void on_mail(void *ctx, const struct sg_smtp_transaction *t, struct sg_smtp_reply *reply)
{
    (void)ctx;
    if (strncmp(t->sender, "refused", 7) == 0)
        sg_smtp_reply_set(reply, 550, "5.7.1", "not you");
}

static void on_rcpt(void *ctx, const struct sg_smtp_transaction *t, const char *address,
                    struct sg_smtp_reply *reply)
{
    (void)ctx, (void)t;
    if (strncmp(address, "unknown", 7) == 0)
        sg_smtp_reply_set(reply, 550, "5.1.1", "no such user");
}

static struct sg_smtp_server *lmtp, *smtp;
static char lmtp_path[100], smtp_path[100];

static struct sg_smtp_server *start(const char *name, char *path, size_t size, bool is_lmtp)
{
    static char addresses[2][110];
    char *address = addresses[is_lmtp];
    snprintf(path, size, "%s/%s.sock", peer_dir(), name);
    snprintf(address, sizeof addresses[0], "unix:%s", path);
    struct sg_smtp_server_options o = {.name = name,
                                       .address = address,
                                       .hostname = "gw.test",
                                       .lmtp = is_lmtp,
                                       .mode = 0600,
                                       .max_connections = 3,
                                       .max_recipients = 5,
                                       .max_errors = 3,
                                       .max_line_bytes = 600,
                                       .command_timeout_ms = 1500,
                                       .data_timeout_ms = 1500,
                                       .spool = {4096, MAX_BYTES, peer_dir()}};
    struct sg_smtp_callbacks callbacks = {
        .mail = on_mail, .rcpt = on_rcpt, .message = on_message, .answered = on_answered};
    struct sg_smtp_server *server;
    struct sg_error err;
    if (!sg_smtp_server_start(&o, &callbacks, &server, &err))
        fail_msg("%s", err.detail);
    return server;
}

static int setup(void **state)
{
    (void)state;
    lmtp = start("lmtp", lmtp_path, sizeof lmtp_path, true);
    smtp = start("smtp", smtp_path, sizeof smtp_path, false);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sg_smtp_server_stop(&lmtp, 1000);
    sg_smtp_server_stop(&smtp, 1000);
    assert_null(lmtp);
    sg_buf_free(&seen.body);
    sg_buf_free(&seen.facts);
    sg_buf_free(&seen.answers);
    peer_dir_remove();
    return 0;
}

static int greeted(void)
{
    int fd = peer_connect(lmtp_path);
    seen.messages = 0;
    seen.silent = false;
    peer_expect(fd, "220 gw.test LMTP");
    peer_say(fd, "LHLO out.test", "250-gw.test\r\n");
    return fd;
}

/* Connections that are over are noticed by the server in a thread of its own. */
static void leave(int fd)
{
    peer_say(fd, "QUIT", "221 2.0.0");
    peer_expect_end(fd);
    close(fd);
}

static void envelope(int fd)
{
    peer_say(fd, "MAIL FROM:<a@b.test>", "250 2.1.0");
    peer_say(fd, "RCPT TO:<c@d.test>", "250 2.1.5");
}

static void begin_data(int fd)
{
    envelope(fd);
    peer_say(fd, "DATA", "354 ");
}

static void assert_seen(const char *facts, const char *body)
{
    pthread_mutex_lock(&seen.lock); /* a failed assertion would keep it */
    char *facts_seen = strdup((const char *)seen.facts.data);
    char *body_seen = strdup((const char *)seen.body.data);
    pthread_mutex_unlock(&seen.lock);
    assert_string_equal(facts_seen, facts);
    assert_string_equal(body_seen, body);
    free(facts_seen);
    free(body_seen);
}

static int messages(void)
{
    pthread_mutex_lock(&seen.lock);
    int n = seen.messages;
    pthread_mutex_unlock(&seen.lock);
    return n;
}

static void offers(void **state)
{
    (void)state;
    int fd = peer_connect(lmtp_path);
    peer_expect(fd, "220 ");
    peer_send(fd, "lhlo out.test\r\n");
    const char *text = peer_reply(fd);
    static const char *const words[] = {
        "PIPELINING", "SIZE 100000", "ENHANCEDSTATUSCODES",
        "8BITMIME",   "SMTPUTF8",    "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        assert_non_null(strstr(text, words[i]));
    assert_null(strstr(text, "DSN"));
    leave(fd);
}

static void whole_transaction(void **state)
{
    (void)state;
    int fd = greeted();
    peer_say(fd, "XFORWARD NAME=mail.a.test ADDR=IPV6:2001:db8::1 PORT=2525", "250 ");
    peer_say(fd, "XFORWARD PROTO=ESMTP HELO=a+2Btest IDENT=4Xq1yS5z0Pz9t SOURCE=REMOTE", "250 ");
    peer_say(fd, "MAIL FROM:<a@b.test> SIZE=10 BODY=8BITMIME SMTPUTF8", "250 2.1.0");
    peer_say(fd, "RCPT TO:<c@d.test>", "250 2.1.5");
    peer_say(fd, "RCPT TO:<j\xc3\xb6@d.test>", "250 2.1.5");
    peer_say(fd, "DATA", "354 ");
    peer_send(fd, "Subject: x\r\n\r\n..dot\r\n\xff\r\n.\r\n");
    peer_expect(fd, "250 2.0.0 taken");
    peer_expect(fd, "250 2.0.0 taken");
    assert_seen("<a@b.test> utf8=1 8bit=1 [mail.a.test|2001:db8::1|2525|ESMTP|a+test|4Xq1yS5z0Pz9t|"
                "REMOTE] c@d.test j\xc3\xb6@d.test",
                "Subject: x\r\n\r\n.dot\r\n\xff\r\n");
    /* What XFORWARD said is over with the transaction. */
    begin_data(fd);
    peer_send(fd, "x\r\n.\r\n");
    peer_expect(fd, "250 ");
    assert_seen("<a@b.test> utf8=0 8bit=0 [||||||] c@d.test", "x\r\n");
    leave(fd);
}

static void xforward(void **state)
{
    (void)state;
    int fd = greeted();
    peer_say(fd, "XFORWARD IDENT=one", "250 ");
    peer_say(fd, "RSET", "250 ");
    peer_say(fd, "XFORWARD NAME=[UNAVAILABLE] HELO=[TEMPUNAVAIL] ADDR=192.0.2.1", "250 ");
    peer_say(fd, "XFORWARD SOURCE=a+0D+0Ab+C3+A9", "250 ");
    peer_say(fd, "XFORWARD IDENT", "250 ");
    peer_say(fd, "MAIL FROM:<>", "250 ");
    peer_say(fd, "XFORWARD IDENT=late", "503 5.5.1");
    peer_say(fd, "RCPT TO:<c@d.test>", "250 ");
    peer_say(fd, "DATA", "354 ");
    peer_send(fd, "x\r\n.\r\n");
    peer_expect(fd, "250 ");
    assert_seen("<> utf8=0 8bit=0 [|192.0.2.1|||||a??b??] c@d.test", "x\r\n");
    leave(fd);
    fd = greeted();
    peer_say(fd, "XFORWARD", "501 5.5.4");
    peer_say(fd, "XFORWARD COLOUR=red", "501 5.5.4");
    peer_say(fd, "XFORWARD NAME=a+2", "501 5.5.4");
    leave(fd);
    /* 255 octets decoded are kept of one, and all of the others. */
    fd = greeted();
    char line[600], said[400];
    snprintf(line, sizeof line, "XFORWARD HELO=+41%0255d IDENT=one", 0);
    peer_say(fd, line, "250 ");
    peer_say(fd, "MAIL FROM:<>", "250 ");
    peer_say(fd, "RCPT TO:<c@d.test>", "250 ");
    peer_say(fd, "DATA", "354 ");
    peer_send(fd, "x\r\n.\r\n");
    peer_expect(fd, "250 ");
    snprintf(said, sizeof said, "<> utf8=0 8bit=0 [||||A%0254d|one|] c@d.test", 0);
    assert_seen(said, "x\r\n");
    leave(fd);
}

static void pipelined(void **state)
{
    (void)state;
    int fd = greeted();
    peer_send(fd, "MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nRCPT TO:<unknown@d.test>\r\n"
                  "RCPT TO:<perm@d.test>\r\nDATA\r\n");
    peer_expect(fd, "250 2.1.0");
    peer_expect(fd, "250 2.1.5");
    peer_expect(fd, "550 5.1.1");
    peer_expect(fd, "250 2.1.5");
    peer_expect(fd, "354 ");
    peer_send(fd, "x\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<e@d.test>\r\nDATA\r\n");
    peer_expect(fd, "250 2.0.0"); /* one for each that was accepted (RFC 2033 §4.2) */
    peer_expect(fd, "550 5.1.1 no perm@d.test");
    peer_expect(fd, "250 2.1.0");
    peer_expect(fd, "250 2.1.5");
    peer_expect(fd, "354 ");
    peer_send(fd, ".\r\nQUIT\r\n");
    peer_expect(fd, "250 2.0.0");
    assert_seen("<> utf8=0 8bit=0 [||||||] e@d.test", "");
    peer_expect(fd, "221 ");
    peer_expect_end(fd);
    close(fd);
}

static void one_octet_at_a_time(void **state)
{
    (void)state;
    int fd = greeted();
    static const char text[] = "MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\n";
    for (size_t i = 0; i < sizeof text - 1; i++)
        peer_send_octets(fd, text + i, 1);
    peer_expect(fd, "250 ");
    peer_expect(fd, "250 ");
    peer_say(fd, "DATA", "354 ");
    static const char body[] = "..a\r\n\r\n.\r\n";
    for (size_t i = 0; i < sizeof body - 1; i++)
        peer_send_octets(fd, body + i, 1);
    peer_expect(fd, "250 ");
    assert_seen("<a@b.test> utf8=0 8bit=0 [||||||] c@d.test", ".a\r\n\r\n");
    leave(fd);
}

static void smuggling(void **state)
{
    (void)state;
    static const char *const tricks[] = {"\n.\n",   "\n.\r\n", "\r\n.\n",     "\r.\r",
                                         "\r.\r\n", "\r\n.\r", "\r\n.\r\r\n", "\r\r\n",
                                         "\n",      "\r",      "\n\r.\r\n",   "\r\n\r.\r"};
    for (size_t i = 0; i < sizeof tricks / sizeof *tricks; i++) {
        int fd = greeted();
        begin_data(fd);
        peer_send(fd, "Subject: x\r\n\r\none");
        peer_send(fd, tricks[i]);
        peer_send(fd, "MAIL FROM:<evil@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\nmore\r\n.\r\n");
        /* All of it was one message, refused as a whole, said so aloud, and nothing is left over.
         */
        peer_expect(fd, "550 5.6.11");
        assert_int_equal(messages(), 0);
        peer_say(fd, "NOOP", "250 ");
        leave(fd);
    }
    int fd = greeted();
    begin_data(fd);
    static const char nul[] = "one\r\n\0.\r\ntwo\r\n.\0\r\nthree\r\n.\r\n";
    peer_send_octets(fd, nul, sizeof nul - 1);
    peer_expect(fd, "250 ");
    assert_int_equal(messages(), 1);
    assert_int_equal(seen.body.len, strlen("one\r\n_.\r\ntwo\r\n_\r\nthree\r\n"));
    leave(fd);
}

static void command_lines(void **state)
{
    (void)state;
    int fd = greeted();
    peer_send(fd, "NOOP\n");
    peer_expect(fd, "500 5.5.2");
    peer_send_octets(fd, "NOOP\0\r\n", 7);
    peer_expect(fd, "500 5.5.2");
    peer_send(fd, "NO\rOP\r\n");
    peer_expect(fd, "500 5.5.2");
    leave(fd);
    fd = greeted();
    char line[601];
    snprintf(line, sizeof line, "NOOP %0593d", 0); /* 598 and CRLF are 600 */
    peer_say(fd, line, "250 ");
    snprintf(line, sizeof line, "NOOP %0594d", 0);
    peer_say(fd, line, "500 5.5.2 line too long");
    for (int i = 0; i < 100; i++)
        peer_send(fd, line);
    peer_send(fd, "\r\n");
    peer_expect(fd, "500 5.5.2 line too long");
    peer_say(fd, "NOOP", "250 ");
    leave(fd);
    fd = greeted();
    peer_say(fd, "", "500 5.5.2");
    peer_say(fd, "HELO x", "500 5.5.2"); /* RFC 2033 §4.1 */
    peer_say(fd, "EHLO x", "500 5.5.2");
    peer_say(fd, "NOOP", "250 ");
    peer_say(fd, "BDAT 3", "421 4.7.0"); /* the fourth bad one */
    peer_expect_end(fd);
    close(fd);
}

/* Whoever writes such addresses is behind the peer, whose other mail would wait for the connections
 * that we end. */
static void refused_addresses_end_no_session(void **state)
{
    (void)state;
    int fd = greeted();
    for (int i = 0; i < 5; i++)
        peer_say(fd, "MAIL FROM:<no address>", "501 ");
    peer_say(fd, "RCPT TO:<c@d.test>", "503 5.5.1");
    peer_say(fd, "MAIL FROM:<a@b.test>", "250 ");
    for (int i = 0; i < 5; i++)
        peer_say(fd, "RCPT TO:<no address>", "501 ");
    peer_say(fd, "DATA", "503 5.5.1");
    peer_say(fd, "RCPT TO:<c@d.test>", "250 ");
    peer_say(fd, "DATA", "354 ");
    peer_send(fd, "x\r\n.\r\n");
    peer_expect(fd, "250 ");
    assert_seen("<a@b.test> utf8=0 8bit=0 [||||||] c@d.test", "x\r\n");
    leave(fd);
}

static void sequence(void **state)
{
    (void)state;
    int fd = peer_connect(lmtp_path);
    peer_expect(fd, "220 ");
    peer_say(fd, "MAIL FROM:<a@b.test>", "503 5.5.1");
    peer_say(fd, "XFORWARD NAME=a", "503 5.5.1");
    peer_say(fd, "RSET", "250 ");
    peer_say(fd, "LHLO", "501 5.5.4");
    peer_say(fd, "LHLO x", "250-");
    leave(fd);
    fd = greeted();
    peer_say(fd, "RCPT TO:<c@d.test>", "503 5.5.1");
    peer_say(fd, "DATA", "503 5.5.1");
    envelope(fd);
    peer_say(fd, "MAIL FROM:<a@b.test>", "503 5.5.1");
    peer_say(fd, "LHLO again", "250-"); /* ends the transaction */
    peer_say(fd, "MAIL FROM:<a@b.test>", "250 ");
    leave(fd);
    /* All recipients refused: 503 to DATA (RFC 2033 §4.2), which is nobody's mistake. */
    fd = greeted();
    for (int i = 0; i < 10; i++) {
        peer_send(fd, "MAIL FROM:<a@b.test>\r\nRCPT TO:<unknown@d.test>\r\nDATA\r\nRSET\r\n");
        peer_expect(fd, "250 2.1.0");
        peer_expect(fd, "550 5.1.1");
        peer_expect(fd, "503 5.5.1");
        peer_expect(fd, "250 2.0.0");
    }
    for (int i = 0; i < 10; i++) {
        peer_send(fd, "MAIL FROM:<refused@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n");
        peer_expect(fd, "550 5.7.1");
        peer_expect(fd, "503 5.5.1");
        peer_expect(fd, "503 5.5.1");
    }
    peer_say(fd, "MAIL FROM:<a@b.test>", "250 ");
    leave(fd);
}

static void early_content(void **state)
{
    (void)state;
    int fd = greeted();
    envelope(fd);
    peer_send(fd, "DATA\r\nRSET\r\nMAIL FROM:<evil@b.test>\r\n.\r\n");
    peer_expect(fd, "503 5.5.0");
    peer_expect_end(fd);
    assert_int_equal(messages(), 0);
    close(fd);
}

static void mail_arguments(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"MAIL FROM:<a@b.test> SIZE=100000", "250 "},
        {"MAIL FROM:<a@b.test> SIZE=100001", "552 5.3.4"},
        {"MAIL FROM:<a@b.test> SIZE=18446744073709551616", "552 5.3.4"},
        {"MAIL FROM:<a@b.test> SIZE=99999999999999999999", "552 5.3.4"},
        {"MAIL FROM:<a@b.test> SIZE=123456789012345678901", "501 5.5.4"},
        {"MAIL FROM:<a@b.test> SIZE=-1", "501 5.5.4"},
        {"MAIL FROM:<a@b.test> SIZE=", "555 5.5.4"},
        {"MAIL FROM:<a@b.test> BODY=7BIT", "250 "},
        {"MAIL FROM:<a@b.test> body=8bitmime size=5", "250 "},
        {"MAIL FROM:<a@b.test> BODY=BINARYMIME", "555 5.5.4"},
        {"MAIL FROM:<a@b.test> RET=FULL", "555 5.5.4"},
        {"MAIL FROM:<a@b.test> SMTPUTF8=1", "555 5.5.4"},
        {"MAIL FROM:<j\xc3\xb6@b.test>", "553 5.6.7"},
        {"MAIL FROM:<j\xc3\xb6@b.test> SMTPUTF8", "250 "},
        {"MAIL FROM:<j\xf6@b.test> SMTPUTF8", "501 5.1.7"},
        {"mail from: <a@b.test>", "250 "},
        {"MAIL FROM:<@x.test,@y.test:a@b.test>", "250 "},
        {"MAIL FROM:<\"a>b\"@b.test>", "250 "},
        {"MAIL FROM:<>", "250 "},
        {"MAIL FROM:<a>", "501 5.1.7"},
        {"MAIL FROM:<@x.test:>", "501 5.1.7"},
        {"MAIL FROM:a@b.test", "501 5.1.7"},
        {"MAIL FROM:<a@b.test", "501 5.1.7"},
        {"MAIL FROM:<\"a@b.test>", "501 5.1.7"},
        {"MAIL FROM:<a@b.test>SIZE=1", "501 5.1.7"},
        {"MAIL FROM:<a@b.test> <c@d.test>", "555 5.5.4"},
        {"MAIL TO:<a@b.test>", "501 5.5.4"},
        {"MAIL", "501 5.5.4"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int fd = greeted();
        peer_say(fd, rows[i][0], rows[i][1]);
        leave(fd);
    }
    static const char *const rcpts[][2] = {
        {"RCPT TO:<c@d.test>", "250 "},
        {"RCPT TO:<@x.test:c@d.test>", "250 "},
        {"RCPT TO:<>", "501 5.1.3"},
        {"RCPT TO:<postmaster>", "501 5.1.3"},
        {"RCPT TO:<j\xc3\xb6@d.test>", "553 5.6.7"},
        {"RCPT TO:<c@d.test> NOTIFY=NEVER", "555 5.5.4"},
        {"RCPT FROM:<c@d.test>", "501 5.5.4"},
    };
    for (size_t i = 0; i < sizeof rcpts / sizeof *rcpts; i++) {
        int fd = greeted();
        peer_say(fd, "MAIL FROM:<a@b.test>", "250 ");
        peer_say(fd, rcpts[i][0], rcpts[i][1]);
        leave(fd);
    }
}

static void recipient_limit(void **state)
{
    (void)state;
    int fd = greeted();
    peer_say(fd, "MAIL FROM:<a@b.test>", "250 ");
    for (int i = 0; i < 5; i++)
        peer_say(fd, "RCPT TO:<c@d.test>", "250 ");
    for (int i = 0; i < 10; i++)
        peer_say(fd, "RCPT TO:<c@d.test>", "452 4.5.3");
    peer_say(fd, "DATA", "354 ");
    peer_send(fd, ".\r\n");
    for (int i = 0; i < 5; i++)
        peer_expect(fd, "250 ");
    leave(fd);
}

static void size_limit(void **state)
{
    (void)state;
    static char body[MAX_BYTES + 1];
    memset(body, 'x', sizeof body);
    for (size_t over = 0; over < 2; over++) {
        int fd = greeted();
        begin_data(fd);
        memcpy(body + MAX_BYTES - 2 + over, "\r\n", 2);
        peer_send_octets(fd, body, MAX_BYTES + over);
        sg_buf_clear(&seen.answers); /* nothing is in work */
        peer_send(fd, ".\r\n");
        peer_expect(fd, over ? "552 5.3.4" : "250 ");
        expect_answered(over ? "552 " : "250 ");
        assert_int_equal(messages(), over ? 0 : 1);
        if (!over)
            assert_int_equal(seen.body.len, MAX_BYTES);
        envelope(fd); /* the connection goes on */
        leave(fd);
    }
}

static void replies_of_the_callback(void **state)
{
    (void)state;
    int fd = greeted();
    sg_buf_clear(&seen.answers);
    peer_say(fd, "MAIL FROM:<a@b.test>", "250 ");
    peer_say(fd, "RCPT TO:<temp@d.test>", "250 ");
    peer_say(fd, "RCPT TO:<odd@d.test>", "250 ");
    peer_say(fd, "RCPT TO:<mad@d.test>", "250 ");
    peer_say(fd, "DATA", "354 ");
    peer_send(fd, "x\r\n.\r\n");
    peer_expect(fd, "451 4.3.0 later"); /* 421 would say that we hang up */
    peer_expect(fd, "250 2.0.0 held");
    peer_expect(fd, "451 4.0.0 what");
    expect_answered("421 250 354 ");
    seen.silent = true;
    begin_data(fd);
    peer_send(fd, "x\r\n.\r\n");
    peer_expect(fd, "451 4.3.0"); /* not taken */
    leave(fd);
}

/* A spool that has no room is told to the peer, and to who counts it, though no message goes up. */
static void no_room_for_the_content(void **state)
{
    (void)state;
    char address[110], path[100];
    snprintf(path, sizeof path, "%s/roomless.sock", peer_dir());
    snprintf(address, sizeof address, "unix:%s", path);
    struct sg_smtp_server_options o = {.name = "roomless",
                                       .address = address,
                                       .hostname = "gw.test",
                                       .lmtp = true,
                                       .mode = 0600,
                                       .max_connections = 1,
                                       .max_recipients = 5,
                                       .max_errors = 3,
                                       .max_line_bytes = 600,
                                       .command_timeout_ms = 1500,
                                       .data_timeout_ms = 1500,
                                       .spool = {0, MAX_BYTES, "/nonexistent"}};
    struct sg_smtp_callbacks callbacks = {.message = on_message, .answered = on_answered};
    struct sg_smtp_server *server;
    struct sg_error err;
    if (!sg_smtp_server_start(&o, &callbacks, &server, &err))
        fail_msg("%s", err.detail);
    int before = messages(), fd = peer_connect(path);
    sg_buf_clear(&seen.answers);
    peer_expect(fd, "220 ");
    peer_say(fd, "LHLO x", "250-");
    peer_say(fd, "MAIL FROM:<a@b.test>", "250 ");
    peer_say(fd, "RCPT TO:<c@d.test>", "250 ");
    peer_say(fd, "RCPT TO:<e@d.test>", "250 ");
    peer_say(fd, "DATA", "354 ");
    peer_send(fd, "x\r\n.\r\n");
    peer_expect(fd, "451 ");
    peer_expect(fd, "451 ");
    expect_answered("451 451 ");
    assert_int_equal(messages(), before);
    leave(fd);
    sg_smtp_server_stop(&server, 1000);
}

static void plain_smtp(void **state)
{
    (void)state;
    int fd = peer_connect(smtp_path);
    seen.silent = false;
    peer_expect(fd, "220 gw.test ESMTP");
    peer_say(fd, "LHLO x", "500 5.5.2");
    peer_say(fd, "HELO x", "250 gw.test");
    peer_say(fd, "EHLO x", "250-gw.test");
    peer_say(fd, "VRFY joe", "252 ");
    peer_say(fd, "MAIL FROM:<a@b.test>", "250 ");
    peer_say(fd, "RCPT TO:<perm@d.test>", "250 ");
    peer_say(fd, "RCPT TO:<c@d.test>", "250 ");
    peer_say(fd, "DATA", "354 ");
    peer_send(fd, "x\r\n.\r\n");
    peer_expect(fd, "550 5.1.1"); /* one reply */
    peer_say(fd, "RSET now", "501 5.5.4");
    leave(fd);
}

static void timeouts(void **state)
{
    (void)state;
    int fd = peer_connect(lmtp_path);
    peer_expect(fd, "220 ");
    peer_expect(fd, "421 4.4.2");
    peer_expect_end(fd);
    close(fd);
    fd = greeted();
    begin_data(fd);
    peer_send(fd, "begun\r\n");
    peer_expect(fd, "421 4.4.2");
    peer_expect_end(fd);
    assert_int_equal(messages(), 0);
    close(fd);
    fd = greeted();
    begin_data(fd);
    peer_send(fd, "begun\r\n.");
    close(fd); /* gone before the end: not a message */
}

/* Input that trickles in does not stretch a deadline. */
static void trickling(void **state)
{
    (void)state;
    int fd = greeted();
    begin_data(fd);
    struct pollfd answered = {.fd = fd, .events = POLLIN};
    for (int i = 0; i < 100 && poll(&answered, 1, 100) == 0; i++)
        peer_send(fd, i % 10 ? "x" : "\r\n");
    peer_expect(fd, "421 4.4.2");
    close(fd);
    assert_int_equal(messages(), 0);
}

static void connection_limit(void **state)
{
    (void)state;
    int fds[3];
    for (int i = 0; i < 3; i++) {
        /* Connections of earlier tests may just be ending. */
        for (int tries = 0;; tries++) {
            fds[i] = peer_connect(smtp_path);
            const char *reply = peer_reply(fds[i]);
            if (strncmp(reply, "220", 3) == 0)
                break;
            assert_true(tries < 1000);
            close(fds[i]);
        }
    }
    int fd = peer_connect(smtp_path);
    peer_expect(fd, "421 4.3.2");
    peer_expect_end(fd);
    close(fd);
    for (int i = 0; i < 3; i++) {
        peer_say(fds[i], "NOOP", "250 ");
        leave(fds[i]);
    }
}

static void bad_options(void **state)
{
    (void)state;
    struct sg_smtp_server_options o = {.name = "x", .address = "unix:/nonexistent/x"};
    struct sg_smtp_callbacks callbacks = {.message = on_message};
    struct sg_smtp_server *server;
    struct sg_error err;
    assert_false(sg_smtp_server_start(&o, &callbacks, &server, &err));
    assert_int_equal(err.code, SG_E_CONFIG);
    o = (struct sg_smtp_server_options){.name = "x",
                                        .address = "unix:/nonexistent/x",
                                        .hostname = "gw.test",
                                        .max_connections = 1,
                                        .max_recipients = 1,
                                        .max_line_bytes = 512,
                                        .spool = {1, 1, "/tmp"}};
    assert_false(sg_smtp_server_start(&o, &callbacks, &server, &err));
    assert_null(server);
    sg_smtp_server_stop(&server, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offers),
        cmocka_unit_test(whole_transaction),
        cmocka_unit_test(xforward),
        cmocka_unit_test(pipelined),
        cmocka_unit_test(one_octet_at_a_time),
        cmocka_unit_test(smuggling),
        cmocka_unit_test(command_lines),
        cmocka_unit_test(refused_addresses_end_no_session),
        cmocka_unit_test(sequence),
        cmocka_unit_test(early_content),
        cmocka_unit_test(mail_arguments),
        cmocka_unit_test(recipient_limit),
        cmocka_unit_test(size_limit),
        cmocka_unit_test(replies_of_the_callback),
        cmocka_unit_test(no_room_for_the_content),
        cmocka_unit_test(plain_smtp),
        cmocka_unit_test(timeouts),
        cmocka_unit_test(trickling),
        cmocka_unit_test(connection_limit),
        cmocka_unit_test(bad_options),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
