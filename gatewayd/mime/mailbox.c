#include "mime/header.h"

#include "common/buf.h"
#include "idna/idna.h"
#include "mime/lex.h"

#include <ctype.h>

/*
 * RFC 5322 §3.4, with RFC 6532. Of the obsolete syntax only what cannot be read in two ways is
 * taken: dots in a display name, empty elements of a list, quoted words between the dots of a local
 * part. No routes, no white space within an address, no raw 8-bit octets in one.
 */
struct parse {
    struct sg_lex lex;
    struct sg_arena *arena;
    struct sg_mailbox *list;
    size_t count, room;
};

static bool is_atext(int c)
{
    return c >= 0x80 || (c > 0x20 && c < 0x7f && !strchr("()<>[]:;@\\,.\"", c));
}

static void atom_take(struct sg_lex *lex, struct sg_buf *out)
{
    while (lex->p < lex->end && is_atext(*lex->p))
        sg_buf_add(out, lex->p++, 1);
}

static void unquote(struct sg_bytes inside, struct sg_buf *out)
{
    for (size_t i = 0; i < inside.len; i++) {
        uint8_t c = inside.data[i];
        if (c == '\\' && i + 1 < inside.len)
            c = inside.data[++i];
        else if (c == '\r' || c == '\n')
            continue;
        sg_buf_add(out, &c, 1);
    }
}

static bool is_dot_atom(struct sg_bytes s)
{
    bool last_dot = true;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '.' ? last_dot : !is_atext(s.data[i]))
            return false;
        last_dot = s.data[i] == '.';
    }
    return !last_dot;
}

/* The local part in one form: without quotes where it needs none, else as one quoted string. */
static const char *local_canonical(struct sg_arena *arena, struct sg_bytes raw)
{
    if (is_dot_atom(raw))
        return sg_arena_str(arena, raw);
    SG_AUTO_BUF out;
    sg_buf_init(&out, 0);
    sg_buf_adds(&out, "\"");
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.data[i] == '"' || raw.data[i] == '\\')
            sg_buf_adds(&out, "\\");
        sg_buf_add(&out, &raw.data[i], 1);
    }
    sg_buf_adds(&out, "\"");
    return sg_arena_str(arena, sg_buf_bytes(&out));
}

static bool local_take(struct sg_lex *lex, struct sg_buf *out)
{
    bool more = false;
    do {
        struct sg_bytes inside;
        if (more)
            sg_buf_adds(out, ".");
        more = true;
        if (sg_lex_peek(lex) == '"') {
            if (!sg_lex_quoted(lex, &inside))
                return false;
            unquote(inside, out);
        } else {
            size_t start = out->len;
            atom_take(lex, out);
            if (out->len == start)
                return false;
        }
    } while (sg_lex_take(lex, '.'));
    return sg_lex_utf8(sg_buf_bytes(out));
}

static bool literal_take(struct sg_lex *lex, struct sg_buf *out)
{
    do {
        sg_buf_add(out, lex->p++, 1);
        int c = sg_lex_peek(lex);
        if (c == ']') {
            sg_buf_add(out, lex->p++, 1);
            return true;
        }
        if (c <= 0x20 || c >= 0x7f || c == '[' || c == '\\')
            return false;
    } while (lex->p < lex->end);
    return false;
}

static bool domain_take(struct sg_lex *lex, struct sg_buf *out)
{
    if (sg_lex_peek(lex) == '[')
        return literal_take(lex, out);
    while (lex->p < lex->end && (is_atext(*lex->p) || *lex->p == '.')) {
        char c = (char)tolower(*lex->p++);
        sg_buf_add(out, &c, 1);
    }
    struct sg_bytes domain = sg_buf_bytes(out);
    return is_dot_atom(domain) && sg_lex_utf8(domain);
}

static bool mailbox_add(struct parse *p, struct sg_bytes local, struct sg_bytes domain)
{
    const char *ascii = sg_idna_ascii(p->arena, sg_arena_str(p->arena, domain));
    if (!ascii)
        return false;
    if (p->count == p->room) {
        size_t room = p->room ? p->room * 2 : 4;
        struct sg_mailbox *list = SG_ARENA_ARRAY(p->arena, struct sg_mailbox, room);
        if (p->count)
            memcpy(list, p->list, p->count * sizeof *list);
        p->list = list;
        p->room = room;
    }
    struct sg_mailbox *m = &p->list[p->count++];
    m->local = local_canonical(p->arena, local);
    m->domain = ascii;
    m->address = sg_arena_printf(p->arena, "%s@%s", m->local, m->domain);
    return true;
}

/* addr-spec; CFWS is taken only before it and behind it. */
static bool address_take(struct parse *p)
{
    SG_AUTO_BUF local;
    sg_buf_init(&local, 0);
    SG_AUTO_BUF domain;
    sg_buf_init(&domain, 0);
    if (!sg_lex_skip(&p->lex) || !local_take(&p->lex, &local) || !sg_lex_take(&p->lex, '@') ||
        !domain_take(&p->lex, &domain) || !sg_lex_skip(&p->lex))
        return false;
    return mailbox_add(p, sg_buf_bytes(&local), sg_buf_bytes(&domain));
}

static bool angle_take(struct parse *p)
{
    return sg_lex_take(&p->lex, '<') && address_take(p) && sg_lex_take(&p->lex, '>') &&
           sg_lex_skip(&p->lex);
}

/* Words and dots of a display name; stops at the first octet that is no part of one. */
static bool phrase_take(struct sg_lex *lex, size_t *words_r)
{
    for (*words_r = 0;;) {
        int c = sg_lex_peek(lex);
        struct sg_bytes inside;
        if (c == '"') {
            if (!sg_lex_quoted(lex, &inside))
                return false;
            ++*words_r;
        } else if (is_atext(c)) {
            while (lex->p < lex->end && is_atext(*lex->p))
                lex->p++;
            ++*words_r;
        } else if (c == '.' && *words_r) {
            lex->p++;
        } else {
            return true;
        }
        if (!sg_lex_skip(lex))
            return false;
    }
}

static bool mailbox_take(struct parse *p)
{
    struct sg_lex start = p->lex;
    size_t words;
    if (!phrase_take(&p->lex, &words))
        return false;
    if (sg_lex_peek(&p->lex) == '<')
        return angle_take(p);
    p->lex = start; /* no display name: it was the local part */
    return address_take(p);
}

static bool is_group(const struct parse *p)
{
    struct sg_lex look = p->lex;
    size_t words;
    return phrase_take(&look, &words) && words && sg_lex_peek(&look) == ':';
}

/* Elements between commas, up to the end or, in a group, to its ';'. */
static bool list_take(struct parse *p, bool in_group)
{
    for (;;) {
        if (!sg_lex_skip(&p->lex))
            return false;
        int c = sg_lex_peek(&p->lex);
        if (c < 0 || c == ';')
            return in_group == (c == ';');
        if (c != ',') {
            if (!in_group && is_group(p)) {
                size_t words;
                if (!phrase_take(&p->lex, &words) || !sg_lex_take(&p->lex, ':') ||
                    !list_take(p, true) || !sg_lex_take(&p->lex, ';'))
                    return false;
            } else if (!mailbox_take(p)) {
                return false;
            }
            if (!sg_lex_skip(&p->lex))
                return false;
            c = sg_lex_peek(&p->lex);
        }
        if (c >= 0 && c != ';' && !sg_lex_take(&p->lex, ','))
            return false;
    }
}

bool sg_mailbox_list_parse(struct sg_arena *arena, const struct sg_header *field,
                           struct sg_mailbox **list_r, size_t *count_r, struct sg_error *err)
{
    struct parse p = {.lex = sg_lex_of(field->value), .arena = arena};
    *list_r = NULL;
    *count_r = 0;
    if (!sg_lex_skip(&p.lex) || sg_lex_peek(&p.lex) < 0 || !list_take(&p, false))
        return sg_fail(err, SG_E_MALFORMED, "the %.*s field holds no list of mailboxes",
                       (int)field->name.len, (const char *)field->name.data);
    *list_r = p.list;
    *count_r = p.count;
    return true;
}
