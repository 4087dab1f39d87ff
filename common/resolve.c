/* Not getaddrinfo_a(): its threads block the signal of the filter of system calls (thread.h), and
 * it keeps a thread for each of several that ask for the same silent name, of twenty in all. */
#include "common/resolve.h"

#include "common/thread.h"
#include "common/wait.h"

#include <stdlib.h>
#include <string.h>

struct sg_lookup {
    struct sg_lookup *next; /* of those that run */
    char *host, *port;
    int users; /* under the lock: who waits or has it, and the thread; the last one frees it */
    bool done; /* under the lock */
    int rc;
    struct addrinfo *addresses;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended;      /* one has */
static struct sg_lookup *running; /* so many: */
static int count;

static void init_once(void)
{
    sg_cond_init(&ended);
}

static struct sg_lookup *lookup_new(const char *host, const char *port)
{
    struct sg_lookup *l = calloc(1, sizeof *l);
    if (!l || !(l->host = strdup(host)) || !(l->port = strdup(port)))
        abort();
    l->users = 1;
    return l;
}

void sg_lookup_free(struct sg_lookup **lookup)
{
    struct sg_lookup *l = *lookup;
    *lookup = NULL;
    if (!l)
        return;
    pthread_mutex_lock(&lock);
    bool last = --l->users == 0;
    pthread_mutex_unlock(&lock);
    if (!last)
        return;
    if (l->addresses)
        freeaddrinfo(l->addresses);
    free(l->host);
    free(l->port);
    free(l);
}

const struct addrinfo *sg_lookup_addresses(const struct sg_lookup *lookup)
{
    return lookup->addresses;
}

static void ask(struct sg_lookup *l, int flags)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags};
    l->rc = getaddrinfo(l->host, l->port, &hints, &l->addresses);
}

static void *run(void *arg)
{
    struct sg_lookup *l = arg;
    ask(l, 0);
    pthread_mutex_lock(&lock);
    struct sg_lookup **p = &running;
    while (*p != l)
        p = &(*p)->next;
    *p = l->next;
    count--;
    l->done = true;
    pthread_cond_broadcast(&ended);
    pthread_mutex_unlock(&lock);
    sg_lookup_free(&l);
    return NULL;
}

/* Under the lock. */
static struct sg_lookup *begin(const char *host, const char *port)
{
    struct sg_lookup *l = lookup_new(host, port);
    l->users++;
    if (!sg_thread_start_detached(run, l)) {
        l->users--;
        l->done = true;
        l->rc = EAI_AGAIN;
        return l;
    }
    l->next = running;
    running = l;
    count++;
    return l;
}

/* Under the lock. One that runs already, or else a new one; NULL: there was no room in time. */
static struct sg_lookup *join(const char *host, const char *port, sg_deadline deadline)
{
    do {
        for (struct sg_lookup *l = running; l; l = l->next)
            if (strcmp(l->host, host) == 0 && strcmp(l->port, port) == 0) {
                l->users++;
                return l;
            }
        if (count < SG_LOOKUPS_MOST)
            return begin(host, port);
    } while (sg_cond_wait(&ended, &lock, deadline));
    return NULL;
}

/* NULL: not in time. */
static struct sg_lookup *await(const char *host, const char *port, sg_deadline deadline)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_once);
    pthread_mutex_lock(&lock);
    struct sg_lookup *l = join(host, port, deadline);
    while (l && !l->done && sg_cond_wait(&ended, &lock, deadline))
        ;
    bool done = l && l->done;
    pthread_mutex_unlock(&lock);
    if (!done)
        sg_lookup_free(&l);
    return l;
}

/* NULL: it is a name. */
static struct sg_lookup *literal(const char *host, const char *port)
{
    struct sg_lookup *l = lookup_new(host, port);
    ask(l, AI_NUMERICHOST);
    if (l->rc == EAI_NONAME)
        sg_lookup_free(&l);
    return l;
}

bool sg_lookup(const char *host, const char *port, sg_deadline deadline,
               struct sg_lookup **lookup_r, struct sg_error *err)
{
    struct sg_lookup *l = literal(host, port);
    if (!l)
        l = await(host, port, deadline);
    if (!l)
        return sg_fail(err, SG_E_TIMEOUT, "cannot resolve %s: no answer in time", host);
    if (l->rc != 0) {
        sg_fail(err, SG_E_IO, "cannot resolve %s: %s", host, gai_strerror(l->rc));
        sg_lookup_free(&l);
        return false;
    }
    *lookup_r = l;
    return true;
}
