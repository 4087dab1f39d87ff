#include "trigger/trigger_internal.h"

#include "common/buf.h"

#include <stdlib.h>

/*
 * The structure of a message, line by line. Nothing is kept but the open multiparts' boundaries,
 * the header that is being read and the beginning of a line that may be a delimiter.
 *
 * Where readers may differ about the structure (`doubt`), nothing is passed over any more, and all
 * that follows is also read blindly.
 */

#define MAX_BOUNDARY 1000 /* 70 by RFC 2046 §5.1.1 */
#define LINE_BYTES   (MAX_BOUNDARY + 64)

struct level {
    bool message; /* a message within; else a multipart */
    bool digest, alternative, closed;
    size_t parts; /* that have begun */
    size_t mark_len;
    char *mark; /* "--" and the boundary */
};

struct sg_walk {
    struct sg_scan *scan;
    const char *where;
    enum { IN_HEADER, IN_LEAF, OUTSIDE } state;
    bool doubt;
    bool rest; /* a limit was passed: what follows is read blindly alone */
    bool at_start, skip_lf;
    size_t line_len;
    uint8_t line[LINE_BYTES];
    struct sg_buf header;
    struct sg_leaf *leaf;
    struct sg_blind *blind; /* of what lies outside the parts */
    size_t level_count;
    struct level *levels;
};

/* Places --------------------------------------------------------------------------------------- */

/* "WHAT part 1.2 of …" */
static const char *place(const struct sg_walk *w, const char *what)
{
    SG_AUTO_BUF path;
    sg_buf_init(&path, 256);
    for (size_t i = 0; i < w->level_count; i++)
        if (!w->levels[i].message)
            sg_buf_addf(&path, "%s%zu", path.len ? "." : "", w->levels[i].parts);
    return sg_arena_printf(w->scan->arena, "%s part %s%s%s", what,
                           path.len ? (const char *)path.data : "1", *w->where ? " of " : "",
                           w->where);
}

/* A type as it is put into a report: not longer than types are. */
static const char *type_shown(const struct sg_walk *w, const char *type)
{
    return sg_arena_printf(w->scan->arena, "%.80s", type);
}

/* Levels --------------------------------------------------------------------------------------- */

static struct level *level_push(struct sg_walk *w)
{
    struct level *l = &w->levels[w->level_count++];
    *l = (struct level){.parts = 0};
    w->scan->depth++;
    return l;
}

static void levels_cut(struct sg_walk *w, size_t count)
{
    while (w->level_count > count) {
        free(w->levels[--w->level_count].mark);
        w->scan->depth--;
    }
}

static bool level_allowed(struct sg_walk *w)
{
    if (w->scan->depth < w->scan->options->limits.max_depth)
        return true;
    sg_report_limit(w->scan, place(w, "the"), "nests too deeply");
    return false;
}

/* Opens a multipart; false where it cannot be taken apart. */
static bool multipart_open(struct sg_walk *w, const struct sg_content_type *type)
{
    const char *boundary = sg_content_type_parameter(type, "boundary");
    size_t len = boundary ? strlen(boundary) : 0;
    while (len && strchr(" \t", boundary[len - 1]))
        len--;
    if (len == 0 || len > MAX_BOUNDARY) {
        sg_report_undecodable(w->scan, place(w, type_shown(w, type->type)),
                              "a multipart without a usable boundary");
        return false;
    }
    if (!level_allowed(w))
        return false;
    char *mark = malloc(len + 2);
    if (!mark)
        abort();
    memcpy(mark, "--", 2);
    memcpy(mark + 2, boundary, len);
    /* One boundary that begins like another one: readers differ in what ends what. */
    for (size_t i = 0; i < w->level_count; i++) {
        const struct level *outer = &w->levels[i];
        size_t both = outer->mark_len < len + 2 ? outer->mark_len : len + 2;
        w->doubt |= outer->mark && memcmp(outer->mark, mark, both) == 0;
    }
    struct level *l = level_push(w);
    l->mark = mark;
    l->mark_len = len + 2;
    l->digest = strcmp(type->type, "multipart/digest") == 0;
    l->alternative = strcmp(type->type, "multipart/alternative") == 0;
    w->state = OUTSIDE;
    return true;
}

/* Entities ------------------------------------------------------------------------------------- */

/* Is a part here what one reads first, whatever its disposition says? */
static bool is_body(const struct sg_walk *w)
{
    const struct level *outer = w->level_count ? &w->levels[w->level_count - 1] : NULL;
    return !outer || outer->message || outer->alternative || outer->parts == 1;
}

/* doubtful: not only the structure around it, but the entity's own header. */
static void leaf_begin(struct sg_walk *w, const struct sg_entity *entity, bool doubtful,
                       struct sg_bytes header)
{
    struct sg_leaf_context context = {
        .body = is_body(w),
        .doubtful = doubtful || w->doubt || w->rest,
        .blind = w->rest,
        .where = place(w, type_shown(w, entity->types[0].type)),
    };
    w->leaf = sg_leaf_new(w->scan, entity, &context);
    if (context.doubtful)
        sg_leaf_doubt(w->leaf, doubtful ? header : sg_bytes_of(NULL, 0));
    w->state = IN_LEAF;
}

static const struct sg_content_type *multipart_among(const struct sg_entity *entity)
{
    for (size_t i = 0; i < entity->type_count; i++)
        if (strncmp(entity->types[i].type, "multipart/", 10) == 0)
            return &entity->types[i];
    return NULL;
}

static bool is_encoded(const struct sg_entity *entity)
{
    for (size_t i = 0; i < entity->transfer_count; i++)
        if (entity->transfers[i] != SG_TRANSFER_IDENTITY &&
            entity->transfers[i] != SG_TRANSFER_UNKNOWN)
            return true;
    return false;
}

/* An attachment's name and description belong to it. */
static void names_scan(struct sg_walk *w, const struct sg_header_block *block,
                       const struct sg_entity *entity)
{
    const char *where = place(w, "name of");
    const struct sg_header *field = NULL;
    sg_field_scan(w->scan, sg_bytes_str(entity->name), where);
    while ((field = sg_header_next(block, "Content-Description", field)))
        sg_field_scan(w->scan, field->value, where);
}

/* Of messages, and of parts that carry the subject of an encrypted or signed message with them
 * ("protected headers"). */
static void subjects_scan(struct sg_walk *w, const struct sg_header_block *block)
{
    const struct sg_header *field = sg_header_next(block, "Subject", NULL);
    if (!field)
        return;
    bool outermost = w->level_count == 0 && !*w->where;
    const char *where = outermost ? "subject" : place(w, "subject in");
    for (; field; field = sg_header_next(block, "Subject", field))
        sg_field_scan(w->scan, field->value, where);
}

/* A place is made where there is something to report of it, and stays until the scan is over. */
static void blind_end(struct sg_walk *w, struct sg_blind **blind, const char *what)
{
    unsigned words = sg_blind_end(blind);
    if (words)
        sg_report_words(w->scan, words, place(w, what));
}

/* A header that may end earlier for others than for us, in front of more structure. */
static void header_doubt(struct sg_walk *w, const struct sg_header_block *block)
{
    struct sg_blind *blind = sg_blind_new(w->scan);
    sg_blind_push(blind, block->raw.data, block->raw.len);
    blind_end(w, &blind, "header of");
}

static void part_count(struct sg_walk *w)
{
    (void)sg_budget_left(w->scan->options->budget);
    if (w->rest || ++w->scan->parts <= w->scan->options->limits.max_parts)
        return;
    sg_report_limit(w->scan, place(w, "the"), "too many parts");
    w->rest = true;
}

/* Decides by its header how the body of an entity is read. */
static void entity_begin(struct sg_walk *w, const struct sg_header_block *block, bool doubtful)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct level *outer = w->level_count ? &w->levels[w->level_count - 1] : NULL;
    bool digest = outer && !outer->message && outer->digest;
    struct sg_entity entity;
    sg_entity_read(arena, block, digest ? "message/rfc822" : "text/plain", &entity);
    subjects_scan(w, block);
    if (w->scan->options->attachments)
        names_scan(w, block, &entity);
    part_count(w);
    doubtful |= entity.ambiguous;
    if (entity.doubt) {
        doubtful = true;
        sg_report_undecodable(w->scan, place(w, type_shown(w, entity.types[0].type)), entity.doubt);
    }
    const struct sg_content_type *multipart = multipart_among(&entity);
    if (multipart && !w->rest) {
        w->doubt |= doubtful || is_encoded(&entity);
        if (is_encoded(&entity))
            sg_report_undecodable(w->scan, place(w, type_shown(w, multipart->type)),
                                  "a multipart in a transfer encoding");
        if (strcmp(multipart->type, "multipart/encrypted") == 0)
            w->scan->found->opaque = true;
        const char *protocol = sg_content_type_parameter(multipart, "protocol");
        if (!w->scan->found->smime_where && protocol && strcasestr(protocol, "pkcs7-signature"))
            w->scan->found->smime_where = place(w, multipart->type);
        if (multipart_open(w, multipart)) {
            if (doubtful)
                header_doubt(w, block);
            return;
        }
        doubtful = true;
    } else if (sg_leaf_is_message(entity.types[0].type) && !w->rest && !is_encoded(&entity)) {
        if (level_allowed(w)) {
            if (doubtful)
                header_doubt(w, block);
            level_push(w)->message = true;
            w->state = IN_HEADER;
            return;
        }
        doubtful = true;
    }
    leaf_begin(w, &entity, doubtful, block->raw);
}

/* cut: where it ends is in doubt. */
static void header_end(struct sg_walk *w, bool cut)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_header_block block;
    struct sg_bytes raw = sg_arena_copy(arena, sg_buf_bytes(&w->header));
    w->header.len = 0;
    bool clean = sg_entity_fields(arena, raw, &block);
    entity_begin(w, &block, cut || !clean);
}

/* Ends what is being read, whatever it is. */
static void piece_end(struct sg_walk *w)
{
    if (w->state == IN_HEADER)
        header_end(w, false);
    if (w->state == IN_HEADER) { /* the header was one of a message, whose own is missing */
        w->state = OUTSIDE;
        w->header.len = 0;
    }
    sg_leaf_end(&w->leaf);
    blind_end(w, &w->blind, "outside of");
}

/* Octets --------------------------------------------------------------------------------------- */

/* Octets of the empty line that the header read so far ends with; 0 where it does not. */
static size_t empty_line(const struct sg_buf *header)
{
    const uint8_t *p = header->data;
    size_t n = header->len;
    if (n == 0 || p[n - 1] != '\n')
        return 0;
    size_t line = n >= 2 && p[n - 2] == '\r' ? 2 : 1;
    return n == line || p[n - line - 1] == '\n' ? line : 0;
}

static void content_push(struct sg_walk *w, const uint8_t *data, size_t len);

/* The header passes the limit: it ends in front of the line in which it does, which is read as
 * content with what follows. So it is the same however the octets come, and no word is cut. */
static void header_cut(struct sg_walk *w, const uint8_t *data, size_t len)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_bytes held = sg_buf_bytes(&w->header);
    const uint8_t *lf = held.len ? memrchr(held.data, '\n', held.len) : NULL;
    size_t lines = lf ? (size_t)(lf - held.data) + 1 : 0;
    struct sg_bytes begun =
        held.len ? sg_arena_copy(arena, sg_bytes_slice(held, lines, SIZE_MAX)) : held;
    w->header.len = lines;
    sg_report_undecodable(w->scan, place(w, "the header of"), "larger than the limit");
    w->doubt = true;
    header_end(w, true);
    content_push(w, begun.data, begun.len);
    content_push(w, data, len);
}

/* A line of a header, or a piece of one. */
static void header_push(struct sg_walk *w, const uint8_t *data, size_t len)
{
    if (!sg_buf_add(&w->header, data, len)) {
        header_cut(w, data, len);
        return;
    }
    size_t line = empty_line(&w->header);
    if (line) {
        w->header.len -= line;
        header_end(w, false);
    }
}

/* Octets that are no delimiter. */
static void content_push(struct sg_walk *w, const uint8_t *data, size_t len)
{
    if (len == 0)
        return;
    w->at_start = data[len - 1] == '\n' || data[len - 1] == '\r';
    if (w->state == IN_HEADER) {
        header_push(w, data, len);
    } else if (w->state == IN_LEAF) {
        sg_leaf_push(w->leaf, data, len);
    } else {
        if (!w->blind)
            w->blind = sg_blind_new(w->scan);
        sg_blind_push(w->blind, data, len);
    }
}

enum match { NO_MATCH, NEAR_MATCH, PART_BEGINS, PARTS_END };

/* Is a line, which begins with "--", the delimiter of this multipart? */
static enum match delimiter_match(const struct level *l, const uint8_t *line, size_t len)
{
    if (!l->mark || len < l->mark_len || memcmp(line, l->mark, l->mark_len) != 0)
        return NO_MATCH;
    size_t at = l->mark_len;
    bool closing = len - at >= 2 && line[at] == '-' && line[at + 1] == '-';
    at += closing ? 2 : 0;
    while (at < len && strchr(" \t\r\n", line[at]) && line[at])
        at++;
    if (at < len)
        return NEAR_MATCH;
    return closing ? PARTS_END : PART_BEGINS;
}

static void delimiter_take(struct sg_walk *w, size_t level, enum match match)
{
    piece_end(w);
    levels_cut(w, level + 1);
    struct level *l = &w->levels[level];
    w->doubt |= l->closed; /* parts behind the end */
    if (l->closed && match == PARTS_END)
        part_count(w); /* each end of what has ended begins and ends a reading, as a part does */
    l->closed = match == PARTS_END;
    w->state = match == PARTS_END ? OUTSIDE : IN_HEADER;
    l->parts += match == PART_BEGINS;
}

/* What has come of a line that begins with "--": all of it, or as much as a delimiter can be. */
static void line_end(struct sg_walk *w)
{
    size_t len = w->line_len;
    w->line_len = 0;
    for (size_t i = w->level_count; i-- > 0 && !w->rest;) {
        enum match match = delimiter_match(&w->levels[i], w->line, len);
        if (match == NEAR_MATCH) {
            w->doubt = true;
            if (w->leaf)
                sg_leaf_doubt(w->leaf, sg_bytes_of(NULL, 0));
        }
        if (match == PART_BEGINS || match == PARTS_END) {
            delimiter_take(w, i, match);
            w->at_start = true;
            w->skip_lf = w->line[len - 1] == '\r';
            return;
        }
    }
    w->at_start = false;
    content_push(w, w->line, len);
}

/* Takes the beginning of a line for as long as it may be a delimiter; returns how much it took. */
static size_t start_take(struct sg_walk *w, const uint8_t *data, size_t len)
{
    size_t i = 0;
    while (i < len) {
        uint8_t c = data[i];
        if (w->line_len < 2 && c != '-') {
            size_t held = w->line_len;
            w->line_len = 0;
            w->at_start = false;
            content_push(w, w->line, held);
            w->at_start = false;
            return i;
        }
        w->line[w->line_len++] = c;
        i++;
        if (c == '\n' || c == '\r' || w->line_len == LINE_BYTES) {
            line_end(w);
            return i;
        }
    }
    return i;
}

/* How much of data lies before the next place where a delimiter may begin. */
static size_t content_length(const struct sg_walk *w, const uint8_t *data, size_t len)
{
    if (w->state == IN_HEADER) { /* a line; a CR alone is the end of one to some */
        const uint8_t *lf = memchr(data, '\n', len);
        size_t line = lf ? (size_t)(lf - data) + 1 : len;
        const uint8_t *cr = memchr(data, '\r', line);
        size_t at = cr ? (size_t)(cr - data) + 1 : line;
        return at < line && data[at] != '\n' ? at : line;
    }
    if (w->level_count == 0 || w->rest)
        return len;
    const uint8_t *p = data, *end = data + len;
    while (end - p >= 2 && (p = memchr(p, '-', (size_t)(end - p) - 1))) {
        if (p[1] != '-') {
            p++;
            continue;
        }
        if (p > data && (p[-1] == '\n' || p[-1] == '\r'))
            return (size_t)(p - data);
        while (p < end && *p == '-')
            p++;
    }
    /* A '-' at the end of the piece may be half of it. */
    if (len >= 2 && end[-1] == '-' && (end[-2] == '\n' || end[-2] == '\r'))
        return len - 1;
    return len;
}

void sg_walk_push(struct sg_walk *w, const uint8_t *data, size_t len)
{
    while (len && sg_scan_goes_on(w->scan, 0, w->where)) {
        if (w->skip_lf) { /* behind a delimiter's CR; where it stands alone, readers differ */
            w->skip_lf = false;
            if (*data == '\n') {
                data++;
                len--;
                continue;
            }
            w->doubt = true;
        }
        size_t n = w->at_start ? start_take(w, data, len) : 0;
        data += n;
        len -= n;
        if (w->at_start || w->line_len || w->skip_lf || !len)
            continue;
        n = content_length(w, data, len);
        content_push(w, data, n);
        data += n;
        len -= n;
    }
}

/* ---------------------------------------------------------------------------------------------- */

struct sg_walk *sg_walk_new(struct sg_scan *scan, const char *where)
{
    struct sg_walk *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    scan->depth++;
    w->scan = scan;
    w->where = where;
    w->at_start = true;
    w->state = IN_HEADER;
    sg_buf_init(&w->header, scan->options->limits.max_header_bytes);
    w->levels = calloc(scan->options->limits.max_depth + 1, sizeof *w->levels);
    if (!w->levels)
        abort();
    return w;
}

void sg_walk_header(struct sg_walk *w, const struct sg_header_block *block, bool doubtful)
{
    w->doubt = doubtful;
    entity_begin(w, block, doubtful);
}

void sg_walk_end(struct sg_walk **walk)
{
    struct sg_walk *w = *walk;
    if (!w)
        return;
    if (w->line_len)
        line_end(w);
    piece_end(w);
    levels_cut(w, 0);
    w->scan->depth--;
    free(w->levels);
    sg_buf_free(&w->header);
    free(w);
    *walk = NULL;
}
