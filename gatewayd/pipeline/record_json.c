/* Records of versions up to 0.1, which an upgrade may find unfed in the journal. */
#include "pipeline/record.h"

#include <jansson.h>
#include <stdlib.h>

static void text_move(struct sg_buf *out, const json_t *from, const char *key)
{
    sg_record_add_text(out, json_string_value(json_object_get(from, key)));
}

static void number_move(struct sg_buf *out, const json_t *from, const char *key)
{
    sg_record_add_number(out, json_integer_value(json_object_get(from, key)));
}

static void recipients_move(struct sg_buf *out, const json_t *list)
{
    static const char *const texts[] = {"recipient", "domain", "outcome",
                                        "verdict",   "code",   "reply"};
    size_t i;
    json_t *r;
    json_array_foreach(list, i, r)
    {
        for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++)
            text_move(out, r, texts[k]);
    }
}

static void received_move(struct sg_buf *out, const json_t *record)
{
    static const char *const texts[] = {"direction",   "queue_id",   "sender",
                                        "header_from", "message_id", "client"};
    for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++)
        text_move(out, record, texts[k]);
    number_move(out, record, "size");
    number_move(out, record, "sent_at");
}

/* The detail is text of JSON; before that it was the object itself. */
static void detail_move(struct sg_buf *out, const json_t *detail)
{
    char *text = json_is_object(detail) ? json_dumps(detail, JSON_COMPACT) : NULL;
    sg_record_add_text(out, text ? text : json_string_value(detail));
    free(text);
}

static void steps_move(struct sg_buf *out, const json_t *list)
{
    size_t i;
    json_t *step;
    json_array_foreach(list, i, step)
    {
        number_move(out, step, "at");
        text_move(out, step, "step");
        text_move(out, step, "requirement");
        detail_move(out, json_object_get(step, "detail"));
    }
}

bool sg_record_of_json(struct sg_arena *arena, struct sg_bytes json, bool received,
                       struct sg_bytes *record_r, struct sg_error *err)
{
    SG_AUTO_BUF out = {0};
    json_t *record = json_loadb((const char *)json.data, json.len, 0, NULL);
    if (!json_is_object(record)) {
        json_decref(record);
        return sg_fail(err, SG_E_MALFORMED, "a journal record of no known form");
    }
    const json_t *recipients = json_object_get(record, "recipients");
    const json_t *steps = json_object_get(record, "trace");
    sg_record_begin(&out, json_array_size(recipients), json_array_size(steps));
    text_move(&out, record, "msg_id");
    text_move(&out, record, "tenant");
    number_move(&out, record, "received_at");
    number_move(&out, record, "at");
    recipients_move(&out, recipients);
    if (received)
        received_move(&out, record);
    steps_move(&out, steps);
    json_decref(record);
    *record_r = sg_arena_copy(arena, sg_buf_bytes(&out));
    return true;
}
