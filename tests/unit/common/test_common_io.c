/* Time, deadlines, sockets, logs, the command line of a daemon. */
#include "cmocka_all.h"
#include "common/buf.h"
#include "common/daemon.h"
#include "common/deadline.h"
#include "common/log.h"
#include "common/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_time_texts(void **state)
{
    static const struct {
        sg_time t;
        const char *rfc3339, *rfc5322;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 +0000"},
        {1795406645789123, "2026-11-23T04:04:05.789Z", "Mon, 23 Nov 2026 04:04:05 +0000"},
        {951782399999999, "2000-02-28T23:59:59.999Z", "Mon, 28 Feb 2000 23:59:59 +0000"},
        {951782400000000, "2000-02-29T00:00:00.000Z", "Tue, 29 Feb 2000 00:00:00 +0000"},
        {-1, "1969-12-31T23:59:59.999Z", "Wed, 31 Dec 1969 23:59:59 +0000"},
        {-1000000, "1969-12-31T23:59:59.000Z", "Wed, 31 Dec 1969 23:59:59 +0000"},
        {253402300799000000, "9999-12-31T23:59:59.000Z", "Fri, 31 Dec 9999 23:59:59 +0000"},
    };
    char text[SG_TIME_TEXT], mail[40];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sg_time_rfc3339(rows[i].t, text);
        sg_time_rfc5322(rows[i].t, mail);
        assert_string_equal(text, rows[i].rfc3339);
        assert_string_equal(mail, rows[i].rfc5322);
    }
    sg_time_rfc3339(INT64_MAX, text); /* no sense, and no overflow */
    sg_time_rfc5322(INT64_MIN, mail);
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    assert_in_range(sg_time_seconds(sg_clock_now()), ts.tv_sec, ts.tv_sec + 60);
}

static void test_clock_file(void **state)
{
    (void)state;
    struct sg_error err = {0};
    assert_true(sg_clock_set_file(NULL, &err));
    assert_true(sg_clock_set_file("", &err));
#ifdef SG_SETTABLE_CLOCK
    char path[] = "/tmp/sg-clock-XXXXXX", text[16];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_true(sg_clock_set_file(path, &err));
    assert_in_range(sg_clock_now() / SG_SECOND, time(NULL) - 1, time(NULL) + 60);
    for (int days = 1; days <= 400; days += 399) { /* read again when it changes */
        int n = snprintf(text, sizeof text, "%d\n", days * 86400);
        assert_int_equal(pwrite(fd, text, (size_t)n, 0), n);
        time_t there = time(NULL) + (time_t)days * 86400;
        assert_in_range(sg_clock_now() / SG_SECOND, there - 1, there + 60);
    }
    close(fd);
    unlink(path); /* gone: real time */
    assert_in_range(sg_clock_now() / SG_SECOND, time(NULL) - 1, time(NULL) + 60);
#else
    assert_false(sg_clock_set_file("/tmp/clock", &err));
    assert_int_equal(err.code, SG_E_CONFIG);
#endif
}

static void pair(int fd[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
}

static void test_deadline_left(void **state)
{
    (void)state;
    assert_int_equal(sg_deadline_left(sg_clock_monotonic_ms() - 5), 0);
    assert_in_range(sg_deadline_left(sg_deadline_in(60000)), 50000, 60000);
    assert_int_equal(sg_deadline_left(INT64_MAX), INT32_MAX);
}

static void test_read_write(void **state)
{
    (void)state;
    int fd[2];
    char data[16];
    size_t n = 99;
    struct sg_error err = {0};
    sg_deadline soon = sg_deadline_in(30000);
    pair(fd);
    assert_true(sg_io_write_full(fd[0], "kia ora", 7, soon, &err));
    assert_true(sg_io_read(fd[1], data, sizeof data, &n, soon, &err));
    assert_int_equal(n, 7);
    assert_true(sg_io_write_full(fd[0], "kia ora", 7, soon, &err));
    assert_true(sg_io_read_full(fd[1], data, 4, soon, &err));
    assert_memory_equal(data, "kia ", 4);
    close(fd[0]);
    assert_false(sg_io_read_full(fd[1], data, 4, soon, &err)); /* three are there, then the end */
    assert_int_equal(err.code, SG_E_IO);
    assert_true(sg_io_read(fd[1], data, sizeof data, &n, soon, &err));
    assert_int_equal(n, 0);
    assert_false(sg_io_write_full(fd[1], "x", 1, soon, &err)); /* and no SIGPIPE */
    assert_int_equal(err.lib_code, EPIPE);
    close(fd[1]);
}

static void test_time_outs(void **state)
{
    (void)state;
    int fd[2];
    char *large = calloc(1, 16 << 20), data[4];
    size_t n;
    struct sg_error err = {0};
    pair(fd);
    int64_t from = sg_clock_monotonic_ms();
    assert_false(sg_io_read(fd[0], data, 1, &n, sg_deadline_in(40), &err));
    assert_int_equal(err.code, SG_E_TIMEOUT);
    assert_in_range(sg_clock_monotonic_ms() - from, 39, 20000);
    assert_false(sg_io_wait(fd[0], POLLIN, sg_deadline_in(-5), &err));
    assert_int_equal(err.code, SG_E_TIMEOUT);
    assert_true(sg_io_write_full(fd[1], "ab", 2, sg_deadline_in(1000), &err));
    assert_false(sg_io_read_full(fd[0], data, 3, sg_deadline_in(40), &err));
    assert_int_equal(err.code, SG_E_TIMEOUT);
    assert_false(sg_io_write_full(fd[0], large, 16 << 20, sg_deadline_in(40), &err));
    assert_int_equal(err.code, SG_E_TIMEOUT); /* nobody reads */
    free(large);
    close(fd[0]);
    close(fd[1]);
}

struct transfer {
    int fd;
    bool ok;
    uint64_t sum;
};

static void *transfer_read(void *ctx)
{
    struct transfer *t = ctx;
    uint8_t *data = malloc(8 << 20);
    struct sg_error err;
    t->ok = sg_io_read_full(t->fd, data, 8 << 20, sg_deadline_in(30000), &err);
    for (size_t i = 0; i < 8 << 20; i++)
        t->sum += data[i];
    free(data);
    return NULL;
}

static void test_large_transfer(void **state)
{
    (void)state;
    int fd[2];
    pthread_t thread;
    struct sg_error err = {0};
    uint8_t *data = malloc(8 << 20);
    memset(data, 3, 8 << 20);
    pair(fd);
    struct transfer t = {.fd = fd[1]};
    assert_int_equal(pthread_create(&thread, NULL, transfer_read, &t), 0);
    assert_true(sg_io_write_full(fd[0], data, 8 << 20, sg_deadline_in(30000), &err));
    pthread_join(thread, NULL);
    assert_true(t.ok);
    assert_int_equal(t.sum, (uint64_t)3 << 23);
    free(data);
    close(fd[0]);
    close(fd[1]);
}

static void assert_talks(const char *address, int listener)
{
    struct sg_error err = {0};
    int client, old;
    char c;
    while ((old = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        close(old); /* of a look whether somebody listens */
    if (!sg_io_connect(address, sg_deadline_in(5000), &client, &err))
        fail_msg("%s", err.detail);
    assert_true(sg_io_wait(listener, POLLIN, sg_deadline_in(5000), &err));
    int server = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(server >= 0);
    assert_true(fcntl(client, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(client, F_GETFD) & FD_CLOEXEC);
    assert_true(sg_io_write_full(client, "x", 1, sg_deadline_in(5000), &err));
    assert_true(sg_io_read_full(server, &c, 1, sg_deadline_in(5000), &err));
    close(server);
    close(client);
}

static void test_inet(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "[::1]"};
    struct sg_error err = {0};
    (void)state;
    for (int i = 0; i < 2; i++) {
        char address[64];
        int fd, none;
        snprintf(address, sizeof address, "inet:%s:0", hosts[i]);
        if (!sg_io_listen(address, 0, 5, &fd, &err)) {
            assert_int_equal(i, 1); /* IPv6 may be off */
            continue;
        }
        struct sockaddr_in6 sa; /* the port stands at the same place in both families */
        socklen_t len = sizeof sa;
        assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
        snprintf(address, sizeof address, "inet:%s:%u", hosts[i], ntohs(sa.sin6_port));
        assert_talks(address, fd);
        assert_false(sg_io_listen(address, 0, 5, &none, &err)); /* taken */
        assert_int_equal(err.lib_code, EADDRINUSE);
        close(fd);
        assert_false(sg_io_connect(address, sg_deadline_in(5000), &none, &err));
        assert_int_equal(err.lib_code, ECONNREFUSED);
        assert_non_null(strstr(err.detail, address));
    }
}

/* A name whose addresses, in their order, are what the test says: ports of 127.0.0.1. */
static const char *const crowded = "crowded.test";
static uint16_t crowd[4];
static int crowd_count;

/* Names that the DNS says nothing of until it is back (or, so that no test hangs, for long); then
 * their addresses are the same. */
static const char *const silent = "silent";
#define SILENT_S 20
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool back;
    int waiting, most; /* most: that waited at the same time */
} dns = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void dns_wait(void)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += SILENT_S;
    pthread_mutex_lock(&dns.lock);
    dns.waiting++;
    dns.most = dns.waiting > dns.most ? dns.waiting : dns.most;
    pthread_cond_broadcast(&dns.changed);
    while (!dns.back && pthread_cond_timedwait(&dns.changed, &dns.lock, &end) == 0)
        ;
    dns.waiting--;
    pthread_cond_broadcast(&dns.changed);
    pthread_mutex_unlock(&dns.lock);
}

static void dns_back(bool back)
{
    pthread_mutex_lock(&dns.lock);
    dns.back = back;
    pthread_cond_broadcast(&dns.changed);
    while (back && dns.waiting)
        pthread_cond_wait(&dns.changed, &dns.lock);
    if (!back)
        dns.most = 0;
    pthread_mutex_unlock(&dns.lock);
}

int __real_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **list_r);
int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **list_r);

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **list_r)
{
    bool is_silent = strncmp(host, silent, strlen(silent)) == 0;
    if (hints->ai_flags & AI_NUMERICHOST || (strcmp(host, crowded) != 0 && !is_silent))
        return __real_getaddrinfo(host, port, hints, list_r);
    if (is_silent)
        dns_wait();
    struct addrinfo **next = list_r;
    for (int i = 0; i < crowd_count; i++, next = &(*next)->ai_next) {
        char text[8];
        snprintf(text, sizeof text, "%u", crowd[i]);
        assert_int_equal(__real_getaddrinfo("127.0.0.1", text, hints, next), 0);
        assert_null((*next)->ai_next);
    }
    return 0;
}

static uint16_t listen_at(int backlog, int *fd_r)
{
    struct sg_error err = {0};
    struct sockaddr_in sa;
    socklen_t len = sizeof sa;
    assert_true(sg_io_listen("inet:127.0.0.1:0", 0, backlog, fd_r, &err));
    assert_int_equal(getsockname(*fd_r, (struct sockaddr *)&sa, &len), 0);
    return ntohs(sa.sin_port);
}

static bool is_other(const void *ctx, const struct sockaddr *address)
{
    return ((const struct sockaddr_in *)address)->sin_port != htons(*(const uint16_t *)ctx);
}

/* An address that lets packets fall takes its share of the time; the next one has the rest. */
static void test_addresses_in_turn(void **state)
{
    (void)state;
    int dead_fd, good_fd, first, fd;
    struct sg_error err = {0};
    uint16_t dead = listen_at(0, &dead_fd), good = listen_at(5, &good_fd);
    char address[64];
    snprintf(address, sizeof address, "inet:127.0.0.1:%u", dead);
    assert_true(sg_io_connect(address, sg_deadline_in(5000), &first, &err)); /* it is full now */
    assert_false(sg_io_connect(address, sg_deadline_in(50), &fd, &err));
    assert_int_equal(err.code, SG_E_TIMEOUT);
    snprintf(address, sizeof address, "inet:%s:25", crowded);

    static const struct {
        int dead_before, dead_after; /* around one that answers */
        bool not_tried;              /* it may not be connected to, nor is it a reason to hurry */
        int ms, from_ms;             /* in all, and what the dead ones take of it */
    } rows[] = {
        {0, 0, false, 1500, 0},   {0, 1, false, 1500, 0},    {1, 0, false, 1500, 749},
        {1, 1, false, 2100, 699}, {2, 0, false, 2400, 1599}, {1, 0, true, 1500, 749},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint16_t never = 9;
        crowd_count = 0;
        while (crowd_count < rows[i].dead_before)
            crowd[crowd_count++] = dead;
        if (rows[i].not_tried)
            crowd[crowd_count++] = never;
        crowd[crowd_count++] = good;
        for (int k = 0; k < rows[i].dead_after; k++)
            crowd[crowd_count++] = dead;
        int64_t from = sg_clock_monotonic_ms();
        if (!sg_io_connect_if(address, is_other, &never, sg_deadline_in(rows[i].ms), &fd, &err))
            fail_msg("%zu: %s", i, err.detail);
        assert_in_range(sg_clock_monotonic_ms() - from, rows[i].from_ms, rows[i].ms);
        close(fd);
        close(accept4(good_fd, NULL, NULL, SOCK_CLOEXEC));
    }

    /* The last one has all that is left, also where others refused at once. */
    close(good_fd);
    crowd[0] = good;
    crowd[1] = dead;
    crowd_count = 2;
    int64_t from = sg_clock_monotonic_ms();
    assert_false(sg_io_connect(address, sg_deadline_in(300), &fd, &err));
    assert_int_equal(err.code, SG_E_TIMEOUT);
    assert_in_range(sg_clock_monotonic_ms() - from, 299, 20000);
    crowd[1] = good;
    assert_false(sg_io_connect(address, INT64_MAX, &fd, &err)); /* no end */
    assert_int_equal(err.lib_code, ECONNREFUSED);
    assert_false(sg_io_connect_if(address, is_other, &good, sg_deadline_in(300), &fd, &err));
    assert_int_equal(err.code, SG_E_EGRESS);
    close(first);
    close(dead_fd);
}

static void dns_await(int waiting)
{
    pthread_mutex_lock(&dns.lock);
    while (dns.waiting < waiting)
        pthread_cond_wait(&dns.changed, &dns.lock);
    pthread_mutex_unlock(&dns.lock);
}

#define ASKERS 20

struct asker {
    pthread_t thread;
    const char *host;
    int64_t within_ms, took_ms;
    bool ok;
    struct sg_error err;
};

static void *asker_run(void *arg)
{
    struct asker *a = arg;
    int64_t from = sg_clock_monotonic_ms();
    char address[64];
    int fd;
    snprintf(address, sizeof address, "inet:%s:25", a->host);
    a->ok = sg_io_connect(address, sg_deadline_in(a->within_ms), &fd, &a->err);
    a->took_ms = sg_clock_monotonic_ms() - from;
    if (a->ok)
        close(fd);
    return NULL;
}

static void asker_begin(struct asker *a, const char *host, int64_t within_ms)
{
    *a = (struct asker){.host = host, .within_ms = within_ms};
    assert_int_equal(pthread_create(&a->thread, NULL, asker_run, a), 0);
}

static void asker_end(struct asker *a)
{
    assert_int_equal(pthread_join(a->thread, NULL), 0);
}

/* Whoever asks has his own time; the name has one thread, and others are found meanwhile. */
static void test_a_silent_name(void **state)
{
    (void)state;
    int fd;
    struct asker askers[ASKERS];
    crowd[0] = listen_at(2 * ASKERS, &fd);
    crowd_count = 1;
    dns_back(false);
    for (int i = 0; i < ASKERS; i++)
        asker_begin(&askers[i], "silent.test", i % 2 ? 100 : 300);
    for (int i = 0; i < ASKERS; i++) {
        asker_end(&askers[i]);
        assert_false(askers[i].ok);
        assert_int_equal(askers[i].err.code, SG_E_TIMEOUT);
        assert_non_null(strstr(askers[i].err.detail, "silent.test"));
        assert_in_range(askers[i].took_ms, askers[i].within_ms - 1, 5000);
    }
    asker_begin(&askers[0], crowded, 5000);
    asker_end(&askers[0]);
    assert_true(askers[0].ok);
    asker_begin(&askers[0], "silent.test", 30000); /* waits with the first question, and is told */
    asker_begin(&askers[1], "silent-too.test", 30000);
    dns_await(2);
    dns_back(true);
    assert_int_equal(dns.most, 2);
    for (int i = 0; i < 2; i++) {
        asker_end(&askers[i]);
        assert_true(askers[i].ok);
        assert_in_range(askers[i].took_ms, 0, 15000);
    }
    close(fd);
}

/* The threads have a bound, and who comes then has his time all the same. */
static void test_many_silent_names(void **state)
{
    (void)state;
    enum { MOST = SG_LOOKUPS_MOST, MORE = 6 };
    int fd;
    static char names[MOST + MORE][32];
    static struct asker askers[MOST + MORE];
    crowd[0] = listen_at(2 * MOST, &fd);
    crowd_count = 1;
    dns_back(false);
    for (int i = 0; i < MOST + MORE; i++) {
        snprintf(names[i], sizeof names[i], "silent-%d.test", i);
        asker_begin(&askers[i], names[i], 500);
    }
    for (int i = 0; i < MOST + MORE; i++) {
        asker_end(&askers[i]);
        assert_false(askers[i].ok);
        assert_int_equal(askers[i].err.code, SG_E_TIMEOUT);
        assert_in_range(askers[i].took_ms, 499, 10000);
    }
    asker_begin(&askers[0], "127.0.0.1", 5000); /* no name: whatever comes of it comes at once */
    asker_end(&askers[0]);
    assert_int_not_equal(askers[0].err.code, SG_E_TIMEOUT);
    asker_begin(&askers[0], "silent-last.test", 30000); /* there is room once the DNS is back */
    dns_await(MOST);
    dns_back(true);
    asker_end(&askers[0]);
    assert_true(askers[0].ok);
    assert_int_equal(dns.most, MOST);
    close(fd);
}

static void test_bad_addresses(void **state)
{
    static const char *const bad[] = {
        "",
        "unix",
        "inet:",
        "inet:127.0.0.1",
        "inet:127.0.0.1:",
        "inet::25",
        "tcp:1:2",
        "127.0.0.1:25",
        "inet:127.0.0.1:12345678901234567",
    };
    struct sg_error err = {0};
    char longest[200] = "unix:/tmp/";
    int fd;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(sg_io_connect(bad[i], sg_deadline_in(100), &fd, &err));
        assert_int_equal(err.code, SG_E_CONFIG);
        assert_false(sg_io_listen(bad[i], 0, 5, &fd, &err));
        assert_int_equal(err.code, SG_E_CONFIG);
    }
    memset(longest + 10, 'x', sizeof longest - 11);
    assert_false(sg_io_connect(longest, sg_deadline_in(100), &fd, &err));
    assert_int_equal(err.code, SG_E_CONFIG);
}

static void test_unix_socket(void **state)
{
    (void)state;
    char dir[] = "/tmp/sg-socket-XXXXXX", path[64], address[80];
    struct sg_error err = {0};
    struct stat st;
    int fd, again;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s.sock", dir);
    snprintf(address, sizeof address, "unix:%s", path);
    if (!sg_io_listen(address, 0660, 5, &fd, &err))
        fail_msg("%s", err.detail);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    assert_talks(address, fd);
    assert_false(sg_io_listen(address, 0, 5, &again, &err)); /* somebody listens */
    assert_non_null(strstr(err.detail, "in use"));
    assert_talks(address, fd);
    close(fd);
    assert_true(sg_io_listen(address, 0, 5, &fd, &err)); /* a stale one is replaced */
    assert_talks(address, fd);
    close(fd);

    /* What is no socket is never removed. */
    unlink(path);
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    close(file);
    assert_false(sg_io_listen(address, 0, 5, &fd, &err));
    assert_int_equal(err.code, SG_E_CONFIG);
    assert_int_equal(stat(path, &st), 0);
    unlink(path);
    rmdir(dir);
}

/* A server that is busy has a full backlog: it is waited for, and its socket is not stolen. */
static void test_full_backlog(void **state)
{
    (void)state;
    char dir[] = "/tmp/sg-socket-XXXXXX", address[80];
    struct sg_error err = {0};
    int fd, again, clients[64], count = 0;
    assert_non_null(mkdtemp(dir));
    snprintf(address, sizeof address, "unix:%s/s.sock", dir);
    assert_true(sg_io_listen(address, 0, 1, &fd, &err));
    while (count < 64 && sg_io_connect(address, sg_deadline_in(0), &clients[count], &err))
        count++;
    assert_in_range(count, 1, 63);
    assert_int_equal(err.lib_code, EAGAIN);
    assert_false(sg_io_listen(address, 0, 5, &again, &err));
    assert_non_null(strstr(err.detail, "in use"));
    int server = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    assert_true(server >= 0);
    assert_true(sg_io_connect(address, sg_deadline_in(5000), &again, &err));
    close(again);
    close(server);
    while (count)
        close(clients[--count]);
    close(fd);
    unlink(address + 5);
    rmdir(dir);
}

/* What logging writes to stderr. */
static char *logged(void (*speak)(void))
{
    char path[] = "/tmp/sg-log-XXXXXX";
    int fd = mkstemp(path), saved = dup(STDERR_FILENO);
    assert_true(fd >= 0 && saved >= 0);
    dup2(fd, STDERR_FILENO);
    speak();
    dup2(saved, STDERR_FILENO);
    close(saved);
    unlink(path);
    off_t size = lseek(fd, 0, SEEK_END);
    char *text = calloc(1, (size_t)size + 1);
    assert_int_equal(pread(fd, text, (size_t)size, 0), size);
    close(fd);
    return text;
}

static void speak_plainly(void)
{
    struct sg_error err = {0};
    errno = ENOSPC;
    sg_fail_errno(&err, SG_E_JOURNAL, "write \"x\"");
    sg_log(SG_LOG_DEBUG, "test.hidden", NULL);
    sg_log(SG_LOG_INFO, "test.event", "a", "1\n2", "left_out", NULL, "n", sg_log_num(-5), NULL);
    sg_log_error(SG_LOG_ERROR, "test.failed", &err, "x", "y", NULL);
    sg_log_level_set(SG_LOG_ERROR);
    sg_log(SG_LOG_WARNING, "test.hidden", NULL);
    sg_log_level_set(SG_LOG_INFO);
}

static void test_log(void **state)
{
    (void)state;
    enum sg_log_level level;
    sg_log_init("testd", SG_LOG_INFO);
    char *text = logged(speak_plainly);
    assert_null(strstr(text, "hidden"));
    assert_non_null(strstr(text, "\"level\":\"info\",\"daemon\":\"testd\",\"event\":\"test.event\","
                                 "\"a\":\"1\\u000a2\",\"n\":\"-5\"}\n{\"ts\":\"20"));
    assert_non_null(strstr(text,
                           "\"error\":\"SG_E_JOURNAL\",\"detail\":\"write \\\"x\\\": No space "
                           "left on device\",\"errno\":\"28\",\"x\":\"y\"}\n"));
    free(text);
    assert_true(sg_log_level_parse("warning", &level));
    assert_int_equal(level, SG_LOG_WARNING);
    assert_false(sg_log_level_parse("loud", &level));
}

static void journal_set(int off)
{
    struct stat st;
    char stream[64];
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino + (unsigned)off);
    setenv("JOURNAL_STREAM", stream, 1);
    sg_log_init("testd", SG_LOG_DEBUG);
}

static void speak_to_the_journal(void)
{
    struct sg_error err = {0};
    journal_set(0);
    sg_log(SG_LOG_DEBUG, "test.debug", NULL);
    sg_log(SG_LOG_INFO, "test.info", NULL);
    sg_log(SG_LOG_WARNING, "test.warning", NULL);
    sg_log_error(SG_LOG_ERROR, "test.error", &err, NULL);
    journal_set(1); /* inherited, but our stderr went elsewhere */
    sg_log(SG_LOG_WARNING, "test.elsewhere", NULL);
    setenv("JOURNAL_STREAM", "no stream", 1);
    sg_log_init("testd", SG_LOG_DEBUG);
    sg_log(SG_LOG_WARNING, "test.unreadable", NULL);
    unsetenv("JOURNAL_STREAM");
    sg_log_init("testd", SG_LOG_INFO);
}

/* `journalctl -p warning` finds ours by the priority in front of the line. */
static void test_log_priorities(void **state)
{
    (void)state;
    static const struct {
        const char *begin, *event;
    } rows[] = {{"<7>{", "debug"}, {"<6>{", "info"},   {"<4>{", "warning"},
                {"<3>{", "error"}, {"{", "elsewhere"}, {"{", "unreadable"}};
    char *text = logged(speak_to_the_journal), *rest = text;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *line = strsep(&rest, "\n");
        assert_non_null(line);
        assert_memory_equal(line, rows[i].begin, strlen(rows[i].begin));
        assert_non_null(strstr(line, rows[i].event));
    }
    assert_string_equal(rest, "");
    free(text);
}

static char huge[20000];

static void speak_too_much(void)
{
    memset(huge, '\x01', sizeof huge - 1); /* six octets each in JSON */
    sg_log(SG_LOG_INFO, "test.huge", "first", "1", "a", huge, "b", huge, "c", huge, "last", "2",
           NULL);
}

/* A line that would be too long loses values, not its form. */
static void test_log_limits(void **state)
{
    (void)state;
    char *text = logged(speak_too_much);
    size_t len = strlen(text);
    assert_in_range(len, 6000, 8200);
    assert_non_null(strstr(text, "\"first\":\"1\",\"a\":\"\\u0001"));
    assert_null(strstr(text, "\"b\""));
    assert_string_equal(text + len - 13, ",\"last\":\"2\"}\n");
    free(text);
}

static struct {
    int64_t number;
} settings;

static const struct sg_option options[] = {
    {"main", "number", SG_OPT_INT, 0, "5", 0, 9, NULL, "A number."}};

static bool even(void *s, struct sg_error *err)
{
    int64_t n = *(int64_t *)s;
    return n % 2 == 0 || sg_fail(err, SG_E_CONFIG, "the number must be even");
}

static int begin_status;
static char *begin_args[5];

static void begin(void)
{
    static const struct sg_daemon_spec spec = {"testd", options, 1, &settings, even};
    int argc = 0;
    while (begin_args[argc])
        argc++;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stdout))
            _exit(97);
        int rc = sg_daemon_begin(&spec, argc, begin_args);
        struct rlimit core = {1, 1};
        sigset_t blocked;
        getrlimit(RLIMIT_CORE, &core);
        pthread_sigmask(SIG_SETMASK, NULL, &blocked);
        if (rc == -1 && (core.rlim_max != 0 || !sigismember(&blocked, SIGTERM)))
            rc = 99;
        if (rc == -1) { /* signals are told apart */
            raise(SIGHUP);
            bool reload = sg_daemon_wait() == SG_DAEMON_RELOAD;
            raise(SIGTERM);
            rc = reload && sg_daemon_wait() == SG_DAEMON_STOP ? 42 : 98;
        }
        _exit(rc);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    begin_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void assert_begins(const char *arg1, const char *arg2, const char *arg3, int expected,
                          const char *says)
{
    static char name[] = "testd";
    char args[3][64];
    const char *given[] = {arg1, arg2, arg3};
    memset(begin_args, 0, sizeof begin_args);
    begin_args[0] = name;
    for (int i = 0; i < 3 && given[i]; i++) {
        snprintf(args[i], sizeof args[i], "%s", given[i]);
        begin_args[i + 1] = args[i];
    }
    char *text = logged(begin);
    assert_int_equal(begin_status, expected);
    if (says)
        assert_non_null(strstr(text, says));
    const char *end = strchr(text, '\n');
    assert_true(!end || end[1] == 0); /* one line at most */
    free(text);
}

static void test_daemon(void **state)
{
    (void)state;
    char path[] = "/tmp/sg-daemon-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "[main]\nnumber=4\n", 16), 16);
    assert_begins("-c", path, NULL, 42, NULL);
    assert_begins("-c", path, "-t", 0, NULL);
    assert_begins("-V", NULL, NULL, 0, NULL);
    assert_begins("--manual", NULL, NULL, 0, NULL);
    assert_begins(NULL, NULL, NULL, 2, "usage: testd");
    assert_begins("-c", NULL, NULL, 2, "usage: testd");
    assert_begins("-x", NULL, NULL, 2, "usage: testd");
    assert_begins("-c", "/nonexistent", NULL, 2, "testd: cannot open /nonexistent");
    assert_int_equal(pwrite(fd, "[main]\nnumber=5\n", 16, 0), 16);
    assert_begins("-c", path, "-t", 2, "must be even");
    assert_int_equal(pwrite(fd, "[main]\nnumber=x\n", 16, 0), 16);
    assert_begins("-c", path, "-t", 2, ":2: number: not a number: x");
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time_texts),
        cmocka_unit_test(test_clock_file),
        cmocka_unit_test(test_deadline_left),
        cmocka_unit_test(test_read_write),
        cmocka_unit_test(test_time_outs),
        cmocka_unit_test(test_large_transfer),
        cmocka_unit_test(test_inet),
        cmocka_unit_test(test_bad_addresses),
        cmocka_unit_test(test_unix_socket),
        cmocka_unit_test(test_full_backlog),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_log_limits),
        cmocka_unit_test(test_log_priorities),
        cmocka_unit_test(test_addresses_in_turn),
        cmocka_unit_test(test_a_silent_name),
        cmocka_unit_test(test_many_silent_names),
        cmocka_unit_test(test_daemon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
