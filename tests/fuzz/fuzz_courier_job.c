/*
 * What gatewayd hands to sealgate-courier. The first octet says what the rest is: jobs over a
 * channel, one behind the other (then follow what the next hops do), or messages over the control
 * socket, with descriptors (for each: how many, how long). Nothing of another job, and no more than
 * came, reaches a next hop; each job that is whole has its one answer; and what is left for the
 * next gatewayd after this one's death is what the next hops said. No descriptor is lost.
 */
#include "courier/courier_internal.h"
#include "courierhelper/channel.c" /* whose state begins anew each time */

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Octets that say what next hops do: the low two bits what is done with the content, then the
 * reply. */
#define HOPS 16
#define JOBS 256

enum { CONTROL = 1, DIES = 2 };

static struct {
    const uint8_t *hops;
    size_t jobs;               /* that a next hop has seen */
    uint32_t recipients[JOBS]; /* of each */
    size_t octets;             /* of the content of the one at hand */
    bool taken;                /* the last job, by the first recipient's next hop */
    volatile uint8_t sum;
    bool hand; /* its end was sent */
} seen;

static void check(bool so)
{
    if (!so)
        abort();
}

static bool content_count(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    size_t *most = ctx;
    for (size_t i = 0; i < len; i++)
        seen.sum ^= ((const uint8_t *)data)[i];
    seen.octets += len;
    return seen.octets <= *most || sg_fail(err, SG_E_SMTP_CONNECT, "the next hop is gone");
}

/* In place of the SMTP client: next hops that do as they were told. */
bool sg_smtp_client_send(struct sg_smtp_client *client,
                         const struct sg_smtp_destination *destination,
                         const struct sg_smtp_envelope *envelope,
                         const struct sg_smtp_piece *pieces, size_t piece_count,
                         struct sg_smtp_reply *replies_r, struct sg_error *err)
{
    uint8_t hop = seen.hops[seen.jobs % HOPS];
    size_t most = hop & 1 ? 100 : SIZE_MAX, letters = 0;
    struct sg_sink sink = {content_count, &most};
    (void)client;
    letters += strlen(destination->host) + strlen(destination->ca_pem) +
               strlen(destination->owner) + strlen(envelope->sender);
    for (size_t i = 0; i < envelope->recipient_count; i++)
        letters += strlen(envelope->recipients[i]);
    check(piece_count == 1 && letters <= COURIER_STRINGS);
    check(!destination->within || sg_networks_count(destination->within) < COURIER_STRINGS);
    seen.octets = 0;
    seen.taken = seen.hand = false;
    seen.recipients[seen.jobs % JOBS] = (uint32_t)envelope->recipient_count;
    seen.jobs++;
    if (hop & 2) /* no connection: the content is not asked for */
        return sg_fail(err, SG_E_SMTP_CONNECT, "no connection");
    if (!pieces[0].source(pieces[0].ctx, &sink, err))
        return false;
    check(!(hop & 1) || seen.octets <= most);
    seen.hand = true;
    for (size_t i = 0; i < envelope->recipient_count; i++)
        sg_smtp_reply_set(&replies_r[i], hop & 4 ? 451 : 250, "", "said");
    seen.taken = !(hop & 4);
    return !(hop & 8) || sg_fail(err, SG_E_SMTP_PEER, "lost");
}

static ssize_t octets_get(int fd, void *data, size_t len, int flags)
{
    ssize_t n;
    do
        n = recv(fd, data, len, flags);
    while (n < 0 && errno == EINTR); /* libFuzzer has an alarm */
    return n;
}

/* The answers, until the channel is at its end: of every job that was whole one, in order, and of
 * the last that was seen perhaps none. */
static void answers_check(int fd)
{
    struct courier_answer head;
    size_t count = 0;
    for (ssize_t n; (n = octets_get(fd, &head, sizeof head, MSG_WAITALL)) > 0; count++) {
        check(n == sizeof head && count < seen.jobs);
        check(count >= JOBS || head.recipients == seen.recipients[count]);
        size_t left = head.answered ? head.recipients * sizeof(struct sg_smtp_reply)
                                    : sizeof(struct sg_error);
        for (uint8_t block[4096]; left; left -= (size_t)n) {
            n = octets_get(fd, block, left < sizeof block ? left : sizeof block, 0);
            check(n > 0);
        }
    }
    check(count == seen.jobs || count + 1 == seen.jobs);
}

static void kept_check(int file)
{
    static uint8_t text[1 << 20];
    struct courier_kept kept = {0};
    ssize_t n = pread(file, text, sizeof text, 0);
    check(n > 0);
    if ((size_t)n == sizeof text)
        return;
    courier_kept_parse(&kept, sg_bytes_of(text, (size_t)n));
    check(kept.listed);
    for (size_t i = 0; i < kept.count; i++)
        check(kept.list[i].fate != SG_COURIER_PENDING);
    courier_kept_free(&kept);
}

static void channels_forget(void)
{
    alone = file_begun = false;
    file_end = 0;
    while (channels) {
        struct channel *c = channels;
        channels = c->next;
        free(c->ids);
        free(c->taken);
        free(c);
    }
}

static void jobs(const uint8_t *data, size_t size, bool dies)
{
    static int file = -1;
    static const int room = 4 << 20;
    int pair[2];
    if (file < 0) {
        file = memfd_create("kept", MFD_CLOEXEC);
        check(file >= 0 && dup2(file, 1) == 1);
    }
    if (size < HOPS || size > 65536)
        return;
    memset(&seen, 0, sizeof seen);
    seen.hops = data;
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
    ssize_t n = send(pair[0], data + HOPS, size - HOPS, 0);
    check(n >= 0 || size == HOPS);
    shutdown(pair[0], SHUT_WR);
    channel_start(NULL, pair[1]);
    answers_check(pair[0]);
    close(pair[0]);
    if (dies) {
        check(ftruncate(file, 0) == 0 && lseek(file, 0, SEEK_SET) == 0);
        channels_end();
        kept_check(file);
    }
    channels_forget();
}

static size_t descriptors(void)
{
    size_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    check(dir != NULL);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static void message_send(int fd, const uint8_t *data, size_t len, int count)
{
    union {
        char bytes[CMSG_SPACE(3 * sizeof(int))];
        struct cmsghdr align;
    } control = {.bytes = {0}};
    struct iovec text = {(void *)data, len};
    struct msghdr message = {.msg_iov = &text, .msg_iovlen = 1};
    if (count) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
        struct cmsghdr *h = CMSG_FIRSTHDR(&message);
        h->cmsg_level = SOL_SOCKET;
        h->cmsg_type = SCM_RIGHTS;
        h->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
        for (int i = 0; i < count; i++)
            ((int *)(void *)CMSG_DATA(h))[i] = fd;
    }
    (void)!sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void control(const uint8_t *data, size_t size)
{
    size_t before = descriptors();
    struct control_word word;
    int pair[2];
    check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    for (int i = 0; i < 16 && size >= 2; i++) {
        size_t len = data[1] < size - 2 ? data[1] : size - 2;
        message_send(pair[0], data + 2, len, data[0] % 4);
        data += 2 + len;
        size -= 2 + len;
    }
    close(pair[0]);
    for (bool more = true; more;) {
        more = control_read(pair[1], &word);
        if (word.fd >= 0)
            close(word.fd);
    }
    close(pair[1]);
    check(descriptors() == before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] & CONTROL)
        control(data + 1, size - 1);
    else
        jobs(data + 1, size - 1, data[0] & DIES);
    return 0;
}
