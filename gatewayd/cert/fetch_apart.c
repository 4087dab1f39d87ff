/*
 * A fetch on a thread of its own, which is left behind where it does not end in time: what a name
 * stands for is asked of a resolver that knows no deadline, and neither libcurl nor libldap gives
 * up waiting for it.
 */
#include "cert/cert_internal.h"

#include "common/thread.h"
#include "common/wait.h"

#include <stdlib.h>
#include <string.h>

#define LATE_MS  250 /* the fetch says itself why it was too late, where it can */
#define LOOKS_MS 200 /* how soon it is seen that we are to end */

struct apart {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done, left; /* under the lock; whoever is the second frees it */
    atomic_bool stop;
    char *url;
    struct sg_fetch_limits limits;
    struct sg_buf body;
    bool ok;
    struct sg_error err;
};

static void apart_free(struct apart *a)
{
    sg_buf_free(&a->body);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    free(a->url);
    free(a);
}

static struct apart *apart_new(const char *url, const struct sg_fetch_limits *limits)
{
    struct apart *a = calloc(1, sizeof *a);
    if (!a || !(a->url = strdup(url)))
        abort();
    pthread_mutex_init(&a->lock, NULL);
    sg_cond_init(&a->changed);
    a->limits = *limits;
    a->limits.stop = &a->stop;
    return a;
}

static void *run(void *arg)
{
    struct apart *a = arg;
    bool ok = sg_fetch_now(a->url, &a->limits, &a->body, &a->err);
    pthread_mutex_lock(&a->lock);
    a->ok = ok;
    a->done = true;
    bool left = a->left;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->lock);
    if (left)
        apart_free(a);
    return NULL;
}

/* false: it is left behind. */
static bool await(struct apart *a, const atomic_bool *stop)
{
    sg_deadline end = a->limits.deadline + LATE_MS;
    pthread_mutex_lock(&a->lock);
    while (!a->done && sg_deadline_left(end) > 0 && !atomic_load(stop)) {
        sg_deadline look = sg_deadline_in(LOOKS_MS);
        (void)sg_cond_wait(&a->changed, &a->lock, look < end ? look : end);
    }
    bool done = a->done;
    a->left = !done;
    atomic_store(&a->stop, true);
    pthread_mutex_unlock(&a->lock);
    return done;
}

bool sg_fetch(const char *url, const struct sg_fetch_limits *limits, struct sg_buf *body,
              struct sg_error *err)
{
    sg_buf_init(body, limits->max_bytes);
    struct apart *a = apart_new(url, limits);
    if (!sg_thread_start_detached(run, a)) {
        apart_free(a);
        return sg_fail(err, SG_E_CRL, "no thread to fetch it");
    }
    if (!await(a, limits->stop))
        return sg_fail(err, SG_E_CRL, "no answer in time; perhaps the DNS does not answer");
    bool ok = a->ok;
    if (ok) {
        *body = a->body;
        a->body = (struct sg_buf){0};
    } else {
        *err = a->err;
    }
    apart_free(a);
    return ok;
}
