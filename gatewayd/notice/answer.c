/* Whom a notice may answer: loops end here (REQ-93, RFC 3834 §2). */
#include "notice/notice.h"

/* The local part as it names a mailbox: without quotes and what follows a plus sign, lower case. */
static const char *local_of(struct sg_arena *arena, const char *address)
{
    const char *at = strrchr(address, '@');
    size_t len = at ? (size_t)(at - address) : strlen(address), n = 0;
    char *out = sg_arena_alloc(arena, len + 1);
    for (size_t i = 0; i < len; i++) {
        if (address[i] == '"')
            continue;
        if (address[i] == '\\' && i + 1 < len)
            i++;
        char c = address[i];
        if (c == '+')
            break;
        out[n++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    out[n] = 0;
    return out;
}

static bool is_postmaster(struct sg_arena *arena, const char *address)
{
    const char *local = local_of(arena, address);
    return strcmp(local, "postmaster") == 0 || strcmp(local, "mailer-daemon") == 0;
}

bool sg_notice_from_postmaster(struct sg_arena *arena, const char *sender,
                               const struct sg_header_block *headers)
{
    const struct sg_header *field = NULL;
    if (is_postmaster(arena, sender))
        return true;
    while ((field = sg_header_next(headers, "From", field))) {
        struct sg_mailbox *list;
        size_t count;
        if (!sg_mailbox_list_parse(arena, field, &list, &count, NULL))
            continue;
        for (size_t i = 0; i < count; i++)
            if (is_postmaster(arena, list[i].address))
                return true;
    }
    return false;
}

/* "no", with or without parameters and comments, is what a person's mail may say. */
static bool auto_submitted(struct sg_arena *arena, const struct sg_header_block *headers)
{
    const struct sg_header *field = NULL;
    while ((field = sg_header_next(headers, "Auto-Submitted", field))) {
        const char *value = sg_header_unfold(arena, field);
        if (strncasecmp(value, "no", 2) != 0 || (value[2] && !strchr(" \t;(", value[2])))
            return true;
    }
    return false;
}

static bool is_report(struct sg_arena *arena, const struct sg_header_block *headers)
{
    struct sg_content_type type;
    sg_content_type_parse(arena, sg_header_find(headers, "Content-Type", 0), &type);
    return strcmp(type.type, "multipart/report") == 0;
}

const char *sg_notice_no_answer(struct sg_arena *arena, const char *sender,
                                const struct sg_header_block *headers)
{
    if (!*sender)
        return "null sender";
    if (sg_notice_from_postmaster(arena, sender, headers))
        return "from a postmaster";
    if (is_report(arena, headers))
        return "a report";
    return auto_submitted(arena, headers) ? "sent by a machine" : NULL;
}

bool sg_notice_is_bulk(struct sg_arena *arena, const struct sg_header_block *headers)
{
    static const char *const values[] = {"bulk", "list", "junk"};
    const struct sg_header *field = sg_header_find(headers, "Precedence", 0);
    const char *value = field ? sg_header_unfold(arena, field) : "";
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        if (strcasecmp(value, values[i]) == 0)
            return true;
    return sg_header_count(headers, "List-Id") > 0;
}
