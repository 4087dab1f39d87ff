#include "script.h"

#include "common/buf.h"
#include "common/deadline.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct script {
    const char *const *steps;
    int listening, port, fd;
    SSL_CTX *tls;
    SSL *ssl;
    pthread_t thread;
    sem_t go, reached;
    char wrong[600]; /* "" while all went as written */
};

static const char *tls_certificate, *tls_key;

void script_tls(const char *certificate, const char *key)
{
    tls_certificate = certificate;
    tls_key = key;
}

static bool readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 10000) == 1;
}

/* -1 at the end, -2 when nothing comes. */
static int octet(struct script *s)
{
    unsigned char c;
    if (s->ssl) {
        if (!SSL_pending(s->ssl) && !readable(s->fd))
            return -2;
        return SSL_read(s->ssl, &c, 1) == 1 ? c : -1;
    }
    if (!readable(s->fd))
        return -2;
    return recv(s->fd, &c, 1, 0) == 1 ? c : -1;
}

static bool send_line(struct script *s, const char *text)
{
    char *line;
    int n = asprintf(&line, "%s\r\n", text);
    if (n < 0)
        abort();
    bool sent =
        s->ssl ? SSL_write(s->ssl, line, n) == n : send(s->fd, line, (size_t)n, MSG_NOSIGNAL) == n;
    free(line);
    return sent;
}

static bool read_line(struct script *s, char *line, size_t size)
{
    size_t n = 0;
    for (int c; (c = octet(s)) >= 0 && n + 1 < size;) {
        line[n++] = (char)c;
        if (c == '\n' && n > 1 && line[n - 2] == '\r') {
            line[n - 2] = 0;
            return true;
        }
    }
    line[n] = 0;
    return false;
}

static void command(struct script *s, const char *step)
{
    char line[4096];
    bool begin = step[1] == '*';
    const char *text = step + (begin ? 3 : 2);
    bool ok = read_line(s, line, sizeof line);
    if (!ok || (begin ? strncmp(line, text, strlen(text)) : strcmp(line, text)) != 0)
        snprintf(s->wrong, sizeof s->wrong, "step \"%.200s\": came \"%.300s\"", step, line);
}

static void content(struct script *s, const char *step)
{
    struct sg_buf all;
    sg_buf_init(&all, 0);
    sg_buf_adds(&all, "\r\n");
    for (int c; (c = octet(s)) >= 0;) {
        char o = (char)c;
        sg_buf_add(&all, &o, 1);
        if (all.len >= 5 && memcmp(all.data + all.len - 5, "\r\n.\r\n", 5) == 0)
            break;
    }
    bool any = step[1] == '*' || step[1] == '-';
    bool whole = all.len >= 5 && memcmp(all.data + all.len - 5, "\r\n.\r\n", 5) == 0;
    bool same = any || (whole && all.len - 5 == strlen(step + 2) &&
                        memcmp(all.data + 2, step + 2, all.len - 5) == 0);
    if (whole == (step[1] == '-') || !same)
        snprintf(s->wrong, sizeof s->wrong, "content: came \"%.500s\"", (const char *)all.data);
    sg_buf_free(&all);
}

static void hang_up(struct script *s)
{
    SSL_free(s->ssl);
    s->ssl = NULL;
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

static void handshake(struct script *s, bool expected)
{
    s->ssl = SSL_new(s->tls);
    SSL_set_fd(s->ssl, s->fd);
    bool ok = SSL_accept(s->ssl) == 1;
    /* In TLS 1.3 a client refuses after the server is through. */
    if (ok && !expected) {
        char c;
        ok = SSL_read(s->ssl, &c, 1) == 1;
    }
    if (ok != expected)
        snprintf(s->wrong, sizeof s->wrong, "TLS handshake: %s", ok ? "went through" : "failed");
}

static void expect_end(struct script *s)
{
    char line[100];
    if (read_line(s, line, sizeof line) && strcmp(line, "QUIT") != 0)
        snprintf(s->wrong, sizeof s->wrong, "expected the end, came \"%s\"", line);
    else if (octet(s) == -2)
        snprintf(s->wrong, sizeof s->wrong, "the client does not hang up");
    hang_up(s);
}

/* As fast as the client reads, for longer than it should. */
static void flood(struct script *s)
{
    sg_deadline until = sg_deadline_in(20000);
    struct pollfd peer = {.fd = s->fd, .events = POLLRDHUP};
    /* Of a ticket that cannot be sent OpenSSL says nothing. */
    while (SSL_new_session_ticket(s->ssl) == 1 && SSL_do_handshake(s->ssl) == 1 &&
           poll(&peer, 1, 0) == 0)
        if (sg_deadline_left(until) == 0) {
            snprintf(s->wrong, sizeof s->wrong, "the client reads tickets for ever");
            break;
        }
    hang_up(s);
}

static void step(struct script *s, const char *text)
{
    switch (text[0]) {
    case 'A':
        hang_up(s);
        if (!readable(s->listening) || (s->fd = accept(s->listening, NULL, NULL)) < 0)
            snprintf(s->wrong, sizeof s->wrong, "nobody connects");
        break;
    case 'S':
        if (!send_line(s, text + 2))
            snprintf(s->wrong, sizeof s->wrong, "cannot send \"%.200s\"", text);
        break;
    case 'C':
        command(s, text);
        break;
    case 'D':
        content(s, text);
        break;
    case 'T':
        handshake(s, text[1] != '-');
        break;
    case 'N':
        flood(s);
        break;
    case 'E':
        expect_end(s);
        break;
    case 'X':
        hang_up(s);
        break;
    case 'W':
        sem_wait(&s->go);
        break;
    case 'P':
        poll(NULL, 0, atoi(text + 2));
        break;
    case 'R':
        sem_post(&s->reached);
        break;
    }
}

static void *run(void *arg)
{
    struct script *s = arg;
    for (const char *const *p = s->steps; *p && !s->wrong[0]; p++)
        step(s, *p);
    hang_up(s);
    return NULL;
}

struct script *script_begin(const char *const *steps)
{
    struct script *s = calloc(1, sizeof *s);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof in;
    assert_non_null(s);
    s->steps = steps;
    s->fd = -1;
    s->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listening, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(listen(s->listening, 20), 0);
    assert_int_equal(getsockname(s->listening, (struct sockaddr *)&in, &size), 0);
    s->port = ntohs(in.sin_port);
    if (tls_certificate) {
        s->tls = SSL_CTX_new(TLS_server_method());
        assert_int_equal(SSL_CTX_use_certificate_chain_file(s->tls, tls_certificate), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey_file(s->tls, tls_key, SSL_FILETYPE_PEM), 1);
    }
    sem_init(&s->go, 0, 0);
    sem_init(&s->reached, 0, 0);
    assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
    return s;
}

int script_port(const struct script *script)
{
    return script->port;
}

void script_go(struct script *script)
{
    sem_post(&script->go);
}

void script_reached(struct script *script)
{
    sem_wait(&script->reached);
}

void script_end(struct script **script)
{
    struct script *s = *script;
    char wrong[sizeof s->wrong];
    pthread_join(s->thread, NULL);
    memcpy(wrong, s->wrong, sizeof wrong);
    close(s->listening);
    SSL_CTX_free(s->tls);
    sem_destroy(&s->go);
    sem_destroy(&s->reached);
    free(s);
    *script = NULL;
    if (wrong[0])
        fail_msg("%s", wrong);
}

bool script_send(struct sg_smtp_client *client, const struct sg_smtp_destination *destination,
                 struct sg_smtp_reply *reply, struct sg_error *err)
{
    const char *const recipients[] = {"c@d.test"};
    struct sg_smtp_envelope e = {
        .sender = "a@b.test", .recipients = recipients, .recipient_count = 1};
    struct sg_smtp_piece piece = {.bytes = sg_bytes_str("Subject: x\r\n\r\nhello\r\n")};
    return sg_smtp_client_send(client, destination, &e, &piece, 1, reply, err);
}
