#include "crash/crash_internal.h"

#include "common/buf.h"
#include "common/log.h"

#include <pthread.h>
#include <string.h>

#define CRASHES_FREE 1                      /* so many change nothing */
#define GONE         (2 * 3600 * SG_SECOND) /* Postfix would have tried it by then, or we */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct crash_table *table; /* NULL: nothing is noted; set before there are threads */
static sg_time wait_first, wait_most;
static atomic_size_t suspects; /* under lock, where it is changed */

static struct sg_metric crashes = {
    .name = "sealgate_gateway_crashes_total",
    .help = "Crashes of gatewayd on this node that were noted, over its starts.",
    .cells = SG_CELLS(1),
    .cell_count = 1,
};
static struct sg_metric put_off = {
    .name = "sealgate_gateway_crash_suspects",
    .help = "Messages, notices and the like that wait because gatewayd crashed on them more than "
            "once.",
    .type = SG_GAUGE,
    .cells = SG_CELLS(1),
    .cell_count = 1,
};
static struct sg_metric deferred = {
    .name = "sealgate_gateway_crash_deferred_total",
    .help = "How often something was put off because gatewayd had crashed on it, by what it is.",
    .labels = {"kind"},
    .values = {crash_kinds},
    .cells = SG_CELLS(SG_CRASH_KINDS),
    .cell_count = SG_CRASH_KINDS,
};
struct sg_metric *const sg_crash_metrics[] = {&crashes, &put_off, &deferred, NULL};

static size_t suspects_count(const struct crash_table *t)
{
    size_t n = 0;
    for (size_t i = 0; i < CRASH_SUSPECTS; i++)
        n += t->suspects[i].name.kind != SG_CRASH_NOTHING;
    return n;
}

bool sg_crash_open(const struct sg_crash_options *options, struct sg_error *err)
{
    if (!crash_table_open(options->path, sg_clock_now(), options->keep_ms * 1000, &table, err))
        return false;
    wait_first = options->wait_ms * 1000;
    wait_most = options->most_ms * 1000;
    atomic_store(&suspects, suspects_count(table));
    sg_metric_set(&crashes, 0, 0, (int64_t)table->crashes);
    if (crash_hand_watch(table, err))
        return true;
    sg_crash_close();
    return false;
}

void sg_crash_close(void)
{
    crash_hand_watch(NULL, NULL);
    atomic_store(&suspects, 0);
    crash_table_close(&table);
}

/* 0: it is not put off. */
static sg_time until(const struct crash_suspect *s)
{
    sg_time wait = wait_first;
    if (s->crashes <= CRASHES_FREE || wait == 0)
        return 0;
    for (uint32_t n = CRASHES_FREE + 1; n < s->crashes && wait < wait_most; n++)
        wait *= 2;
    return s->at + (wait < wait_most ? wait : wait_most);
}

static bool is_suspect(const struct crash_name *name, struct crash_suspect *suspect_r)
{
    pthread_mutex_lock(&lock);
    struct crash_suspect *s = crash_table_find(table, name);
    sg_time now = sg_clock_now();
    if (s && s->at > now) /* the clock was set back */
        s->at = now;
    if (s)
        *suspect_r = *s;
    pthread_mutex_unlock(&lock);
    return s;
}

static bool defer(const struct crash_suspect *s, sg_time at, struct sg_error *err)
{
    char text[SG_TIME_TEXT];
    sg_time_rfc3339(at, text);
    sg_metric_add(&deferred, s->name.kind, 0, 1);
    sg_log(SG_LOG_ERROR, "crash.deferred", "in_hand", crash_kinds[s->name.kind],
           crash_ids[s->name.kind], s->name.id, "crashes", sg_log_num(s->crashes), "until", text,
           NULL);
    return sg_fail(err, SG_E_CRASHED, "the gateway has crashed on it %u times, it waits until %s",
                   s->crashes, text);
}

bool sg_crash_begin(enum sg_crash_kind kind, const char *id, sg_time *until_r, struct sg_error *err)
{
    struct crash_suspect s;
    if (until_r)
        *until_r = 0;
    if (!table)
        return true;
    if (atomic_load_explicit(&suspects, memory_order_relaxed)) {
        const struct crash_name name = crash_name_of(kind, id);
        sg_time at = name.kind && is_suspect(&name, &s) ? until(&s) : 0;
        if (sg_clock_now() < at) {
            if (until_r)
                *until_r = at;
            return defer(&s, at, err);
        }
    }
    crash_hand_take(kind, id);
    return true;
}

void sg_crash_end(bool done)
{
    if (!table)
        return;
    const struct crash_name had = crash_hand_drop();
    if (!done || !had.kind || atomic_load_explicit(&suspects, memory_order_relaxed) == 0)
        return;
    pthread_mutex_lock(&lock);
    struct crash_suspect *s = crash_table_find(table, &had);
    if (s) {
        crash_table_forget(s);
        atomic_fetch_sub(&suspects, 1);
    }
    pthread_mutex_unlock(&lock);
}

/* Those whose end clears them are told of until it was tried; a look-up is never cleared. */
static sg_time told_until(const struct crash_suspect *s)
{
    return until(s) + (s->name.kind == SG_CRASH_DISCOVERY ? 0 : GONE);
}

/* Put off, as far as anybody knows: what was not tried long after it could be is elsewhere. */
static size_t waiting(struct sg_buf *names)
{
    size_t n = 0;
    sg_time now = sg_clock_now();
    if (!table)
        return 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < CRASH_SUSPECTS; i++) {
        const struct crash_suspect *s = &table->suspects[i];
        if (s->name.kind == SG_CRASH_NOTHING || told_until(s) <= now)
            continue;
        n++;
        if (names)
            sg_buf_addf(names, "%s%s %s", n > 1 ? ", " : "", crash_kinds[s->name.kind], s->name.id);
    }
    pthread_mutex_unlock(&lock);
    return n;
}

bool sg_crash_check(struct sg_error *err)
{
    SG_AUTO_BUF names = {0};
    return waiting(&names) == 0 ||
           sg_fail(err, SG_E_CRASHED, "gatewayd crashed on %s", (const char *)names.data);
}

void sg_crash_collect(void)
{
    sg_metric_set(&put_off, 0, 0, (int64_t)waiting(NULL));
}
