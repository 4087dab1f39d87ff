/*
 * Writes messages, held mail and incidents as gatewayd writes them (message.h, held.h, incident.h),
 * for the tests of the API: JSON lines on standard input, as sg_gateway.
 * Usage: api_feed CONNINFO PASSWORD_FILE
 */
#include "common/id.h"
#include "schema/held.h"
#include "schema/incident.h"
#include "schema/message.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 65536
#define ITEMS_MAX      300

static const char *text(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s ? s : "";
}

/* What stands behind the "@"; "" where there is none. */
static const char *domain_of(const char *address)
{
    const char *at = strrchr(address, '@');
    return at ? at + 1 : "";
}

static const char *text_or(const json_t *o, const char *name, const char *other)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s ? s : other;
}

static int64_t number_or(const json_t *o, const char *name, int64_t other)
{
    const json_t *n = json_object_get(o, name);
    return n ? json_integer_value(n) : other;
}

static int64_t number(const json_t *o, const char *name)
{
    return json_integer_value(json_object_get(o, name));
}

/* {"id", "tenant_id", "received_at" (µs), "direction", "queue_id", "sender", "message_id",
 *  "header_from", "client", "size_bytes", "sent_at" (these may be left out),
 *  "recipients": [{"recipient", "outcome", "verdict", "codes", "reply", "outcome_at" (likewise)}],
 *  "trace": [{"step", "requirement", "detail"}]} */
static bool message_feed(struct sg_db *db, const json_t *o, struct sg_error *err)
{
    const uint8_t sha256[32] = {1, 2, 3};
    const struct sg_message_row message = {.id = text(o, "id"),
                                           .received_at = number(o, "received_at"),
                                           .tenant_id = text(o, "tenant_id"),
                                           .direction = text(o, "direction"),
                                           .node = "node1",
                                           .queue_id = text(o, "queue_id"),
                                           .sender = text(o, "sender"),
                                           .sender_domain = domain_of(text(o, "sender")),
                                           .header_from =
                                               text_or(o, "header_from", text(o, "sender")),
                                           .message_id = text(o, "message_id"),
                                           .client_address = text_or(o, "client", "192.0.2.1"),
                                           .size_bytes = number_or(o, "size_bytes", 4711),
                                           .body_sha256 = sg_bytes_of(sha256, sizeof sha256),
                                           .archive_ref = "segment:0",
                                           .sent_at = number(o, "sent_at")};
    struct sg_recipient_row recipients[ITEMS_MAX];
    struct sg_trace_row traces[ITEMS_MAX];
    char *details[ITEMS_MAX];
    struct sg_message_batch batch = {
        .messages = &message, .message_count = 1, .recipients = recipients, .traces = traces};
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(o, "recipients"), i, item)
    {
        recipients[batch.recipient_count++] = (struct sg_recipient_row){
            .msg_id = message.id,
            .received_at = message.received_at,
            .tenant_id = message.tenant_id,
            .recipient = text(item, "recipient"),
            .recipient_domain = domain_of(text(item, "recipient")),
            .outcome = text(item, "outcome"),
            .verdict = text(item, "verdict"),
            .codes = text(item, "codes"),
            .reply = text(item, "reply"),
            .outcome_at = number_or(item, "outcome_at", message.received_at + SG_SECOND)};
    }
    json_array_foreach(json_object_get(o, "trace"), i, item)
    {
        details[i] = json_dumps(json_object_get(item, "detail"), 0);
        traces[batch.trace_count++] =
            (struct sg_trace_row){.record_id = sg_bytes_str("record-0123456789"),
                                  .msg_id = message.id,
                                  .received_at = message.received_at,
                                  .tenant_id = message.tenant_id,
                                  .at = message.received_at,
                                  .seq = (int)i,
                                  .step = text(item, "step"),
                                  .requirement = text(item, "requirement"),
                                  .detail = details[i]};
    }
    bool ok = sg_message_feed(db, &batch, err);
    for (i = 0; i < batch.trace_count; i++)
        free(details[i]);
    return ok;
}

#define BULK_BATCH 500

/*
 * {"bulk": N, "tenant_id", "from" (µs), "step" (µs), "domain"}: N messages out of domain, a step
 * apart, to one recipient each. Message n: id by n, sender u<n%1000>, recipient p<n%5000> of
 * d<n%200>.test, client 192.0.2.<n%250>; code 103 where n%500 is 3, refused where n%1000 is 7.
 */
static bool bulk_feed(struct sg_db *db, const json_t *o, struct sg_error *err)
{
    int64_t count = number(o, "bulk");
    bool ok = true;
    for (int64_t first = 0; ok && first < count; first += BULK_BATCH) {
        SG_AUTO_ARENA arena = sg_arena_new();
        struct sg_message_row *messages = SG_ARENA_ARRAY(arena, struct sg_message_row, BULK_BATCH);
        struct sg_recipient_row *rcpts = SG_ARENA_ARRAY(arena, struct sg_recipient_row, BULK_BATCH);
        size_t k = 0;
        for (int64_t n = first; n < count && k < BULK_BATCH; n++, k++) {
            const char *recipient = sg_arena_printf(arena, "p%lld@d%lld.test",
                                                    (long long)(n % 5000), (long long)(n % 200));
            messages[k] = (struct sg_message_row){
                .id = sg_arena_printf(arena, "%.10s%020lld", sg_id_new("msg").text, (long long)n),
                .received_at = number(o, "from") + n * number(o, "step"),
                .tenant_id = text(o, "tenant_id"),
                .direction = "outbound",
                .node = "node1",
                .queue_id = sg_arena_printf(arena, "q%lld", (long long)n),
                .sender =
                    sg_arena_printf(arena, "u%lld@%s", (long long)(n % 1000), text(o, "domain")),
                .sender_domain = text(o, "domain"),
                .header_from = "",
                .message_id = sg_arena_printf(arena, "%lld@bulk", (long long)n),
                .client_address = sg_arena_printf(arena, "192.0.2.%lld", (long long)(n % 250)),
                .size_bytes = 1000,
                .archive_ref = "segment:0"};
            rcpts[k] = (struct sg_recipient_row){.msg_id = messages[k].id,
                                                 .received_at = messages[k].received_at,
                                                 .tenant_id = messages[k].tenant_id,
                                                 .recipient = recipient,
                                                 .recipient_domain = domain_of(recipient),
                                                 .outcome = n % 1000 == 7 ? "refused" : "delivered",
                                                 .verdict = "sealed",
                                                 .codes = n % 500 == 3 ? "103" : "",
                                                 .reply = "",
                                                 .outcome_at = messages[k].received_at + 1000};
        }
        struct sg_message_batch batch = {
            .messages = messages, .message_count = k, .recipients = rcpts, .recipient_count = k};
        ok = sg_message_feed(db, &batch, err);
    }
    return ok;
}

static bool chunk_give(void *ctx, int seq, struct sg_bytes *data_r, bool *end_r,
                       struct sg_error *err)
{
    (void)ctx;
    (void)err;
    *end_r = seq == 2;
    *data_r = sg_bytes_str("sealed");
    return true;
}

/* {"claim_held": limit}: what gatewayd's retries would take now, id by id on standard output. */
static bool claim_feed(struct sg_db *db, const json_t *o, struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_held_row *rows;
    size_t count;
    const struct sg_claim claim = {"node1", 900000, 3600000, (int)number(o, "claim_held")};
    if (!sg_held_claim_due(db, arena, sg_clock_now(), &claim, &rows, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        puts(rows[i].id);
    return true;
}

/* {"held_id", "msg_id", "tenant_id", "domain_id", "sender", "recipients": […], "at" (µs)} */
static bool held_feed(struct sg_db *db, const json_t *o, struct sg_error *err)
{
    const char *recipients[ITEMS_MAX];
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(o, "recipients"), i, item) recipients[i] =
        json_string_value(item);
    const struct sg_held_row row = {.id = text(o, "held_id"),
                                    .msg_id = text(o, "msg_id"),
                                    .tenant_id = text(o, "tenant_id"),
                                    .domain_id = text(o, "domain_id"),
                                    .direction = "outbound",
                                    .reason = "201",
                                    .explanation = "there is no certificate for recipient.test",
                                    .sender = text(o, "sender"),
                                    .recipients = recipients,
                                    .recipient_count = i,
                                    .recipient_domain = "recipient.test",
                                    .queue_id = "4Rq1X",
                                    .size_bytes = 12,
                                    .wrapped_key = sg_bytes_str("wrapped"),
                                    .received_at = number(o, "at"),
                                    .held_at = number(o, "at"),
                                    .next_try_at = number(o, "at") + 3600 * SG_SECOND,
                                    .expires_at = number(o, "at") + 5 * SG_DAY};
    bool inserted;
    return sg_held_insert(db, &row, chunk_give, NULL, &inserted, err);
}

static bool incident(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    const json_t *o = arg;
    if (json_object_get(o, "resolve"))
        return sg_incident_resolve(tx, text(o, "resolve"), text(o, "words"), err);
    const struct sg_incident_new row = {
        .tenant_id = json_string_value(json_object_get(o, "tenant_id")),
        .domain_id = json_string_value(json_object_get(o, "domain_id")),
        .kind = text(o, "incident"),
        .severity = text(o, "severity"),
        .summary = text(o, "summary"),
        .detail_json = json_string_value(json_object_get(o, "detail")),
        .dedup_key = text(o, "key")};
    return sg_incident_open(tx, &row, err);
}

/* {"incident": KIND, "tenant_id", "domain_id", "severity", "summary", "detail" (text), "key"}, or
 * {"resolve": KEY, "words"}; or one of the others. */
static bool feed(struct sg_db *db, json_t *o, struct sg_error *err)
{
    if (json_object_get(o, "bulk"))
        return bulk_feed(db, o, err);
    if (json_object_get(o, "incident") || json_object_get(o, "resolve"))
        return sg_db_transact(db, NULL, incident, o, err);
    if (json_object_get(o, "claim_held"))
        return claim_feed(db, o, err);
    return json_object_get(o, "held_id") ? held_feed(db, o, err) : message_feed(db, o, err);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fputs("usage: api_feed CONNINFO PASSWORD_FILE\n", stderr);
        return 2;
    }
    const struct sg_db_options options = {.conninfo = argv[1],
                                          .password_file = argv[2],
                                          .application = "api_feed",
                                          .actor = "gatewayd",
                                          .connections = 1,
                                          .wait_ms = 5000,
                                          .statement_timeout_ms = 5000};
    static char line[LINE_MAX_BYTES];
    struct sg_error err = {0};
    struct sg_db *db;
    bool ok = sg_db_open(&options, &db, &err);
    while (ok && fgets(line, sizeof line, stdin)) {
        json_t *o = json_loads(line, 0, NULL);
        ok = feed(db, o, &err);
        json_decref(o);
    }
    if (!ok)
        fprintf(stderr, "api_feed: %s\n", err.detail);
    sg_db_close(&db);
    return ok ? 0 : 1;
}
