/*
 * Asking directories for certificates (REQ-43, 53, 192) without letting one that hangs take the
 * message threads: each directory has a few threads of its own, a bounded queue, and a circuit that
 * opens after some failures in a row. Who asks waits no longer than the deadline, even where
 * libldap (or the resolver under it) does not come back; then that lookup is abandoned to its
 * thread.
 */
#include "cert/cert_internal.h"

#include "common/log.h"
#include "common/thread.h"

#include <ldap.h>
#include <stdlib.h>
#include <string.h>

#define FAILURES       3 /* in a row open the circuit, and one refused bind */
#define AUTHORITIES_MS 60000
#define MAX_VALUES     32
#define MAX_BYTES      (1024 * 1024)

struct sg_directory_job {
    struct sg_directory_job *next;
    bool started, done, abandoned; /* abandoned: the worker frees it */
    bool noted;                    /* it counts as a failure already */
    bool probes;                   /* it finds out whether an open circuit may be closed */
    bool ok;
    char *filter;
    enum sg_directory_question question;
    sg_deadline deadline;
    struct sg_gathering *gathering; /* told when it is done; may be NULL */
    struct sg_arena *arena;         /* the worker's until done */
    struct sg_ldap_values values;
    struct sg_error err;
};

struct sg_directory {
    struct sg_directories *all;
    const struct sg_cert_limits *limits;
    char *url, *base_dn, *ca_pem, *filter, *attribute, *bind_dn, *credential;
    X509 *anchor; /* NULL: of no CA alone */
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    struct sg_directory_job *first, **last;
    size_t queued;
    int references, workers, idle;
    int failures;
    int refused; /* the last failure: our bind, by this code */
    bool closing, probing;
    int64_t open_until_ms;
    bool authorities_busy;        /* being asked for */
    bool authorities_failed;      /* could not be had */
    int64_t authorities_until_ms; /* … and until then that, or what was had, serves */
    struct sg_arena *authorities_arena;
    struct sg_ldap_values authorities;
};

/* One directory */

static char *copy(const char *s)
{
    char *text = strdup(s ? s : "");
    if (!text)
        abort();
    return text;
}

struct sg_directory *sg_directory_new(struct sg_directories *all,
                                      const struct sg_cert_limits *limits,
                                      const struct sg_cert_directory *source)
{
    struct sg_directory *d = calloc(1, sizeof *d);
    if (!d)
        abort();
    d->all = all;
    d->limits = limits;
    d->url = copy(source->url);
    d->base_dn = copy(source->base_dn);
    d->ca_pem = copy(source->ca_pem);
    d->filter = copy(source->filter);
    d->attribute = copy(source->attribute);
    d->bind_dn = copy(source->bind_dn);
    d->credential = copy(source->credential);
    d->anchor = sg_x509_decode(source->anchor);
    pthread_mutex_init(&d->lock, NULL);
    sg_cond_init(&d->work);
    sg_cond_init(&d->done);
    d->last = &d->first;
    d->references = 1;
    return d;
}

/* Users and workers hold references; the last one out frees it and tells the set. */
void sg_directory_put(struct sg_directory *d)
{
    pthread_mutex_lock(&d->lock);
    bool last = --d->references == 0;
    pthread_mutex_unlock(&d->lock);
    if (!last)
        return;
    struct sg_directories *all = d->all;
    pthread_cond_destroy(&d->work);
    pthread_cond_destroy(&d->done);
    pthread_mutex_destroy(&d->lock);
    sg_arena_free(&d->authorities_arena);
    free(d->url);
    free(d->base_dn);
    free(d->ca_pem);
    free(d->filter);
    free(d->attribute);
    free(d->bind_dn);
    free(d->credential);
    X509_free(d->anchor);
    free(d);
    sg_directories_gone(all);
}

void sg_directory_hold(struct sg_directory *d)
{
    pthread_mutex_lock(&d->lock);
    d->references++;
    pthread_mutex_unlock(&d->lock);
}

static bool same(const char *own, const char *other)
{
    return strcmp(own, other ? other : "") == 0;
}

bool sg_directory_is(const struct sg_directory *d, const struct sg_cert_directory *source)
{
    SG_AUTO_X509 anchor = sg_x509_decode(source->anchor);
    return same(d->url, source->url) && same(d->base_dn, source->base_dn) &&
           same(d->ca_pem, source->ca_pem) && same(d->filter, source->filter) &&
           same(d->attribute, source->attribute) && same(d->bind_dn, source->bind_dn) &&
           same(d->credential, source->credential) &&
           (anchor && d->anchor ? X509_cmp(anchor, d->anchor) == 0 : !anchor && !d->anchor);
}

X509 *sg_directory_anchor(const struct sg_directory *directory)
{
    return directory->anchor;
}

void sg_directory_close(struct sg_directory *d)
{
    pthread_mutex_lock(&d->lock);
    d->closing = true;
    pthread_cond_broadcast(&d->work);
    pthread_mutex_unlock(&d->lock);
    sg_directory_put(d);
}

bool sg_directory_away(struct sg_directory *d)
{
    pthread_mutex_lock(&d->lock);
    bool away = d->open_until_ms != 0; /* until a lookup succeeds */
    pthread_mutex_unlock(&d->lock);
    return away;
}

const char *sg_directory_url(const struct sg_directory *directory)
{
    return directory->url;
}

/* Jobs and workers */

static void job_free(struct sg_directory_job *job)
{
    sg_arena_free(&job->arena);
    free(job->filter);
    free(job);
}

static bool job_run(struct sg_directory *d, struct sg_ldap *ldap, struct sg_directory_job *job)
{
    static const char *const user[] = {"userCertificate;binary", "userCertificate", NULL};
    static const char *const ca[] = {"cACertificate;binary", NULL};
    const char *const own[] = {d->attribute, NULL};
    size_t most = d->limits->max_directory_values ? d->limits->max_directory_values : MAX_VALUES;
    struct sg_ldap_query query = {
        .base_dn = d->base_dn,
        .filter = job->filter,
        .scope = LDAP_SCOPE_SUBTREE,
        .attributes = job->question == SG_ASK_AUTHORITIES ? ca
                      : *d->attribute                     ? own
                                                          : user,
        .max_entries = (int)most,
        .max_values = most,
    };
    if (!sg_ldap_search(ldap, &query, job->deadline, job->arena, &job->values, &job->err))
        return false;
    if (job->values.truncated)
        sg_log(SG_LOG_WARNING, "cert.directory_truncated", "url", d->url, "filter", job->filter,
               NULL);
    return true;
}

/* Under the lock. The circuit closes with a success, opens with failures in a row, or with a bind
 * that was refused. A search for CA certificates may fail by itself, and any stranger's mail has it
 * made: it is none of these failures. */
static void circuit_note(struct sg_directory *d, const struct sg_directory_job *job, bool ok,
                         int refused)
{
    d->probing &= !job->probes;
    if (ok) {
        if (d->open_until_ms)
            sg_log(SG_LOG_INFO, "cert.directory_back", "url", d->url, NULL);
        d->failures = 0;
        d->open_until_ms = 0;
        return;
    }
    if (job->question == SG_ASK_AUTHORITIES && !refused)
        return;
    d->refused = refused;
    if (++d->failures >= FAILURES || refused) {
        if (!d->open_until_ms)
            sg_log(SG_LOG_WARNING, "cert.directory_circuit_open", "url", d->url, NULL);
        d->open_until_ms = sg_clock_monotonic_ms() + (refused ? d->limits->directory_refused_ms
                                                              : d->limits->directory_pause_ms);
    }
}

/* Under the lock; the next job that somebody still waits for. */
static struct sg_directory_job *job_next(struct sg_directory *d)
{
    for (;;) {
        struct sg_directory_job *job = d->first;
        if (!job)
            return NULL;
        d->first = job->next;
        if (!d->first)
            d->last = &d->first;
        d->queued--;
        if (!job->abandoned)
            return job;
        job_free(job);
    }
}

/* Under the lock. */
static void job_end(struct sg_directory *d, struct sg_directory_job *job)
{
    job->done = true;
    if (job->abandoned) {
        job_free(job);
        return;
    }
    pthread_cond_broadcast(&d->done);
    if (!job->gathering)
        return;
    pthread_mutex_lock(&job->gathering->lock);
    job->gathering->done++;
    pthread_cond_signal(&job->gathering->changed);
    pthread_mutex_unlock(&job->gathering->lock);
}

static void *worker_main(void *arg)
{
    struct sg_directory *d = arg;
    size_t most = d->limits->max_directory_bytes ? d->limits->max_directory_bytes : MAX_BYTES;
    struct sg_ldap *ldap = sg_ldap_new(d->url, d->ca_pem, most);
    sg_ldap_account(ldap, d->bind_dn, d->limits->credentials_dir, d->credential);
    pthread_mutex_lock(&d->lock);
    while (!d->closing) {
        struct sg_directory_job *job = job_next(d);
        if (!job) {
            d->idle++;
            pthread_cond_wait(&d->work, &d->lock);
            d->idle--;
            continue;
        }
        job->started = true;
        pthread_mutex_unlock(&d->lock);
        bool ok = job_run(d, ldap, job);
        pthread_mutex_lock(&d->lock);
        if (ok || !job->noted || sg_ldap_refused(ldap))
            circuit_note(d, job, ok, ok ? 0 : sg_ldap_refused(ldap));
        job->ok = ok;
        job_end(d, job);
    }
    struct sg_directory_job *left;
    while ((left = job_next(d))) {
        sg_fail(&left->err, SG_E_DIRECTORY, "the directory is no longer configured");
        job_end(d, left);
    }
    d->workers--;
    pthread_mutex_unlock(&d->lock);
    sg_ldap_free(&ldap);
    sg_directory_put(d);
    return NULL;
}

/* Under the lock. */
static bool worker_start(struct sg_directory *d)
{
    if (!sg_thread_start_detached(worker_main, d))
        return false;
    d->workers++;
    d->references++;
    return true;
}

/* Under the lock. May this be tried at all? One at a time probes an open circuit that has waited.
 */
static bool circuit_admits(struct sg_directory *d, struct sg_error *err)
{
    if (d->closing)
        return sg_fail(err, SG_E_DIRECTORY, "%.120s: no longer configured", d->url);
    if (d->open_until_ms) {
        if ((d->probing || sg_clock_monotonic_ms() < d->open_until_ms) && d->refused)
            return sg_fail(err, SG_E_DIRECTORY,
                           "%.120s: not asked, because it refused the bind (%d) a moment ago",
                           d->url, d->refused);
        if (d->probing || sg_clock_monotonic_ms() < d->open_until_ms)
            return sg_fail(err, SG_E_DIRECTORY,
                           "%.120s: not asked, because it failed %d times in a row just now",
                           d->url, d->failures);
    }
    if (d->queued >= d->limits->directory_waiting)
        return sg_fail(err, SG_E_DIRECTORY, "%.120s: busy, %zu lookups wait", d->url, d->queued);
    if (d->idle == 0 && d->workers < d->limits->directory_slots && !worker_start(d) &&
        d->workers == 0)
        return sg_fail(err, SG_E_DIRECTORY, "%.120s: no thread for it", d->url);
    return true;
}

static void values_copy(struct sg_arena *arena, const struct sg_ldap_values *from,
                        struct sg_ldap_values *to)
{
    to->count = from->count;
    to->truncated = from->truncated;
    to->items = SG_ARENA_ARRAY(arena, struct sg_bytes, from->count + 1);
    for (size_t i = 0; i < from->count; i++)
        to->items[i] = sg_arena_copy(arena, from->items[i]);
}

/* Under the lock. */
static bool job_leave(struct sg_directory *d, struct sg_directory_job *job, struct sg_error *err)
{
    job->abandoned = true;
    job->gathering = NULL;
    /* A server that keeps a worker busy for ever would count for nothing, were it only asked then.
     */
    job->noted = job->started && sg_deadline_left(job->deadline) == 0;
    if (job->noted)
        circuit_note(d, job, false, 0);
    else if (!job->started)
        d->probing &= !job->probes;
    job->probes &= !job->noted;
    return sg_fail(err, SG_E_TIMEOUT, "%.120s: %s", d->url,
                   job->started ? "no answer in time" : "busy, not asked in time");
}

/* Under the lock. */
static bool job_take(struct sg_directory_job *job, struct sg_arena *arena,
                     struct sg_ldap_values *values_r, struct sg_error *err)
{
    bool ok = job->ok;
    if (ok) {
        values_copy(arena, &job->values, values_r);
    } else if (err) {
        *err = job->err;
    }
    job_free(job);
    return ok;
}

/* Under the lock. Waits, and takes the result over or leaves the job to the worker. */
static bool job_await(struct sg_directory *d, struct sg_directory_job *job, struct sg_arena *arena,
                      struct sg_ldap_values *values_r, struct sg_error *err)
{
    struct timespec ts = {job->deadline / 1000, job->deadline % 1000 * 1000000};
    while (!job->done && pthread_cond_timedwait(&d->done, &d->lock, &ts) == 0)
        ;
    return job->done ? job_take(job, arena, values_r, err) : job_leave(d, job, err);
}

static void authority_add(struct sg_buf *filter, const char *local, const char *domain)
{
    sg_buf_addf(filter, "(mail=%s@", local);
    sg_ldap_escape(filter, sg_bytes_str(domain));
    sg_buf_adds(filter, ")");
}

static char *filter_text(enum sg_directory_question question, const char *domain)
{
    SG_AUTO_BUF filter;
    sg_buf_init(&filter, 0);
    if (question == SG_ASK_AUTHORITIES) {
        sg_buf_adds(&filter, "(&(objectClass=pkiCA)(cACertificate=*))");
    } else if (question == SG_ASK_SIGNERS) {
        sg_buf_adds(&filter, "(|");
        authority_add(&filter, "domain-confidentiality-authority", domain);
        authority_add(&filter, "domain-signing-authority", domain);
        sg_buf_adds(&filter, ")");
    } else {
        authority_add(&filter, "domain-confidentiality-authority", domain);
    }
    return copy((const char *)filter.data);
}

/* REQ-58: as the directory's specification has it. */
static char *filter_own(const char *pattern, const char *domain)
{
    static const char mark[] = "{address}";
    SG_AUTO_BUF filter;
    sg_buf_init(&filter, 0);
    for (const char *at; (at = strstr(pattern, mark)); pattern = at + sizeof mark - 1) {
        sg_buf_add(&filter, pattern, (size_t)(at - pattern));
        sg_buf_adds(&filter, "domain-confidentiality-authority@");
        sg_ldap_escape(&filter, sg_bytes_str(domain));
    }
    sg_buf_adds(&filter, pattern);
    return copy((const char *)filter.data);
}

/* Under the lock; NULL: it is not asked. */
static struct sg_directory_job *job_begin(struct sg_directory *d,
                                          enum sg_directory_question question, const char *domain,
                                          sg_deadline deadline, struct sg_error *err)
{
    if (!circuit_admits(d, err))
        return NULL;
    struct sg_directory_job *job = calloc(1, sizeof *job);
    if (!job)
        abort();
    job->question = question;
    job->probes = d->open_until_ms && question != SG_ASK_AUTHORITIES;
    d->probing |= job->probes;
    job->filter = question != SG_ASK_AUTHORITIES && *d->filter ? filter_own(d->filter, domain)
                                                               : filter_text(question, domain);
    job->deadline = deadline;
    job->arena = sg_arena_new();
    *d->last = job;
    d->last = &job->next;
    d->queued++;
    pthread_cond_signal(&d->work);
    return job;
}

struct sg_directory_job *sg_directory_begin(struct sg_directory *d,
                                            enum sg_directory_question question, const char *domain,
                                            sg_deadline deadline, struct sg_gathering *gathering,
                                            struct sg_error *err)
{
    pthread_mutex_lock(&d->lock);
    struct sg_directory_job *job = job_begin(d, question, domain, deadline, err);
    if (job)
        job->gathering = gathering;
    pthread_mutex_unlock(&d->lock);
    return job;
}

bool sg_directory_take(struct sg_directory *d, struct sg_directory_job *job, struct sg_arena *arena,
                       struct sg_ldap_values *values_r, bool *done_r, struct sg_error *err)
{
    pthread_mutex_lock(&d->lock);
    *done_r = job->done;
    bool ok = job->done && job_take(job, arena, values_r, err);
    pthread_mutex_unlock(&d->lock);
    return ok;
}

void sg_directory_leave(struct sg_directory *d, struct sg_directory_job *job, struct sg_error *err)
{
    pthread_mutex_lock(&d->lock);
    if (job->done)
        job_free(job); /* just now */
    else
        (void)job_leave(d, job, err);
    pthread_mutex_unlock(&d->lock);
}

/* Under the lock. Is it known, for a minute, what they are, or for a moment that there are none to
 * be had? */
static bool authorities_known(const struct sg_directory *d)
{
    return sg_clock_monotonic_ms() < d->authorities_until_ms;
}

/* Under the lock. What came of asking is kept. */
static void authorities_note(struct sg_directory *d, bool ok, struct sg_arena **arena,
                             const struct sg_ldap_values *values, const struct sg_error *err)
{
    d->authorities_failed = !ok;
    d->authorities_until_ms =
        sg_clock_monotonic_ms() + (ok ? AUTHORITIES_MS : d->limits->directory_pause_ms);
    if (ok) {
        sg_arena_free(&d->authorities_arena);
        d->authorities_arena = *arena;
        d->authorities = *values;
        *arena = NULL;
    } else {
        sg_log_error(SG_LOG_WARNING, "cert.directory_authorities_failed", err, "url", d->url, NULL);
    }
}

/* Under the lock. */
static bool authorities_ask(struct sg_directory *d, sg_deadline until, struct sg_error *err)
{
    SG_AUTO_ARENA fresh = sg_arena_new();
    struct sg_ldap_values values = {0};
    d->authorities_busy = true;
    struct sg_directory_job *job = job_begin(d, SG_ASK_AUTHORITIES, NULL, until, err);
    bool ok = job && job_await(d, job, fresh, &values, err);
    if (job) /* else it was not asked at all, and may be in a moment */
        authorities_note(d, ok, &fresh, &values, err);
    d->authorities_busy = false;
    pthread_cond_broadcast(&d->done);
    return ok;
}

bool sg_directory_authorities(struct sg_directory *d, int64_t timeout_ms, struct sg_arena *arena,
                              struct sg_ldap_values *values_r, struct sg_error *err)
{
    sg_deadline until = sg_deadline_in(timeout_ms);
    struct timespec ts = {until / 1000, until % 1000 * 1000000};
    bool ok = true;
    pthread_mutex_lock(&d->lock);
    while (!authorities_known(d) && d->authorities_busy && ok)
        ok = pthread_cond_timedwait(&d->done, &d->lock, &ts) == 0;
    if (!ok)
        sg_fail(err, SG_E_TIMEOUT, "%.120s: no answer in time", d->url);
    else if (!authorities_known(d))
        ok = authorities_ask(d, until, err);
    else if (d->authorities_failed)
        ok = sg_fail(err, SG_E_DIRECTORY,
                     "%.120s: not asked for CA certificates, because that failed just now", d->url);
    if (ok)
        values_copy(arena, &d->authorities, values_r);
    pthread_mutex_unlock(&d->lock);
    return ok;
}
