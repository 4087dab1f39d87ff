#include "reporting/build.h"
#include "reporting/delivery.h"

#include "common/id.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

#define MAX_ATTEMPTS 10
#define CATCH_UP     (95 * SG_DAY) /* months that ended while no tenantd ran: the last three */

struct make {
    const struct sg_reporting *settings;
    struct sg_job *job;
    const struct sg_report_kind *kind;
    const char *period, *asked_by;
    bool asked;               /* by somebody, not by the clock */
    json_t *data, *watermark; /* read */
    json_t *result;
};

static void time_set(json_t *object, const char *name, sg_time t)
{
    char text[SG_TIME_TEXT];
    sg_time_rfc3339(t, text);
    json_object_set_new(object, name, json_string(text));
}

static json_t *period_json(const struct sg_report_period *p)
{
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "month", p->month, "name", p->name,
                          "time_zone", p->zone, "begins_local", p->begins_local, "until_local",
                          p->until_local, "complete", p->complete);
    time_set(o, "begins_at", p->begins_at);
    time_set(o, "ends_at", p->ends_at);
    time_set(o, "until", p->until);
    return o;
}

static json_t *subject_json(const char *tenant_id, const char *name)
{
    return json_pack("{s:o, s:s}", "tenant_id", tenant_id ? json_string(tenant_id) : json_null(),
                     "name", name);
}

/* All numbers, in one snapshot. */
static bool read_all(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct make *m = arg;
    const char *tenant_id = m->job->row->tenant_id, *name = "the whole platform";
    struct sg_build b = {
        .tx = tx, .arena = m->job->arena, .settings = m->settings, .kind = m->kind->name};
    if (!sg_report_begin(tx, err) ||
        (tenant_id && !sg_report_tenant_name(tx, b.arena, tenant_id, &name, err)) ||
        !sg_report_period_find(tx, b.arena, m->period, m->settings->time_zone, &b.period, err))
        return false;
    b.scope = (struct sg_report_scope){.tenant_id = tenant_id,
                                       .from = b.period.begins_at,
                                       .until = b.period.until,
                                       .zone = b.period.zone};
    json_decref(m->data);
    json_decref(m->watermark);
    m->watermark = NULL;
    m->data = b.data =
        json_pack("{s:i, s:s, s:s, s:s, s:o, s:o, s:[], s:[], s:[]}", "schema", SG_REPORT_SCHEMA,
                  "kind", m->kind->name, "title", m->kind->title, "provider", m->settings->provider,
                  "subject", subject_json(tenant_id, name), "period", period_json(&b.period),
                  "summary", "sections", "missing");
    if (!m->data)
        return sg_fail(err, SG_E_INTERNAL, "a name that is no UTF-8");
    if (!m->kind->write(&b, err))
        return false;
    m->watermark = sg_build_read(&b, SG_REPORT_WATERMARK, err);
    return m->watermark != NULL;
}

static const char *json_text(struct sg_arena *arena, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);
    const char *copy = text ? sg_arena_strdup(arena, text) : NULL;
    free(text);
    return copy;
}

static void result_set(struct make *m, const char *id, int64_t revision, bool same)
{
    json_decref(m->result);
    m->result = json_pack("{s:s, s:I, s:b}", "report_id", id, "revision", (json_int_t)revision,
                          "same", same);
}

/* In words where the report differs from the current one; owned. */
static json_t *differences(const struct make *m, const struct sg_report_row *current)
{
    if (!current->id)
        return json_array();
    json_t *data = json_loads(current->data, 0, NULL),
           *log = json_loads(current->watermark, 0, NULL);
    json_t *words = sg_report_differ(data, m->data, log, m->watermark);
    json_decref(data);
    json_decref(log);
    return words;
}

/* What somebody asked for is there to be looked at; what is to be signed waits for that. */
static bool mailed_at_once(const struct make *m, const struct sg_report_row *row)
{
    return !m->asked && row->complete && (row->tenant_id || !m->kind->is_signed);
}

/* Keeps what was read, unless it is what there is already. */
static bool keep(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct make *m = arg;
    struct sg_arena *arena = m->job->arena;
    struct sg_report_row current;
    uint8_t hash[SG_REPORT_HASH_SIZE];
    if (!sg_report_hash(m->data, hash, err) ||
        !sg_report_current(tx, arena, m->job->row->tenant_id, m->kind->name, m->period, &current,
                           err))
        return false;
    if (current.id && sg_bytes_equal(current.sha256, sg_bytes_of(hash, sizeof hash))) {
        result_set(m, current.id, current.revision, true);
        return true;
    }
    struct sg_id id = sg_id_new("rep");
    json_t *words = differences(m, &current);
    struct sg_report_row row = {
        .id = id.text,
        .tenant_id = m->job->row->tenant_id,
        .kind = m->kind->name,
        .period = m->period,
        .revision = current.id ? current.revision + 1 : 1,
        .complete = json_is_true(json_object_get(json_object_get(m->data, "period"), "complete")),
        .data = json_text(arena, m->data),
        .watermark = json_text(arena, m->watermark),
        .differs = json_text(arena, words),
        .sha256 = sg_bytes_of(hash, sizeof hash),
        .made_by = m->asked_by,
    };
    json_decref(words);
    result_set(m, id.text, row.revision, false);
    return sg_report_insert(tx, &row, SG_REPORT_SCHEMA, err) &&
           (!mailed_at_once(m, &row) || sg_report_mail_ask(tx, arena, id.text, row.tenant_id, err));
}

static bool make(struct sg_job *job, struct sg_error *err)
{
    struct make m = {.settings = job->ctx, .job = job};
    const char *kind;
    if (!sg_job_string(job, "kind", &kind, err) || !sg_job_string(job, "period", &m.period, err))
        return false;
    m.asked_by = json_string_value(json_object_get(job->payload, "asked_by"));
    m.asked = m.asked_by != NULL;
    if (!m.asked)
        m.asked_by = "tenantd";
    m.kind = sg_report_kind_find(kind);
    if (!m.kind)
        return sg_fail(err, SG_E_INVALID, "no kind of report: %.40s", kind);
    struct sg_db_context snapshot = {.tenant = job->row->tenant_id,
                                     .actor = "tenantd",
                                     .request_id = job->row->id,
                                     .snapshot = true};
    bool ok = sg_db_transact(job->db, &snapshot, read_all, &m, err) &&
              sg_job_commit(job, keep, &m, &m.result, err);
    json_decref(m.data);
    json_decref(m.watermark);
    json_decref(m.result);
    return ok;
}

/* Asks for each report that is due; the transaction ends the job that asks. */
struct due {
    struct sg_job *job;
    const struct sg_reporting *settings;
    json_t *result;
};

static bool ask(struct sg_tx *tx, const struct sg_report_due *due, struct sg_arena *arena,
                bool *made_r, struct sg_error *err)
{
    struct sg_job_new job = {
        .tenant_id = due->tenant_id,
        .kind = "report.make",
        .payload_json = sg_arena_printf(arena, "{\"kind\": \"%s\", \"period\": \"%s\"}", due->kind,
                                        due->period),
        .max_attempts = MAX_ATTEMPTS,
        .priority = SG_JOB_LATER,
        .unique_key =
            sg_arena_printf(arena, "report.make:%s:%s:%s", due->tenant_id ? due->tenant_id : "-",
                            due->kind, due->period),
    };
    return sg_job_insert(tx, &job, made_r, err);
}

static bool ask_all(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct due *d = arg;
    struct sg_report_due *rows;
    size_t count;
    int64_t asked = 0;
    sg_time before = sg_tx_now(tx) - d->settings->delay_ms * 1000;
    if (!sg_report_due_list(tx, d->job->arena, d->settings->time_zone, before - CATCH_UP, before,
                            &rows, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        bool made = false;
        if (!sg_report_kind_find(rows[i].kind))
            continue;
        if (!ask(tx, &rows[i], d->job->arena, &made, err))
            return false;
        asked += made;
    }
    if (!sg_report_mail_again(tx, d->job->arena, err) ||
        !sg_report_unsigned_watch(tx, d->job->arena, d->settings->sign_within_ms, err))
        return false;
    json_decref(d->result);
    d->result = json_pack("{s:I}", "asked", (json_int_t)asked);
    return true;
}

static bool due(struct sg_job *job, struct sg_error *err)
{
    struct due d = {.job = job, .settings = job->ctx};
    bool ok = sg_job_commit(job, ask_all, &d, &d.result, err);
    json_decref(d.result);
    return ok;
}

const struct sg_job_kind sg_report_kinds[] = {
    {"report.due", due, NULL},
    {"report.make", make, NULL},
    {"report.mail", sg_report_mail, NULL},
    {NULL, NULL, NULL},
};
