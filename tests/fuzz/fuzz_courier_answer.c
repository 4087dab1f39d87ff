/*
 * What gatewayd reads from its courier, which reads what the world writes: the first octet is the
 * number of recipients, the rest the answer. Replies and errors that come out of it have their
 * ends, and codes that are ones.
 */
#include "courier/courier_internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 8

static void check(bool so)
{
    if (!so)
        abort();
}

static void text_check(const char *text, size_t room)
{
    size_t len = strnlen(text, room);
    check(len < room);
    for (size_t i = 0; i < len; i++)
        check((uint8_t)text[i] >= ' ' && text[i] != 127); /* it goes into replies, as a line */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const recipients[MOST] = {"a@b.test", "a@b.test", "a@b.test", "a@b.test",
                                                 "a@b.test", "a@b.test", "a@b.test", "a@b.test"};
    static const uint8_t ids[MOST][SG_COURIER_ID];
    struct sg_smtp_destination destination = {.host = "h.test", .port = 25};
    struct sg_smtp_envelope envelope = {.sender = "c@d.test", .recipients = recipients};
    struct sg_smtp_piece piece = {.bytes = sg_bytes_str("\r\nx\r\n")};
    struct sg_smtp_reply replies[MOST];
    struct sg_error err = {0};
    struct sg_courier courier = {.pid = 1, .generation = 1, .options.client.data_timeout_ms = 1000};
    struct sg_courier_sent *channel = calloc(1, sizeof *channel), *sent = NULL;
    int pair[2], control[2];
    if (size == 0 || size > 65536 || !channel) {
        free(channel);
        return 0;
    }
    envelope.recipient_count = 1 + data[0] % MOST;
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0 &&
          socketpair(AF_UNIX, SOCK_SEQPACKET, 0, control) == 0);
    check(write(pair[1], data + 1, size - 1) == (ssize_t)size - 1);
    shutdown(pair[1], SHUT_WR);
    *channel = (struct sg_courier_sent){.fd = pair[0], .generation = 1};
    pthread_mutex_init(&courier.lock, NULL);
    courier.control = control[0];
    courier.free = channel;
    memset(replies, 0xee, sizeof replies);
    if (sg_courier_send(&courier, &sent, &destination, &envelope, ids, &piece, 1, replies, &err)) {
        for (size_t i = 0; i < envelope.recipient_count; i++) {
            check(replies[i].code >= 200 && replies[i].code <= 599);
            text_check(replies[i].enhanced, sizeof replies[i].enhanced);
            text_check(replies[i].text, sizeof replies[i].text);
        }
    } else {
        check(err.code != SG_OK);
        check(memchr(err.sqlstate, 0, sizeof err.sqlstate) != NULL);
        text_check(err.field, sizeof err.field);
        text_check(err.detail, sizeof err.detail);
    }
    courier.pid = 0; /* no channel is kept */
    sg_courier_release(&courier, &sent);
    pthread_mutex_destroy(&courier.lock);
    close(pair[1]);
    close(control[0]);
    close(control[1]);
    return 0;
}
