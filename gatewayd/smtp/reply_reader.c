#include "smtp/reply_reader.h"

#include <stdio.h>

#define LINES_MAX 200

static bool digit(struct sg_bytes s, size_t at)
{
    return at < s.len && s.data[at] >= '0' && s.data[at] <= '9';
}

/* Length of "5.1.1 " at the start of text, of the class that the code has; else 0. */
static size_t enhanced_length(struct sg_bytes text, int cls)
{
    size_t i = 1;
    if (!digit(text, 0) || text.data[0] != '0' + cls)
        return 0;
    for (int part = 0; part < 2; part++) {
        if (i >= text.len || text.data[i++] != '.')
            return 0;
        size_t from = i;
        while (digit(text, i))
            i++;
        if (i == from || i > from + 3)
            return 0;
    }
    return i == text.len || text.data[i] == ' ' ? i : 0;
}

static void text_append(struct sg_smtp_reply *reply, struct sg_bytes text)
{
    size_t n = strlen(reply->text);
    if (n && text.len && n + 1 < sizeof reply->text)
        reply->text[n++] = ' ';
    for (size_t i = 0; i < text.len && n + 1 < sizeof reply->text; i++)
        reply->text[n++] = (char)(text.data[i] < 0x20 || text.data[i] > 0x7e ? '?' : text.data[i]);
    reply->text[n] = 0;
}

enum reply_step reply_reader_line(struct reply_reader *reader, struct sg_bytes line)
{
    struct sg_smtp_reply *reply = reader->reply;
    if (!digit(line, 0) || !digit(line, 1) || !digit(line, 2) || line.data[0] < '2' ||
        line.data[0] > '5' || (line.len > 3 && line.data[3] != ' ' && line.data[3] != '-') ||
        reader->lines++ == LINES_MAX)
        return REPLY_BAD;
    if (reader->lines == 1)
        memset(reply, 0, sizeof *reply);
    int cls = line.data[0] - '0';
    reply->code = cls * 100 + (line.data[1] - '0') * 10 + (line.data[2] - '0');
    if (reply->enhanced[0] != line.data[0])
        reply->enhanced[0] = 0; /* of an earlier line with another code */
    struct sg_bytes text = sg_bytes_slice(line, 4, line.len);
    if (reader->line)
        reader->line(reader->ctx, text);
    size_t n = enhanced_length(text, cls);
    if (n && n < sizeof reply->enhanced) {
        memcpy(reply->enhanced, text.data, n);
        reply->enhanced[n] = 0;
        text = sg_bytes_slice(text, n + 1, text.len);
    }
    text_append(reply, text);
    return line.len > 3 && line.data[3] == '-' ? REPLY_MORE : REPLY_END;
}
