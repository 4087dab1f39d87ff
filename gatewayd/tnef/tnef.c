#include "tnef/tnef_internal.h"

#include "common/log.h"
#include "common/wait.h"
#include "tnefreader/protocol.h"

#include <stdlib.h>

static const char *const outcomes[SG_TNEF_OUTCOMES + 1] = {
    [SG_TNEF_OUTCOME_READ] = "read",           [SG_TNEF_OUTCOME_DAMAGED] = "damaged",
    [SG_TNEF_OUTCOME_MALFORMED] = "malformed", [SG_TNEF_OUTCOME_LIMIT] = "limit",
    [SG_TNEF_OUTCOME_TIMEOUT] = "timeout",     [SG_TNEF_OUTCOME_CRASH] = "crash",
    [SG_TNEF_OUTCOME_SANDBOX] = "sandbox",     [SG_TNEF_OUTCOME_GARBAGE] = "garbage",
    [SG_TNEF_OUTCOME_KILLED] = "killed",       [SG_TNEF_OUTCOME_UNAVAILABLE] = "unavailable",
};

static struct sg_metric streams = {
    .name = "sealgate_gateway_tnef_total",
    .help = "TNEF streams by how their reading ended.",
    .labels = {"outcome"},
    .values = {outcomes},
    .cells = SG_CELLS(SG_TNEF_OUTCOMES),
    .cell_count = SG_TNEF_OUTCOMES,
};
static struct sg_metric seconds = {
    .name = "sealgate_gateway_tnef_seconds",
    .help = "How long it took to read a TNEF stream, the wait for a helper included.",
    .type = SG_HISTOGRAM,
    .unit = 1000000,
    .bounds = sg_seconds_bounds,
    .cells = SG_CELLS(SG_SECONDS_BOUNDS + 2),
    .cell_count = SG_SECONDS_BOUNDS + 2,
};
struct sg_metric *const sg_tnef_metrics[] = {&streams, &seconds, NULL};

struct sg_tnef {
    struct sg_tnef_options options;
    char *helper;
    pthread_mutex_t mutex;
    pthread_cond_t released;
    int free;                      /* of options.processes, who may still be asked */
    struct sg_tnef_process *ready; /* started beforehand; at most free */
    int ready_count;
};

struct request {
    struct sg_bytes stream;
    bool attachments;
    sg_deadline deadline;
    struct sg_arena *arena; /* of the answer */
};

struct sg_tnef *sg_tnef_new(const struct sg_tnef_options *options)
{
    struct sg_tnef *t = calloc(1, sizeof *t);
    if (!t)
        abort();
    t->options = *options;
    t->options.helper = t->helper = strdup(options->helper);
    t->ready = calloc((size_t)options->processes, sizeof *t->ready);
    if (!t->helper || !t->ready)
        abort();
    t->free = options->processes;
    pthread_mutex_init(&t->mutex, NULL);
    sg_cond_init(&t->released);
    return t;
}

void sg_tnef_free(struct sg_tnef **tnef)
{
    struct sg_tnef *t = *tnef;
    if (!t)
        return;
    while (t->ready_count)
        sg_tnef_process_end(&t->ready[--t->ready_count]);
    pthread_cond_destroy(&t->released);
    pthread_mutex_destroy(&t->mutex);
    free(t->ready);
    free(t->helper);
    free(t);
    *tnef = NULL;
}

/* The right to a process, and one that was started beforehand where there is one (else fd -1). */
static bool acquire(struct sg_tnef *t, sg_deadline deadline, struct sg_tnef_process *process_r)
{
    bool ok = true;
    *process_r = (struct sg_tnef_process){.fd = -1};
    pthread_mutex_lock(&t->mutex);
    while (!t->free && (ok = sg_cond_wait(&t->released, &t->mutex, deadline)))
        ;
    if (t->free) {
        ok = true;
        t->free--;
        if (t->ready_count)
            *process_r = t->ready[--t->ready_count];
    }
    pthread_mutex_unlock(&t->mutex);
    return ok;
}

/* Gives the right back, with a process that nobody has asked yet, or without (fd -1). */
static void release(struct sg_tnef *t, struct sg_tnef_process fresh)
{
    pthread_mutex_lock(&t->mutex);
    if (fresh.fd >= 0)
        t->ready[t->ready_count++] = fresh;
    t->free++;
    pthread_cond_signal(&t->released);
    pthread_mutex_unlock(&t->mutex);
}

/* Until the helper is in its sandbox, nothing foreign goes to it. */
static enum sg_tnef_outcome make_ready(const struct sg_tnef *t, struct sg_tnef_process *process,
                                       sg_deadline deadline, struct sg_error *err)
{
    bool closed = false;
    if (process->fd < 0 && !sg_tnef_process_start(&t->options, process, err))
        return SG_TNEF_OUTCOME_UNAVAILABLE;
    if (sg_tnef_answer_ready(process->fd, deadline, &closed, err))
        return SG_TNEF_OUTCOME_READ;
    if (closed)
        return sg_tnef_process_autopsy(&t->options, process, deadline, err);
    sg_tnef_process_end(process);
    return err->code == SG_E_TIMEOUT ? SG_TNEF_OUTCOME_TIMEOUT : SG_TNEF_OUTCOME_GARBAGE;
}

static enum sg_tnef_outcome failed(const struct sg_error *err)
{
    switch (err->code) {
    case SG_E_LIMIT:
        return SG_TNEF_OUTCOME_LIMIT;
    case SG_E_TIMEOUT:
        return SG_TNEF_OUTCOME_TIMEOUT;
    default:
        return SG_TNEF_OUTCOME_GARBAGE;
    }
}

static enum sg_tnef_outcome judged(const struct sg_tnef_content *content, struct sg_error *err)
{
    if (!content->damage)
        return SG_TNEF_OUTCOME_READ;
    if (content->count)
        return SG_TNEF_OUTCOME_DAMAGED;
    sg_fail(err, SG_E_MALFORMED, "%s", content->damage);
    return SG_TNEF_OUTCOME_MALFORMED;
}

/* One helper, one try. The process is at its end afterwards. */
static enum sg_tnef_outcome ask(const struct sg_tnef *t, struct sg_tnef_process *process,
                                const struct request *q, struct sg_tnef_content *content_r,
                                struct sg_error *err)
{
    const struct sg_tnef_request head = {.len = q->stream.len, .attachments = q->attachments};
    sg_deadline deadline = q->deadline;
    bool closed = false;
    enum sg_tnef_outcome outcome = make_ready(t, process, deadline, err);
    if (outcome != SG_TNEF_OUTCOME_READ)
        return outcome;
    if (!sg_io_write_full(process->fd, &head, sizeof head, deadline, err) ||
        !sg_io_write_full(process->fd, q->stream.data, q->stream.len, deadline, err))
        closed = err->code != SG_E_TIMEOUT;
    else if (sg_tnef_answer_read(&t->options, process->fd, deadline, q->arena, content_r, &closed,
                                 err)) {
        sg_tnef_process_end(process);
        return judged(content_r, err);
    }
    if (closed)
        return sg_tnef_process_autopsy(&t->options, process, deadline, err);
    sg_tnef_process_end(process);
    return failed(err);
}

/* A helper that somebody killed says nothing of the message: it is asked once more. */
static enum sg_tnef_outcome ask_twice(struct sg_tnef *t, const struct request *q,
                                      struct sg_tnef_content *content_r, struct sg_error *err)
{
    struct sg_tnef_process process;
    struct sg_error ignored = {0};
    if (!acquire(t, q->deadline, &process)) {
        sg_fail(err, SG_E_TIMEOUT, "no TNEF helper became free");
        return SG_TNEF_OUTCOME_TIMEOUT;
    }
    enum sg_tnef_outcome outcome = ask(t, &process, q, content_r, err);
    int64_t cpu_us = process.cpu_us;
    if (outcome == SG_TNEF_OUTCOME_KILLED) {
        outcome = ask(t, &process, q, content_r, err);
        cpu_us += process.cpu_us;
    }
    content_r->cpu_us = cpu_us;
    if (outcome != SG_TNEF_OUTCOME_UNAVAILABLE)
        (void)!sg_tnef_process_start(&t->options, &process, &ignored);
    release(t, process);
    return outcome;
}

bool sg_tnef_probe(struct sg_tnef *t, struct sg_error *err)
{
    sg_deadline deadline = sg_deadline_in(t->options.timeout_ms);
    struct sg_tnef_process process;
    struct sg_error why = {0};
    if (!acquire(t, deadline, &process))
        return sg_fail(err, SG_E_TIMEOUT, "no TNEF helper became free");
    enum sg_tnef_outcome outcome = make_ready(t, &process, deadline, &why);
    if (process.fd >= 0)
        sg_tnef_process_end(&process);
    release(t, process);
    if (err && outcome != SG_TNEF_OUTCOME_READ)
        *err = why;
    return outcome == SG_TNEF_OUTCOME_READ;
}

static void tell(enum sg_tnef_outcome outcome, const struct sg_error *err)
{
    bool content = outcome == SG_TNEF_OUTCOME_MALFORMED || outcome == SG_TNEF_OUTCOME_LIMIT;
    sg_log_error(content ? SG_LOG_INFO : SG_LOG_WARNING, "tnef.failed", err, "outcome",
                 outcomes[outcome], NULL);
}

bool sg_tnef_read(struct sg_tnef *t, struct sg_bytes stream, bool attachments,
                  struct sg_arena *arena, struct sg_tnef_content *content_r, struct sg_error *err)
{
    const struct request q = {stream, attachments, sg_deadline_in(t->options.timeout_ms), arena};
    int64_t began = sg_metric_now();
    enum sg_tnef_outcome outcome = SG_TNEF_OUTCOME_LIMIT;
    struct sg_error why = {0};
    *content_r = (struct sg_tnef_content){0};
    if (stream.len > t->options.request_bytes)
        sg_fail(&why, SG_E_LIMIT, "the TNEF stream is larger than %zu bytes",
                t->options.request_bytes);
    else
        outcome = ask_twice(t, &q, content_r, &why);
    sg_metric_add(&streams, outcome, 0, 1);
    sg_metric_since(&seconds, 0, 0, began);
    if (outcome == SG_TNEF_OUTCOME_READ || outcome == SG_TNEF_OUTCOME_DAMAGED)
        return true;
    *content_r = (struct sg_tnef_content){.cpu_us = content_r->cpu_us};
    tell(outcome, &why);
    if (err)
        *err = why;
    return false;
}
