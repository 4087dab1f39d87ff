#include "pipeline/rewrite.h"

#include "pipeline/submission.h"
#include "pipeline/tags.h"

static bool name_starts(const struct sg_header *field, const char *prefix)
{
    size_t n = strlen(prefix);
    return field->name.len >= n && strncasecmp((const char *)field->name.data, prefix, n) == 0;
}

bool sg_rewrite_is_ours(const struct sg_header *field)
{
    return name_starts(field, SG_HEADER_PREFIX);
}

bool sg_rewrite_is_claim(const struct sg_header *field)
{
    return sg_bytes_iequal(field->name, SG_HEADER_SECURE) ||
           sg_bytes_iequal(field->name, SG_HEADER_SEEMAIL);
}

bool sg_rewrite_is_content(const struct sg_header *field)
{
    return name_starts(field, "Content-") || sg_bytes_iequal(field->name, "MIME-Version");
}

/* Names whom nobody but the sender may know of; in a sealed message it would stand in the open. */
static bool is_blind(const struct sg_header *field)
{
    return sg_bytes_iequal(field->name, "Bcc") || sg_bytes_iequal(field->name, "Resent-Bcc");
}

static void field_add(struct sg_buf *out, const struct sg_header *field)
{
    sg_buf_add(out, field->whole.data, field->whole.len);
    if (field->whole.len < 2 || field->whole.data[field->whole.len - 1] != '\n')
        sg_buf_adds(out, "\r\n"); /* the last line of a message without a body */
}

/* A field of mail that is not verified: a Subject loses tags that claim it is. true: it did. */
static bool untagged_add(const struct sg_message *m, const struct sg_header *field,
                         struct sg_buf *out)
{
    if (sg_bytes_iequal(field->name, "Subject") && sg_tags_strip(m->gw->subject_tags, field, out))
        return true;
    field_add(out, field);
    return false;
}

void sg_rewrite_entity(const struct sg_header_block *block, struct sg_buf *out)
{
    for (size_t i = 0; i < block->count; i++)
        if (sg_rewrite_is_content(&block->fields[i]))
            field_add(out, &block->fields[i]);
}

void sg_rewrite_plain_outbound(const struct sg_header_block *block, struct sg_buf *out)
{
    for (size_t i = 0; i < block->count; i++)
        if (!sg_bytes_iequal(block->fields[i].name, SG_SUBMISSION_HEADER))
            sg_buf_add(out, block->fields[i].whole.data, block->fields[i].whole.len);
}

/* Where a line that is no field ended the header, an empty line does it for all: some readers go on
 * behind that line, and would find fields there that we have not looked at. */
static void header_end(const struct sg_message *m, struct sg_buf *out)
{
    if (m->headers.body_offset == m->headers.raw.len &&
        sg_spool_size(m->body) > m->headers.body_offset)
        sg_buf_adds(out, "\r\n");
}

void sg_rewrite_plain_inbound(const struct sg_message *m, struct sg_buf *out, bool *changed_r)
{
    *changed_r = false;
    for (size_t i = 0; i < m->headers.count; i++) {
        const struct sg_header *f = &m->headers.fields[i];
        if (sg_rewrite_is_ours(f) || sg_rewrite_is_claim(f))
            *changed_r = true;
        else
            *changed_r |= untagged_add(m, f, out);
    }
    header_end(m, out);
}

/* REQ-100: when this gateway had it. */
static void trace_fields_add(const struct sg_message *m, struct sg_buf *out)
{
    char date[40];
    sg_time_rfc5322(m->now, date);
    sg_buf_addf(out, "Received: by %s (Sealgate) with LMTP id %s;\r\n\t%s\r\n", m->gw->hostname,
                m->msg_id, date);
}

void sg_rewrite_sealed(const struct sg_message *m, const char *environment,
                       struct sg_bytes content_fields, struct sg_buf *out)
{
    trace_fields_add(m, out);
    sg_buf_addf(out, SG_HEADER_PREFIX "Id: %s\r\n", m->msg_id);
    for (size_t i = 0; i < m->headers.count; i++) {
        const struct sg_header *f = &m->headers.fields[i];
        if (!sg_rewrite_is_content(f) && !sg_rewrite_is_claim(f) && !sg_rewrite_is_ours(f) &&
            !is_blind(f))
            field_add(out, f);
    }
    sg_buf_adds(out, SG_HEADER_SECURE ": 1.0\r\n"); /* REQ-60 */
    if (strcmp(environment, "seemail") == 0)
        sg_buf_adds(out, SG_HEADER_SEEMAIL ": 2.0\r\n"); /* REQ-61 */
    sg_buf_add(out, content_fields.data, content_fields.len);
}

/*
 * The outer fields with the inner entity's content fields where the outer's stood. Of the inner
 * fields only these count: a From or Subject inside is nobody's word.
 */
static void merge(const struct sg_message *m, const struct sg_header_block *inner, bool verified,
                  struct sg_buf *out)
{
    const struct sg_header_block *outer = &m->headers;
    bool inner_version = inner && sg_header_count(inner, "MIME-Version") > 0;
    bool placed = false;
    for (size_t i = 0; i < outer->count; i++) {
        const struct sg_header *f = &outer->fields[i];
        if (sg_rewrite_is_ours(f) || (!verified && sg_rewrite_is_claim(f)))
            continue;
        if (!inner || !sg_rewrite_is_content(f)) {
            if (verified)
                field_add(out, f);
            else
                untagged_add(m, f, out);
            continue;
        }
        bool version = sg_bytes_iequal(f->name, "MIME-Version");
        if (version && !inner_version)
            field_add(out, f);
        if (!version && !placed) {
            sg_rewrite_entity(inner, out);
            placed = true;
        }
    }
    if (inner && !placed)
        sg_rewrite_entity(inner, out);
}

void sg_rewrite_opened(const struct sg_message *m, const struct sg_header_block *inner,
                       const char *verdict, struct sg_buf *out)
{
    trace_fields_add(m, out);
    sg_buf_addf(out, SG_HEADER_PREFIX "Id: %s\r\n" SG_HEADER_PREFIX "Verdict: %s\r\n", m->msg_id,
                verdict);
    merge(m, inner, strncmp(verdict, "verified", 8) == 0, out);
}

void sg_rewrite_attached(const struct sg_message *m, const struct sg_header_block *inner,
                         struct sg_buf *out)
{
    merge(m, inner, false, out);
    if (!inner)
        header_end(m, out);
}

void sg_rewrite_warning(const struct sg_message *m, const char *code, const char *boundary,
                        struct sg_buf *out)
{
    trace_fields_add(m, out);
    sg_buf_addf(out,
                SG_HEADER_PREFIX "Id: %s\r\n" SG_HEADER_PREFIX "Verdict: unverified; code=%s\r\n",
                m->msg_id, code);
    for (size_t i = 0; i < m->headers.count; i++) {
        const struct sg_header *f = &m->headers.fields[i];
        if (!sg_rewrite_is_content(f) && !sg_rewrite_is_claim(f) && !sg_rewrite_is_ours(f))
            untagged_add(m, f, out);
    }
    sg_buf_addf(out, "MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n\tboundary=\"%s\"\r\n",
                boundary);
}
