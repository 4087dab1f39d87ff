#include "notice/notice.h"

#include "spool/aead.h"

#include <jansson.h>
#include <stdlib.h>

/* Unfolded header text need not be UTF-8; what is not becomes U+FFFD. */
static void text_set(json_t *o, const char *key, const char *value)
{
    SG_AUTO_BUF quoted = {0};
    sg_buf_add_json_string(&quoted, sg_bytes_str(value ? value : ""));
    json_object_set_new(o, key,
                        json_loadb((const char *)quoted.data, quoted.len, JSON_DECODE_ANY, NULL));
}

static char *content_write(const struct sg_notice_content *c)
{
    json_t *o = json_object(), *list = json_array();
    text_set(o, "kind", c->kind);
    text_set(o, "codes", c->codes);
    text_set(o, "to", c->to);
    text_set(o, "from", c->from);
    text_set(o, "date", c->date);
    text_set(o, "subject", c->subject);
    text_set(o, "arrival", c->arrival);
    json_object_set_new(o, "hours", json_integer(c->hours));
    for (size_t i = 0; i < c->recipient_count; i++) {
        json_t *r = json_object();
        text_set(r, "address", c->recipients[i].address);
        text_set(r, "status", c->recipients[i].status);
        text_set(r, "text", c->recipients[i].text);
        json_array_append_new(list, r);
    }
    json_object_set_new(o, "recipients", list);
    char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    return text;
}

bool sg_notice_post(struct sg_db *db, struct sg_hsm *hsm, struct sg_notice_row *row,
                    const struct sg_notice_content *content, bool *inserted_r, struct sg_error *err)
{
    SG_AUTO_SECRET key = {0};
    SG_AUTO_BUF wrapped = {0};
    SG_AUTO_BUF sealed = {0};
    char *text = content_write(content);
    if (!text)
        return sg_fail(err, SG_E_INTERNAL, "notice cannot be written as JSON");
    bool ok = sg_hsm_data_key_make(hsm, SG_HSM_HOLD, row->id, &key, &wrapped, err) &&
              sg_aead_seal(&key, sg_bytes_str(row->id), sg_bytes_str(text), &sealed, err);
    free(text);
    if (!ok)
        return false;
    row->original = sg_buf_bytes(&sealed);
    row->wrapped_key = sg_buf_bytes(&wrapped);
    ok = sg_notice_insert(db, row, inserted_r, err);
    row->original = row->wrapped_key = sg_bytes_of(NULL, 0);
    return ok;
}

static const char *text_get(struct sg_arena *arena, const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return sg_arena_strdup(arena, s ? s : "");
}

bool sg_notice_open(struct sg_hsm *hsm, struct sg_arena *arena, const struct sg_notice_row *row,
                    struct sg_notice_content *content_r, struct sg_error *err)
{
    SG_AUTO_SECRET key = {0};
    SG_AUTO_BUF text = {0};
    if (!sg_hsm_data_key_open(hsm, SG_HSM_HOLD, row->id, row->wrapped_key, &key, err) ||
        !sg_aead_open(&key, sg_bytes_str(row->id), row->original, &text, err))
        return false;
    json_t *o = json_loadb((const char *)text.data, text.len, 0, NULL), *r;
    if (!o)
        return sg_fail(err, SG_E_INTERNAL, "notice %s is not the JSON that was written", row->id);
    json_t *list = json_object_get(o, "recipients");
    *content_r = (struct sg_notice_content){
        .kind = text_get(arena, o, "kind"),
        .codes = text_get(arena, o, "codes"),
        .to = text_get(arena, o, "to"),
        .from = text_get(arena, o, "from"),
        .date = text_get(arena, o, "date"),
        .subject = text_get(arena, o, "subject"),
        .arrival = text_get(arena, o, "arrival"),
        .hours = (int)json_integer_value(json_object_get(o, "hours")),
        .recipients = SG_ARENA_ARRAY(arena, struct sg_notice_recipient, json_array_size(list) + 1),
        .recipient_count = json_array_size(list),
    };
    size_t i;
    json_array_foreach(list, i, r)
    {
        content_r->recipients[i] =
            (struct sg_notice_recipient){text_get(arena, r, "address"),
                                         text_get(arena, r, "status"), text_get(arena, r, "text")};
    }
    json_decref(o);
    return true;
}
