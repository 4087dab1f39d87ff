/*
 * Whether the courier lives. All mail goes through it, and each message waits for its answer as
 * long as a next hop may take, which is many minutes: one that hangs is noticed by asking it.
 */
#include "courier/courier_internal.h"

#include "common/log.h"
#include "common/thread.h"
#include "common/wait.h"
#include "courierhelper/protocol.h"

/* That it leaves unanswered; one may be while the whole machine stood still. */
#define QUESTIONS 3

static bool answered(const struct sg_courier *c)
{
    char octet;
    bool any = false;
    while (recv(c->control, &octet, 1, MSG_DONTWAIT) > 0)
        any = true;
    return any;
}

/* Under lock. */
static void look(struct sg_courier *c)
{
    courier_lost(c, c->generation);
    if (!c->pid)
        return;
    if (answered(c) || c->asked != c->generation)
        c->unanswered = 0;
    c->asked = c->generation;
    if (c->unanswered == QUESTIONS) {
        courier_fault(COURIER_HUNG);
        sg_log(SG_LOG_ERROR, "courier.hung", NULL);
        courier_force(c);
        return;
    }
    courier_say(c, COURIER_ALIVE, 0);
    c->unanswered++;
}

static void *watch(void *courier)
{
    struct sg_courier *c = courier;
    pthread_mutex_lock(&c->lock);
    while (!c->ending) {
        sg_deadline next = sg_deadline_in(c->options.alive_ms / QUESTIONS);
        while (!c->ending && sg_cond_wait(&c->end, &c->lock, next))
            ;
        if (!c->ending)
            look(c);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

bool courier_watch(struct sg_courier *c, struct sg_error *err)
{
    c->watched = c->options.alive_ms > 0 && sg_thread_start(&c->watcher, watch, c);
    return c->watched || c->options.alive_ms == 0 ||
           sg_fail(err, SG_E_NO_MEMORY, "no thread to watch the courier");
}

void courier_unwatch(struct sg_courier *c)
{
    if (!c->watched)
        return;
    pthread_mutex_lock(&c->lock);
    c->ending = true;
    pthread_cond_signal(&c->end);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->watcher, NULL);
    c->watched = false;
}
