/* The original's four fields, sealed for the outbox. */
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

bool sg_notice_seal(struct sg_hsm *hsm, const char *id, const struct sg_notice_original *original,
                    struct sg_buf *sealed, struct sg_buf *wrapped_key, struct sg_error *err)
{
    SG_AUTO_SECRET key = {0};
    json_t *o = json_object();
    text_set(o, "to", original->to);
    text_set(o, "from", original->from);
    text_set(o, "date", original->date);
    text_set(o, "subject", original->subject);
    char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    if (!text)
        return sg_fail(err, SG_E_INTERNAL, "notice cannot be written as JSON");
    bool ok = sg_hsm_data_key_make(hsm, SG_HSM_HOLD, id, &key, wrapped_key, err) &&
              sg_aead_seal(&key, sg_bytes_str(id), sg_bytes_str(text), sealed, err);
    free(text);
    return ok;
}

static const char *text_get(struct sg_arena *arena, const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return sg_arena_strdup(arena, s ? s : "");
}

bool sg_notice_open(struct sg_hsm *hsm, struct sg_arena *arena, const char *sealed_as,
                    struct sg_bytes sealed, struct sg_bytes wrapped_key,
                    struct sg_notice_original *original_r, struct sg_error *err)
{
    SG_AUTO_SECRET key = {0};
    SG_AUTO_BUF text = {0};
    if (!sg_hsm_data_key_open(hsm, SG_HSM_HOLD, sealed_as, wrapped_key, &key, err) ||
        !sg_aead_open(&key, sg_bytes_str(sealed_as), sealed, &text, err))
        return false;
    json_t *o = json_loadb((const char *)text.data, text.len, 0, NULL);
    if (!o)
        return sg_fail(err, SG_E_INTERNAL, "notice %s is not the JSON that was written", sealed_as);
    *original_r = (struct sg_notice_original){
        .to = text_get(arena, o, "to"),
        .from = text_get(arena, o, "from"),
        .date = text_get(arena, o, "date"),
        .subject = text_get(arena, o, "subject"),
    };
    json_decref(o);
    return true;
}
