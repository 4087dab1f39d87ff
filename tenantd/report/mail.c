/*
 * A report by mail, through our own gateway. It goes out sealed or not at all: to domains of Secure
 * Email alone, for which the gateway seals or holds; its subject bears the trigger word
 * IN-CONFIDENCE (REQ-112); and what the retention log says of it is looked up afterwards.
 * What failed is an incident, and is tried again for a week.
 */
#include "reporting/build.h"
#include "reporting/delivery.h"
#include "schema/api_report.h"
#include "schema/incident.h"
#include "schema/report_delivery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SENDS_MAX       3                 /* of a mail of which the log knows nothing */
#define LOOK_AGAIN      (5 * SG_SECOND)   /* grows with the age of the mail */
#define LOST_AFTER      (2 * SG_DAY / 24) /* nothing in the log: sent again */
#define GIVEN_UP_AFTER  (5 * SG_DAY)      /* held for as long as that */
#define ATTACHMENTS_MAX 40

struct mailing {
    struct sg_job *job;
    const struct sg_reporting *settings;
    const char *report_id;
    struct sg_api_report report;
    struct sg_report_delivery *rows;
    size_t count;
    /* of one delivery */
    const struct sg_report_delivery *row;
    const char *state, *words, *msg_id;
    bool sent;
};

static const char *sender_domain(const struct mailing *m)
{
    const char *at = strrchr(m->settings->mail->sender, '@');
    return at ? at + 1 : "localhost";
}

static bool listed(const char *address, const char *const *addresses, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(address, addresses[i]) == 0)
            return true;
    return false;
}

/* Who is no recipient any more gets nothing, though it was to be tried again. */
static bool others_end(struct sg_tx *tx, struct mailing *m, const char *const *addresses,
                       size_t count, struct sg_error *err)
{
    for (size_t i = 0; i < m->count; i++) {
        struct sg_report_delivery *row = &m->rows[i];
        if (strcmp(row->state, "queued") != 0 || listed(row->recipient, addresses, count))
            continue;
        row->state = "failed";
        if (!sg_report_delivery_set(tx, row->id, "failed", "is no recipient any more", NULL, false,
                                    err))
            return false;
    }
    return true;
}

/* The report, and a delivery for each recipient. */
static bool begin(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct mailing *m = arg;
    const char **addresses;
    size_t count;
    struct sg_arena *arena = m->job->arena;
    if (!sg_api_report_find(tx, arena, m->job->row->tenant_id, m->report_id, &m->report, err) ||
        !sg_report_recipients(tx, arena, m->report.tenant_id, m->report.kind,
                              m->settings->administrator, &addresses, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!sg_report_delivery_ensure(tx, m->report_id, m->report.tenant_id, addresses[i],
                                       sender_domain(m), err))
            return false;
    return sg_report_delivery_list(tx, arena, m->report_id, &m->rows, &m->count, err) &&
           others_end(tx, m, addresses, count, err);
}

/* What is written of a delivery; one that failed is an incident, until it was sealed after all. */
static bool note(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct mailing *m = arg;
    const char *key = sg_arena_printf(m->job->arena, "report.not-delivered %s", m->row->id);
    if (!sg_report_delivery_set(tx, m->row->id, m->state, m->words, m->msg_id, m->sent, err))
        return false;
    if (strcmp(m->state, "sealed") == 0)
        return sg_incident_resolve(tx, key, "The report went out sealed.", err);
    if (strcmp(m->state, "failed") != 0)
        return true;
    const struct sg_incident_new incident = {
        .tenant_id = m->report.tenant_id,
        .kind = "report.not-delivered",
        .severity = "critical",
        .summary = sg_arena_printf(m->job->arena, "The %s report of %s was not delivered: %.300s",
                                   m->report.kind, m->report.period, m->words),
        .dedup_key = key};
    return sg_incident_open(tx, &incident, err);
}

static bool set(struct mailing *m, const char *state, const char *words, const char *msg_id,
                bool sent, struct sg_error *err)
{
    m->state = state;
    m->words = words;
    m->msg_id = msg_id;
    m->sent = sent;
    return sg_job_step(m->job, note, m, err);
}

/* The report as its forms are rendered from (report/report.h). */
static json_t *report_json(const struct sg_api_report *r)
{
    char hex[2 * SG_REPORT_HASH_SIZE + 1] = "", made_at[SG_TIME_TEXT];
    sg_hex_lower(r->sha256.data,
                 r->sha256.len < SG_REPORT_HASH_SIZE ? r->sha256.len : SG_REPORT_HASH_SIZE, hex);
    sg_time_rfc3339(r->key.at, made_at);
    return json_pack("{s:s, s:I, s:s, s:s, s:s, s:o, s:o}", "id", r->key.id, "revision",
                     (json_int_t)r->revision, "state", r->state, "made_at", made_at, "sha256", hex,
                     "signatures", json_loads(r->signatures, 0, NULL), "data",
                     json_loads(r->data, 0, NULL));
}

static bool attach(struct sg_arena *arena, struct sg_mail *mail, struct sg_mail_attachment *list,
                   const char *name, const char *type, const struct sg_buf *form)
{
    if (mail->attachment_count == ATTACHMENTS_MAX)
        return false;
    list[mail->attachment_count++] = (struct sg_mail_attachment){
        .name = name, .type = type, .data = sg_arena_copy(arena, sg_buf_bytes(form))};
    return true;
}

static bool csv(struct sg_arena *arena, const json_t *json, const char *table, const char *name,
                struct sg_mail *mail, struct sg_mail_attachment *list, struct sg_error *err)
{
    SG_AUTO_BUF form;
    sg_buf_init(&form, SG_REPORT_SIZE_MAX);
    if (!sg_report_csv(json, table, &form, err))
        return false;
    attach(arena, mail, list, name, "text/csv; charset=utf-8", &form);
    return true;
}

/* The page, the data, the figures and each table: as many files as there are. */
static bool forms(struct mailing *m, const json_t *json, struct sg_mail *mail,
                  struct sg_mail_attachment *list, struct sg_error *err)
{
    struct sg_arena *arena = m->job->arena;
    const json_t *data = json_object_get(json, "data");
    const char *stem = sg_arena_printf(arena, "%s-%s", m->report.kind, m->report.period);
    SG_AUTO_BUF page;
    SG_AUTO_BUF canonical;
    sg_buf_init(&page, SG_REPORT_SIZE_MAX);
    sg_buf_init(&canonical, SG_REPORT_SIZE_MAX);
    if (!sg_report_html(json, &page, err) || !sg_report_canonical(data, &canonical, err))
        return false;
    attach(arena, mail, list, sg_arena_printf(arena, "%s.html", stem), "text/html; charset=utf-8",
           &page);
    attach(arena, mail, list, sg_arena_printf(arena, "%s.json", stem), "application/json",
           &canonical);
    if (!csv(arena, json, NULL, sg_arena_printf(arena, "%s.csv", stem), mail, list, err))
        return false;
    size_t i, j;
    json_t *section, *table;
    json_array_foreach(json_object_get(data, "sections"), i, section)
    {
        json_array_foreach(json_object_get(section, "tables"), j, table)
        {
            const char *id = json_string_value(json_object_get(table, "id"));
            if (!csv(arena, json, id, sg_arena_printf(arena, "%s-%s.csv", stem, id), mail, list,
                     err))
                return false;
        }
    }
    return true;
}

static const char *words_of(struct sg_arena *arena, const json_t *json)
{
    const json_t *data = json_object_get(json, "data"), *period = json_object_get(data, "period");
    const char *text = sg_arena_printf(
        arena, "%s\n%s\n%s\n\n", json_string_value(json_object_get(data, "title")),
        json_string_value(json_object_get(json_object_get(data, "subject"), "name")),
        json_string_value(json_object_get(period, "name")));
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(data, "summary"), i, item) text =
        sg_arena_printf(arena, "%s%s\n", text, json_string_value(item));
    json_array_foreach(json_object_get(json, "signatures"), i, item) text =
        sg_arena_printf(arena, "%s\nSigned by %s, %s, %s: %s\n", text,
                        json_string_value(json_object_get(item, "name")),
                        json_string_value(json_object_get(item, "title")),
                        json_string_value(json_object_get(item, "signed_at")),
                        json_string_value(json_object_get(item, "words")));
    return sg_arena_printf(
        arena,
        "%s\nAttached: the report as a page to read and print, its data as JSON, "
        "and each of its tables as CSV.\nSHA-256 of the JSON file: %s\n",
        text, json_string_value(json_object_get(json, "sha256")));
}

static bool send_one(struct mailing *m, struct sg_error *err)
{
    struct sg_arena *arena = m->job->arena;
    struct sg_mail_attachment list[ATTACHMENTS_MAX];
    if (!m->row->secure)
        return set(m, "failed", "the recipient's domain is not of Secure Email", NULL, false, err);
    json_t *json = report_json(&m->report);
    const json_t *data = json_object_get(json, "data");
    struct sg_mail mail = {
        .to = &m->row->recipient,
        .to_count = 1,
        .subject = sg_arena_printf(
            arena, "[IN-CONFIDENCE] %s, %s, %s", json_string_value(json_object_get(data, "title")),
            json_string_value(json_object_get(json_object_get(data, "subject"), "name")),
            json_string_value(json_object_get(json_object_get(data, "period"), "name"))),
        .text = words_of(arena, json),
        .attachments = list,
        .message_id = m->row->id};
    struct sg_error why = {0};
    bool ok = forms(m, json, &mail, list, err);
    bool went = ok && sg_mail_send(m->settings->mail, &mail, &why);
    json_decref(json);
    if (!ok)
        return false;
    if (went)
        return set(m, "sent", "", NULL, true, err);
    const char *words = why.detail[0] ? why.detail : sg_error_text(why.code);
    bool permanent = sg_error_class(why.code) == SG_CLASS_PERMANENT;
    if (!set(m, permanent ? "failed" : "queued", words, NULL, permanent, err))
        return false;
    if (!permanent)
        *err = why;
    return permanent;
}

/* What the log says of a mail, and how long ago it was sent: its new state, NULL to wait. */
static const char *judge(struct mailing *m, const struct sg_report_seen *seen, sg_time age)
{
    struct sg_arena *arena = m->job->arena;
    m->words = "";
    if (!seen->msg_id) {
        m->words = "the retention log knows nothing of it";
        return age < LOST_AFTER ? NULL : m->row->attempts < SENDS_MAX ? "queued" : "failed";
    }
    if (strcmp(seen->outcome, "delivered") == 0) {
        bool sealed = strcmp(seen->verdict, "sealed") == 0;
        m->words = sealed ? "" : "it went out, and not sealed";
        return sealed ? "sealed" : "failed";
    }
    static const char *const going_on[] = {"received", "held", "deferred"};
    for (size_t i = 0; i < sizeof going_on / sizeof going_on[0]; i++) {
        if (strcmp(seen->outcome, going_on[i]) != 0)
            continue;
        m->words = sg_arena_printf(arena, "%s for too long", seen->outcome);
        return age < GIVEN_UP_AFTER ? NULL : "failed";
    }
    m->words = sg_arena_printf(arena, "%s: %s", seen->outcome, seen->reply);
    return "failed";
}

static bool look(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct mailing *m = arg;
    struct sg_report_seen seen;
    if (!sg_report_delivery_seen(tx, m->job->arena, m->row->message_id, m->row->recipient,
                                 m->row->sent_at - SG_DAY, &seen, err))
        return false;
    m->state = judge(m, &seen, sg_tx_now(tx) - m->row->sent_at);
    m->msg_id = seen.msg_id;
    return true;
}

/* What became of one that was sent; state NULL: nothing yet. */
static bool follow(struct mailing *m, struct sg_error *err)
{
    struct sg_db_context ctx = {
        .tenant = m->job->row->tenant_id, .actor = "tenantd", .request_id = m->job->row->id};
    return sg_db_transact(m->job->db, &ctx, look, m, err) &&
           (m->state == NULL || set(m, m->state, m->words, m->msg_id, false, err));
}

/* One that is not at its end yet; its new state stands in the row. */
static bool advance(struct mailing *m, struct sg_report_delivery *row, struct sg_error *err)
{
    m->row = row;
    if (strcmp(row->state, "queued") == 0) {
        if (!send_one(m, err))
            return false;
        row->sent_at = sg_clock_now();
    } else if (!follow(m, err)) {
        return false;
    }
    if (m->state)
        row->state = m->state;
    return true;
}

static bool ended(const struct sg_report_delivery *row)
{
    return strcmp(row->state, "sealed") == 0 || strcmp(row->state, "failed") == 0;
}

static bool end(struct mailing *m, struct sg_error *err)
{
    int64_t sealed = 0, waiting = 0;
    sg_time now = sg_clock_now(), youngest = now - SG_DAY;
    for (size_t i = 0; i < m->count; i++) {
        const struct sg_report_delivery *row = &m->rows[i];
        sealed += strcmp(row->state, "sealed") == 0;
        waiting += !ended(row);
        if (!ended(row) && row->sent_at > youngest)
            youngest = row->sent_at;
    }
    if (waiting > 0)
        return sg_job_later(m->job, NULL, NULL, now + LOOK_AGAIN + (now - youngest) / 4,
                            "waits until the retention log has it", err);
    json_t *result =
        json_pack("{s:I, s:I}", "recipients", (json_int_t)m->count, "sealed", (json_int_t)sealed);
    bool ok = sg_job_commit(m->job, NULL, NULL, &result, err);
    json_decref(result);
    return ok;
}

bool sg_report_mail(struct sg_job *job, struct sg_error *err)
{
    struct mailing m = {.job = job, .settings = job->ctx};
    if (!sg_job_string(job, "report_id", &m.report_id, err) || !sg_job_step(job, begin, &m, err))
        return false;
    for (size_t i = 0; i < m.count; i++)
        if (!ended(&m.rows[i]) && !advance(&m, &m.rows[i], err))
            return false;
    return end(&m, err);
}

bool sg_report_mail_ask(struct sg_tx *tx, struct sg_arena *arena, const char *report_id,
                        const char *tenant_id, struct sg_error *err)
{
    const struct sg_job_new job = {
        .tenant_id = tenant_id,
        .kind = "report.mail",
        .payload_json = sg_arena_printf(arena, "{\"report_id\": \"%s\"}", report_id),
        .priority = SG_JOB_LATER,
        .unique_key = sg_arena_printf(arena, "report.mail:%s", report_id)};
    return sg_job_insert(tx, &job, NULL, err);
}

bool sg_report_mail_again(struct sg_tx *tx, struct sg_arena *arena, struct sg_error *err)
{
    struct sg_report_again *rows;
    size_t count;
    if (!sg_report_delivery_again(tx, arena, &rows, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!sg_report_mail_ask(tx, arena, rows[i].report_id, rows[i].tenant_id, err))
            return false;
    return true;
}

bool sg_report_unsigned_watch(struct sg_tx *tx, struct sg_arena *arena, int64_t within_ms,
                              struct sg_error *err)
{
    const char **missing, **mended;
    size_t missing_count, mended_count;
    if (!sg_report_unsigned(tx, arena, sg_tx_now(tx) - within_ms * 1000, &missing, &missing_count,
                            &mended, &mended_count, err))
        return false;
    for (size_t i = 0; i < missing_count; i++) {
        const struct sg_incident_new incident = {
            .kind = "report.unsigned",
            .severity = "warning",
            .summary = sg_arena_printf(
                arena, "The report %s has not been signed, and so not been sent.", missing[i]),
            .dedup_key = sg_arena_printf(arena, "report.unsigned %s", missing[i])};
        if (!sg_incident_open(tx, &incident, err))
            return false;
    }
    for (size_t i = 0; i < mended_count; i++)
        if (!sg_incident_resolve(tx, sg_arena_printf(arena, "report.unsigned %s", mended[i]),
                                 "It was signed, or another took its place.", err))
            return false;
    return true;
}
