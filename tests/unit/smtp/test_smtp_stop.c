/* server.h: the orderly stop, and many connections at once. */
#include "smtp/server.h"

#include "common/deadline.h"
#include "peer.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static sem_t entered, go;
static atomic_int taken;
static atomic_bool blocking;
static char path[100], address[110];

static void on_message(void *ctx, struct sg_smtp_transaction *t, struct sg_smtp_reply *replies)
{
    (void)ctx;
    if (atomic_load(&blocking)) {
        sem_post(&entered);
        sem_wait(&go);
    }
    atomic_fetch_add(&taken, 1);
    for (size_t i = 0; i < t->recipient_count; i++)
        sg_smtp_reply_set(&replies[i], 250, "2.0.0", "taken");
}

static struct sg_smtp_server *start(void)
{
    snprintf(path, sizeof path, "%s/stop.sock", peer_dir());
    snprintf(address, sizeof address, "unix:%s", path);
    struct sg_smtp_server_options o = {.name = "stop",
                                       .address = address,
                                       .hostname = "gw.test",
                                       .lmtp = true,
                                       .max_connections = 50,
                                       .max_recipients = 5,
                                       .max_errors = 3,
                                       .max_line_bytes = 600,
                                       .command_timeout_ms = 20000,
                                       .data_timeout_ms = 20000,
                                       .spool = {4096, 100000, peer_dir()}};
    struct sg_smtp_callbacks callbacks = {.message = on_message};
    struct sg_smtp_server *server;
    struct sg_error err;
    atomic_store(&taken, 0);
    if (!sg_smtp_server_start(&o, &callbacks, &server, &err))
        fail_msg("%s", err.detail);
    return server;
}

struct stopper {
    pthread_t thread;
    struct sg_smtp_server *server;
    int64_t grace_ms;
};

static void *stop_main(void *arg)
{
    struct stopper *s = arg;
    sg_smtp_server_stop(&s->server, s->grace_ms);
    return NULL;
}

static void stop_begin(struct stopper *s, struct sg_smtp_server *server, int64_t grace_ms)
{
    s->server = server;
    s->grace_ms = grace_ms;
    assert_int_equal(pthread_create(&s->thread, NULL, stop_main, s), 0);
}

static int hello(void)
{
    int fd = peer_connect(path);
    peer_expect(fd, "220 ");
    peer_say(fd, "LHLO x", "250-");
    return fd;
}

static void envelope(int fd)
{
    peer_say(fd, "MAIL FROM:<a@b.test>", "250 ");
    peer_say(fd, "RCPT TO:<c@d.test>", "250 ");
}

static void in_every_state(void **state)
{
    (void)state;
    struct sg_smtp_server *server = start();
    atomic_store(&blocking, true);
    int idle = hello(), begun = hello(), content = hello(), working = hello();
    envelope(begun);
    envelope(content);
    peer_say(content, "DATA", "354 ");
    peer_send(content, "half of ");
    envelope(working);
    peer_say(working, "DATA", "354 ");
    peer_send(working, "x\r\n.\r\n");
    sem_wait(&entered);

    struct stopper stopper;
    stop_begin(&stopper, server, 10000);
    peer_expect(idle, "421 4.3.2");
    peer_expect_end(idle);
    peer_expect(begun, "421 4.3.2");
    peer_expect_end(begun);
    /* What is in flight comes to its end. */
    peer_send(content, "it\r\n.\r\nMAIL FROM:<next@b.test>\r\n");
    sem_wait(&entered);
    sem_post(&go);
    sem_post(&go);
    peer_expect(content, "250 2.0.0 taken");
    peer_expect(content, "421 4.3.2");
    peer_expect(working, "250 2.0.0 taken");
    peer_expect(working, "421 4.3.2");
    peer_expect_end(working);
    pthread_join(stopper.thread, NULL);
    assert_null(stopper.server);
    assert_int_equal(atomic_load(&taken), 2);
    int fds[] = {idle, begun, content, working};
    for (int i = 0; i < 4; i++)
        close(fds[i]);
}

static void grace_ends(void **state)
{
    (void)state;
    struct sg_smtp_server *server = start();
    atomic_store(&blocking, false);
    int fd = hello();
    envelope(fd);
    peer_say(fd, "DATA", "354 ");
    peer_send(fd, "never ended\r\n");
    int64_t from = sg_clock_monotonic_ms();
    sg_smtp_server_stop(&server, 200);
    int64_t took = sg_clock_monotonic_ms() - from;
    assert_true(took >= 190 && took < 10000);
    peer_expect_end(fd);
    close(fd);
    assert_int_equal(atomic_load(&taken), 0);
}

static void nothing_to_stop(void **state)
{
    (void)state;
    struct sg_smtp_server *server = start();
    sg_smtp_server_stop(&server, 10000);
    assert_null(server);
    sg_smtp_server_stop(&server, 0);
    server = start(); /* on the same address again */
    int fd = hello();
    sg_smtp_server_stop(&server, 10000);
    close(fd);
}

static void *client_main(void *arg)
{
    (void)arg;
    struct sg_error err;
    static const char text[] = "LHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\n";
    for (int i = 0; i < 20; i++) {
        /* cmocka's assertions belong to the main thread: what fails here is missing in `taken`. */
        int fd;
        char buffer[4096];
        size_t n;
        sg_deadline deadline = sg_deadline_in(10000);
        if (!sg_io_connect(address, deadline, &fd, &err))
            continue;
        if (sg_io_write_full(fd, text, sizeof text - 1, deadline, &err) &&
            sg_io_write_full(fd, "DATA\r\n", 6, deadline, &err)) {
            size_t total = 0;
            while (total < sizeof buffer && !memmem(buffer, total, "\r\n354 ", 6) &&
                   sg_io_read(fd, buffer + total, sizeof buffer - total, &n, deadline, &err) && n)
                total += n;
            if (sg_io_write_full(fd, "x\r\n.\r\nQUIT\r\n", 12, deadline, &err))
                while (sg_io_read(fd, buffer, sizeof buffer, &n, deadline, &err) && n)
                    ;
        }
        close(fd);
    }
    return NULL;
}

static void many_at_once(void **state)
{
    (void)state;
    struct sg_smtp_server *server = start();
    atomic_store(&blocking, false);
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, client_main, NULL), 0);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    sg_smtp_server_stop(&server, 10000);
    assert_int_equal(atomic_load(&taken), 160);
}

static int setup(void **state)
{
    (void)state;
    sem_init(&entered, 0, 0);
    sem_init(&go, 0, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    peer_dir_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_every_state),
        cmocka_unit_test(grace_ends),
        cmocka_unit_test(nothing_to_stop),
        cmocka_unit_test(many_at_once),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
