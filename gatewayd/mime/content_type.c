#include "mime/header.h"

#include "common/buf.h"
#include "mime/digits.h"
#include "mime/lex.h"

#include <ctype.h>
#include <stdlib.h>

#define MAX_PARAMETERS 32
#define MAX_PARTS      64

/* One "name*N*=value" as written (RFC 2231 §3, §4). */
struct part {
    struct sg_bytes name; /* without the stars */
    long number;          /* -1: not continued */
    bool extended;        /* percent-encoded, the first one with charset and language */
    struct sg_bytes value;
    bool quoted;
};

static bool is_token(uint8_t c)
{
    return c > 0x20 && c < 0x7f && !strchr("()<>@,;:\\\"/[]?=", c);
}

static struct sg_bytes token_take(struct sg_lex *lex)
{
    const uint8_t *start = lex->p;
    while (lex->p < lex->end && is_token(*lex->p))
        lex->p++;
    return sg_bytes_of(start, (size_t)(lex->p - start));
}

static char *lower(struct sg_arena *arena, struct sg_bytes s)
{
    char *out = sg_arena_str(arena, s);
    for (char *p = out; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return out;
}

/* What stands for a value where quotes were forgotten: up to white space or the next ';'. */
static struct sg_bytes bare_value_take(struct sg_lex *lex)
{
    const uint8_t *start = lex->p;
    while (lex->p<lex->end && * lex->p> 0x20 && *lex->p != 0x7f && *lex->p != ';')
        lex->p++;
    return sg_bytes_of(start, (size_t)(lex->p - start));
}

static void name_split(struct part *part)
{
    struct sg_bytes *n = &part->name;
    part->number = -1;
    if (n->len && n->data[n->len - 1] == '*') {
        part->extended = true;
        n->len--;
    }
    const uint8_t *star = n->len ? memchr(n->data, '*', n->len) : NULL;
    if (!star)
        return;
    size_t digits = n->len - (size_t)(star - n->data) - 1;
    long number = 0;
    for (size_t i = 1; i <= digits; i++) {
        if (digits > 3 || !isdigit(star[i]))
            return;
        number = number * 10 + (star[i] - '0');
    }
    if (digits) {
        part->number = number;
        n->len = (size_t)(star - n->data);
    }
}

/* Reads one parameter behind its ';'. false: there is no more that can be read. */
static bool part_take(struct sg_lex *lex, struct part *part)
{
    memset(part, 0, sizeof *part);
    if (!sg_lex_skip(lex))
        return false;
    part->name = token_take(lex);
    if (part->name.len == 0 || !sg_lex_skip(lex) || !sg_lex_take(lex, '=') || !sg_lex_skip(lex))
        return false;
    part->quoted = sg_lex_peek(lex) == '"';
    if (part->quoted ? !sg_lex_quoted(lex, &part->value)
                     : (part->value = bare_value_take(lex)).len == 0)
        return false;
    name_split(part);
    return true;
}

/* Reads on to behind the next ';', false at the end. */
static bool next_part(struct sg_lex *lex)
{
    while (lex->p < lex->end) {
        struct sg_bytes ignored;
        if (sg_lex_take(lex, ';'))
            return true;
        if (sg_lex_peek(lex) == '"') {
            if (!sg_lex_quoted(lex, &ignored))
                return false;
        } else if (sg_lex_peek(lex) == '(') {
            if (!sg_lex_skip(lex))
                return false;
        } else {
            lex->p++;
        }
    }
    return false;
}

/* Comments, and octets of which some readers take one for the end. */
static bool has_doubtful(struct sg_bytes value)
{
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.data[i];
        if (c == '(' || c > '~' || (c < ' ' && c != '\t' && c != '\r' && c != '\n'))
            return true;
    }
    return false;
}

/* Is a ';' or nothing what comes next? */
static bool is_separated(struct sg_lex lex)
{
    return sg_lex_skip(&lex) && (lex.p == lex.end || *lex.p == ';');
}

static void value_add(struct sg_buf *out, const struct part *part)
{
    const uint8_t *p = part->value.data, *end = p + part->value.len;
    if (part->extended && !part->quoted && part->number <= 0) { /* charset'language'text */
        const uint8_t *q = memchr(p, '\'', (size_t)(end - p));
        q = q ? memchr(q + 1, '\'', (size_t)(end - q - 1)) : NULL;
        p = q ? q + 1 : p;
    }
    while (p < end) {
        uint8_t c = *p++;
        if (part->quoted && c == '\\' && p < end) {
            c = *p++;
        } else if (part->quoted && (c == '\r' || c == '\n')) {
            continue;
        } else if (part->extended && c == '%' && end - p >= 2 && sg_hex_digit(p[0]) >= 0 &&
                   sg_hex_digit(p[1]) >= 0) {
            c = (uint8_t)(sg_hex_digit(p[0]) << 4 | sg_hex_digit(p[1]));
            p += 2;
        }
        sg_buf_add(out, &c, 1);
    }
}

static bool same_name(struct sg_bytes a, struct sg_bytes b)
{
    return a.len == b.len && strncasecmp((const char *)a.data, (const char *)b.data, a.len) == 0;
}

/* Joins the parts of one parameter: the whole one, or numbers 0, 1, 2 … as far as they go. */
static const char *parts_join(struct sg_arena *arena, const struct part *parts, size_t count,
                              size_t first)
{
    SG_AUTO_BUF value;
    sg_buf_init(&value, 0);
    if (parts[first].number < 0) {
        value_add(&value, &parts[first]);
    } else {
        for (long wanted = 0;; wanted++) {
            size_t i = 0;
            while (i < count &&
                   !(same_name(parts[i].name, parts[first].name) && parts[i].number == wanted))
                i++;
            if (i == count)
                break;
            value_add(&value, &parts[i]);
        }
    }
    struct sg_bytes v = sg_buf_bytes(&value);
    return v.len && memchr(v.data, 0, v.len) ? NULL : sg_arena_str(arena, v);
}

static void parameters_fill(struct sg_arena *arena, const struct part *parts, size_t count,
                            struct sg_content_type *type)
{
    type->parameters = SG_ARENA_ARRAY(arena, struct sg_parameter, MAX_PARAMETERS);
    for (size_t i = 0; i < count && type->parameter_count < MAX_PARAMETERS; i++) {
        bool seen = false;
        for (size_t k = 0; k < i; k++)
            seen |= same_name(parts[k].name, parts[i].name);
        type->ambiguous |= seen || parts[i].number >= 0 || parts[i].extended;
        const char *value = seen ? NULL : parts_join(arena, parts, count, i);
        if (value)
            type->parameters[type->parameter_count++] =
                (struct sg_parameter){lower(arena, parts[i].name), value};
    }
}

void sg_content_type_parse(struct sg_arena *arena, const struct sg_header *field,
                           struct sg_content_type *type_r)
{
    *type_r = (struct sg_content_type){.type = "text/plain", .unreadable = field != NULL};
    if (!field)
        return;
    struct sg_lex lex = sg_lex_of(field->value);
    if (!sg_lex_skip(&lex))
        return;
    struct sg_bytes type = token_take(&lex);
    if (type.len == 0 || !sg_lex_skip(&lex) || !sg_lex_take(&lex, '/') || !sg_lex_skip(&lex))
        return;
    struct sg_bytes subtype = token_take(&lex);
    if (subtype.len == 0)
        return;
    type_r->unreadable = false;
    type_r->type = sg_arena_printf(arena, "%s/%s", lower(arena, type), lower(arena, subtype));

    struct part parts[MAX_PARTS];
    size_t count = 0;
    bool plain = is_separated(lex);
    while (count < MAX_PARTS && next_part(&lex)) {
        struct sg_lex start = lex;
        if (part_take(&lex, &parts[count])) {
            count++;
            plain &= is_separated(lex);
        } else { /* a ';' at the end is no parameter */
            plain &= sg_lex_skip(&start) && start.p == start.end;
        }
    }
    type_r->ambiguous =
        !plain || lex.p < lex.end || count > MAX_PARAMETERS || has_doubtful(field->value);
    parameters_fill(arena, parts, count, type_r);
}

const char *sg_content_type_parameter(const struct sg_content_type *type, const char *name)
{
    for (size_t i = 0; i < type->parameter_count; i++)
        if (strcasecmp(type->parameters[i].name, name) == 0)
            return type->parameters[i].value;
    return NULL;
}
