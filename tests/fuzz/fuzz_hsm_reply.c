/*
 * What a client reads from whoever answers on hsmd's socket: frames of any length, cut off
 * anywhere, and what is in them. And the question of an agreement, as hsmd reads it.
 */
#include "hsmclient/protocol.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static bool within(struct sg_bytes part, struct sg_bytes whole)
{
    return part.len == 0 ||
           (part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}

static void reply(struct sg_bytes body)
{
    struct sg_hsm_reply reply;
    struct sg_error err = {0};
    if (!sg_hsm_reply_decode(body, &reply, &err)) {
        check(err.code == SG_E_HSM_PROTOCOL);
        return;
    }
    check(within(reply.first, body) && within(reply.second, body));
    check(reply.first.len <= SG_HSM_FIRST_MAX && reply.second.len <= SG_HSM_SECOND_MAX);
    if (reply.error.code != SG_OK)
        for (const char *p = reply.error.detail; *p; p++)
            check(*p >= ' ' || *p < 0); /* it goes into logs, as a line */
}

static void agreement(struct sg_bytes body)
{
    struct sg_hsm_agreement a;
    uint8_t again[SG_HSM_AGREEMENT_MAX];
    if (!sg_hsm_agreement_decode(body, &a))
        return;
    check(within(a.point, body) && within(a.info, body) && within(a.wrapped, body));
    size_t len = sg_hsm_agreement_encode(&a, again);
    check(len == 0 || sg_bytes_equal(sg_bytes_of(again, len), body));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t frame[SG_HSM_FRAME_MAX + 4];
    const struct sg_bytes all = sg_bytes_of(frame, sizeof frame);
    struct sg_bytes body;
    struct sg_error err = {0};
    int pair[2];
    agreement(sg_bytes_of(data, size));
    reply(sg_bytes_of(data, size));
    if (size > 65536 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0)
        return 0;
    check(write(pair[1], data, size) == (ssize_t)size);
    close(pair[1]);
    while (sg_hsm_frame_read(pair[0], frame, &body, sg_deadline_in(1000), &err) && body.len) {
        check(within(body, all));
        reply(body);
    }
    close(pair[0]);
    return 0;
}
