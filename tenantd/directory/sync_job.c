#include "directory/directory_internal.h"

#include "common/log.h"

struct sync {
    const struct sg_directory_options *options;
    struct sg_arena *arena;
    struct sg_directory_readings readings;
    json_t *result;
};

/* Doubling pauses of a source that fails, up to the time between two readings. */
static sg_time retry_at(const struct sg_directory_options *o, sg_time now, int failures)
{
    int64_t pause_ms = o->retry_ms;
    for (int i = 0; i < failures && pause_ms < o->interval_ms; i++)
        pause_ms *= 2;
    return now + (pause_ms < o->interval_ms ? pause_ms : o->interval_ms) * 1000;
}

static bool sources_note(struct sg_tx *tx, struct sync *s, struct sg_error *err)
{
    json_t *all = json_array();
    bool ok = true;
    for (size_t i = 0; i < s->readings.source_count && ok; i++) {
        const struct sg_source_result *r = &s->readings.sources[i];
        if (!r->tried)
            continue;
        const char *id = r->due->source.id;
        sg_time retry = retry_at(s->options, sg_tx_now(tx), r->due->failures);
        ok = r->ok ? sg_directory_source_succeeded(tx, id, err)
                   : sg_directory_source_failed(tx, id, r->words, retry, err);
        json_array_append_new(
            all, json_pack("{s:s, s:b, s:s}", "id", id, "ok", r->ok, "error", r->words));
    }
    json_object_set_new(s->result, "sources", all);
    return ok;
}

/* Every source answered, and none of them has it? Then a list that has members was taken away. */
static bool taken_away(const struct sync *s, const struct sg_list_result *list)
{
    return !list->found && list->list->members > 0 && s->readings.source_count > 0 &&
           strcmp(list->words, SG_LIST_NOWHERE) == 0;
}

static bool list_apply(struct sg_tx *tx, struct sync *s, struct sg_list_result *list, json_t *all,
                       struct sg_error *err)
{
    struct sg_member_diff diff = {0};
    const char *state = "failed";
    if (taken_away(s, list)) {
        sg_members_read(s->arena, NULL, 0, &list->reading);
        list->reading.version = "";
        list->reading.source_url = s->readings.sources[0].due->source.url;
    }
    bool there = list->found || taken_away(s, list);
    bool ok = there ? sg_list_apply(tx, s->arena, s->options, list->list->id, &list->reading, &diff,
                                    &state, err)
                    : sg_member_list_failed(tx, list->list->id, list->words, err);
    if (!ok)
        return false;
    json_array_append_new(
        all, json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:i, s:s}", "name", list->list->name,
                       "state", state, "version", there ? list->reading.version : "", "members",
                       (json_int_t)list->reading.count, "added", (json_int_t)diff.added_count,
                       "removed", (json_int_t)diff.removed_count, "skipped", list->reading.skipped,
                       "error", there ? "" : list->words));
    return true;
}

static bool apply(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct sync *s = arg;
    json_object_clear(s->result); /* it may be run again */
    if (!sources_note(tx, s, err))
        return false;
    json_t *all = json_array();
    json_object_set_new(s->result, "lists", all);
    bool ok = true;
    for (size_t i = 0; i < s->readings.list_count && ok; i++)
        ok = list_apply(tx, s, &s->readings.lists[i], all, err);
    sg_time next =
        (sg_tx_now(tx) / (s->options->interval_ms * 1000) + 1) * (s->options->interval_ms * 1000);
    return ok && sg_member_list_next(tx, next, err);
}

/* No directory answered: that much is noted, and the job is tried again. */
static bool note_failures(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct sync *s = arg;
    if (!sources_note(tx, s, err))
        return false;
    for (size_t i = 0; i < s->readings.list_count; i++)
        if (!sg_member_list_failed(tx, s->readings.lists[i].list->id, s->readings.lists[i].words,
                                   err))
            return false;
    return true;
}

static bool readings_begin(struct sg_job *job, struct sync *s, struct sg_error *err)
{
    struct sg_member_list *lists;
    struct sg_directory_source_due *sources;
    struct sg_directory_readings *r = &s->readings;
    if (!sg_member_list_all(job->db, job->arena, &lists, &r->list_count, err) ||
        !sg_directory_source_due(job->db, job->arena, &sources, &r->source_count, err))
        return false;
    r->lists = SG_ARENA_ARRAY(job->arena, struct sg_list_result, r->list_count + 1);
    r->sources = SG_ARENA_ARRAY(job->arena, struct sg_source_result, r->source_count + 1);
    for (size_t i = 0; i < r->list_count; i++)
        r->lists[i].list = &lists[i];
    for (size_t i = 0; i < r->source_count; i++)
        r->sources[i].due = &sources[i];
    return true;
}

static bool sync_run(struct sg_job *job, struct sync *s, struct sg_error *err)
{
    if (!readings_begin(job, s, err))
        return false;
    sg_directory_read(s->options, job->arena, sg_clock_now(), &s->readings);
    if (s->readings.answered > 0 || s->readings.source_count == 0)
        return sg_job_commit(job, apply, s, &s->result, err);
    return sg_db_transact(job->db, NULL, note_failures, s, err) &&
           sg_fail(err, SG_E_DIRECTORY, "no directory answered: %.180s",
                   s->readings.sources[0].words);
}

static bool sync_job(struct sg_job *job, struct sg_error *err)
{
    struct sync s = {.options = job->ctx, .arena = job->arena, .result = json_object()};
    bool ok = sync_run(job, &s, err);
    json_decref(s.result);
    return ok;
}

const struct sg_job_kind sg_directory_kinds[] = {{"directory.sync", sync_job, NULL}, {0}};
