/*
 * Takes all mail by SMTP, at every 127.0.0.x, and keeps what it is told to. As Postfix does, it
 * answers what was pipelined at once: its replies go when nothing is left to read.
 *
 *     bench_sink PORT…
 *
 * Commands on standard input, each answered by a line:
 *     keep DIR EVERY   every so manieth message from now on goes into DIR, as it came over the
 * wire, and a line `sender recipient path client` into DIR/plan, as bench_send takes it; EVERY 0:
 * none count            how many messages there were
 */
#include "bench_net.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
    pthread_mutex_t mutex;
    char dir[512];
    unsigned long every, kept;
    atomic_ulong count;
} sink = {.mutex = PTHREAD_MUTEX_INITIALIZER};

struct envelope {
    char sender[512], recipient[512];
};

struct client {
    struct bench_peer peer;
    char out[4096];
    size_t out_len;
};

static void flush(struct client *c)
{
    bench_write(c->peer.fd, c->out, c->out_len);
    c->out_len = 0;
}

static void say(struct client *c, const char *text)
{
    size_t len = strlen(text);
    if (len > sizeof c->out - c->out_len)
        flush(c);
    memcpy(c->out + c->out_len, text, len);
    c->out_len += len;
    if (!bench_has_line(&c->peer))
        flush(c);
}

static void address_take(const char *line, char out[512])
{
    const char *from = strchr(line, '<'), *to = from ? strchr(from, '>') : NULL;
    out[0] = 0;
    if (to && to - from < 512)
        snprintf(out, 512, "%.*s", (int)(to - from - 1), from + 1);
}

/* Where the next message is to be kept; NULL: it is not. */
static FILE *keep_begin(const struct envelope *e)
{
    char path[600];
    FILE *f = NULL;
    unsigned long number = atomic_fetch_add(&sink.count, 1);
    pthread_mutex_lock(&sink.mutex);
    if (sink.every && number % sink.every == 0) {
        snprintf(path, sizeof path, "%s/%lu", sink.dir, sink.kept++);
        f = fopen(path, "wb");
        if (!f)
            bench_die("%s: cannot be written", path);
        char plan[600];
        snprintf(plan, sizeof plan, "%s/plan", sink.dir);
        FILE *p = fopen(plan, "ab");
        if (!p)
            bench_die("%s: cannot be written", plan);
        fprintf(p, "%s %s %s 192.0.2.1\n", e->sender, e->recipient, path);
        fclose(p);
    }
    pthread_mutex_unlock(&sink.mutex);
    return f;
}

/* Up to the line with the dot; false: the peer went. */
static bool data_take(struct bench_peer *p, const struct envelope *e)
{
    FILE *keep = keep_begin(e);
    for (;;) {
        const char *at = p->buf + p->from;
        size_t have = p->to - p->from;
        const char *end = memmem(at, have, "\r\n.\r\n", 5);
        size_t take = end ? (size_t)(end - at) + 2 : have > 4 ? have - 4 : 0;
        if (keep && take)
            fwrite(at, 1, take, keep);
        p->from += take + (end ? 3 : 0);
        if (end || !bench_more(p)) {
            if (keep)
                fclose(keep);
            return end != NULL;
        }
    }
}

static bool is(const char *line, const char *verb)
{
    return strncasecmp(line, verb, strlen(verb)) == 0;
}

static void *serve(void *arg)
{
    struct client *c = arg;
    struct bench_peer *p = &c->peer;
    struct envelope e = {0};
    const char *line;
    int on = 1;
    setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    say(c, "220 sink ESMTP\r\n");
    while ((line = bench_line(p))) {
        if (is(line, "EHLO")) {
            say(c, "250-sink\r\n250-PIPELINING\r\n250-SIZE 200000000\r\n250-SMTPUTF8\r\n250 "
                   "8BITMIME\r\n");
        } else if (is(line, "DATA")) {
            say(c, "354 go\r\n");
            if (!data_take(p, &e))
                break;
            say(c, "250 2.0.0 taken\r\n");
        } else if (is(line, "QUIT")) {
            say(c, "221 bye\r\n");
            break;
        } else {
            if (is(line, "MAIL"))
                address_take(line, e.sender);
            else if (is(line, "RCPT"))
                address_take(line, e.recipient);
            say(c, "250 ok\r\n");
        }
    }
    flush(c);
    close(p->fd);
    free(c);
    return NULL;
}

static void *accept_all(void *arg)
{
    int fd = bench_listen("0.0.0.0", *(int *)arg);
    for (;;) {
        struct client *c = calloc(1, sizeof *c);
        pthread_t thread;
        if (!c || (c->peer.fd = accept(fd, NULL, NULL)) < 0 ||
            pthread_create(&thread, NULL, serve, c))
            bench_die("sink: cannot take a connection");
        pthread_detach(thread);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    char line[1024];
    for (int i = 1; i < argc; i++) {
        pthread_t thread;
        int *port = malloc(sizeof *port);
        char *end = argv[i];
        long number = strtol(argv[i], &end, 10);
        if (!port || *end || number < 1 || number > 65535)
            bench_die("bench_sink PORT…");
        *port = (int)number;
        if (pthread_create(&thread, NULL, accept_all, port))
            bench_die("sink: cannot start a thread");
    }
    while (fgets(line, sizeof line, stdin)) {
        pthread_mutex_lock(&sink.mutex);
        if (sscanf(line, "keep %511s %lu", sink.dir, &sink.every) == 2)
            sink.kept = 0;
        pthread_mutex_unlock(&sink.mutex);
        printf("%lu\n", atomic_load(&sink.count));
        fflush(stdout);
    }
    return 0;
}
