/*
 * Whose address may a From field show that does not parse? Readers make different things of it:
 * they pass over white space, quotes and comments in an address or take them for its end, decode
 * encoded words where none may stand, and complete names that have no domain. So the field is
 * looked at in all these ways, and every domain that comes out of any of them counts.
 */
#include "mime/header.h"

#include "common/buf.h"
#include "idna/idna.h"
#include "mime/lex.h"

#include <ctype.h>

#define DOMAIN_BYTES 1000 /* in UTF-8; 253 in ASCII */

struct found {
    struct sg_arena *arena;
    const char **list;
    size_t count, most;
    bool address; /* with a domain; or a machine's that has none */
    bool doubt;
};

static bool is_domain_octet(unsigned char c)
{
    return c >= 0x80 || isalnum(c) || (c && strchr("-_.", c));
}

static void domain_add(struct found *f, const char *domain)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->list[i], domain) == 0)
            return;
    if (f->count < f->most)
        f->list[f->count++] = domain;
    else
        f->doubt = true;
}

/* A run of octets that a domain may be made of. Behind an '@' it must be one; elsewhere what has no
 * dot in it is a name or a word. */
static void run_take(struct found *f, const char *run, size_t len, bool behind_at)
{
    while (len && run[0] == '.') {
        run++;
        len--;
    }
    while (len && run[len - 1] == '.')
        len--;
    if (!behind_at && (!len || !memchr(run, '.', len)))
        return;
    char *name = sg_arena_str(f->arena, sg_bytes_of(run, len < DOMAIN_BYTES ? len : 0));
    for (char *p = name; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    const char *domain = *name ? sg_idna_ascii(f->arena, name) : NULL;
    f->address |= behind_at && domain;
    f->doubt |= behind_at && !domain;
    if (domain)
        domain_add(f, domain);
}

/* tight: nothing that readers pass over is left in the text, and a domain stands behind every '@'.
 */
static void runs_take(struct found *f, const char *text, bool tight)
{
    for (const char *p = text; *p;) {
        const char *run = p;
        while (is_domain_octet((unsigned char)*p))
            p++;
        if (p > run)
            run_take(f, run, (size_t)(p - run), run > text && run[-1] == '@');
        else
            f->doubt |= *p++ == '@' && tight && !is_domain_octet((unsigned char)*p);
    }
}

/* Readers pass over white space and quotes in an address, and over comments: a parenthesis within
 * quotes is none, if they look so closely. */
enum comments { COMMENTS_KEPT, COMMENTS_DROPPED, COMMENTS_DROPPED_QUOTED_TOO };

static char *squeeze(struct sg_arena *arena, const char *text, enum comments comments)
{
    char *out = sg_arena_alloc(arena, strlen(text) + 1);
    size_t n = 0, depth = 0;
    bool quoted = false;
    for (const char *p = text; *p; p++) {
        bool dropped =
            comments == COMMENTS_DROPPED_QUOTED_TOO || (comments == COMMENTS_DROPPED && !quoted);
        quoted ^= *p == '"';
        if (dropped && (*p == '(' || (*p == ')' && depth)))
            depth += *p == '(' ? 1 : (size_t)-1;
        else if (!depth && !strchr(" \t\"", *p))
            out[n++] = *p;
    }
    out[n] = 0;
    return out;
}

/* An '@' of another width is one to those who decode it. */
static void at_signs_narrow(char *text)
{
    char *out = text;
    for (const char *p = text; *p; out++)
        if (strncmp(p, "\xef\xbc\xa0", 3) == 0 || strncmp(p, "\xef\xb9\xab", 3) == 0) {
            *out = '@';
            p += 3;
        } else {
            *out = *p++;
        }
    *out = 0;
}

/* An address without a domain gets the reader's own from some; the machine that writes reports has
 * always been written so. */
static void bare_addresses_take(struct found *f, const char *squeezed)
{
    static const char machine[] = "MAILER-DAEMON";
    f->address |= strcasecmp(squeezed, machine) == 0;
    for (const char *p = squeezed; (p = strchr(p, '<'));) {
        size_t len = strcspn(++p, "<>");
        bool is_machine = len == strlen(machine) && strncasecmp(p, machine, len) == 0;
        f->address |= is_machine;
        f->doubt |= !is_machine && !memchr(p, '@', len);
    }
}

static void text_take(struct found *f, char *text)
{
    at_signs_narrow(text);
    const char *tight = squeeze(f->arena, text, COMMENTS_DROPPED);
    runs_take(f, text, false);
    runs_take(f, squeeze(f->arena, text, COMMENTS_KEPT), false);
    runs_take(f, tight, true);
    runs_take(f, squeeze(f->arena, text, COMMENTS_DROPPED_QUOTED_TOO), true);
    bare_addresses_take(f, tight);
}

/* What makes readers go ways that nobody can foresee: control characters, a backslash, comments
 * that do not end. */
static bool is_strange(const char *text)
{
    int depth = 0;
    for (const char *p = text; *p; p++) {
        if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f || *p == '\\')
            return true;
        depth += (*p == '(') - (*p == ')');
        if (depth < 0)
            return true;
    }
    return depth != 0;
}

static bool has_bare_break(struct sg_bytes value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.data[i] == 0 ||
            (value.data[i] == '\r' && (i + 1 == value.len || value.data[i + 1] != '\n')))
            return true;
    return false;
}

bool sg_mailbox_domains_claimed(struct sg_arena *arena, const struct sg_header *field, size_t most,
                                const char *const **list_r, size_t *count_r)
{
    struct found f = {.arena = arena,
                      .list = SG_ARENA_ARRAY(arena, const char *, most + 1),
                      .most = most,
                      .doubt = has_bare_break(field->value)};
    char *text = sg_header_unfold(arena, field);
    char *decoded = sg_header_decode(arena, text);
    f.doubt |= is_strange(text) || is_strange(decoded);
    text_take(&f, text);
    text_take(&f, decoded);
    *list_r = f.list;
    *count_r = f.count;
    return f.address && !f.doubt;
}
