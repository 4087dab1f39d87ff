#include "bench_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void bench_die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void bench_wait_until(double at)
{
    struct timespec t = {.tv_sec = (time_t)at};
    t.tv_nsec = (long)((at - (double)t.tv_sec) * 1e9);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

static struct sockaddr_in inet_address(const char *host, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
        bench_die("%s is no IPv4 address", host);
    return a;
}

int bench_listen(const char *address, int port)
{
    struct sockaddr_in a = inet_address(address, port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 1024) < 0)
        bench_die("%s:%d: %s", address, port, strerror(errno));
    return fd;
}

static int unix_connect(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (strlen(path) >= sizeof a.sun_path)
        bench_die("%s: too long", path);
    memcpy(a.sun_path, path, strlen(path));
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) < 0)
        bench_die("%s: %s", path, strerror(errno));
    return fd;
}

int bench_connect(const char *to)
{
    if (strncmp(to, "unix:", 5) == 0)
        return unix_connect(to + 5);
    char host[64] = "";
    int port = 0, on = 1;
    if (sscanf(to, "%63[0-9.]:%d", host, &port) != 2)
        bench_die("%s: HOST:PORT is expected", to);
    struct sockaddr_in a = inet_address(host, port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) < 0)
        bench_die("%s: %s", to, strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

void bench_write(int fd, const void *data, size_t len)
{
    const char *p = data;
    while (len) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            bench_die("write: %s", strerror(errno));
        p += n;
        len -= (size_t)n;
    }
}

bool bench_has_line(const struct bench_peer *p)
{
    return memchr(p->buf + p->from, '\n', p->to - p->from) != NULL;
}

size_t bench_more(struct bench_peer *p)
{
    if (p->from) {
        memmove(p->buf, p->buf + p->from, p->to - p->from);
        p->to -= p->from;
        p->from = 0;
    }
    if (p->to == sizeof p->buf)
        bench_die("a line that is too long");
    ssize_t n;
    do {
        n = read(p->fd, p->buf + p->to, sizeof p->buf - p->to);
    } while (n < 0 && errno == EINTR);
    if (n <= 0)
        return 0;
    p->to += (size_t)n;
    return (size_t)n;
}

char *bench_line(struct bench_peer *p)
{
    char *end;
    while (!(end = memchr(p->buf + p->from, '\n', p->to - p->from)))
        if (!bench_more(p))
            return NULL;
    char *line = p->buf + p->from;
    p->from = (size_t)(end - p->buf) + 1;
    if (end > line && end[-1] == '\r')
        end--;
    *end = 0;
    return line;
}

void bench_exactly(struct bench_peer *p, void *out, size_t len)
{
    char *to = out;
    while (len) {
        size_t n = p->to - p->from < len ? p->to - p->from : len;
        memcpy(to, p->buf + p->from, n);
        p->from += n;
        to += n;
        len -= n;
        if (len && !bench_more(p))
            bench_die("the peer closed the connection");
    }
}

char *bench_file(const char *path, size_t *len_r)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) < 0)
        bench_die("%s: %s", path, strerror(errno));
    long size = ftell(f);
    rewind(f);
    char *data = size < 0 ? NULL : malloc((size_t)size + 1);
    if (!data || fread(data, 1, (size_t)size, f) != (size_t)size)
        bench_die("%s: cannot be read", path);
    fclose(f);
    data[size] = 0;
    *len_r = (size_t)size;
    return data;
}

void bench_ready(void)
{
    char line[64];
    puts("ready");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin))
        exit(1);
}

int bench_ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
