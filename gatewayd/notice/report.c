/* Reading a report that Postfix made (RFC 3464): one walk over its lines. */
#include "notice/notice.h"

#define FIELD_MAX  2000 /* of a folded field: the rest is not shown anyway */
#define FIELDS_MAX 64   /* of a header: a person's has one of each */

struct walk {
    struct sg_arena *arena;
    const char *mark; /* "--" and the boundary */
    struct sg_bytes rest;
    struct sg_notice_report *report;
    size_t room;
};

static struct sg_bytes line_next(struct sg_bytes *rest)
{
    const uint8_t *end = memchr(rest->data, '\n', rest->len);
    size_t len = end ? (size_t)(end - rest->data) + 1 : rest->len;
    struct sg_bytes line = sg_bytes_slice(*rest, 0, len);
    *rest = sg_bytes_slice(*rest, len, rest->len);
    while (line.len && (line.data[line.len - 1] == '\n' || line.data[line.len - 1] == '\r'))
        line.len--;
    return line;
}

/* The value of "Name: …" where line is such a field; NULL else. */
static const char *field_value(struct sg_arena *arena, struct sg_bytes line, const char *name)
{
    size_t n = strlen(name);
    if (line.len <= n || line.data[n] != ':' || !sg_bytes_iequal(sg_bytes_slice(line, 0, n), name))
        return NULL;
    const char *value = sg_arena_str(arena, sg_bytes_slice(line, n + 1, line.len));
    return value + strspn(value, " \t");
}

/* Behind the type: "rfc822; ann@b.test". */
static const char *typed_value(const char *value)
{
    const char *semicolon = strchr(value, ';');
    if (!semicolon)
        return value;
    return semicolon + 1 + strspn(semicolon + 1, " \t");
}

/* The type of the part that begins here; moves behind its header. "": it has none. */
static const char *part_type(struct walk *w)
{
    const char *type = "";
    while (w->rest.len) {
        struct sg_bytes line = line_next(&w->rest);
        if (line.len == 0)
            break;
        const char *value = field_value(w->arena, line, "Content-Type");
        if (value)
            type = value;
    }
    return type;
}

static bool type_is(const char *value, const char *type)
{
    size_t n = strlen(type);
    return strncasecmp(value, type, n) == 0 && (!value[n] || strchr("; \t", value[n]));
}

struct block {
    const char *recipient, *action, *status;
    bool replied;
};

static void block_end(struct walk *w, struct block *b)
{
    struct sg_notice_report *r = w->report;
    if (b->recipient && b->action && strcasecmp(b->action, "failed") == 0) {
        if (r->failure_count == w->room) {
            size_t room = w->room ? 2 * w->room : 8;
            struct sg_notice_failure *more =
                SG_ARENA_ARRAY(w->arena, struct sg_notice_failure, room);
            if (r->failure_count)
                memcpy(more, r->failures, r->failure_count * sizeof *more);
            r->failures = more;
            w->room = room;
        }
        r->failures[r->failure_count++] =
            (struct sg_notice_failure){b->recipient, b->status ? b->status : "", b->replied};
    }
    *b = (struct block){0};
}

/* Fields of the message up to the first empty line, then of one recipient up to each (§2.1). */
static void status_read(struct walk *w)
{
    struct block b = {0};
    bool head = true;
    while (w->rest.len) {
        struct sg_bytes before = w->rest, line = line_next(&w->rest);
        const char *value;
        if (sg_bytes_starts(line, w->mark)) {
            w->rest = before;
            break;
        }
        if (line.len == 0) {
            block_end(w, &b);
            head = false;
        } else if (head && (value = field_value(w->arena, line, "X-Postfix-Queue-ID"))) {
            w->report->queue_id = value;
        } else if (head) {
            continue;
        } else if ((value = field_value(w->arena, line, "Final-Recipient"))) {
            b.recipient = typed_value(value);
        } else if ((value = field_value(w->arena, line, "Action"))) {
            b.action = value;
        } else if ((value = field_value(w->arena, line, "Status"))) {
            b.status = value;
        } else if ((value = field_value(w->arena, line, "Diagnostic-Code"))) {
            b.replied = strncasecmp(value, "x-postfix;", 10) != 0;
        }
    }
    block_end(w, &b);
}

/* The field that begins here, where it is one of those that are wanted; else NULL. */
static struct sg_notice_field *field_begin(struct walk *w, struct sg_bytes line)
{
    static const char *const names[] = {"To",      "From",           "Date",
                                        "Subject", "Auto-Submitted", "Content-Type"};
    struct sg_notice_report *r = w->report;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && r->field_count < FIELDS_MAX; i++) {
        const char *value = field_value(w->arena, line, names[i]);
        if (!value)
            continue;
        r->fields[r->field_count] = (struct sg_notice_field){names[i], value};
        return &r->fields[r->field_count++];
    }
    return NULL;
}

/* The header of the message itself, with folded lines. */
static void original_read(struct walk *w)
{
    struct sg_notice_report *r = w->report;
    struct sg_notice_field *open = NULL;
    r->fields = SG_ARENA_ARRAY(w->arena, struct sg_notice_field, FIELDS_MAX);
    while (w->rest.len) {
        struct sg_bytes line = line_next(&w->rest);
        if (line.len == 0 || sg_bytes_starts(line, w->mark))
            break;
        if (line.data[0] != ' ' && line.data[0] != '\t')
            open = field_begin(w, line);
        else if (open && strlen(open->value) < FIELD_MAX)
            open->value =
                sg_arena_printf(w->arena, "%s%s", open->value, sg_arena_str(w->arena, line));
    }
}

void sg_notice_report_read(struct sg_arena *arena, const struct sg_header_block *headers,
                           struct sg_bytes body, struct sg_notice_report *report_r)
{
    struct sg_content_type type;
    bool status = false, original = false;
    *report_r = (struct sg_notice_report){.queue_id = ""};
    sg_content_type_parse(arena, sg_header_find(headers, "Content-Type", 0), &type);
    const char *boundary = sg_content_type_parameter(&type, "boundary");
    if (strcmp(type.type, "multipart/report") != 0 || !boundary || !*boundary)
        return;
    struct walk w = {arena, sg_arena_printf(arena, "--%s", boundary), body, report_r, 0};
    while (w.rest.len) {
        if (!sg_bytes_starts(line_next(&w.rest), w.mark))
            continue;
        const char *part = part_type(&w);
        if (!status && (type_is(part, "message/delivery-status") ||
                        type_is(part, "message/global-delivery-status"))) {
            status_read(&w);
            status = true;
        } else if (!original &&
                   (type_is(part, "message/rfc822") || type_is(part, "message/global") ||
                    type_is(part, "text/rfc822-headers") ||
                    type_is(part, "message/global-headers"))) {
            original_read(&w);
            original = true;
        }
    }
}
