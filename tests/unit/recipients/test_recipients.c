/* recipients.h: what replies mean, what is remembered and for how long, when nobody is asked. */
#include "recipients/recipients.h"

#include "common/deadline.h"
#include "recipients/table.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void replies(void **state)
{
    (void)state;
    static const struct {
        int code;
        const char *enhanced;
        enum sg_recipient_answer answer;
    } rows[] = {
        {250, "2.1.5", SG_RECIPIENT_KNOWN},      {251, "", SG_RECIPIENT_KNOWN},
        {252, "", SG_RECIPIENT_KNOWN},           {550, "5.1.1", SG_RECIPIENT_UNKNOWN},
        {550, "", SG_RECIPIENT_UNKNOWN},         {551, "", SG_RECIPIENT_UNKNOWN},
        {553, "", SG_RECIPIENT_UNKNOWN},         {550, "5.1.0", SG_RECIPIENT_UNKNOWN},
        {550, "5.1.10", SG_RECIPIENT_UNKNOWN},   {550, "5.4.1", SG_RECIPIENT_UNKNOWN},
        {501, "5.1.3", SG_RECIPIENT_UNKNOWN},    {550, "5.1.2", SG_RECIPIENT_UNDECIDED},
        {550, "5.1.7", SG_RECIPIENT_UNDECIDED},  {550, "5.1.8", SG_RECIPIENT_UNDECIDED},
        {550, "5.7.1", SG_RECIPIENT_UNDECIDED},  {554, "5.7.1", SG_RECIPIENT_UNDECIDED},
        {550, "5.2.1", SG_RECIPIENT_UNDECIDED},  {552, "5.2.2", SG_RECIPIENT_UNDECIDED},
        {552, "", SG_RECIPIENT_UNDECIDED},       {554, "", SG_RECIPIENT_UNDECIDED},
        {503, "5.5.1", SG_RECIPIENT_UNDECIDED},  {450, "4.1.1", SG_RECIPIENT_UNDECIDED},
        {451, "4.7.1", SG_RECIPIENT_UNDECIDED},  {452, "", SG_RECIPIENT_UNDECIDED},
        {550, "5.1.11", SG_RECIPIENT_UNDECIDED}, {550, "5.6.7", SG_RECIPIENT_UNDECIDED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sg_smtp_reply reply;
        sg_smtp_reply_set(&reply, rows[i].code, rows[i].enhanced, "x");
        if (sg_recipient_verdict(&reply) != rows[i].answer)
            fail_msg("%d %s", rows[i].code, rows[i].enhanced);
    }
}

static void key_make(uint8_t key[TABLE_KEY], unsigned n)
{
    memset(key, 0, TABLE_KEY);
    memcpy(key + 8, &n, sizeof n); /* all in one bucket */
}

static void the_oldest_makes_room(void **state)
{
    (void)state;
    uint8_t key[TABLE_KEY];
    struct table *t = table_new(3);
    for (unsigned i = 0; i < 3; i++) {
        key_make(key, i);
        assert_null(table_find(t, key));
        table_get(t, key)->count = (int32_t)i + 10;
    }
    key_make(key, 0);
    assert_int_equal(table_find(t, key)->count, 10); /* used again: 1 is the oldest now */
    key_make(key, 3);
    assert_int_equal(table_get(t, key)->count, 0);
    key_make(key, 1);
    assert_null(table_find(t, key));
    for (unsigned i = 0; i < 1000; i++) {
        key_make(key, i % 7);
        table_get(t, key)->count = (int32_t)(i % 7);
        for (unsigned k = 0, n = 0; k < 7; k++) {
            key_make(key, (i + k) % 7);
            n += table_find(t, key) != NULL;
            assert_true(k < 6 || n == 3 || i == 0);
        }
    }
    table_clear(t);
    for (unsigned i = 0; i < 7; i++) {
        key_make(key, i);
        assert_null(table_find(t, key));
    }
    table_free(&t);
}

/* A server that knows whoever has no "x" in front, and counts. */
struct server {
    int fd, port;
    pthread_t thread;
    _Atomic int rcpts, connections;
    _Atomic bool hang;
};

static void session(struct server *s, int fd)
{
    char in[4096];
    size_t len = 0;
    dprintf(fd, "220 hi\r\n");
    for (;;) {
        ssize_t n = recv(fd, in + len, sizeof in - len - 1, 0);
        if (n <= 0)
            return;
        len += (size_t)n;
        in[len] = 0;
        char *eol;
        while ((eol = strstr(in, "\r\n"))) {
            *eol = 0;
            if (s->hang)
                break;
            bool rcpt = strncmp(in, "RCPT", 4) == 0;
            s->rcpts += rcpt;
            dprintf(fd,
                    rcpt && strncmp(in, "RCPT TO:<x", 10) == 0 ? "550 5.1.1 no\r\n" : "250 ok\r\n");
            len -= (size_t)(eol + 2 - in);
            memmove(in, eol + 2, len + 1);
        }
    }
}

static void *server_main(void *arg)
{
    struct server *s = arg;
    int fd;
    while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
        s->connections++;
        session(s, fd);
        close(fd);
    }
    return NULL;
}

static void server_start(struct server *s)
{
    struct sg_error err;
    struct sockaddr_storage where;
    socklen_t len = sizeof where;
    memset(s, 0, sizeof *s);
    assert_true(sg_io_listen("inet:127.0.0.1:0", 0, 10, &s->fd, &err));
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&where, &len), 0);
    uint16_t port;
    memcpy(&port, (char *)&where + 2, 2);
    s->port = ntohs(port);
    int flags = fcntl(s->fd, F_GETFL);
    fcntl(s->fd, F_SETFL, flags & ~O_NONBLOCK);
    assert_int_equal(pthread_create(&s->thread, NULL, server_main, s), 0);
}

static void server_stop(struct server *s)
{
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
}

static const struct sg_recipients_options usual = {.client = {.hostname = "gw.test",
                                                              .slots = 1,
                                                              .connect_timeout_ms = 5000,
                                                              .command_timeout_ms = 5000,
                                                              .idle_ms = 60000},
                                                   .entries = 100,
                                                   .servers = 100,
                                                   .clients = 100,
                                                   .known_ms = 60000,
                                                   .unknown_ms = 60000,
                                                   .within_ms = 5000,
                                                   .pause_ms = 60000,
                                                   .questions = 1000,
                                                   .unknown = 1000};

struct asking {
    struct server server;
    struct sg_recipients *recipients;
    struct sg_smtp_destination destination;
    enum sg_recipient_source source;
};

static void asking_begin(struct asking *a, const struct sg_recipients_options *options)
{
    server_start(&a->server);
    a->recipients = sg_recipients_new(options);
    a->destination = (struct sg_smtp_destination){.host = "127.0.0.1", .port = a->server.port};
}

static void asking_end(struct asking *a)
{
    sg_recipients_free(&a->recipients);
    server_stop(&a->server);
}

static enum sg_recipient_answer ask_from(struct asking *a, const char *address, const char *client)
{
    return sg_recipients_ask(a->recipients, &a->destination, address, address, client, &a->source);
}

static enum sg_recipient_answer ask(struct asking *a, const char *address)
{
    return ask_from(a, address, "192.0.2.1");
}

static void remembered(void **state)
{
    (void)state;
    struct asking a;
    enum sg_recipient_answer answer;
    asking_begin(&a, &usual);
    assert_false(sg_recipients_recall(a.recipients, "c@d.test", &answer));
    assert_int_equal(ask(&a, "c@d.test"), SG_RECIPIENT_KNOWN);
    assert_int_equal(ask(&a, "x@d.test"), SG_RECIPIENT_UNKNOWN);
    assert_int_equal(a.source, SG_RECIPIENT_ASKED);
    assert_true(sg_recipients_recall(a.recipients, "c@d.test", &answer));
    assert_int_equal(answer, SG_RECIPIENT_KNOWN);
    assert_true(sg_recipients_recall(a.recipients, "x@d.test", &answer));
    assert_int_equal(answer, SG_RECIPIENT_UNKNOWN);
    sg_recipients_flush(a.recipients);
    assert_false(sg_recipients_recall(a.recipients, "x@d.test", &answer));
    asking_end(&a);
}

static void times_of_each(void **state)
{
    (void)state;
    struct asking a;
    enum sg_recipient_answer answer;
    struct sg_recipients_options o = usual;
    o.unknown_ms = 0;
    asking_begin(&a, &o);
    ask(&a, "c@d.test"), ask(&a, "x@d.test");
    assert_true(sg_recipients_recall(a.recipients, "c@d.test", &answer));
    assert_false(sg_recipients_recall(a.recipients, "x@d.test", &answer));
    asking_end(&a);
}

/* A directory harvest learns as much as the limit and no more; the others go on asking. */
static void who_tries_too_many(void **state)
{
    (void)state;
    struct asking a;
    struct sg_recipients_options o = usual;
    o.unknown = 2;
    asking_begin(&a, &o);
    assert_int_equal(ask(&a, "x1@d.test"), SG_RECIPIENT_UNKNOWN);
    assert_int_equal(ask(&a, "c1@d.test"), SG_RECIPIENT_KNOWN);
    assert_int_equal(ask(&a, "x2@d.test"), SG_RECIPIENT_UNKNOWN);
    assert_int_equal(ask(&a, "x3@d.test"), SG_RECIPIENT_LATER);
    assert_int_equal(ask(&a, "c2@d.test"), SG_RECIPIENT_LATER);
    assert_int_equal(a.source, SG_RECIPIENT_UNASKED);
    assert_int_equal(a.server.rcpts, 3);
    assert_int_equal(ask_from(&a, "x3@d.test", "192.0.2.2"), SG_RECIPIENT_UNKNOWN);
    /* of IPv6 a network is one client */
    assert_int_equal(ask_from(&a, "x4@d.test", "2001:db8::1"), SG_RECIPIENT_UNKNOWN);
    assert_int_equal(ask_from(&a, "x5@d.test", "2001:db8::2"), SG_RECIPIENT_UNKNOWN);
    assert_int_equal(ask_from(&a, "x6@d.test", "2001:db8::3"), SG_RECIPIENT_LATER);
    assert_int_equal(ask_from(&a, "x6@d.test", "2001:db8:1::3"), SG_RECIPIENT_UNKNOWN);
    asking_end(&a);
}

/* Of more clients than are counted, who tried longest ago begins anew. */
static void clients_that_are_counted(void **state)
{
    (void)state;
    struct asking a;
    struct sg_recipients_options o = usual;
    o.unknown = 1;
    o.clients = 2;
    asking_begin(&a, &o);
    assert_int_equal(ask_from(&a, "x1@d.test", "192.0.2.1"), SG_RECIPIENT_UNKNOWN);
    assert_int_equal(ask_from(&a, "x2@d.test", "192.0.2.2"), SG_RECIPIENT_UNKNOWN);
    assert_int_equal(ask_from(&a, "x3@d.test", "192.0.2.1"), SG_RECIPIENT_LATER);
    assert_int_equal(ask_from(&a, "x3@d.test", "192.0.2.3"), SG_RECIPIENT_UNKNOWN);
    assert_int_equal(ask_from(&a, "x4@d.test", "192.0.2.1"), SG_RECIPIENT_LATER);
    assert_int_equal(ask_from(&a, "x4@d.test", "192.0.2.2"), SG_RECIPIENT_UNKNOWN);
    asking_end(&a);
}

/* The same of servers: the one asked longest ago may be asked as if it never was. */
static void servers_that_are_counted(void **state)
{
    (void)state;
    struct asking a, b;
    struct sg_recipients_options o = usual;
    o.questions = 1;
    for (o.servers = 1; o.servers < 3; o.servers++) {
        asking_begin(&a, &o);
        asking_begin(&b, &usual);
        assert_int_equal(ask(&a, "x1@d.test"), SG_RECIPIENT_UNKNOWN);
        struct sg_smtp_destination first = a.destination;
        a.destination = b.destination;
        assert_int_equal(ask(&a, "x2@d.test"), SG_RECIPIENT_UNKNOWN);
        a.destination = first;
        assert_int_equal(ask(&a, "x3@d.test"),
                         o.servers == 1 ? SG_RECIPIENT_UNKNOWN : SG_RECIPIENT_UNDECIDED);
        asking_end(&a);
        asking_end(&b);
    }
}

static void a_server_is_not_asked_too_often(void **state)
{
    (void)state;
    struct asking a;
    struct sg_recipients_options o = usual;
    o.questions = 2;
    asking_begin(&a, &o);
    assert_int_equal(ask(&a, "x1@d.test"), SG_RECIPIENT_UNKNOWN);
    assert_int_equal(ask(&a, "x2@d.test"), SG_RECIPIENT_UNKNOWN);
    assert_int_equal(ask(&a, "x3@d.test"), SG_RECIPIENT_UNDECIDED);
    assert_int_equal(a.source, SG_RECIPIENT_UNASKED);
    assert_int_equal(a.server.rcpts, 2);
    asking_end(&a);
}

/* A server that hangs costs its time once. */
static void a_server_that_hangs(void **state)
{
    (void)state;
    struct asking a;
    struct sg_recipients_options o = usual;
    enum sg_recipient_answer answer;
    o.within_ms = 300;
    asking_begin(&a, &o);
    a.server.hang = true;
    int64_t began = sg_clock_monotonic_ms();
    assert_int_equal(ask(&a, "x1@d.test"), SG_RECIPIENT_UNDECIDED);
    int64_t once = sg_clock_monotonic_ms();
    assert_in_range(once - began, 290, 2000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(ask(&a, "x1@d.test"), SG_RECIPIENT_UNDECIDED);
    assert_in_range(sg_clock_monotonic_ms() - once, 0, 280);
    assert_int_equal(a.server.connections, 1);
    assert_false(sg_recipients_recall(a.recipients, "x1@d.test", &answer));
    asking_end(&a);
}

static void it_is_asked_again_after_the_pause(void **state)
{
    (void)state;
    struct asking a;
    struct sg_recipients_options o = usual;
    o.within_ms = 300;
    o.pause_ms = 0;
    asking_begin(&a, &o);
    a.server.hang = true;
    assert_int_equal(ask(&a, "x1@d.test"), SG_RECIPIENT_UNDECIDED);
    a.server.hang = false;
    assert_int_equal(ask(&a, "x1@d.test"), SG_RECIPIENT_UNKNOWN);
    asking_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies),
        cmocka_unit_test(the_oldest_makes_room),
        cmocka_unit_test(remembered),
        cmocka_unit_test(times_of_each),
        cmocka_unit_test(who_tries_too_many),
        cmocka_unit_test(clients_that_are_counted),
        cmocka_unit_test(servers_that_are_counted),
        cmocka_unit_test(a_server_is_not_asked_too_often),
        cmocka_unit_test(a_server_that_hangs),
        cmocka_unit_test(it_is_asked_again_after_the_pause),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
