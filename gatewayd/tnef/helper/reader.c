#include "tnefreader/reader.h"

#include "tnefreader/cursor.h"
#include "tnefreader/lzfu.h"
#include "tnefreader/properties.h"

#define SIGNATURE        0x223e9f78
#define LEVEL_MESSAGE    1
#define LEVEL_ATTACHMENT 2
#define GUID_BYTES       16

enum attribute_id {
    ATT_SUBJECT = 0x8004,
    ATT_BODY = 0x800c,
    ATT_ATTACH_DATA = 0x800f,
    ATT_ATTACH_TITLE = 0x8010,
    ATT_ATTACH_RENDERING = 0x9002,
    ATT_PROPERTIES = 0x9003,
    ATT_ATTACH_PROPERTIES = 0x9005,
    ATT_OEM_CODEPAGE = 0x9007
};

enum property_id {
    PR_SUBJECT = 0x0037,
    PR_NORMALIZED_SUBJECT = 0x0e1d,
    PR_BODY = 0x1000,
    PR_RTF_COMPRESSED = 0x1009,
    PR_HTML = 0x1013,
    PR_DISPLAY_NAME = 0x3001,
    PR_ATTACH_DATA = 0x3701,
    PR_ATTACH_FILENAME = 0x3704,
    PR_ATTACH_LONG_FILENAME = 0x3707,
    PR_ATTACH_MIME_TAG = 0x370e,
    PR_CONTACT_FIRST = 0x3a00, /* names, addresses, numbers of a contact */
    PR_CONTACT_LAST = 0x3aff,
    PR_INTERNET_CPID = 0x3fde,
    PR_MESSAGE_CODEPAGE = 0x3ffd,
    PR_NAMED_FIRST = 0x8000
};

struct attribute {
    uint8_t level;
    uint16_t id;
    struct sg_bytes data;
};

/* A name in the code page in which it is written; the better one stays. */
struct name {
    struct sg_bytes bytes;
    unsigned codepage;
    int rank;
};

struct message {
    const struct sg_tnef_sink *sink;
    unsigned depth, max_depth;
    bool attachments;
    unsigned codepage;      /* of strings */
    unsigned html_codepage; /* of an HTML body in bytes */
    bool codepage_said;
    struct {
        struct name name, type;
        struct sg_bytes data;
        bool any, has_data;
    } attachment;
};

static void read_message(struct sg_bytes stream, const struct message *like);

static void damage(const struct message *m, enum sg_tnef_damage damage)
{
    m->sink->damage(m->sink->ctx, damage);
}

/* Without the zeros that end it. */
static struct sg_bytes text_of(struct sg_bytes bytes, unsigned codepage)
{
    size_t unit = codepage == SG_TNEF_UTF16 ? 2 : 1;
    while (bytes.len >= unit && bytes.data[bytes.len - 1] == 0 && bytes.data[bytes.len - unit] == 0)
        bytes.len -= unit;
    return bytes;
}

static void part(const struct message *m, enum sg_tnef_kind kind, unsigned codepage,
                 struct sg_bytes bytes)
{
    bytes = text_of(bytes, codepage);
    if (!bytes.len)
        return;
    m->sink->begin(m->sink->ctx, kind, m->depth, codepage);
    m->sink->data(m->sink->ctx, bytes);
}

static void rtf(const struct message *m, struct sg_bytes compressed)
{
    m->sink->begin(m->sink->ctx, SG_TNEF_RTF, m->depth, 0);
    enum sg_tnef_damage d = sg_lzfu_read(compressed, m->sink);
    if (d != SG_TNEF_WHOLE)
        damage(m, d);
}

static void attachment_end(struct message *m)
{
    const struct sg_tnef_sink *sink = m->sink;
    if (m->attachment.any && m->attachments) {
        sink->begin(sink->ctx, SG_TNEF_ATTACHMENT, m->depth, 0);
        sink->name(sink->ctx, m->attachment.name.codepage,
                   text_of(m->attachment.name.bytes, m->attachment.name.codepage));
        sink->type(sink->ctx, m->attachment.type.codepage,
                   text_of(m->attachment.type.bytes, m->attachment.type.codepage));
        sink->data(sink->ctx, m->attachment.data);
    }
    memset(&m->attachment, 0, sizeof m->attachment);
}

static void attachment_name(struct message *m, int rank, unsigned codepage, struct sg_bytes bytes)
{
    m->attachment.any = true;
    if (rank > m->attachment.name.rank)
        m->attachment.name = (struct name){bytes, codepage, rank};
}

/* A second one is a file of its own. */
static void attachment_data(struct message *m, struct sg_bytes data)
{
    if (m->attachment.has_data) {
        struct name name = m->attachment.name;
        attachment_end(m);
        m->attachment.name = name;
    }
    m->attachment.any = m->attachment.has_data = true;
    m->attachment.data = data;
}

/* An object begins with the GUID of its interface: IID_IMessage is a message, as TNEF of its own.
 */
static void attachment_object(struct message *m, struct sg_bytes object)
{
    static const uint8_t message[GUID_BYTES] = {0x07, 0x03, 0x02, 0, 0, 0, 0, 0,
                                                0xc0, 0,    0,    0, 0, 0, 0, 0x46};
    struct sg_bytes content = sg_bytes_slice(object, GUID_BYTES, object.len);
    if (object.len < GUID_BYTES || memcmp(object.data, message, GUID_BYTES) != 0) {
        attachment_data(m, content);
        return;
    }
    if (m->depth == m->max_depth) {
        damage(m, SG_TNEF_TOO_DEEP);
        return;
    }
    struct message inner = *m;
    inner.depth++;
    read_message(content, &inner);
}

/* 0: it is no text. */
static unsigned string_codepage(const struct message *m, const struct sg_mapi_value *v)
{
    return v->type == SG_MAPI_UNICODE   ? SG_TNEF_UTF16
           : v->type == SG_MAPI_STRING8 ? m->codepage
                                        : 0;
}

static bool number_of(const struct sg_mapi_value *v, unsigned *n_r)
{
    struct sg_bytes at = v->bytes;
    uint32_t n;
    if (v->type != SG_MAPI_INTEGER32 || !cursor_u32(&at, &n))
        return false;
    *n_r = n;
    return true;
}

/* Fields that forms show have names of their own; those that are header fields are not shown. */
static bool is_shown(const struct sg_mapi_value *v)
{
    static const uint8_t internet_headers[GUID_BYTES] = {0x86, 0x03, 0x02, 0, 0, 0, 0, 0,
                                                         0xc0, 0,    0,    0, 0, 0, 0, 0x46};
    if (v->id >= PR_NAMED_FIRST)
        return memcmp(v->set, internet_headers, GUID_BYTES) != 0;
    return v->id == PR_DISPLAY_NAME || (v->id >= PR_CONTACT_FIRST && v->id <= PR_CONTACT_LAST);
}

static void message_value(const struct message *m, const struct sg_mapi_value *v)
{
    unsigned codepage = string_codepage(m, v);
    switch (v->id) {
    case PR_SUBJECT:
    case PR_NORMALIZED_SUBJECT:
        if (codepage)
            part(m, SG_TNEF_SUBJECT, codepage, v->bytes);
        return;
    case PR_BODY:
        if (codepage)
            part(m, SG_TNEF_TEXT, codepage, v->bytes);
        return;
    case PR_HTML:
        if (v->type == SG_MAPI_BINARY)
            part(m, SG_TNEF_HTML, m->html_codepage, v->bytes);
        else if (codepage)
            part(m, SG_TNEF_HTML, codepage, v->bytes);
        return;
    case PR_RTF_COMPRESSED:
        if (v->type == SG_MAPI_BINARY && v->bytes.len)
            rtf(m, v->bytes);
        return;
    default:
        if (codepage && is_shown(v))
            part(m, SG_TNEF_TEXT, codepage, v->bytes);
        return;
    }
}

static void attachment_value(struct message *m, const struct sg_mapi_value *v)
{
    unsigned codepage = string_codepage(m, v);
    if (v->id == PR_ATTACH_DATA && v->type == SG_MAPI_OBJECT)
        attachment_object(m, v->bytes);
    else if (v->id == PR_ATTACH_DATA && v->type == SG_MAPI_BINARY)
        attachment_data(m, v->bytes);
    else if (v->id == PR_ATTACH_LONG_FILENAME && codepage)
        attachment_name(m, 4, codepage, v->bytes);
    else if (v->id == PR_ATTACH_FILENAME && codepage)
        attachment_name(m, 2, codepage, v->bytes);
    else if (v->id == PR_DISPLAY_NAME && codepage)
        attachment_name(m, 1, codepage, v->bytes);
    else if (v->id == PR_ATTACH_MIME_TAG && codepage)
        m->attachment.type = (struct name){v->bytes, codepage, 0};
}

/* Strings that are said to be UTF-16 while their type says bytes: a reader believes the type. */
static bool of_bytes(unsigned codepage)
{
    return codepage && codepage != SG_TNEF_UTF16 && codepage != SG_TNEF_UTF16 + 1;
}

/* Code pages first: they may stand behind what is written in them. */
static void message_properties(struct message *m, struct sg_bytes bytes)
{
    struct sg_mapi_list list;
    unsigned n;
    for (bool ok = sg_mapi_list_open(bytes, &list); ok && sg_mapi_list_next(&list);)
        if (list.value.id == PR_INTERNET_CPID && number_of(&list.value, &n))
            m->html_codepage = n;
        else if (list.value.id == PR_MESSAGE_CODEPAGE && !m->codepage_said &&
                 number_of(&list.value, &n) && of_bytes(n))
            m->codepage = n;
    for (bool ok = sg_mapi_list_open(bytes, &list); ok && sg_mapi_list_next(&list);)
        message_value(m, &list.value);
    if (list.broken)
        damage(m, SG_TNEF_BAD_PROPERTIES);
}

static void attachment_properties(struct message *m, struct sg_bytes bytes)
{
    struct sg_mapi_list list;
    for (bool ok = sg_mapi_list_open(bytes, &list); ok && sg_mapi_list_next(&list);)
        attachment_value(m, &list.value);
    if (list.broken)
        damage(m, SG_TNEF_BAD_PROPERTIES);
}

static void attribute(struct message *m, const struct attribute *a)
{
    switch (a->id) {
    case ATT_SUBJECT:
        part(m, SG_TNEF_SUBJECT, m->codepage, a->data);
        break;
    case ATT_BODY:
        part(m, SG_TNEF_TEXT, m->codepage, a->data);
        break;
    case ATT_PROPERTIES:
        message_properties(m, a->data);
        break;
    case ATT_ATTACH_RENDERING:
        attachment_end(m);
        break;
    case ATT_ATTACH_TITLE:
        attachment_name(m, 3, m->codepage, a->data);
        break;
    case ATT_ATTACH_DATA:
        attachment_data(m, a->data);
        break;
    case ATT_ATTACH_PROPERTIES:
        attachment_properties(m, a->data);
        break;
    default:
        break;
    }
}

static bool only_padding(struct sg_bytes bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.data[i] && bytes.data[i] != '\r' && bytes.data[i] != '\n')
            return false;
    return true;
}

/* The next attribute. false: there is none; *damage_r says whether there should be. */
static bool next(struct sg_bytes *at, struct attribute *a_r, enum sg_tnef_damage *damage_r)
{
    struct sg_bytes level;
    uint32_t id, len;
    uint16_t expected, sum = 0;
    *damage_r = SG_TNEF_WHOLE;
    if (only_padding(sg_bytes_slice(*at, 0, 9)) && only_padding(*at))
        return false;
    if (!cursor_bytes(at, 1, &level) || level.data[0] < LEVEL_MESSAGE ||
        level.data[0] > LEVEL_ATTACHMENT) {
        *damage_r = SG_TNEF_BAD_ATTRIBUTES;
        return false;
    }
    if (!cursor_u32(at, &id) || !cursor_u32(at, &len)) {
        *damage_r = SG_TNEF_TRUNCATED;
        return false;
    }
    *a_r = (struct attribute){.level = level.data[0], .id = (uint16_t)id};
    if (!cursor_bytes(at, len, &a_r->data) || !cursor_u16(at, &expected)) {
        a_r->data = a_r->data.data ? a_r->data : *at;
        *at = sg_bytes_slice(*at, at->len, 0);
        *damage_r = SG_TNEF_TRUNCATED;
        return true;
    }
    for (size_t i = 0; i < len; i++)
        sum = (uint16_t)(sum + a_r->data.data[i]);
    if (sum != expected)
        *damage_r = SG_TNEF_BAD_CHECKSUM;
    return true;
}

/* attOemCodepage: its first number is the code page of all strings. */
static unsigned oem_codepage(struct sg_bytes at)
{
    struct attribute a;
    enum sg_tnef_damage ignored;
    uint32_t n;
    while (next(&at, &a, &ignored))
        if (a.id == ATT_OEM_CODEPAGE && cursor_u32(&a.data, &n))
            return n;
    return 0;
}

/* like: what it has of depth and wishes. */
static void read_message(struct sg_bytes stream, const struct message *like)
{
    struct message m = {.sink = like->sink,
                        .depth = like->depth,
                        .max_depth = like->max_depth,
                        .attachments = like->attachments};
    struct sg_bytes at = stream;
    struct attribute a;
    enum sg_tnef_damage d;
    uint32_t signature;
    uint16_t key;
    if (!cursor_u32(&at, &signature) || signature != SIGNATURE || !cursor_u16(&at, &key)) {
        damage(&m, SG_TNEF_NOT_TNEF);
        return;
    }
    unsigned codepage = oem_codepage(at);
    m.codepage_said = of_bytes(codepage);
    m.codepage = m.html_codepage = m.codepage_said ? codepage : SG_TNEF_ANSI;
    while (next(&at, &a, &d)) {
        if (d != SG_TNEF_WHOLE)
            damage(&m, d);
        attribute(&m, &a);
    }
    if (d != SG_TNEF_WHOLE)
        damage(&m, d);
    attachment_end(&m);
}

void sg_tnef_reader(struct sg_bytes stream, unsigned max_depth, bool attachments,
                    const struct sg_tnef_sink *sink)
{
    struct message outermost = {.sink = sink, .max_depth = max_depth, .attachments = attachments};
    read_message(stream, &outermost);
}
