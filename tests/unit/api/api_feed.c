/*
 * Writes messages, held mail and incidents as gatewayd writes them (message.h, held.h, incident.h),
 * for the tests of the API: JSON lines on standard input, as sg_gateway.
 * Usage: api_feed CONNINFO PASSWORD_FILE
 */
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
 *  "header_from", "client", "size_bytes" (these may be left out),
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
                                           .archive_ref = "segment:0"};
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

static bool chunk_give(void *ctx, int seq, struct sg_bytes *data_r, bool *end_r,
                       struct sg_error *err)
{
    (void)ctx;
    (void)err;
    *end_r = seq == 2;
    *data_r = sg_bytes_str("sealed");
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
    if (json_object_get(o, "incident") || json_object_get(o, "resolve"))
        return sg_db_transact(db, NULL, incident, o, err);
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
