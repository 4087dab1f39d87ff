#include "recipients/recipients.h"

#include "common/clock.h"
#include "common/log.h"
#include "recipients/table.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define MINUTE_MS 60000

struct sg_recipients {
    struct sg_recipients_options options;
    struct sg_smtp_client *client;
    uint8_t salt[TABLE_KEY]; /* nobody outside can choose addresses that meet in one place */
    pthread_mutex_t lock;    /* of all that follows */
    struct table *answers, *servers, *clients;
    uint64_t generation; /* of the answers */
};

struct sg_recipients *sg_recipients_new(const struct sg_recipients_options *options)
{
    struct sg_recipients *r = calloc(1, sizeof *r);
    if (!r || RAND_bytes(r->salt, sizeof r->salt) != 1)
        abort();
    r->options = *options;
    r->client = sg_smtp_client_new(&options->client);
    r->answers = table_new(options->entries);
    r->servers = table_new(options->servers);
    r->clients = table_new(options->clients);
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

void sg_recipients_free(struct sg_recipients **recipients)
{
    struct sg_recipients *r = *recipients;
    if (!r)
        return;
    sg_smtp_client_free(&r->client);
    table_free(&r->answers);
    table_free(&r->servers);
    table_free(&r->clients);
    pthread_mutex_destroy(&r->lock);
    free(r);
    *recipients = NULL;
}

static void key_of(const struct sg_recipients *r, const void *name, size_t len,
                   uint8_t key[TABLE_KEY])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    if (!md || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1 ||
        EVP_DigestUpdate(md, r->salt, sizeof r->salt) != 1 ||
        EVP_DigestUpdate(md, name, len) != 1 || EVP_DigestFinal_ex(md, digest, NULL) != 1)
        abort();
    EVP_MD_CTX_free(md);
    memcpy(key, digest, TABLE_KEY);
}

static void server_key(const struct sg_recipients *r, const struct sg_smtp_destination *d,
                       uint8_t key[TABLE_KEY])
{
    char name[400];
    int n = snprintf(name, sizeof name, "%d %d %.300s", d->lmtp, d->port, d->host);
    key_of(r, name, (size_t)n, key);
}

static void client_key(const struct sg_recipients *r, const char *address, uint8_t key[TABLE_KEY])
{
    struct in6_addr six;
    if (inet_pton(AF_INET6, address, &six) == 1)
        key_of(r, &six, 8, key);
    else
        key_of(r, address, strlen(address), key);
}

/* Counts one more in the span of time; false: there were as many as may be. */
static bool count_up(struct table_entry *e, int64_t span_ms, int64_t most)
{
    int64_t now = sg_clock_monotonic_ms();
    if (e->count == 0 || now - e->since >= span_ms) {
        e->since = now;
        e->count = 0;
    }
    if (e->count >= most)
        return false;
    e->count++;
    return true;
}

bool sg_recipients_recall(struct sg_recipients *recipients, const char *mailbox,
                          enum sg_recipient_answer *answer_r)
{
    struct sg_recipients *r = recipients;
    uint8_t key[TABLE_KEY];
    sg_time now = sg_clock_now();
    key_of(r, mailbox, strlen(mailbox), key);
    pthread_mutex_lock(&r->lock);
    struct table_entry *e = table_find(r->answers, key);
    /* A clock that was set back makes nothing hold for longer. */
    bool found = e && e->since <= now && now < e->until;
    if (found)
        *answer_r = (enum sg_recipient_answer)e->answer;
    pthread_mutex_unlock(&r->lock);
    return found;
}

static void remember(struct sg_recipients *r, const char *mailbox, enum sg_recipient_answer answer,
                     uint64_t generation)
{
    uint8_t key[TABLE_KEY];
    sg_time now = sg_clock_now();
    int64_t ms = answer == SG_RECIPIENT_KNOWN ? r->options.known_ms : r->options.unknown_ms;
    key_of(r, mailbox, strlen(mailbox), key);
    pthread_mutex_lock(&r->lock);
    if (generation == r->generation) {
        struct table_entry *e = table_get(r->answers, key);
        e->answer = answer;
        e->since = now;
        e->until = now + ms * 1000;
    }
    pthread_mutex_unlock(&r->lock);
}

/* May this client learn of an address, and may the server be bothered? */
static bool admitted(struct sg_recipients *r, const uint8_t server[TABLE_KEY],
                     const uint8_t client[TABLE_KEY], enum sg_recipient_answer *answer_r,
                     uint64_t *generation_r)
{
    pthread_mutex_lock(&r->lock);
    int64_t now = sg_clock_monotonic_ms();
    struct table_entry *c = table_find(r->clients, client);
    bool probing = c && c->count >= r->options.unknown && now - c->since < 10 * MINUTE_MS;
    struct table_entry *s = table_get(r->servers, server);
    bool ok = !probing && now >= s->until && count_up(s, MINUTE_MS, r->options.questions);
    *generation_r = r->generation;
    pthread_mutex_unlock(&r->lock);
    *answer_r = probing ? SG_RECIPIENT_LATER : SG_RECIPIENT_UNDECIDED;
    return ok;
}

static void unknown_count(struct sg_recipients *r, const uint8_t client[TABLE_KEY])
{
    pthread_mutex_lock(&r->lock);
    bool ok = count_up(table_get(r->clients, client), 10 * MINUTE_MS, r->options.unknown);
    pthread_mutex_unlock(&r->lock);
    if (!ok)
        sg_log(SG_LOG_DEBUG, "recipients.client-over-limit", NULL);
}

/* It is left alone for a while, so that a server that hangs keeps few waiting. */
static void server_pause(struct sg_recipients *r, const struct sg_smtp_destination *server,
                         const uint8_t key[TABLE_KEY], const struct sg_error *err)
{
    if (err->code == SG_E_BUSY || err->code == SG_E_INVALID) /* others are asking; never sent */
        return;
    pthread_mutex_lock(&r->lock);
    int64_t now = sg_clock_monotonic_ms();
    struct table_entry *s = table_get(r->servers, key);
    bool first = now >= s->until;
    s->until = now + r->options.pause_ms;
    pthread_mutex_unlock(&r->lock);
    if (first)
        sg_log_error(SG_LOG_WARNING, "recipients.not-asked", err, "next_hop", server->host, "port",
                     sg_log_num(server->port), "for_ms", sg_log_num(r->options.pause_ms), NULL);
}

enum sg_recipient_answer sg_recipients_ask(struct sg_recipients *recipients,
                                           const struct sg_smtp_destination *server,
                                           const char *address, const char *mailbox,
                                           const char *client, enum sg_recipient_source *source_r)
{
    struct sg_recipients *r = recipients;
    uint8_t server_is[TABLE_KEY], client_is[TABLE_KEY];
    enum sg_recipient_answer answer;
    struct sg_smtp_reply reply;
    struct sg_error err = {0};
    uint64_t generation;
    server_key(r, server, server_is);
    client_key(r, client, client_is);
    *source_r = SG_RECIPIENT_UNASKED;
    if (!admitted(r, server_is, client_is, &answer, &generation))
        return answer;
    if (!sg_smtp_client_ask(r->client, server, address, r->options.within_ms, &reply, &err)) {
        server_pause(r, server, server_is, &err);
        return SG_RECIPIENT_UNDECIDED;
    }
    *source_r = SG_RECIPIENT_ASKED;
    answer = sg_recipient_verdict(&reply);
    if (answer != SG_RECIPIENT_UNDECIDED)
        remember(r, mailbox, answer, generation);
    if (answer == SG_RECIPIENT_UNKNOWN)
        unknown_count(r, client_is);
    return answer;
}

void sg_recipients_flush(struct sg_recipients *recipients)
{
    pthread_mutex_lock(&recipients->lock);
    recipients->generation++;
    table_clear(recipients->answers);
    pthread_mutex_unlock(&recipients->lock);
}
