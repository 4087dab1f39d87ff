#include "common/deadline.h"

#include "common/resolve.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG_MS 10

int sg_deadline_left(sg_deadline deadline)
{
    int64_t left = deadline - sg_clock_monotonic_ms();
    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

bool sg_io_wait(int fd, short events, sg_deadline deadline, struct sg_error *err)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = events};
        int n = poll(&p, 1, sg_deadline_left(deadline));
        if (n > 0)
            return true; /* errors and hang-ups show in the call that follows */
        if (n == 0)
            return sg_fail(err, SG_E_TIMEOUT, "no answer in time");
        if (errno != EINTR)
            return sg_fail_errno(err, SG_E_IO, "poll");
    }
}

bool sg_io_read(int fd, void *data, size_t len, size_t *n_r, sg_deadline deadline,
                struct sg_error *err)
{
    for (;;) {
        ssize_t n = recv(fd, data, len, MSG_DONTWAIT);
        if (n >= 0) {
            *n_r = (size_t)n;
            return true;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            return sg_fail_errno(err, SG_E_IO, "read");
        if (!sg_io_wait(fd, POLLIN, deadline, err))
            return false;
    }
}

bool sg_io_read_full(int fd, void *data, size_t len, sg_deadline deadline, struct sg_error *err)
{
    for (size_t done = 0; done < len;) {
        size_t n;
        if (!sg_io_read(fd, (char *)data + done, len - done, &n, deadline, err))
            return false;
        if (n == 0)
            return sg_fail(err, SG_E_IO, "connection closed");
        done += n;
    }
    return true;
}

bool sg_io_write_full(int fd, const void *data, size_t len, sg_deadline deadline,
                      struct sg_error *err)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = send(fd, (const char *)data + done, len - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            done += (size_t)n;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            return sg_fail_errno(err, SG_E_IO, "write");
        if (!sg_io_wait(fd, POLLOUT, deadline, err))
            return false;
    }
    return true;
}

/* "host:port" or "[host]:port" into its halves. */
static bool split_inet(const char *text, char *host, size_t host_size, char *port, size_t port_size)
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text || !colon[1])
        return false;
    const char *from = text, *to = colon;
    if (*from == '[' && to[-1] == ']') {
        from++;
        to--;
    }
    if ((size_t)(to - from) >= host_size || strlen(colon + 1) >= port_size)
        return false;
    memcpy(host, from, (size_t)(to - from));
    host[to - from] = 0;
    snprintf(port, port_size, "%s", colon + 1);
    return true;
}

static bool unix_address(const char *address, struct sockaddr_un *un, struct sg_error *err)
{
    const char *path = address + strlen("unix:");
    memset(un, 0, sizeof *un);
    un->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof un->sun_path)
        return sg_fail(err, SG_E_CONFIG, "socket path too long: %s", path);
    memcpy(un->sun_path, path, strlen(path));
    return true;
}

static bool inet_parts(const char *address, char *host, size_t host_size, char *port,
                       size_t port_size, struct sg_error *err)
{
    return (strncmp(address, "inet:", 5) == 0 &&
            split_inet(address + 5, host, host_size, port, port_size)) ||
           sg_fail(err, SG_E_CONFIG, "not an address (unix:PATH or inet:HOST:PORT): %s", address);
}

static bool connect_one(int family, const struct sockaddr *sa, socklen_t len, sg_deadline deadline,
                        const char *address, int *fd_r, struct sg_error *err)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return sg_fail_errno(err, SG_E_IO, "socket");
    int on = 1;
    if (family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    int rc;
    while ((rc = connect(fd, sa, len)) != 0 && errno == EAGAIN && sg_deadline_left(deadline) > 0)
        poll(NULL, 0, BACKLOG_MS); /* a Unix socket whose backlog is full; nothing to wait on */
    if (rc != 0) {
        int failed = errno;
        socklen_t size = sizeof failed;
        if (failed == EINPROGRESS || failed == EINTR) {
            if (!sg_io_wait(fd, POLLOUT, deadline, err)) {
                close(fd);
                return false;
            }
            if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) != 0)
                failed = errno;
        }
        if (failed != 0) {
            close(fd);
            errno = failed;
            return sg_fail_errno(err, SG_E_IO, "cannot connect to %s", address);
        }
    }
    *fd_r = fd;
    return true;
}

static bool connect_inet(const char *address, sg_io_may may, const void *ctx, sg_deadline deadline,
                         int *fd_r, struct sg_error *err)
{
    char host[256], port[16];
    SG_AUTO_LOOKUP lookup = NULL;
    if (!inet_parts(address, host, sizeof host, port, sizeof port, err) ||
        !sg_lookup(host, port, deadline, &lookup, err))
        return false;
    const struct addrinfo *list = sg_lookup_addresses(lookup);
    int to_try = 0;
    for (const struct addrinfo *a = list; a; a = a->ai_next)
        to_try += !may || may(ctx, a->ai_addr);
    bool ok = false, tried = to_try > 0;
    for (const struct addrinfo *a = list; a && !ok; a = a->ai_next) {
        if (may && !may(ctx, a->ai_addr))
            continue;
        /* One that does not answer leaves their share of the time to those behind it. */
        sg_deadline until =
            to_try > 1 ? sg_deadline_in(sg_deadline_left(deadline) / to_try) : deadline;
        to_try--;
        ok = connect_one(a->ai_family, a->ai_addr, a->ai_addrlen, until, address, fd_r, err);
    }
    return ok ||
           (tried ? false
                  : sg_fail(err, SG_E_EGRESS, "no address of %s may be connected to", address));
}

bool sg_io_connect_if(const char *address, sg_io_may may, const void *ctx, sg_deadline deadline,
                      int *fd_r, struct sg_error *err)
{
    if (strncmp(address, "unix:", 5) == 0) {
        struct sockaddr_un un;
        return unix_address(address, &un, err) &&
               (!may || may(ctx, (struct sockaddr *)&un) ||
                sg_fail(err, SG_E_EGRESS, "%s may not be connected to", address)) &&
               connect_one(AF_UNIX, (struct sockaddr *)&un, sizeof un, deadline, address, fd_r,
                           err);
    }
    return connect_inet(address, may, ctx, deadline, fd_r, err);
}

bool sg_io_connect(const char *address, sg_deadline deadline, int *fd_r, struct sg_error *err)
{
    return sg_io_connect_if(address, NULL, NULL, deadline, fd_r, err);
}

static bool listen_one(int family, const struct sockaddr *sa, socklen_t len, int backlog,
                       const char *address, int *fd_r, struct sg_error *err)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return sg_fail_errno(err, SG_E_IO, "socket");
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, sa, len) != 0 || listen(fd, backlog) != 0) {
        sg_fail_errno(err, SG_E_CONFIG, "cannot listen on %s", address);
        close(fd);
        return false;
    }
    *fd_r = fd;
    return true;
}

/* Makes place for a socket: only one that nobody listens on any more is removed. */
static bool stale_remove(const struct sockaddr_un *un, const char *address, struct sg_error *err)
{
    struct stat st;
    struct sg_error why = {0};
    int probe;
    if (lstat(un->sun_path, &st) != 0)
        return errno == ENOENT || sg_fail_errno(err, SG_E_CONFIG, "%s", address);
    if (!S_ISSOCK(st.st_mode))
        return sg_fail(err, SG_E_CONFIG, "%s exists and is no socket", un->sun_path);
    if (sg_io_connect(address, sg_deadline_in(200), &probe, &why)) {
        close(probe);
        return sg_fail(err, SG_E_CONFIG, "%s is in use", address);
    }
    if (why.lib != SG_LIB_ERRNO || why.lib_code != ECONNREFUSED)
        return sg_fail(err, SG_E_CONFIG, "%s may be in use: %s", address, why.detail);
    return unlink(un->sun_path) == 0 || errno == ENOENT ||
           sg_fail_errno(err, SG_E_CONFIG, "cannot remove %s", un->sun_path);
}

bool sg_io_listen(const char *address, mode_t mode, int backlog, int *fd_r, struct sg_error *err)
{
    if (strncmp(address, "unix:", 5) == 0) {
        struct sockaddr_un un;
        if (!unix_address(address, &un, err))
            return false;
        if (!stale_remove(&un, address, err))
            return false;
        if (!listen_one(AF_UNIX, (struct sockaddr *)&un, sizeof un, backlog, address, fd_r, err))
            return false;
        if (mode && chmod(un.sun_path, mode) != 0) {
            sg_fail_errno(err, SG_E_CONFIG, "chmod %s", un.sun_path);
            close(*fd_r);
            return false;
        }
        return true;
    }
    char host[256], port[16];
    struct addrinfo *list, hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    if (!inet_parts(address, host, sizeof host, port, sizeof port, err))
        return false;
    int rc = getaddrinfo(host, port, &hints, &list); /* at the start, when nobody waits yet */
    if (rc != 0)
        return sg_fail(err, SG_E_IO, "cannot resolve %s: %s", host, gai_strerror(rc));
    bool ok =
        listen_one(list->ai_family, list->ai_addr, list->ai_addrlen, backlog, address, fd_r, err);
    freeaddrinfo(list);
    return ok;
}
