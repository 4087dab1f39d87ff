/*
 * Hands mail to gatewayd by LMTP over kept connections, as Postfix does: each message with a queue
 * id of its own (XFORWARD IDENT).
 *
 *     bench_send TO CONNECTIONS COUNT RATE PLAN [POLICY-SOCKET]
 *
 * PLAN has lines `sender recipient path client`; message i is of line i modulo their number. The
 * file is what goes over the wire, dots doubled; client is the address of who hands it in. With a
 * policy socket it is mail that is submitted: gatewayd's policy service is asked first for the
 * header of each message, which is put in front with From, To and Message-ID.
 * RATE 0: as fast as it goes; else messages a second, and times count from when a message was due.
 * Out: `seconds failed p50_ms p99_ms most_ms`.
 */
#include "bench_net.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE ((size_t)131072)

struct line {
    char *sender, *recipient, *path, *client, *data;
    size_t len;
};

static struct {
    const char *to, *policy;
    struct line *lines;
    size_t line_count, count, connections;
    double rate, begin, *times;
    char (*ids)[40];
    atomic_size_t next, failed, said;
} run;

static void plan_read(const char *path)
{
    size_t len, room = 0;
    char *save = NULL, *text = bench_file(path, &len);
    for (char *at = strtok_r(text, "\n", &save); at; at = strtok_r(NULL, "\n", &save)) {
        if (run.line_count == room) {
            room = room ? 2 * room : 64;
            run.lines = reallocarray(run.lines, room, sizeof *run.lines);
            if (!run.lines)
                bench_die("out of memory");
        }
        char *inner = NULL;
        struct line *l = &run.lines[run.line_count], *before = l - 1;
        *l = (struct line){.sender = strtok_r(at, " ", &inner),
                           .recipient = strtok_r(NULL, " ", &inner),
                           .path = strtok_r(NULL, " ", &inner),
                           .client = strtok_r(NULL, " ", &inner)};
        if (!l->client)
            bench_die("%s: a line is not `sender recipient path client`", path);
        if (run.line_count++ && strcmp(before->path, l->path) == 0) {
            l->data = before->data;
            l->len = before->len;
        } else {
            l->data = bench_file(l->path, &l->len);
        }
    }
    if (!run.line_count)
        bench_die("%s: no lines", path);
}

static const struct line *line_of(size_t i)
{
    return &run.lines[i % run.line_count];
}

static void ids_make(void)
{
    long stamp = (long)(bench_now() * 1e6);
    for (size_t i = 0; i < run.count; i++)
        snprintf(run.ids[i], sizeof run.ids[i], "4B%lXz%zX", stamp & 0xffffffffffL, i);
}

/* A connection to gatewayd, and one to its policy service, as an smtpd of Postfix has. */
struct client {
    struct bench_peer lmtp, policy;
};

/* What Postfix asks at DATA, and the header that comes back. */
static char *head_make(struct bench_peer *p, size_t i)
{
    static const char wanted[] = "action=PREPEND ";
    const struct line *l = line_of(i);
    char text[2048], *head;
    int n =
        snprintf(text, sizeof text,
                 "request=smtpd_access_policy\nprotocol_state=DATA\nclient_address=%s\nsender=%s\n"
                 "queue_id=%s\n\n",
                 l->client, l->sender, run.ids[i]);
    bench_write(p->fd, text, (size_t)n);
    const char *line = bench_line(p);
    if (!line || strncmp(line, wanted, sizeof wanted - 1) != 0)
        bench_die("policy service: %s", line ? line : "closed");
    if (asprintf(&head, "%s\r\nFrom: <%s>\r\nTo: <%s>\r\nMessage-ID: <%s@bench.test>\r\n",
                 line + sizeof wanted - 1, l->sender, l->recipient, run.ids[i]) < 0)
        bench_die("out of memory");
    bench_line(p); /* the empty one */
    return head;
}

/* The last line of a reply; true where it is of the class. */
static bool reply(struct bench_peer *p, char class)
{
    char *line;
    do {
        line = bench_line(p);
        if (!line)
            bench_die("gatewayd closed the connection");
    } while (strlen(line) > 3 && line[3] == '-');
    if (line[0] != class && atomic_fetch_add(&run.said, 1) < 3)
        fprintf(stderr, "%s\n", line);
    return line[0] == class;
}

/* In pieces of the size that Postfix's buffer has towards this machine. */
static void content_write(int fd, const char *head, const struct line *l)
{
    size_t head_len = head ? strlen(head) : 0, len = head_len + l->len + 3;
    char *all = malloc(len);
    if (!all)
        bench_die("out of memory");
    memcpy(all, head ? head : "", head_len);
    memcpy(all + head_len, l->data, l->len);
    memcpy(all + head_len + l->len, ".\r\n", 3);
    for (size_t at = 0; at < len; at += PIECE)
        bench_write(fd, all + at, len - at < PIECE ? len - at : PIECE);
    free(all);
}

static bool transact(struct client *c, size_t i)
{
    const struct line *l = line_of(i);
    struct bench_peer *p = &c->lmtp;
    char text[1024], *head = run.policy ? head_make(&c->policy, i) : NULL;
    int n = snprintf(text, sizeof text,
                     "XFORWARD NAME=bench.test ADDR=%s PROTO=ESMTP HELO=bench.test IDENT=%s\r\n"
                     "MAIL FROM:<%s> BODY=8BITMIME\r\nRCPT TO:<%s>\r\nDATA\r\n",
                     l->client, run.ids[i], l->sender, l->recipient);
    bench_write(p->fd, text, (size_t)n);
    bool ok = reply(p, '2');
    ok = reply(p, '2') && ok;
    ok = reply(p, '2') && ok;
    if (!reply(p, '3') || !ok)
        bench_die("the envelope was refused");
    content_write(p->fd, head, l);
    free(head);
    return reply(p, '2');
}

static void *work(void *arg)
{
    struct client *c = arg;
    size_t i;
    while ((i = atomic_fetch_add(&run.next, 1)) < run.count) {
        double due = bench_now();
        if (run.rate > 0) {
            due = run.begin + (double)i / run.rate;
            bench_wait_until(due);
        }
        if (!transact(c, i))
            atomic_fetch_add(&run.failed, 1);
        run.times[i] = bench_now() - due;
    }
    return NULL;
}

static void greet(struct client *c)
{
    struct bench_peer *p = &c->lmtp;
    p->fd = bench_connect(run.to);
    if (run.policy)
        c->policy.fd = bench_connect(run.policy);
    if (!reply(p, '2'))
        bench_die("no greeting");
    bench_write(p->fd, "LHLO bench.test\r\n", 17);
    if (!reply(p, '2'))
        bench_die("LHLO was refused");
}

int main(int argc, char **argv)
{
    if (argc != 6 && argc != 7)
        bench_die("bench_send TO CONNECTIONS COUNT RATE PLAN [POLICY-SOCKET]");
    run.to = argv[1];
    run.connections = strtoul(argv[2], NULL, 10);
    run.count = strtoul(argv[3], NULL, 10);
    run.rate = strtod(argv[4], NULL);
    plan_read(argv[5]);
    run.ids = calloc(run.count, sizeof *run.ids);
    run.times = calloc(run.count, sizeof *run.times);
    pthread_t *threads = calloc(run.connections, sizeof *threads);
    struct client *clients = calloc(run.connections, sizeof *clients);
    if (!run.count || !run.connections || !run.ids || !run.times || !threads || !clients)
        bench_die("nothing to do, or out of memory");
    ids_make();
    run.policy = argc == 7 ? argv[6] : NULL;
    for (size_t i = 0; i < run.connections; i++)
        greet(&clients[i]);
    bench_ready();
    run.begin = bench_now();
    for (size_t i = 0; i < run.connections; i++)
        if (pthread_create(&threads[i], NULL, work, &clients[i]))
            bench_die("no thread");
    for (size_t i = 0; i < run.connections; i++)
        pthread_join(threads[i], NULL);
    double seconds = bench_now() - run.begin;
    qsort(run.times, run.count, sizeof *run.times, bench_ascending);
    printf("%.6f %zu %.3f %.3f %.3f\n", seconds, atomic_load(&run.failed),
           run.times[run.count / 2] * 1e3, run.times[(run.count * 99) / 100] * 1e3,
           run.times[run.count - 1] * 1e3);
    return 0;
}
