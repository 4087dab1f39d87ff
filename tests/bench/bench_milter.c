/*
 * Gives a milter mail as Postfix does (milter protocol, version 6), over kept connections.
 *
 *     bench_milter unix:PATH CONNECTIONS COUNT FILE
 *
 * FILE is the message. Out: how many messages got a header inserted: all, if the filter signs.
 */
#include "bench_net.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 65535

static struct {
    const char *to;
    char *text, *body;
    size_t body_len, count;
    atomic_size_t next, signed_;
} run;

static void packet(struct bench_peer *p, char command, const void *data, size_t len)
{
    uint32_t size = htonl((uint32_t)len + 1);
    char head[5];
    memcpy(head, &size, 4);
    head[4] = command;
    bench_write(p->fd, head, 5);
    bench_write(p->fd, data, len);
}

/* The next packet of the filter's; its data go to nobody. */
static char answer(struct bench_peer *p)
{
    uint32_t size;
    char command, rest[4096];
    bench_exactly(p, &size, 4);
    bench_exactly(p, &command, 1);
    for (size_t left = ntohl(size) - 1; left;) {
        size_t n = left < sizeof rest ? left : sizeof rest;
        bench_exactly(p, rest, n);
        left -= n;
    }
    return command;
}

static void step(struct bench_peer *p, char command, const void *data, size_t len)
{
    packet(p, command, data, len);
    char c = answer(p);
    if (c != 'c')
        bench_die("the milter answered %c to %c", c, command);
}

static void negotiate(struct bench_peer *p)
{
    uint32_t offer[3] = {htonl(6), htonl(0x1ff),
                         0}; /* all actions, every step is told and answered */
    packet(p, 'O', offer, sizeof offer);
    if (answer(p) != 'O')
        bench_die("the milter does not negotiate");
    char where[] = "bench.test\0"
                   "4\0\31" /* a port of 16 bits: 25 */
                   "127.0.0.1";
    step(p, 'C', where, sizeof where);
    step(p, 'H', "bench.test", 11);
}

static void headers(struct bench_peer *p)
{
    char field[8192];
    for (const char *at = run.text; at < run.body - 2;) {
        const char *end = strstr(at, "\r\n"), *colon = strchr(at, ':');
        size_t name = (size_t)(colon - at), value = (size_t)(end - colon - 2);
        memcpy(field, at, name);
        field[name] = 0;
        memcpy(field + name + 1, colon + 2, value);
        field[name + 1 + value] = 0;
        step(p, 'L', field, name + value + 2);
        at = end + 2;
    }
    step(p, 'N', "", 0);
}

static void message(struct bench_peer *p)
{
    static const char macros[] = "Mi\0004B12345678z\0";
    packet(p, 'D', macros, sizeof macros - 1);
    step(p, 'M', "<ann@agency-a.test>", 20);
    step(p, 'R', "<joe@partner.test>", 19);
    headers(p);
    for (size_t at = 0; at < run.body_len; at += CHUNK)
        step(p, 'B', run.body + at, run.body_len - at < CHUNK ? run.body_len - at : CHUNK);
    packet(p, 'E', "", 0);
    char c;
    while ((c = answer(p)) != 'c' && c != 'a')
        if (c == 'i' || c == 'h')
            atomic_fetch_add(&run.signed_, 1);
        else if (c != 'p' && c != 'm')
            bench_die("the milter answered %c at the end", c);
}

static void *work(void *arg)
{
    struct bench_peer *p = arg;
    while (atomic_fetch_add(&run.next, 1) < run.count)
        message(p);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        bench_die("bench_milter unix:PATH CONNECTIONS COUNT FILE");
    size_t len, connections = strtoul(argv[2], NULL, 10);
    run.to = argv[1];
    run.count = strtoul(argv[3], NULL, 10);
    run.text = bench_file(argv[4], &len);
    run.body = strstr(run.text, "\r\n\r\n");
    pthread_t *threads = calloc(connections, sizeof *threads);
    struct bench_peer *peers = calloc(connections, sizeof *peers);
    if (!run.body || !threads || !peers)
        bench_die("no body, or out of memory");
    run.body += 4;
    run.body_len = len - (size_t)(run.body - run.text);
    for (size_t i = 0; i < connections; i++) {
        peers[i].fd = bench_connect(run.to);
        negotiate(&peers[i]);
    }
    bench_ready();
    for (size_t i = 0; i < connections; i++)
        if (pthread_create(&threads[i], NULL, work, &peers[i]))
            bench_die("no thread");
    for (size_t i = 0; i < connections; i++)
        pthread_join(threads[i], NULL);
    printf("%zu\n", atomic_load(&run.signed_));
    return 0;
}
