#include "trigger/trigger_internal.h"

#include "rtf/rtf.h"
#include "smime/smime.h"
#include "tnef/tnef.h"

#include <stdlib.h>

/* Bodies that are neither text nor a message, but hold some: RTF, TNEF, S/MIME. */

struct sg_object {
    struct sg_scan *scan;
    enum sg_object_kind kind;
    const char *where;
    /* RTF */
    struct sg_rtf *rtf;
    struct sg_words words[SG_RTF_VIEWS];
    struct sg_html *html;
    /* TNEF */
    struct sg_buf tnef;
    /* S/MIME */
    struct sg_spool *cms;
    bool too_large;
};

/* What is read at its end begins anew: is there time left? */
static bool object_goes_on(const struct sg_object *o)
{
    (void)sg_budget_left(o->scan->options->budget);
    return sg_scan_goes_on(o->scan, 0, o->where);
}

/* RTF ------------------------------------------------------------------------------------------ */

static void rtf_out(void *ctx, enum sg_rtf_view view, struct sg_bytes utf8)
{
    struct sg_object *o = ctx;
    sg_words_push(&o->words[view], utf8.data, utf8.len);
    if (view == SG_RTF_HTML)
        sg_html_push(o->html, utf8.data, utf8.len);
}

static void rtf_end(struct sg_object *o)
{
    struct sg_rtf_result result;
    sg_rtf_end(o->rtf, &result);
    unsigned words = sg_html_end(o->html);
    for (size_t i = 0; i < SG_RTF_VIEWS; i++)
        words |= o->words[i].found;
    sg_report_words(o->scan, words, o->where);
    if (result.lost)
        sg_report_undecodable(o->scan, o->where, "text of the RTF may be missing");
    sg_rtf_free(&o->rtf);
    free(o->html);
}

/* TNEF ----------------------------------------------------------------------------------------- */

static const char *tnef_type(const struct sg_tnef_part *part)
{
    switch (part->kind) {
    case SG_TNEF_HTML:
        return "text/html";
    case SG_TNEF_RTF:
        return "application/rtf";
    case SG_TNEF_ATTACHMENT:
        return *part->type ? part->type : "application/octet-stream";
    default:
        return "text/plain";
    }
}

/* A part of it, as if it were one of a multipart. */
static void tnef_part_read(struct sg_object *o, const struct sg_tnef_part *part)
{
    struct sg_parameter charset = {"charset", part->charset};
    struct sg_entity entity = {
        .types = {{.type = tnef_type(part),
                   .parameters = &charset,
                   .parameter_count = part->charset != NULL}},
        .type_count = 1,
        .transfers = {SG_TRANSFER_IDENTITY},
        .transfer_count = 1,
        .attachment = part->kind == SG_TNEF_ATTACHMENT,
        .name = part->name ? part->name : "",
    };
    struct sg_leaf_context context = {.where = o->where};
    if (o->scan->options->attachments)
        sg_field_scan(o->scan, sg_bytes_str(entity.name), o->where);
    struct sg_leaf *leaf = sg_leaf_new(o->scan, &entity, &context);
    sg_leaf_push(leaf, part->bytes.data, part->bytes.len);
    sg_leaf_end(&leaf);
}

/* What is wrong with the stream, or what it did to its reader, is a fact of the message, and the
 * same at the next try; that no helper could be started, or none was free in time, is our own
 * trouble. */
static void tnef_failed(struct sg_object *o, const struct sg_error *why)
{
    if (why->code == SG_E_MALFORMED || why->code == SG_E_LIMIT)
        sg_report_undecodable(o->scan, o->where, sg_arena_strdup(o->scan->arena, why->detail));
    else
        sg_report_failure(o->scan, why);
}

static void tnef_read(struct sg_object *o)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_tnef_content content;
    struct sg_error why;
    bool ok = sg_tnef_read(o->scan->options->tnef, sg_buf_bytes(&o->tnef),
                           o->scan->options->attachments, arena, &content, &why);
    sg_budget_charge(o->scan->options->budget, content.cpu_us);
    if (!ok) {
        tnef_failed(o, &why);
        return;
    }
    if (content.damage)
        sg_report_undecodable(o->scan, o->where, sg_arena_strdup(o->scan->arena, content.damage));
    o->scan->depth++;
    for (size_t i = 0; i < content.count; i++) {
        if (!object_goes_on(o))
            break;
        if (++o->scan->parts > o->scan->options->limits.max_parts) {
            sg_report_limit(o->scan, o->where, "too many parts");
            break;
        }
        tnef_part_read(o, &content.parts[i]);
    }
    o->scan->depth--;
}

static void tnef_end(struct sg_object *o)
{
    if (!o->scan->options->tnef)
        sg_report_undecodable(o->scan, o->where, "TNEF is not read");
    else if (o->tnef.overflown)
        sg_report_undecodable(o->scan, o->where, "larger than the limit");
    else if (!o->scan->failed && object_goes_on(o))
        tnef_read(o);
    sg_buf_free(&o->tnef);
}

/* S/MIME --------------------------------------------------------------------------------------- */

static bool walk_write(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    (void)err;
    sg_walk_push(ctx, data, len);
    return true;
}

static void cms_failed(struct sg_object *o, const struct sg_error *why)
{
    if (sg_error_class(why->code) == SG_CLASS_PERMANENT)
        sg_report_undecodable(o->scan, o->where, "the S/MIME object is malformed");
    else
        sg_report_failure(o->scan, why);
}

/* What an opaque signature holds is there for everybody to read. Whether it is good is a question
 * of its own, and asked elsewhere. */
static void cms_end(struct sg_object *o)
{
    struct sg_scan *scan = o->scan;
    struct sg_walk *walk = sg_walk_new(scan, o->where);
    const struct sg_sink sink = {walk_write, walk};
    enum sg_smime_object object;
    struct sg_error why;
    if (o->too_large)
        sg_report_undecodable(scan, o->where, "larger than the limit");
    else if (!object_goes_on(o))
        ;
    else if (!sg_smime_look(o->cms, scan->options->limits.max_cms_bytes, &sink, &object, &why))
        cms_failed(o, &why);
    else if (object == SG_SMIME_OBJECT_ENCRYPTED)
        scan->found->opaque = true;
    else if (object == SG_SMIME_OBJECT_OTHER)
        sg_report_undecodable(scan, o->where, "an S/MIME object of a kind that is not read");
    sg_walk_end(&walk);
    sg_spool_free(&o->cms);
}

static void cms_push(struct sg_object *o, const uint8_t *data, size_t len)
{
    struct sg_error err;
    if (o->too_large || o->scan->failed || sg_spool_write(o->cms, data, len, &err))
        return;
    o->too_large = err.code == SG_E_LIMIT;
    if (!o->too_large)
        sg_report_failure(o->scan, &err);
}

/* ---------------------------------------------------------------------------------------------- */

static void *zeroed(size_t size)
{
    void *p = calloc(1, size);
    if (!p)
        abort();
    return p;
}

struct sg_object *sg_object_new(struct sg_scan *scan, enum sg_object_kind kind, const char *where)
{
    struct sg_object *o = zeroed(sizeof *o);
    const struct sg_trigger_limits *limits = &scan->options->limits;
    o->scan = scan;
    o->kind = kind;
    o->where = where;
    if (kind == SG_OBJECT_RTF) {
        o->rtf = sg_rtf_new(limits->max_rtf_depth, rtf_out, o);
        o->html = zeroed(sizeof *o->html);
    } else if (kind == SG_OBJECT_TNEF) {
        sg_buf_init(&o->tnef, limits->max_tnef_bytes);
    } else {
        o->cms = sg_spool_new(&limits->spool);
        sg_spool_count(o->cms, scan->options->taken_out);
        if (!scan->found->smime_where)
            scan->found->smime_where = where;
    }
    return o;
}

void sg_object_push(struct sg_object *o, const uint8_t *data, size_t len)
{
    if (o->kind == SG_OBJECT_RTF)
        sg_rtf_push(o->rtf, sg_bytes_of(data, len));
    else if (o->kind == SG_OBJECT_TNEF)
        sg_buf_add(&o->tnef, data, len);
    else
        cms_push(o, data, len);
}

void sg_object_end(struct sg_object **object)
{
    struct sg_object *o = *object;
    if (o->kind == SG_OBJECT_RTF)
        rtf_end(o);
    else if (o->kind == SG_OBJECT_TNEF)
        tnef_end(o);
    else
        cms_end(o);
    free(o);
    *object = NULL;
}
