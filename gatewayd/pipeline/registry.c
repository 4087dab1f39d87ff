#include "pipeline/registry.h"

#include "common/deadline.h"
#include "pipeline/queue_id.h"
#include "schema/message.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096
#define KEY_MAX 512

/* What Postfix's clock and ours may differ by, and a clock has to jump to have been set. */
#define MARGIN (30 * SG_SECOND)
#define JUMP   SG_SECOND

struct settled {
    struct settled *next;
    const char *refusal; /* behind the recipient, or NULL */
    char recipient[];
};

struct owed {
    struct owed *next;
    struct sg_courier_sent *sent;
    size_t len;
    uint8_t record[];
};

struct node {
    struct sg_registry_entry entry; /* first: a node is found from its entry */
    struct sg_registry *registry;
    struct node *chain;         /* of the bucket */
    struct node *older, *newer; /* by use */
    struct settled *settled;
    size_t settled_count;
    struct owed *owed; /* oldest first */
    int users;         /* threads that hold or wait for it */
    sg_time used;      /* last; 0: not handed in yet */
    int64_t left_ms;   /* last (monotonic): its records are in the journal by then */
    bool busy;
    bool loaded;   /* PostgreSQL was asked, or can know nothing */
    bool doubtful; /* it has to be asked, however young the message is */
    char key[];    /* direction, queue id and tenant */
};

struct sg_registry {
    struct sg_db *db;
    pthread_mutex_t mutex;
    pthread_cond_t freed;
    struct node *buckets[BUCKETS];
    struct node *oldest, *newest;
    struct sg_registry_options options;
    size_t count;
    atomic_size_t settled; /* recipients of all of them */
    int waiting;
    sg_time complete_since; /* who was handed in later is here */
    sg_time clock;          /* real time less monotonic */
    int64_t forgotten_ms;   /* who was left later (monotonic) is here */
    int64_t (*unfed_ms)(void *ctx);
    void *unfed_ctx;
};

static unsigned bucket_of(const char *key)
{
    unsigned h = 2166136261u; /* FNV-1a */
    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * 16777619u;
    return h % BUCKETS;
}

static sg_time clock_difference(void)
{
    return sg_clock_real() - sg_clock_monotonic_ms() * (SG_SECOND / 1000);
}

struct sg_registry *sg_registry_new(struct sg_db *db, const struct sg_registry_options *options)
{
    struct sg_registry *r = calloc(1, sizeof *r);
    pthread_condattr_t attr;
    if (!r)
        abort();
    r->db = db;
    r->options = *options;
    r->complete_since = sg_clock_real();
    r->clock = clock_difference();
    pthread_mutex_init(&r->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->freed, &attr);
    pthread_condattr_destroy(&attr);
    return r;
}

static void node_free(struct node *n, struct sg_courier_sent **unsaid)
{
    atomic_fetch_sub(&n->registry->settled, n->settled_count);
    for (struct settled *s = n->settled, *next; s; s = next) {
        next = s->next;
        free(s);
    }
    while (n->owed)
        sg_registry_paid(&n->entry, unsaid);
    free(n);
}

static void use_unlink(struct sg_registry *r, struct node *n)
{
    *(n->older ? &n->older->newer : &r->oldest) = n->newer;
    *(n->newer ? &n->newer->older : &r->newest) = n->older;
    n->older = n->newer = NULL;
}

static void use_append(struct sg_registry *r, struct node *n)
{
    n->older = r->newest;
    *(r->newest ? &r->newest->newer : &r->oldest) = n;
    r->newest = n;
}

static void node_remove(struct sg_registry *r, struct node *n, struct sg_courier_sent **unsaid)
{
    struct node **at = &r->buckets[bucket_of(n->key)];
    while (*at != n)
        at = &(*at)->chain;
    *at = n->chain;
    use_unlink(r, n);
    r->count--;
    node_free(n, unsaid);
}

void sg_registry_free(struct sg_registry **registry, struct sg_courier_sent **unsaid)
{
    struct sg_registry *r = *registry;
    if (!r)
        return;
    while (r->oldest)
        node_remove(r, r->oldest, unsaid);
    pthread_cond_destroy(&r->freed);
    pthread_mutex_destroy(&r->mutex);
    free(r);
    *registry = NULL;
}

static struct node *node_new(struct sg_registry *r, const char *key)
{
    size_t size = strlen(key) + 1;
    struct node *n = calloc(1, sizeof *n + size);
    if (!n)
        abort();
    n->registry = r;
    memcpy(n->key, key, size);
    n->entry.msg_id = sg_id_new("msg");
    return n;
}

/* Drops the oldest that nobody uses and that owes nothing, until there is room again. */
static void trim(struct sg_registry *r)
{
    size_t messages = r->options.messages, recipients = messages * r->options.recipients;
    for (struct node *n = r->oldest, *next;
         n && (r->count > messages || atomic_load(&r->settled) > recipients); n = next) {
        next = n->newer;
        if (n->users > 0 || n->owed)
            continue;
        if (n->used > r->complete_since)
            r->complete_since = n->used;
        if (n->left_ms > r->forgotten_ms)
            r->forgotten_ms = n->left_ms;
        node_remove(r, n, NULL); /* owes nothing */
    }
}

/*
 * Postfix took it in after this memory became complete, so that nobody can have handed it on
 * before. The mutex is held.
 */
static bool is_new(struct sg_registry *r, const char *queue_id)
{
    sg_time taken, now = sg_clock_real(), difference = clock_difference();
    if (difference > r->clock + JUMP || difference < r->clock - JUMP) {
        r->clock =
            difference; /* the clock was set: what was taken in before is not known any more */
        if (now > r->complete_since)
            r->complete_since = now;
    }
    return sg_queue_id_time(queue_id, &taken) && taken >= r->complete_since + MARGIN &&
           taken <= now + SG_SECOND;
}

/* Found or made: the mutex is held. */
static struct node *node_get(struct sg_registry *r, const char *key, bool *made_r)
{
    struct node **bucket = &r->buckets[bucket_of(key)], *n = *bucket;
    while (n && strcmp(n->key, key) != 0)
        n = n->chain;
    *made_r = !n;
    if (n)
        return n;
    n = node_new(r, key);
    n->chain = *bucket;
    *bucket = n;
    r->count++;
    use_append(r, n);
    return n;
}

/* Another thread has it: until it has left, or others wait already as they may, or it takes too
 * long. The mutex is held. */
static bool node_await(struct sg_registry *r, struct node *n, struct sg_error *err)
{
    const struct sg_registry_options *o = &r->options;
    sg_deadline end = sg_deadline_in(o->waiting_ms);
    struct timespec until = {end / 1000, end % 1000 * 1000000};
    if (n->users > o->waiting_each) /* one of them has it */
        return sg_fail(err, SG_E_BUSY,
                       "as many parts of this message wait for another as may ([limits] "
                       "waiting_each)");
    if (r->waiting >= o->waiting)
        return sg_fail(err, SG_E_BUSY,
                       "as many parts of messages wait for others as may ([limits] waiting_share)");
    n->users++;
    r->waiting++;
    int rc = 0;
    while (n->busy && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&r->freed, &r->mutex, &until);
    r->waiting--;
    n->users--;
    return !n->busy || sg_fail(err, SG_E_BUSY,
                               "another part of this message takes longer than this one may wait "
                               "([limits] waiting_time)");
}

/* Found or made, and taken: the mutex is held. NULL: SG_E_BUSY. */
static struct node *node_take(struct sg_registry *r, const char *key, struct sg_error *err)
{
    bool made;
    struct node *n = node_get(r, key, &made);
    if (n->busy && !node_await(r, n, err))
        return NULL;
    n->users++;
    n->busy = true;
    if (!n->used) /* not when it was announced */
        n->entry.received_at = sg_clock_now();
    n->used = sg_clock_real();
    use_unlink(r, n);
    use_append(r, n);
    trim(r);
    return n;
}

static bool outcome_is_settled(const char *outcome)
{
    return strcmp(outcome, "received") != 0 && strcmp(outcome, "deferred") != 0;
}

/* What is refused with a code of table 3, or by a next hop, its sender was told by us (keep.c,
 * inbound_tell.c); all else by our answer to Postfix (outbound_message.c). */
static const char *refusal_of(const char *direction, const struct sg_recipient_row *recipient)
{
    bool ours = strcmp(direction, "outbound") == 0 && strcmp(recipient->outcome, "refused") == 0;
    return ours && !*recipient->codes ? recipient->reply : NULL;
}

static bool load(struct sg_registry *r, struct node *n, const char *direction, const char *queue_id,
                 const char *tenant, struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_message_row row;
    struct sg_recipient_row *recipients;
    size_t count;
    bool found;
    if (!sg_message_find_by_queue(r->db, arena, queue_id, direction, tenant, &row, &recipients,
                                  &count, &found, err))
        return false;
    found = found && (!n->doubtful || strcmp(row.id, n->entry.msg_id.text) == 0);
    n->entry.maybe_held = found || n->doubtful;
    n->loaded = true;
    n->doubtful = false;
    if (!found)
        return true;
    snprintf(n->entry.msg_id.text, sizeof n->entry.msg_id.text, "%s", row.id);
    n->entry.received_at = row.received_at;
    n->entry.recorded = true;
    for (size_t i = 0; i < count; i++)
        if (outcome_is_settled(recipients[i].outcome))
            sg_registry_settle(&n->entry, recipients[i].recipient,
                               refusal_of(direction, &recipients[i]));
    return true;
}

void sg_registry_behind(struct sg_registry *registry, int64_t (*unfed_ms)(void *ctx), void *ctx)
{
    registry->unfed_ms = unfed_ms;
    registry->unfed_ctx = ctx;
}

/* Some of whom there is nothing here any more have records that are in the journal alone: that
 * PostgreSQL knows nothing of a message does not say that it was not sent. */
static bool is_behind(struct sg_registry *r)
{
    if (!r->unfed_ms)
        return false;
    pthread_mutex_lock(&r->mutex);
    int64_t forgotten_ms = r->forgotten_ms;
    pthread_mutex_unlock(&r->mutex);
    int64_t now_ms = sg_clock_monotonic_ms(), unfed_ms = r->unfed_ms(r->unfed_ctx);
    return unfed_ms >= 0 && now_ms - unfed_ms <= forgotten_ms;
}

/* What PostgreSQL knows of it. */
static bool look_up(struct sg_registry *r, struct node *n, const char *direction,
                    const char *queue_id, const char *tenant, struct sg_error *err)
{
    if (is_behind(r))
        return sg_fail(err, SG_E_BUSY, "what became of this message may not be in PostgreSQL yet");
    return load(r, n, direction, queue_id, tenant, err);
}

static bool key_make(char key[KEY_MAX], const char *direction, const char *tenant, const char *id)
{
    int n = snprintf(key, KEY_MAX, "%s/%s/%s", direction, tenant, id);
    return n >= 0 && n < KEY_MAX;
}

void sg_registry_announce(struct sg_registry *registry, const char *direction, const char *queue_id,
                          const char *tenant)
{
    char key[KEY_MAX];
    bool made;
    if (!*queue_id || !key_make(key, direction, tenant, queue_id))
        return;
    pthread_mutex_lock(&registry->mutex);
    struct node *n = node_get(registry, key, &made);
    if (made) {
        n->loaded = true;
        n->entry.announced_ms = sg_clock_monotonic_ms();
        trim(registry);
    }
    pthread_mutex_unlock(&registry->mutex);
}

bool sg_registry_enter(struct sg_registry *registry, const char *direction, const char *queue_id,
                       const char *tenant, struct sg_registry_entry **entry_r, struct sg_error *err)
{
    char key[KEY_MAX];
    struct sg_id unique = {{0}};
    if (!*queue_id)
        unique = sg_id_new("unq");
    if (!key_make(key, direction, tenant, *queue_id ? queue_id : unique.text))
        return sg_fail(err, SG_E_INTERNAL, "a queue id of %zu octets", strlen(queue_id));
    pthread_mutex_lock(&registry->mutex);
    struct node *n = node_take(registry, key, err);
    if (n && !n->loaded && !n->doubtful)
        n->loaded = is_new(registry, queue_id);
    pthread_mutex_unlock(&registry->mutex);
    if (!n)
        return false;
    if (!n->loaded && *queue_id && !look_up(registry, n, direction, queue_id, tenant, err)) {
        sg_registry_leave(registry, &n->entry);
        return false;
    }
    *entry_r = &n->entry;
    return true;
}

void sg_registry_leave(struct sg_registry *registry, struct sg_registry_entry *entry)
{
    struct node *n = (struct node *)entry;
    pthread_mutex_lock(&registry->mutex);
    n->busy = false;
    n->users--;
    n->left_ms = sg_clock_monotonic_ms();
    pthread_cond_broadcast(&registry->freed);
    pthread_mutex_unlock(&registry->mutex);
}

bool sg_registry_settled(const struct sg_registry_entry *entry, const char *recipient,
                         const char **refusal_r)
{
    const struct settled *s = ((const struct node *)entry)->settled;
    while (s && strcmp(s->recipient, recipient) != 0)
        s = s->next;
    *refusal_r = s ? s->refusal : NULL;
    return s != NULL;
}

void sg_registry_settle(struct sg_registry_entry *entry, const char *recipient, const char *refusal)
{
    struct node *n = (struct node *)entry;
    const char *before;
    if (sg_registry_settled(entry, recipient, &before))
        return;
    size_t size = strlen(recipient) + 1, more = refusal ? strlen(refusal) + 1 : 0;
    struct settled *s = malloc(sizeof *s + size + more);
    if (!s)
        abort();
    memcpy(s->recipient, recipient, size);
    s->refusal = refusal ? memcpy(s->recipient + size, refusal, more) : NULL;
    s->next = n->settled;
    n->settled = s;
    n->settled_count++;
    atomic_fetch_add(&n->registry->settled, 1);
}

void sg_registry_doubt(struct sg_registry_entry *entry)
{
    struct node *n = (struct node *)entry;
    n->loaded = false;
    n->doubtful = true;
}

void sg_registry_owe(struct sg_registry_entry *entry, struct sg_bytes record,
                     struct sg_courier_sent **sent)
{
    struct owed *o = malloc(sizeof *o + record.len), **at = &((struct node *)entry)->owed;
    if (!o)
        abort();
    memcpy(o->record, record.data, record.len);
    o->len = record.len;
    o->next = NULL;
    o->sent = NULL;
    sg_courier_join(&o->sent, sent);
    while (*at)
        at = &(*at)->next;
    *at = o;
}

bool sg_registry_owed(const struct sg_registry_entry *entry, struct sg_bytes *record_r)
{
    const struct owed *o = ((const struct node *)entry)->owed;
    if (o)
        *record_r = sg_bytes_of(o->record, o->len);
    return o != NULL;
}

void sg_registry_paid(struct sg_registry_entry *entry, struct sg_courier_sent **sent)
{
    struct node *n = (struct node *)entry;
    struct owed *o = n->owed;
    n->owed = o->next;
    sg_courier_join(sent, &o->sent);
    free(o);
}
