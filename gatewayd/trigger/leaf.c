#include "trigger/trigger_internal.h"

#include <stdlib.h>

#define PIECE    8192
#define MAX_WAYS 8 /* at the same time, of all that is within each other */

enum reading { READ_TEXT, READ_MESSAGE, READ_OBJECT };

/* One way to read the body: its octets through a transfer encoding, taken for something. */
struct stream {
    struct sg_transfer_decoder transfer;
    enum reading reading;
    bool perhaps; /* there may be nothing of the kind in it */
    struct sg_text *text;
    struct sg_text *undecoded; /* for readers that show what they cannot decode; NULL */
    struct sg_walk *walk;
    struct sg_object *object;
};

struct sg_leaf {
    struct sg_scan *scan;
    const char *where;
    struct sg_blind *blind;
    size_t stream_count;
    struct stream streams[3 * SG_ENTITY_WAYS * SG_ENTITY_WAYS]; /* at most three for a way */
};

static bool begins(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

static bool is_one_of(const char *type, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(type, *list) == 0)
            return true;
    return false;
}

/* How text of a type is shown: SG_TEXT_…; 0: no text. */
static unsigned forms_of(const char *type)
{
    static const char *const html[] = {"text/html", "application/xhtml+xml", NULL};
    static const char *const enriched[] = {"text/enriched", "text/richtext", NULL};
    static const char *const escaped[] = {"text/calendar", "text/vcard", "text/x-vcard",
                                          "text/directory", NULL};
    static const char *const plain[] = {"text/plain",
                                        "message/delivery-status",
                                        "message/disposition-notification",
                                        "message/global-delivery-status",
                                        "message/global-disposition-notification",
                                        "message/feedback-report",
                                        NULL};
    if (is_one_of(type, html))
        return SG_TEXT_HTML;
    if (is_one_of(type, enriched))
        return SG_TEXT_PLAIN | SG_TEXT_ENRICHED;
    if (is_one_of(type, plain))
        return SG_TEXT_PLAIN;
    if (is_one_of(type, escaped))
        return SG_TEXT_PLAIN | SG_TEXT_HTML | SG_TEXT_ESCAPED;
    if (begins(type, "text/") || begins(type, "message/") || strcmp(type, "application/xml") == 0)
        return SG_TEXT_PLAIN | SG_TEXT_HTML;
    return 0;
}

bool sg_leaf_is_message(const char *type)
{
    static const char *const messages[] = {"message/rfc822",         "message/global",
                                           "message/news",           "text/rfc822-headers",
                                           "message/global-headers", NULL};
    return is_one_of(type, messages);
}

static bool ends(const char *s, const char *ending)
{
    size_t len = strlen(s), n = strlen(ending);
    return len >= n && strcasecmp(s + len - n, ending) == 0;
}

/* RTF, TNEF or S/MIME? */
static bool is_object(const char *type, const char *name, enum sg_object_kind *kind_r)
{
    static const char *const rtf[] = {"application/rtf", "application/x-rtf", "text/rtf",
                                      "text/richtext", NULL};
    static const char *const tnef[] = {"application/ms-tnef", "application/vnd.ms-tnef", NULL};
    static const char *const cms[] = {"application/pkcs7-mime", "application/x-pkcs7-mime", NULL};
    bool untyped = strcmp(type, "application/octet-stream") == 0;
    bool is_tnef = is_one_of(type, tnef) || strcasecmp(name, "winmail.dat") == 0 ||
                   (untyped && strcasecmp(name, "win.dat") == 0);
    bool is_cms = is_one_of(type, cms) || (untyped && ends(name, ".p7m"));
    *kind_r = is_tnef ? SG_OBJECT_TNEF : is_cms ? SG_OBJECT_CMS : SG_OBJECT_RTF;
    return is_tnef || is_cms || is_one_of(type, rtf);
}

/* What an attachment without a type of its own is, by the name that it has. */
static const char *type_by_name(const char *type, const char *name)
{
    static const struct {
        const char *ending, *type;
    } endings[] = {
        {".txt", "text/plain"},    {".text", "text/plain"}, {".asc", "text/plain"},
        {".log", "text/plain"},    {".csv", "text/csv"},    {".md", "text/markdown"},
        {".htm", "text/html"},     {".html", "text/html"},  {".xhtml", "text/html"},
        {".xml", "text/xml"},      {".rtf", "text/rtf"},    {".eml", "message/rfc822"},
        {".ics", "text/calendar"}, {".vcf", "text/vcard"},
    };
    if (strcmp(type, "application/octet-stream") != 0)
        return type;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (ends(name, endings[i].ending))
            return endings[i].type;
    return type;
}

/* NULL: messages within each other, each readable in several ways, would cost more and more. */
static struct stream *stream_add(struct sg_leaf *l, enum sg_transfer transfer, enum reading reading)
{
    if (l->scan->ways == MAX_WAYS) {
        sg_report_limit(l->scan, l->where, "more ways to read it than are tried");
        return NULL;
    }
    struct stream *s = &l->streams[l->stream_count++];
    l->scan->ways++;
    s->transfer.kind = transfer;
    s->reading = reading;
    return s;
}

static bool nests_too_deeply(struct sg_leaf *l)
{
    if (l->scan->depth < l->scan->options->limits.max_depth)
        return false;
    sg_report_limit(l->scan, l->where, "nests too deeply");
    return true;
}

static struct sg_text *text_new(unsigned forms, const char *charset)
{
    struct sg_text *text = malloc(sizeof *text);
    if (!text)
        abort();
    sg_text_begin(text, forms, charset);
    return text;
}

static void text_begin(struct sg_leaf *l, enum sg_transfer transfer, unsigned forms,
                       const char *charset)
{
    struct stream *s = stream_add(l, transfer, READ_TEXT);
    if (!s)
        return;
    s->text = text_new(forms, charset);
    if (transfer == SG_TRANSFER_BASE64 || transfer == SG_TRANSFER_UUENCODE)
        s->undecoded = text_new(forms, NULL);
}

/* Files that stand in the text itself. */
static void uuencoded_begin(struct sg_leaf *l)
{
    struct stream *s = stream_add(l, SG_TRANSFER_UUENCODE, READ_TEXT);
    if (!s)
        return;
    s->text = text_new(SG_TEXT_PLAIN | SG_TEXT_HTML, NULL);
    s->perhaps = true;
}

static void message_begin(struct sg_leaf *l, enum sg_transfer transfer)
{
    struct stream *s = stream_add(l, transfer, READ_MESSAGE);
    if (s)
        s->walk = sg_walk_new(l->scan, l->where);
}

/* What a type and a name make of a body. */
struct meaning {
    bool object, message, uuencoded;
    enum sg_object_kind kind; /* of the object */
    unsigned forms;           /* of the text; 0: none */
    const char *charset;      /* NULL: none is named */
};

/* All that is text in some way is read as text too, whatever else it is. */
static struct meaning meaning_of(const struct sg_scan *scan, const struct sg_content_type *type,
                                 const char *name)
{
    struct meaning m = {0};
    bool attachments = scan->options->attachments;
    const char *what = type_by_name(type->type, attachments ? name : "");
    m.object = is_object(what, name, &m.kind);
    m.message = sg_leaf_is_message(what);
    m.forms = m.message ? 0 : forms_of(what);
    m.charset = m.forms ? sg_content_type_parameter(type, "charset") : NULL;
    m.uuencoded = attachments && strcmp(what, "text/plain") == 0;
    return m;
}

static bool same_meaning(const struct meaning *a, const struct meaning *b)
{
    return a->object == b->object && a->message == b->message && a->uuencoded == b->uuencoded &&
           (!a->object || a->kind == b->kind) && a->forms == b->forms &&
           strcasecmp(a->charset ? a->charset : "", b->charset ? b->charset : "") == 0;
}

static bool same_octets(enum sg_transfer a, enum sg_transfer b)
{
    bool plain_a = a == SG_TRANSFER_IDENTITY || a == SG_TRANSFER_UNKNOWN;
    bool plain_b = b == SG_TRANSFER_IDENTITY || b == SG_TRANSFER_UNKNOWN;
    return a == b || (plain_a && plain_b);
}

/* One way to read it. */
static void way_begin(struct sg_leaf *l, enum sg_transfer transfer, const struct meaning *m)
{
    if (m->object && !nests_too_deeply(l)) {
        struct stream *s = stream_add(l, transfer, READ_OBJECT);
        if (s)
            s->object = sg_object_new(l->scan, m->kind, l->where);
    }
    if (m->message) {
        if (nests_too_deeply(l))
            return;
        message_begin(l, transfer);
        /* It may not be encoded so (RFC 2046 §5.2.1), and not everybody decodes it. */
        if (transfer == SG_TRANSFER_BASE64 || transfer == SG_TRANSFER_UUENCODE)
            message_begin(l, SG_TRANSFER_IDENTITY);
    } else if (m->forms) {
        text_begin(l, transfer, m->forms, m->charset);
        if (m->uuencoded)
            uuencoded_begin(l);
    }
}

/* All ways to read it, each once: fields that say the same again add none. */
static void ways_begin(struct sg_leaf *l, const struct sg_entity *entity)
{
    struct meaning meanings[SG_ENTITY_WAYS];
    enum sg_transfer transfers[SG_ENTITY_WAYS];
    size_t meaning_count = 0, transfer_count = 0;
    for (size_t i = 0, n; i < entity->type_count; i++) {
        meanings[meaning_count] = meaning_of(l->scan, &entity->types[i], entity->name);
        for (n = 0; n < meaning_count && !same_meaning(&meanings[n], &meanings[meaning_count]); n++)
            ;
        meaning_count += n == meaning_count;
    }
    for (size_t i = 0, n; i < entity->transfer_count; i++) {
        transfers[transfer_count] = entity->transfers[i];
        for (n = 0; n < transfer_count && !same_octets(transfers[n], entity->transfers[i]); n++)
            ;
        transfer_count += n == transfer_count;
    }
    for (size_t t = 0; t < transfer_count; t++)
        for (size_t i = 0; i < meaning_count; i++)
            way_begin(l, transfers[t], &meanings[i]);
}

/* Is this entity something that is not read: an attachment where these do not count? */
static bool passed_over(const struct sg_scan *scan, const struct sg_entity *entity,
                        const struct sg_leaf_context *context)
{
    if (context->doubtful || context->body || scan->options->attachments)
        return false;
    /* A mail client shows the content of these in the place of the message, or next to it. */
    enum sg_object_kind kind;
    const char *type = entity->types[0].type;
    if (is_object(type, entity->name, &kind) && kind != SG_OBJECT_RTF)
        return false;
    return entity->attachment && !sg_leaf_is_message(type);
}

struct sg_leaf *sg_leaf_new(struct sg_scan *scan, const struct sg_entity *entity,
                            const struct sg_leaf_context *context)
{
    struct sg_leaf *l = calloc(1, sizeof *l);
    if (!l)
        abort();
    l->scan = scan;
    l->where = context->where;
    if (context->blind || passed_over(scan, entity, context))
        return l;
    if (strcmp(entity->types[0].type, "message/partial") == 0)
        sg_report_undecodable(scan, l->where, "a piece of a message whose others are elsewhere");
    for (size_t t = 0; t < entity->transfer_count; t++)
        if (entity->transfers[t] == SG_TRANSFER_UNKNOWN)
            sg_report_undecodable(scan, l->where, "unknown Content-Transfer-Encoding");
    ways_begin(l, entity);
    return l;
}

static void text_push(struct sg_leaf *l, struct stream *s, const uint8_t *data, size_t len)
{
    uint64_t max = l->scan->options->limits.max_text_bytes;
    uint64_t left = max - l->scan->text_bytes;
    if (len > left) {
        sg_report_limit(l->scan, l->where, "more text than is read");
        len = (size_t)left;
    }
    l->scan->text_bytes += len;
    sg_text_push(s->text, data, len);
}

static void stream_push(struct sg_leaf *l, struct stream *s, const uint8_t *data, size_t len)
{
    if (!sg_scan_goes_on(l->scan, len, l->where))
        return;
    if (s->reading == READ_TEXT)
        text_push(l, s, data, len);
    else if (s->reading == READ_MESSAGE)
        sg_walk_push(s->walk, data, len);
    else
        sg_object_push(s->object, data, len);
}

void sg_leaf_push(struct sg_leaf *l, const uint8_t *data, size_t len)
{
    uint8_t out[PIECE + SG_TRANSFER_ROOM];
    if (l->blind)
        sg_blind_push(l->blind, data, len);
    for (size_t i = 0; i < l->stream_count; i++) {
        struct stream *s = &l->streams[i];
        if (s->transfer.kind == SG_TRANSFER_IDENTITY || s->transfer.kind == SG_TRANSFER_UNKNOWN) {
            stream_push(l, s, data, len);
            continue;
        }
        if (s->undecoded)
            sg_text_push(s->undecoded, data, len);
        for (size_t at = 0; at < len; at += PIECE) {
            size_t n = len - at < PIECE ? len - at : PIECE;
            stream_push(l, s, out, sg_transfer_decode(&s->transfer, data + at, n, out));
        }
    }
}

void sg_leaf_doubt(struct sg_leaf *l, struct sg_bytes octets)
{
    if (!l->blind)
        l->blind = sg_blind_new(l->scan);
    sg_blind_push(l->blind, octets.data, octets.len);
}

static void text_end(struct sg_leaf *l, struct stream *s, bool broken)
{
    sg_report_words(l->scan, sg_text_end(s->text), l->where);
    if (s->text->trouble)
        sg_report_undecodable(l->scan, l->where, s->text->trouble);
    if (s->undecoded) {
        unsigned words = sg_text_end(s->undecoded);
        sg_report_words(l->scan, broken ? words : 0, l->where);
    }
    free(s->undecoded);
    free(s->text);
}

/* What is only read now, at the end, may hold more of the same: it is within this way still. */
static void stream_end(struct sg_leaf *l, struct stream *s)
{
    uint8_t out[SG_TRANSFER_ROOM];
    stream_push(l, s, out, sg_transfer_end(&s->transfer, out));
    bool broken = s->transfer.broken && !s->perhaps;
    if (broken)
        sg_report_undecodable(l->scan, l->where, "broken transfer encoding");
    if (s->reading == READ_MESSAGE)
        sg_walk_end(&s->walk);
    else if (s->reading == READ_OBJECT)
        sg_object_end(&s->object);
    else
        text_end(l, s, broken);
    l->scan->ways--;
}

void sg_leaf_end(struct sg_leaf **leaf)
{
    struct sg_leaf *l = *leaf;
    if (!l)
        return;
    for (size_t i = 0; i < l->stream_count; i++)
        stream_end(l, &l->streams[i]);
    sg_report_words(l->scan, sg_blind_end(&l->blind), l->where);
    free(l);
    *leaf = NULL;
}
