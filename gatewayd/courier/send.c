/* One job over a channel. */
#include "courier/courier_internal.h"

#include "common/buf.h"
#include "courierhelper/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define OUTPUT_BYTES (64u << 10)

/* Hands the courier its end of a new channel. Under lock. */
static bool channel_hand_over(struct sg_courier *c, int fd, struct sg_error *err)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {.bytes = {0}};
    char what = COURIER_CHANNEL;
    struct iovec text = {&what, 1};
    struct msghdr message = {.msg_iov = &text,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    struct cmsghdr *h = CMSG_FIRSTHDR(&message);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(h), &fd, sizeof fd);
    ssize_t n;
    do
        n = sendmsg(c->control, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n == 1 || sg_fail_errno(err, SG_E_IO, "the courier takes no channel");
}

static bool channel_new(struct sg_courier *c, struct sg_courier_sent **channel_r,
                        struct sg_error *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return sg_fail_errno(err, SG_E_IO, "no socket pair for a channel");
    int flags = fcntl(pair[0], F_GETFL);
    bool ok = (flags >= 0 && fcntl(pair[0], F_SETFL, flags | O_NONBLOCK) == 0) ||
              sg_fail_errno(err, SG_E_IO, "no socket pair for a channel");
    ok = ok && channel_hand_over(c, pair[1], err);
    close(pair[1]);
    struct sg_courier_sent *s = ok ? calloc(1, sizeof *s) : NULL;
    if (ok && !s)
        abort();
    if (!ok) {
        close(pair[0]);
        return false;
    }
    s->fd = pair[0];
    s->generation = c->generation;
    *channel_r = s;
    return true;
}

static bool channel_take(struct sg_courier *c, struct sg_courier_sent **channel_r,
                         struct sg_error *err)
{
    pthread_mutex_lock(&c->lock);
    bool ok = courier_run(c, err);
    if (ok && c->free) {
        *channel_r = c->free;
        c->free = c->free->next;
        (*channel_r)->next = NULL;
    } else if (ok) {
        ok = channel_new(c, channel_r, err);
        if (!ok) {
            courier_lost(c, c->generation);
            ok = courier_run(c, err) && channel_new(c, channel_r, err);
        }
    }
    pthread_mutex_unlock(&c->lock);
    return ok;
}

static void channel_drop(struct sg_courier *c, struct sg_courier_sent *channel)
{
    pthread_mutex_lock(&c->lock);
    courier_lost(c, channel->generation);
    pthread_mutex_unlock(&c->lock);
    close(channel->fd);
    free(channel);
}

void sg_courier_join(struct sg_courier_sent **sent, struct sg_courier_sent **more)
{
    struct sg_courier_sent **end = sent;
    while (*end)
        end = &(*end)->next;
    *end = *more;
    *more = NULL;
}

void sg_courier_release(struct sg_courier *courier, struct sg_courier_sent **sent)
{
    if (!*sent)
        return;
    pthread_mutex_lock(&courier->lock);
    while (*sent) {
        struct sg_courier_sent *s = *sent;
        *sent = s->next;
        if (courier->pid && s->generation == courier->generation) {
            s->next = courier->free;
            courier->free = s;
        } else {
            close(s->fd);
            free(s);
        }
    }
    pthread_mutex_unlock(&courier->lock);
}

struct output {
    int fd;
    struct sg_buf buf;
    sg_deadline deadline;
};

static bool output_flush(struct output *o, struct sg_error *err)
{
    bool ok = sg_io_write_full(o->fd, o->buf.data, o->buf.len, o->deadline, err);
    sg_buf_clear(&o->buf);
    return ok;
}

static bool content_write(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    struct output *o = ctx;
    const uint8_t *p = data;
    while (len) {
        uint32_t n = len < OUTPUT_BYTES ? (uint32_t)len : OUTPUT_BYTES;
        sg_buf_add(&o->buf, &n, sizeof n);
        sg_buf_add(&o->buf, p, n);
        p += n;
        len -= n;
        if (o->buf.len >= OUTPUT_BYTES && !output_flush(o, err))
            return false;
    }
    return true;
}

static void head_write(struct output *o, const struct sg_smtp_destination *d,
                       const struct sg_smtp_envelope *e, const uint8_t (*ids)[SG_COURIER_ID],
                       uint64_t size)
{
    const char *first[COURIER_FIRST] = {d->host, d->ca_pem ? d->ca_pem : "",
                                        d->owner ? d->owner : "", e->sender};
    struct sg_bytes networks = d->within ? sg_networks_pack(d->within) : sg_bytes_of(NULL, 0);
    struct courier_job job = {.size = size,
                              .networks_version = d->within ? sg_networks_version(d->within) : 0,
                              .own_wait_ms = d->own_wait_ms,
                              .networks = (uint32_t)networks.len,
                              .recipients = (uint32_t)e->recipient_count,
                              .port = d->port,
                              .tls = (uint8_t)d->tls,
                              .lmtp = d->lmtp,
                              .smtputf8 = e->smtputf8,
                              .body_8bit = e->body_8bit,
                              .notify_never = e->notify_never,
                              .within = d->within != NULL};
    for (size_t i = 0; i < COURIER_FIRST; i++)
        job.strings += (uint32_t)strlen(first[i]) + 1;
    for (size_t i = 0; i < e->recipient_count; i++)
        job.strings += (uint32_t)strlen(e->recipients[i]) + 1;
    sg_buf_add(&o->buf, &job, sizeof job);
    for (size_t i = 0; i < COURIER_FIRST; i++)
        sg_buf_add(&o->buf, first[i], strlen(first[i]) + 1);
    for (size_t i = 0; i < e->recipient_count; i++)
        sg_buf_add(&o->buf, e->recipients[i], strlen(e->recipients[i]) + 1);
    sg_buf_add(&o->buf, ids, e->recipient_count * SG_COURIER_ID);
    sg_buf_add(&o->buf, networks.data, networks.len);
}

/* false: the courier has not all of the job. */
static bool job_write(struct output *o, const struct sg_smtp_piece *pieces, size_t count,
                      struct sg_error *err)
{
    struct sg_sink sink = {content_write, o};
    uint32_t end = 0;
    for (size_t i = 0; i < count; i++) {
        const struct sg_smtp_piece *p = &pieces[i];
        if (!(p->spool ? sg_spool_copy(p->spool, p->offset, p->len, &sink, err)
                       : content_write(o, p->bytes.data, p->bytes.len, err)))
            return false;
    }
    sg_buf_add(&o->buf, &end, sizeof end);
    return output_flush(o, err);
}

/* The courier reads what the world writes, and what comes from it goes into replies and logs. */
static void line_mend(char *text, size_t room)
{
    text[room - 1] = 0;
    for (; *text; text++)
        if ((uint8_t)*text < ' ' || *text == 127)
            *text = '?';
}

static bool replies_mend(struct sg_smtp_reply *replies, size_t count)
{
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        line_mend(replies[i].enhanced, sizeof replies[i].enhanced);
        line_mend(replies[i].text, sizeof replies[i].text);
        good = good && replies[i].code >= 200 && replies[i].code <= 599;
    }
    return good;
}

static bool error_mend(struct sg_error *e)
{
    line_mend(e->sqlstate, sizeof e->sqlstate);
    line_mend(e->field, sizeof e->field);
    line_mend(e->detail, sizeof e->detail);
    return e->code != SG_OK;
}

/* Head and body come together: it is waited for once, and read once. */
static bool answer_read(int fd, size_t recipients, struct sg_smtp_reply *replies, bool *answered_r,
                        sg_deadline deadline, struct sg_error *err)
{
    struct {
        struct courier_answer head;
        union {
            struct sg_smtp_reply reply;
            struct sg_error err;
        } body;
    } answer;
    size_t n;
    if (!sg_io_wait(fd, POLLIN, deadline, err) ||
        !sg_io_read(fd, &answer, sizeof answer.head + sizeof answer.body.reply, &n, deadline, err))
        return false;
    if (n < sizeof answer.head)
        return sg_fail(err, SG_E_IO, "the courier is gone");
    if (answer.head.recipients != recipients)
        return sg_fail(err, SG_E_INTERNAL, "the courier answers for %u recipients of %zu",
                       answer.head.recipients, recipients);
    *answered_r = answer.head.answered;
    n -= sizeof answer.head;
    size_t wanted = *answered_r ? recipients * sizeof *replies : sizeof answer.body.err;
    uint8_t *rest = *answered_r ? (uint8_t *)replies : (uint8_t *)&answer.body.err;
    if (*answered_r)
        memcpy(replies, &answer.body, n);
    if (!sg_io_read_full(fd, rest + n, wanted - n, deadline, err))
        return false;
    if (!(*answered_r ? replies_mend(replies, recipients) : error_mend(&answer.body.err)))
        return sg_fail(err, SG_E_INTERNAL, "the courier's answer is none");
    if (!*answered_r)
        *err = answer.body.err;
    return true;
}

/* Longer than the courier takes with all of its own times; that it lives is seen to by alive.c. */
int64_t sg_courier_longest_ms(const struct sg_courier *courier, int64_t own_wait_ms)
{
    const struct sg_smtp_client_options *o = &courier->options.client;
    return o->slot_wait_ms + own_wait_ms + 8 * (o->connect_timeout_ms + o->command_timeout_ms) +
           4 * o->data_timeout_ms;
}

enum outcome {
    DONE,
    LOST,   /* the courier may have all of it, and nobody knows what became of it */
    NOTHING /* … has not all of it, and sends it not */
};

static enum outcome attempt(struct sg_courier_sent *channel, sg_deadline deadline,
                            const struct sg_smtp_destination *destination,
                            const struct sg_smtp_envelope *envelope,
                            const uint8_t (*ids)[SG_COURIER_ID], const struct sg_smtp_piece *pieces,
                            size_t piece_count, struct sg_smtp_reply *replies, bool *answered_r,
                            struct sg_error *err)
{
    struct output o = {.fd = channel->fd, .deadline = deadline};
    head_write(&o, destination, envelope, ids, sg_smtp_pieces_size(pieces, piece_count));
    enum outcome outcome = NOTHING;
    if (job_write(&o, pieces, piece_count, err))
        outcome = answer_read(o.fd, envelope->recipient_count, replies, answered_r, o.deadline, err)
                      ? DONE
                      : LOST;
    sg_buf_free(&o.buf);
    return outcome;
}

bool sg_courier_send(struct sg_courier *courier, struct sg_courier_sent **sent,
                     const struct sg_smtp_destination *destination,
                     const struct sg_smtp_envelope *envelope, const uint8_t (*ids)[SG_COURIER_ID],
                     const struct sg_smtp_piece *pieces, size_t piece_count,
                     struct sg_smtp_reply *replies_r, struct sg_error *err)
{
    struct sg_courier_sent *channel = NULL;
    bool answered = false;
    enum outcome outcome = NOTHING;
    sg_deadline deadline = sg_deadline_in(sg_courier_longest_ms(courier, destination->own_wait_ms));
    for (int i = 0; outcome == NOTHING && i < 2; i++) { /* the first may be dead: another one */
        if (!channel_take(courier, &channel, err))
            return false;
        outcome = attempt(channel, deadline, destination, envelope, ids, pieces, piece_count,
                          replies_r, &answered, err);
        if (outcome != DONE)
            channel_drop(courier, channel);
    }
    if (outcome == LOST)
        err->code = SG_E_SMTP_PEER;
    if (outcome != DONE)
        return false;
    channel->next = *sent;
    *sent = channel;
    return answered;
}
