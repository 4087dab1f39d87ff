#include "trigger/entity.h"

#include "mime/lex.h"

#include <ctype.h>

/* Fields --------------------------------------------------------------------------------------- */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* The field in a line with its continuations; false where it is none. */
static bool field_of(const uint8_t *p, const uint8_t *end, struct sg_header *field_r)
{
    size_t n = 0, len = (size_t)(end - p);
    while (n < len && p[n] > 0x20 && p[n] < 0x7f && p[n] != ':')
        n++;
    size_t colon = n;
    while (colon < len && is_blank(p[colon]))
        colon++;
    if (n == 0 || colon == len || p[colon] != ':')
        return false;
    const uint8_t *stop = end;
    while (stop > p + colon + 1 && (stop[-1] == '\n' || stop[-1] == '\r'))
        stop--;
    *field_r = (struct sg_header){sg_bytes_of(p, n),
                                  sg_bytes_of(p + colon + 1, (size_t)(stop - p) - colon - 1),
                                  sg_bytes_of(p, len)};
    return true;
}

bool sg_entity_fields(struct sg_arena *arena, struct sg_bytes raw, struct sg_header_block *block_r)
{
    bool clean = true;
    const uint8_t *p = raw.data, *end = p + raw.len;
    size_t lines = 1;
    for (size_t i = 0; i < raw.len; i++)
        lines += raw.data[i] == '\n';
    *block_r = (struct sg_header_block){.raw = raw};
    block_r->fields = SG_ARENA_ARRAY(arena, struct sg_header, lines);
    while (p < end) {
        const uint8_t *next = p;
        do {
            const uint8_t *lf = memchr(next, '\n', (size_t)(end - next));
            next = lf ? lf + 1 : end;
        } while (next < end && is_blank(*next));
        if (field_of(p, next, &block_r->fields[block_r->count]))
            block_r->count++;
        else if (!sg_lex_break(p, next))
            clean = false;
        p = next;
    }
    return clean;
}

/* Meaning -------------------------------------------------------------------------------------- */

/* Which octets a structured field has no use for, and which make readers go different ways. */
static bool has_control(struct sg_bytes value)
{
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.data[i];
        bool bare_cr = c == '\r' && (i + 1 == value.len || value.data[i + 1] != '\n');
        if ((c < ' ' && c != '\t' && c != '\r' && c != '\n') || c == 0x7f || bare_cr)
            return true;
    }
    return false;
}

/* How often a parameter stands in a field, its later pieces (RFC 2231 §3) not counted. */
static int times_named(struct sg_bytes value, const char *name)
{
    int times = 0;
    size_t len = strlen(name);
    for (size_t i = 0; i + len < value.len; i++) {
        if (strncasecmp((const char *)value.data + i, name, len) != 0)
            continue;
        size_t at = i + len;
        if (value.data[at] == '*' && at + 1 < value.len && value.data[at + 1] >= '1' &&
            value.data[at + 1] <= '9')
            continue;
        while (at < value.len &&
               (value.data[at] == '*' || value.data[at] == '0' || is_blank(value.data[at]) ||
                value.data[at] == '\r' || value.data[at] == '\n'))
            at++;
        times += at < value.len && value.data[at] == '=';
    }
    return times;
}

static int semicolons(struct sg_bytes value)
{
    int n = 0;
    for (size_t i = 0; i < value.len; i++)
        n += value.data[i] == ';';
    return n;
}

#define MANY_PARAMETERS 24 /* more than anybody has; the parser behind takes no more than 32 */

/* Nothing at all, or the "text" of RFC 1049 that some programs still write: what nobody reads in
 * another way. */
static bool is_nothing(struct sg_bytes value)
{
    const uint8_t *p = value.data, *end = p + value.len;
    while (p < end && isspace(*p))
        p++;
    while (p < end && isspace(end[-1]))
        end--;
    struct sg_bytes word = sg_bytes_of(p, (size_t)(end - p));
    return word.len == 0 || sg_bytes_iequal(word, "text");
}

static void type_add(struct sg_arena *arena, const struct sg_header *field, struct sg_entity *e)
{
    struct sg_content_type *type = &e->types[e->type_count++];
    sg_content_type_parse(arena, field, type);
    if (type->unreadable && !is_nothing(field->value))
        e->doubt = "Content-Type cannot be read";
    else if (has_control(field->value))
        e->doubt = "control characters in Content-Type";
    else if (times_named(field->value, "charset") > 1 || times_named(field->value, "boundary") > 1)
        e->doubt = "a parameter of Content-Type is given twice";
    else if (semicolons(field->value) > MANY_PARAMETERS)
        e->doubt = "Content-Type has too many parameters";
}

static bool same_parameter(const struct sg_content_type *a, const struct sg_content_type *b,
                           const char *name, int (*compare)(const char *, const char *))
{
    const char *in_a = sg_content_type_parameter(a, name);
    const char *in_b = sg_content_type_parameter(b, name);
    return compare(in_a ? in_a : "", in_b ? in_b : "") == 0;
}

static bool same_type(const struct sg_content_type *a, const struct sg_content_type *b)
{
    return strcmp(a->type, b->type) == 0 && same_parameter(a, b, "charset", strcasecmp) &&
           same_parameter(a, b, "boundary", strcmp);
}

static void types_read(struct sg_arena *arena, const struct sg_header_block *block,
                       const char *default_type, struct sg_entity *e)
{
    const struct sg_header *field = NULL;
    while (e->type_count < SG_ENTITY_WAYS && (field = sg_header_next(block, "Content-Type", field)))
        type_add(arena, field, e);
    if (field && sg_header_next(block, "Content-Type", field))
        e->doubt = "there are more Content-Type fields than are tried";
    if (e->type_count == 0)
        e->types[e->type_count++] = (struct sg_content_type){.type = default_type};
    for (size_t i = 1; i < e->type_count; i++)
        if (!same_type(&e->types[i], &e->types[0]))
            e->doubt = "there are several Content-Type fields";
}

static void transfers_read(const struct sg_header_block *block, struct sg_entity *e)
{
    const struct sg_header *field = NULL;
    while (e->transfer_count < SG_ENTITY_WAYS &&
           (field = sg_header_next(block, "Content-Transfer-Encoding", field))) {
        e->transfers[e->transfer_count++] = sg_transfer_named(field->value);
        if (has_control(field->value))
            e->doubt = "control characters in Content-Transfer-Encoding";
    }
    if (field && sg_header_next(block, "Content-Transfer-Encoding", field))
        e->doubt = "there are more Content-Transfer-Encoding fields than are tried";
    if (e->transfer_count == 0)
        e->transfers[e->transfer_count++] = SG_TRANSFER_IDENTITY;
    for (size_t i = 1; i < e->transfer_count; i++)
        if (e->transfers[i] != e->transfers[0])
            e->doubt = "there are several Content-Transfer-Encoding fields";
}

#define MANY_DISPOSITIONS 8

/* Its grammar is that of a Content-Type without the slash. */
static void disposition_read(struct sg_arena *arena, const struct sg_header_block *block,
                             struct sg_entity *e)
{
    static const char prefix[] = "disposition/";
    const struct sg_header *field = NULL;
    size_t others = 0, attachments = 0;
    while (others + attachments < MANY_DISPOSITIONS &&
           (field = sg_header_next(block, "Content-Disposition", field))) {
        struct sg_header like = *field;
        struct sg_lex lex = sg_lex_of(field->value);
        (void)sg_lex_skip(&lex);
        size_t left = (size_t)(lex.end - lex.p), n = sizeof prefix - 1;
        uint8_t *text = sg_arena_alloc(arena, n + left);
        memcpy(text, prefix, n);
        if (left)
            memcpy(text + n, lex.p, left);
        like.value = sg_bytes_of(text, n + left);
        struct sg_content_type type;
        sg_content_type_parse(arena, &like, &type);
        bool attachment = strcmp(type.type, "disposition/attachment") == 0;
        attachments += attachment;
        others += !attachment;
        const char *name = sg_content_type_parameter(&type, "filename");
        if (name)
            e->name = name;
    }
    bool more = field && sg_header_next(block, "Content-Disposition", field);
    e->attachment = attachments && !others && !more;
}

/* Lines of white space alone end the header for some readers, a NUL or a CR alone a line. */
static bool is_ambiguous(struct sg_bytes raw)
{
    const uint8_t *p = raw.data, *end = p + raw.len;
    while (p < end) {
        const uint8_t *lf = memchr(p, '\n', (size_t)(end - p));
        size_t len = (size_t)((lf ? lf + 1 : end) - p), i = 0;
        while (i < len && is_blank(p[i]))
            i++;
        if (i && (i == len || sg_lex_break(p + i, p + len)))
            return true;
        const uint8_t *cr = memchr(p, '\r', len);
        if ((cr && (cr + 1 == end || cr[1] != '\n')) || memchr(p, 0, len))
            return true;
        p += len;
    }
    return false;
}

void sg_entity_read(struct sg_arena *arena, const struct sg_header_block *block,
                    const char *default_type, struct sg_entity *entity_r)
{
    *entity_r = (struct sg_entity){.name = "", .ambiguous = is_ambiguous(block->raw)};
    types_read(arena, block, default_type, entity_r);
    transfers_read(block, entity_r);
    disposition_read(arena, block, entity_r);
    const char *name = sg_content_type_parameter(&entity_r->types[0], "name");
    if (!*entity_r->name && name)
        entity_r->name = name;
}
