#include "mail/mail_internal.h"

#include "common/log.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ATTEMPTS 30 /* about four hours with the usual pauses */

/* Writing -------------------------------------------------------------------------------------- */

static json_t *base64(struct sg_arena *arena, struct sg_bytes data)
{
    unsigned char *out = sg_arena_alloc(arena, 4 * (data.len / 3 + 1) + 1);
    EVP_EncodeBlock(out, data.data, (int)data.len);
    return json_string((const char *)out);
}

static json_t *payload_of(struct sg_arena *arena, const struct sg_mail *mail)
{
    json_t *to = json_array(), *attachments = json_array();
    for (size_t i = 0; i < mail->to_count; i++)
        json_array_append_new(to, json_string(mail->to[i]));
    for (size_t i = 0; i < mail->attachment_count; i++) {
        const struct sg_mail_attachment *a = &mail->attachments[i];
        json_array_append_new(attachments, json_pack("{s:s, s:s, s:o}", "name", a->name, "type",
                                                     a->type, "data", base64(arena, a->data)));
    }
    return json_pack("{s:o, s:s, s:s, s:o}", "to", to, "subject", mail->subject, "text", mail->text,
                     "attachments", attachments);
}

bool sg_mail_queue(struct sg_tx *tx, const char *tenant_id, const struct sg_mail *mail,
                   const char *once, bool *made_r, struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    size_t bytes = strlen(mail->text);
    for (size_t i = 0; i < mail->attachment_count; i++)
        bytes += mail->attachments[i].data.len;
    if (bytes > SG_MAIL_BYTES_MAX)
        return sg_fail(err, SG_E_LIMIT, "a mail of %zu bytes, at most %d", bytes,
                       SG_MAIL_BYTES_MAX);
    json_t *payload = payload_of(arena, mail);
    char *text = payload ? json_dumps(payload, JSON_COMPACT) : NULL;
    json_decref(payload);
    if (!text)
        return sg_fail(err, SG_E_INVALID, "a mail that is not UTF-8");
    struct sg_job_new job = {.tenant_id = tenant_id,
                             .kind = "mail.send",
                             .payload_json = text,
                             .max_attempts = MAX_ATTEMPTS,
                             .priority = SG_JOB_NORMAL,
                             .unique_key =
                                 once ? sg_arena_printf(arena, "mail.send:%s", once) : NULL,
                             .once = once != NULL};
    bool ok = sg_job_insert(tx, &job, made_r, err);
    free(text);
    return ok;
}

/* Reading and sending -------------------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static bool attachment_read(struct sg_arena *arena, const json_t *item,
                            struct sg_mail_attachment *a, struct sg_error *err)
{
    const char *data = text_of(item, "data");
    size_t len = strlen(data), padding = 0;
    unsigned char *out = sg_arena_alloc(arena, len / 4 * 3 + 1);
    while (padding < 2 && len > padding && data[len - 1 - padding] == '=')
        padding++;
    int n = len % 4 == 0 ? EVP_DecodeBlock(out, (const unsigned char *)data, (int)len) : -1;
    if (n < 0)
        return sg_fail(err, SG_E_INVALID, "an attachment that is not base64");
    *a = (struct sg_mail_attachment){.name = text_of(item, "name"),
                                     .type = text_of(item, "type"),
                                     .data = sg_bytes_of(out, (size_t)n - padding)};
    return true;
}

static bool mail_read(struct sg_job *job, struct sg_mail *mail, struct sg_error *err)
{
    json_t *to = json_object_get(job->payload, "to"),
           *attachments = json_object_get(job->payload, "attachments");
    size_t count = json_array_size(attachments);
    const char **names = SG_ARENA_ARRAY(job->arena, const char *, json_array_size(to) + 1);
    struct sg_mail_attachment *list =
        SG_ARENA_ARRAY(job->arena, struct sg_mail_attachment, count + 1);
    for (size_t i = 0; i < json_array_size(to); i++) {
        const char *name = json_string_value(json_array_get(to, i));
        names[i] = name ? name : "";
    }
    for (size_t i = 0; i < count; i++)
        if (!attachment_read(job->arena, json_array_get(attachments, i), &list[i], err))
            return false;
    *mail = (struct sg_mail){.to = names,
                             .to_count = json_array_size(to),
                             .subject = text_of(job->payload, "subject"),
                             .text = text_of(job->payload, "text"),
                             .attachments = list,
                             .attachment_count = count,
                             .message_id = job->row->id};
    return true;
}

static bool send_job(struct sg_job *job, struct sg_error *err)
{
    struct sg_mail mail;
    if (!mail_read(job, &mail, err) || !sg_mail_send(job->ctx, &mail, err))
        return false;
    json_t *result = json_pack("{s:I}", "recipients", (json_int_t)mail.to_count);
    bool ok = sg_job_commit(job, NULL, NULL, &result, err);
    json_decref(result);
    return ok;
}

const struct sg_job_kind sg_mail_kinds[] = {
    {"mail.send", send_job, NULL},
    {NULL, NULL, NULL},
};
