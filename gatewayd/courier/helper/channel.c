/*
 * A channel: jobs one after the other, and what became of the last one. A message's dot is sent
 * only once all of it is here and while gatewayd lives; from then on its id is known to
 * channels_end().
 */
#include "courierhelper/helper.h"

#include "common/buf.h"
#include "common/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define INPUT_BYTES 32768
#define HAND_STACK  (512 << 10)

enum state { NOTHING, IN_HAND, ANSWERED };

struct channel {
    struct channel *next;
    struct sg_smtp_client *client;
    int fd;
    size_t from, to;
    uint64_t chunk; /* octets of the content's chunk that are still to be read */
    bool whole;     /* the content was read to its end */
    /* Under lock: */
    enum state state;
    size_t count;
    uint8_t (*ids)[COURIER_ID];
    bool *taken;
    uint8_t in[INPUT_BYTES];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t settled = PTHREAD_COND_INITIALIZER;
static struct channel *channels;
static bool alone; /* gatewayd is dead */

/* The file --------------------------------------------------------------------------------------
 */

/* Under lock: */
static off_t file_end;  /* of its whole lines */
static bool file_begun; /* its first line is there */

/* Whole lines: the next one is written over a part for which there was no room (false). */
static bool file_write(const char *text, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(1, text + done, len - done, file_end + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            sg_log(SG_LOG_ERROR, "courier.not-kept", NULL);
            return false;
        }
        done += (size_t)n;
    }
    file_end += (off_t)len;
    return true;
}

/* Behind the file's first line, which comes when there is room for it. */
static bool line_add(const char *line, size_t len)
{
    static const char first[] = COURIER_FIRST_LINE "\n";
    file_begun = file_begun || file_write(first, sizeof first - 1);
    return file_begun && file_write(line, len);
}

static void file_sync(void)
{
    if (fdatasync(1) != 0)
        sg_log(SG_LOG_ERROR, "courier.not-kept", NULL);
}

static bool line_write(const char *word, const uint8_t id[COURIER_ID])
{
    char line[16 + 2 * COURIER_ID];
    size_t n = strlen(word);
    memcpy(line, word, n);
    line[n++] = ' ';
    sg_hex_lower(id, COURIER_ID, line + n);
    n += (size_t)2 * COURIER_ID;
    line[n++] = '\n';
    return line_add(line, n);
}

static bool channel_write(const struct channel *c)
{
    bool ok = true;
    for (size_t i = 0; i < c->count; i++)
        ok &= line_write(c->state == IN_HAND ? "hand" : c->taken[i] ? "taken" : "not", c->ids[i]);
    return ok;
}

static bool any_in_hand(void)
{
    for (const struct channel *c = channels; c; c = c->next)
        if (c->state == IN_HAND)
            return true;
    return false;
}

void channels_end(void)
{
    static const char listed[] = "listed\n";
    pthread_mutex_lock(&lock);
    alone = true;
    bool all = true;
    for (const struct channel *c = channels; c; c = c->next)
        if (c->state != NOTHING)
            all &= channel_write(c);
    if (all)
        line_add(listed, sizeof listed - 1);
    file_sync();
    while (any_in_hand())
        pthread_cond_wait(&settled, &lock);
    file_sync();
    pthread_mutex_unlock(&lock);
}

/* Jobs ------------------------------------------------------------------------------------------
 */

/*
 * What is there, at least an octet; false: the channel is at its end. It waits in poll(): a thread
 * that waits in read() is also woken when the other end takes what was written to it.
 */
static bool fill(struct channel *c)
{
    struct pollfd more = {.fd = c->fd, .events = POLLIN};
    ssize_t n;
    c->from = c->to = 0;
    do
        n = poll(&more, 1, -1) < 0 ? -1 : read(c->fd, c->in, sizeof c->in);
    while (n < 0 && errno == EINTR);
    c->to = n > 0 ? (size_t)n : 0;
    return n > 0;
}

static bool take(struct channel *c, void *data, size_t len)
{
    for (uint8_t *out = data; len;) {
        if (c->from == c->to && !fill(c))
            return false;
        size_t n = c->to - c->from < len ? c->to - c->from : len;
        memcpy(out, c->in + c->from, n);
        c->from += n;
        out += n;
        len -= n;
    }
    return true;
}

static void forget(struct channel *c)
{
    pthread_mutex_lock(&lock);
    c->state = NOTHING;
    free(c->ids);
    free(c->taken);
    c->ids = NULL;
    c->taken = NULL;
    c->count = 0;
    pthread_mutex_unlock(&lock);
}

/* The message is whole. false: gatewayd is dead, or waits no longer (we were hung), and its queue
 * still has it: it is not sent. */
static bool into_hand(struct channel *c)
{
    struct pollfd gone = {.fd = c->fd};
    pthread_mutex_lock(&lock);
    bool ok = !alone && poll(&gone, 1, 0) == 0;
    if (ok)
        c->state = IN_HAND;
    pthread_mutex_unlock(&lock);
    return ok;
}

static void out_of_hand(struct channel *c, bool answered, const struct sg_smtp_reply *replies)
{
    pthread_mutex_lock(&lock);
    if (c->state == IN_HAND) {
        for (size_t i = 0; i < c->count; i++)
            c->taken[i] = answered && replies[i].code / 100 == 2;
        c->state = ANSWERED;
        if (alone)
            channel_write(c);
        pthread_cond_broadcast(&settled);
    }
    pthread_mutex_unlock(&lock);
}

/* The content, to a sink or, without one, away. */
static bool content_copy(struct channel *c, const struct sg_sink *sink, struct sg_error *err)
{
    while (!c->whole) {
        uint32_t chunk;
        if (c->chunk == 0) {
            if (!take(c, &chunk, sizeof chunk))
                return sg_fail(err, SG_E_IO, "the message did not come to its end");
            c->chunk = chunk;
            c->whole = chunk == 0;
            continue;
        }
        if (c->from == c->to && !fill(c))
            return sg_fail(err, SG_E_IO, "the message did not come to its end");
        size_t n = c->to - c->from < c->chunk ? c->to - c->from : (size_t)c->chunk;
        const uint8_t *data = c->in + c->from;
        c->from += n;
        c->chunk -= n;
        if (sink && !sg_sink_write(sink, data, n, err))
            return false;
    }
    return !sink || into_hand(c) || sg_fail(err, SG_E_IO, "gatewayd is gone");
}

static bool content_source(void *channel, const struct sg_sink *sink, struct sg_error *err)
{
    return content_copy(channel, sink, err);
}

struct job {
    struct courier_job head;
    char *strings;
    const char **texts; /* host, CAs, owner, sender, recipients */
    uint8_t *networks;
    struct sg_networks *within;
};

static void job_free(struct job *job)
{
    sg_networks_unref(&job->within);
    free(job->strings);
    free(job->texts);
    free(job->networks);
}

static void *room(size_t size)
{
    void *p = calloc(1, size + 1);
    if (!p)
        abort();
    return p;
}

/* The strings' places. false: there are not as many as there should be. */
static bool texts_find(struct job *job)
{
    size_t count = job->head.recipients + (size_t)COURIER_FIRST, n = 0;
    job->texts = room(count * sizeof *job->texts);
    for (size_t at = 0; at < job->head.strings && n < count;) {
        job->texts[n++] = job->strings + at;
        at += strlen(job->strings + at) + 1;
    }
    return n == count;
}

static bool job_read(struct channel *c, struct job *job)
{
    struct courier_job *h = &job->head;
    if (!take(c, h, sizeof *h) || h->strings > COURIER_STRINGS || h->networks > COURIER_STRINGS ||
        h->recipients > COURIER_MANY)
        return false;
    forget(c);
    job->strings = room(h->strings);
    job->networks = room(h->networks);
    uint8_t(*ids)[COURIER_ID] = room(h->recipients * sizeof *ids);
    bool *taken = room(h->recipients * sizeof *taken);
    pthread_mutex_lock(&lock);
    c->ids = ids;
    c->taken = taken;
    c->count = h->recipients;
    pthread_mutex_unlock(&lock);
    c->whole = false;
    c->chunk = 0;
    if (!take(c, job->strings, h->strings) || !take(c, ids, h->recipients * sizeof *ids) ||
        !take(c, job->networks, h->networks) || !texts_find(job))
        return false;
    if (h->within)
        job->within =
            sg_networks_unpack(sg_bytes_of(job->networks, h->networks), h->networks_version);
    return true;
}

static bool send_all(int fd, const void *data, size_t len)
{
    for (const uint8_t *p = data; len;) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static bool job_answer(const struct channel *c, bool answered, const struct sg_smtp_reply *replies,
                       const struct sg_error *err)
{
    struct courier_answer head = {answered, (uint32_t)c->count};
    SG_AUTO_BUF out = {0};
    sg_buf_add(&out, &head, sizeof head);
    if (answered)
        sg_buf_add(&out, replies, c->count * sizeof *replies);
    else
        sg_buf_add(&out, err, sizeof *err);
    return send_all(c->fd, out.data, out.len);
}

static bool job_do(struct channel *c, const struct job *job)
{
    const struct courier_job *h = &job->head;
    struct sg_smtp_reply *replies = room(h->recipients * sizeof *replies);
    struct sg_error err = {0}, rest;
    struct sg_smtp_destination destination = {.host = job->texts[0],
                                              .port = h->port,
                                              .lmtp = h->lmtp,
                                              .tls = (enum sg_smtp_tls)h->tls,
                                              .ca_pem = job->texts[1],
                                              .owner = job->texts[2],
                                              .own_wait_ms = h->own_wait_ms,
                                              .within = job->within};
    struct sg_smtp_envelope envelope = {.sender = job->texts[3],
                                        .recipients = job->texts + COURIER_FIRST,
                                        .recipient_count = h->recipients,
                                        .smtputf8 = h->smtputf8,
                                        .body_8bit = h->body_8bit,
                                        .notify_never = h->notify_never};
    struct sg_smtp_piece piece = {.source = content_source, .ctx = c, .len = h->size};
    bool answered =
        sg_smtp_client_send(c->client, &destination, &envelope, &piece, 1, replies, &err);
    out_of_hand(c, answered, replies);
    bool ok = content_copy(c, NULL, &rest) && job_answer(c, answered, replies, &err);
    free(replies);
    return ok;
}

static void channel_close(struct channel *c)
{
    pthread_mutex_lock(&lock);
    bool kept = alone || c->state != NOTHING; /* what it says may be asked for yet */
    for (struct channel **at = &channels; !kept && *at; at = &(*at)->next) {
        if (*at == c) {
            *at = c->next;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    close(c->fd);
    if (kept)
        return;
    free(c->ids);
    free(c->taken);
    free(c);
}

static void *channel_run(void *arg)
{
    struct channel *c = arg;
    bool ok = true;
    while (ok) {
        struct job job = {0};
        ok = job_read(c, &job) && job_do(c, &job);
        job_free(&job);
    }
    channel_close(c);
    return NULL;
}

void channel_start(struct sg_smtp_client *client, int fd)
{
    struct channel *c = room(sizeof *c);
    pthread_attr_t attributes;
    pthread_t thread;
    c->client = client;
    c->fd = fd;
    pthread_mutex_lock(&lock);
    c->next = channels;
    channels = c;
    pthread_mutex_unlock(&lock);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, HAND_STACK);
    if (pthread_create(&thread, &attributes, channel_run, c) != 0) {
        sg_log(SG_LOG_ERROR, "courier.no-thread", NULL);
        channel_close(c); /* gatewayd sees its end */
    }
    pthread_attr_destroy(&attributes);
}
