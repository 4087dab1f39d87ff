/*
 * A whole session of the server: the first octet chooses the protocol, what follows is all that a
 * client says, in one packet after the other (an octet 01 ends one): content comes only after 354.
 * Whatever that is, replies are lines of a known form, what goes up has valid
 * addresses within the limits, and content is what stood before the first CRLF.CRLF.
 */
#include "common/buf.h"
#include "smtp/address.h"
#include "smtp/session.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define INPUT_MAX  2048
#define RECIPIENTS 3
#define BODY_BYTES 500

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void on_rcpt(void *ctx, const struct sg_smtp_transaction *t, const char *address,
                    struct sg_smtp_reply *reply)
{
    (void)ctx;
    check(sg_address_valid(sg_bytes_str(address)) && t->recipient_count < RECIPIENTS);
    if (address[0] == 'x')
        sg_smtp_reply_set(reply, 550, "5.1.1", "no");
}

static bool no_smuggling(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    int *last = ctx;
    const uint8_t *p = data;
    (void)err;
    for (size_t i = 0; i < len; i++) {
        check((*last == '\r') == (p[i] == '\n'));
        *last = p[i];
    }
    return true;
}

static void on_message(void *ctx, struct sg_smtp_transaction *t, struct sg_smtp_reply *replies)
{
    struct sg_error err;
    int last = 0;
    struct sg_sink sink = {no_smuggling, &last};
    (void)ctx;
    check(t->recipient_count >= 1 && t->recipient_count <= RECIPIENTS);
    check(*t->sender == 0 || sg_address_valid(sg_bytes_str(t->sender)));
    check(sg_spool_size(t->body) <= BODY_BYTES);
    check(sg_spool_copy(t->body, 0, UINT64_MAX, &sink, &err) && (last == 0 || last == '\n'));
    check(strlen(t->xforward.ident) < 256 && strlen(t->xforward.addr) < 256);
    for (size_t i = 0; i < t->recipient_count; i++)
        sg_smtp_reply_set(&replies[i], 250, "2.0.0", "%s", t->recipients[i].address);
}

static void say(int fd, const uint8_t *data, size_t size)
{
    while (size) {
        const uint8_t *end = memchr(data, 1, size);
        size_t n = end ? (size_t)(end - data) : size;
        if (n)
            check(send(fd, data, n, 0) == (ssize_t)n);
        n += end ? 1 : 0;
        data += n;
        size -= n;
    }
    shutdown(fd, SHUT_WR);
}

static void check_replies(int fd)
{
    static uint8_t out[1 << 19];
    size_t n = 0;
    for (ssize_t got; (got = recv(fd, out + n, sizeof out - n, MSG_DONTWAIT)) > 0;)
        n += (size_t)got;
    for (size_t i = 0; i < n;) {
        const uint8_t *lf = memchr(out + i, '\n', n - i);
        check(lf && lf - (out + i) >= 4 && lf[-1] == '\r' && out[i] >= '2' && out[i] <= '5' &&
              (out[i + 3] == ' ' || out[i + 3] == '-'));
        i = (size_t)(lf - out) + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > INPUT_MAX)
        return 0;
    struct sg_smtp_server_options o = {.name = "fuzz",
                                       .hostname = "gw.test",
                                       .lmtp = (data[0] & 1) == 0,
                                       .max_recipients = RECIPIENTS,
                                       .max_errors = 20,
                                       .max_line_bytes = 512,
                                       .command_timeout_ms = 5000,
                                       .data_timeout_ms = 5000,
                                       .spool = {200, BODY_BYTES, "/tmp"}};
    struct sg_smtp_callbacks callbacks = {.rcpt = on_rcpt, .message = on_message};
    int pair[2], room = 1 << 20;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        abort();
    for (int i = 0; i < 2; i++) /* by force where that is allowed */
        if (setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) != 0)
            setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    say(pair[0], data + 1, size - 1);
    smtp_session_run(&o, &callbacks, NULL, pair[1]);
    check_replies(pair[0]);
    close(pair[0]);
    close(pair[1]);
    return 0;
}
