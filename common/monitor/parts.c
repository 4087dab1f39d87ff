#include "monitor/monitor_internal.h"

#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define EVERY_MS 2000

static void note(struct sg_part *part, bool ok, const struct sg_error *err)
{
    bool news = !part->seen || part->ok != ok;
    part->seen = true;
    part->ok = ok;
    part->began_ms = 0;
    snprintf(part->words, sizeof part->words, "%s",
             ok               ? ""
             : err->detail[0] ? err->detail
                              : sg_error_text(err->code));
    if (news && !ok)
        sg_log_error(SG_LOG_WARNING, "part.away", err, "part", part->spec.name, NULL);
    else if (news)
        sg_log(SG_LOG_INFO, "part.there", "part", part->spec.name, NULL);
}

static void *run(void *arg)
{
    struct sg_part *part = arg;
    struct sg_monitor *m = part->monitor;
    int64_t every_ms = part->spec.every_ms ? part->spec.every_ms : EVERY_MS;
    pthread_mutex_lock(&m->lock);
    while (!m->stopping) {
        part->began_ms = sg_clock_monotonic_ms();
        pthread_mutex_unlock(&m->lock);
        struct sg_error err = {0};
        bool ok = part->spec.check(part->spec.ctx, &err);
        pthread_mutex_lock(&m->lock);
        note(part, ok, &err);
        sg_deadline next = sg_deadline_in(every_ms);
        while (!m->stopping && sg_cond_wait(&m->changed, &m->lock, next))
            ;
    }
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

bool sg_parts_start(struct sg_monitor *m, struct sg_error *err)
{
    size_t count = m->options.part_count;
    m->parts = calloc(count + 1, sizeof *m->parts);
    m->part_names = calloc(count + 1, sizeof *m->part_names);
    m->up = (struct sg_metric){.name = "sealgate_part_up",
                               .help = "Whether a part that the daemon needs was there when it "
                                       "was looked at last.",
                               .type = SG_GAUGE,
                               .labels = {"part"},
                               .cells = calloc(count + 1, sizeof *m->up.cells),
                               .cell_count = count};
    if (!m->parts || !m->part_names || !m->up.cells)
        abort();
    m->up.values[0] = m->part_names;
    for (size_t i = 0; i < count; i++) {
        struct sg_part *part = &m->parts[i];
        *part = (struct sg_part){.monitor = m, .spec = m->options.parts[i], .place = i};
        m->part_names[i] = part->spec.name;
        errno = pthread_create(&part->thread, NULL, run, part);
        if (errno != 0)
            return sg_fail_errno(err, SG_E_IO, "no thread to watch the %s", part->spec.name);
        part->started = true;
    }
    return true;
}

void sg_parts_stop(struct sg_monitor *m)
{
    pthread_mutex_lock(&m->lock);
    m->stopping = true;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
    for (size_t i = 0; m->parts && i < m->options.part_count; i++)
        if (m->parts[i].started)
            pthread_join(m->parts[i].thread, NULL);
    free(m->parts);
    free(m->part_names);
    free(m->up.cells);
}

/* With the lock held. */
static bool is_there(const struct sg_part *part, char words[300])
{
    int64_t takes_ms = part->began_ms ? sg_clock_monotonic_ms() - part->began_ms : 0;
    if (takes_ms > SG_MONITOR_PATIENCE_MS)
        snprintf(words, 300, "no answer for %lld s", (long long)(takes_ms / 1000));
    else
        snprintf(words, 300, "%s", part->seen ? part->words : "not looked at yet");
    return part->ok && takes_ms <= SG_MONITOR_PATIENCE_MS;
}

bool sg_parts_write(struct sg_monitor *m, struct sg_buf *out)
{
    SG_AUTO_BUF list;
    sg_buf_init(&list, 0);
    pthread_mutex_lock(&m->lock);
    bool ready = !m->leaving;
    for (size_t i = 0; i < m->options.part_count; i++) {
        const struct sg_part *part = &m->parts[i];
        char words[300];
        bool there = is_there(part, words);
        ready &= there || part->spec.optional;
        sg_metric_set(&m->up, i, 0, there);
        sg_buf_addf(&list, "%s{\"name\":", i ? "," : "");
        sg_buf_add_json_string(&list, sg_bytes_str(part->spec.name));
        sg_buf_addf(&list, ",\"ready\":%s,\"optional\":%s,\"error\":", there ? "true" : "false",
                    part->spec.optional ? "true" : "false");
        sg_buf_add_json_string(&list, sg_bytes_str(words));
        sg_buf_adds(&list, "}");
    }
    const char *status = m->leaving ? "stopping" : ready ? "ready" : "not ready";
    pthread_mutex_unlock(&m->lock);
    sg_buf_addf(out, "{\"status\":\"%s\",\"parts\":[%.*s]}\n", status, (int)list.len,
                list.len ? (const char *)list.data : "");
    return ready;
}
