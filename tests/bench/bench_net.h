/* What the bench's generators and its sink share: sockets, whole writes, buffered lines, a clock.
 * They stop the program at whatever goes wrong, for a bench has nothing to recover. */
#ifndef SG_BENCH_NET_H
#define SG_BENCH_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_BUFFER 65536

struct bench_peer {
    int fd;
    size_t from, to; /* what of buf was read and is not used yet */
    char buf[BENCH_BUFFER];
};

__attribute__((noreturn, format(printf, 1, 2))) void bench_die(const char *format, ...);
double bench_now(void); /* seconds, monotonic */
void bench_wait_until(double at);

int bench_listen(const char *address, int port); /* IPv4 */
/* "unix:PATH" or HOST:PORT, IPv4. */
int bench_connect(const char *to);
void bench_write(int fd, const void *data, size_t len);
/* Whether a whole line has been read already. */
bool bench_has_line(const struct bench_peer *p);
/* 0: the peer closed. */
size_t bench_more(struct bench_peer *p);
/* Without its line end; NULL: the peer closed. Good until the next call. */
char *bench_line(struct bench_peer *p);
/* Exactly so many octets. */
void bench_exactly(struct bench_peer *p, void *out, size_t len);

char *bench_file(const char *path, size_t *len_r);
/* Says "ready" and waits for a line on standard input: what is before it is not measured. */
void bench_ready(void);
int bench_ascending(const void *a, const void *b); /* of double */

#endif
