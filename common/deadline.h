/*
 * Blocking I/O with a deadline, on non-blocking descriptors. A deadline is a point of
 * sg_clock_monotonic_ms(). All functions retry EINTR and send without SIGPIPE.
 */
#ifndef SG_COMMON_DEADLINE_H
#define SG_COMMON_DEADLINE_H

#include "common/clock.h"
#include "common/error.h"

#include <sys/socket.h>
#include <sys/types.h>

typedef int64_t sg_deadline;

static inline sg_deadline sg_deadline_in(int64_t ms)
{
    return sg_clock_monotonic_ms() + ms;
}
/* Milliseconds left, never below 0, capped for poll(). */
int sg_deadline_left(sg_deadline deadline);

/* Waits for events of poll(). false: SG_E_TIMEOUT or SG_E_IO. */
SG_MUST_USE bool sg_io_wait(int fd, short events, sg_deadline deadline, struct sg_error *err);
/* Reads what is there, at least a byte; *n_r 0 is the end of the stream. */
SG_MUST_USE bool sg_io_read(int fd, void *data, size_t len, size_t *n_r, sg_deadline deadline,
                            struct sg_error *err);
/* Reads exactly len; an early end is SG_E_IO. */
SG_MUST_USE bool sg_io_read_full(int fd, void *data, size_t len, sg_deadline deadline,
                                 struct sg_error *err);
SG_MUST_USE bool sg_io_write_full(int fd, const void *data, size_t len, sg_deadline deadline,
                                  struct sg_error *err);

/* "unix:/path" or "inet:host:port" ("inet:[::1]:25"). The descriptor is non-blocking,
 * close-on-exec. A name is looked up within the deadline (resolve.h); its addresses are tried in
 * their order, each for its share of the time that is left. */
SG_MUST_USE bool sg_io_connect(const char *address, sg_deadline deadline, int *fd_r,
                               struct sg_error *err);
/* The same for the addresses alone that may says yes to; SG_E_EGRESS: to none of them. may NULL: to
 * all. */
typedef bool (*sg_io_may)(const void *ctx, const struct sockaddr *address);
SG_MUST_USE bool sg_io_connect_if(const char *address, sg_io_may may, const void *ctx,
                                  sg_deadline deadline, int *fd_r, struct sg_error *err);
/* Listens; a stale Unix socket (and nothing else) is replaced. mode is for Unix sockets (0 leaves
 * the umask's). */
SG_MUST_USE bool sg_io_listen(const char *address, mode_t mode, int backlog, int *fd_r,
                              struct sg_error *err);

#endif
