#include "smtp/data.h"

#include "common/scan.h"

void smtp_data_writer_init(struct smtp_data_writer *writer, struct sg_sink sink)
{
    memset(writer, 0, sizeof *writer);
    writer->sink = sink;
}

static int next_state(int state, uint8_t c)
{
    switch (c) {
    case '\n':
        return SMTP_OUT_LINE;
    case '\r':
        return SMTP_OUT_CR;
    case 0:
        return state == SMTP_OUT_LINE || state == SMTP_OUT_NUL ? SMTP_OUT_NUL : SMTP_OUT_TEXT;
    default:
        return SMTP_OUT_TEXT;
    }
}

bool smtp_data_writer_add(struct smtp_data_writer *writer, struct sg_bytes content,
                          struct sg_error *err)
{
    const uint8_t *from = content.data, *at = from, *end = from + content.len;
    for (; at < end; at++) {
        if (writer->state == SMTP_OUT_TEXT)
            at = sg_scan_line_break(at, end);
        if (at == end)
            break;
        if ((*at == '\n') != (writer->state == SMTP_OUT_CR))
            return sg_fail(err, SG_E_INVALID, "the message has a CR or LF on its own");
        if (*at == '.' && (writer->state == SMTP_OUT_LINE || writer->state == SMTP_OUT_NUL)) {
            if (!sg_sink_write(&writer->sink, from, (size_t)(at - from), err))
                return false;
            from = at;
            if (!sg_sink_write(&writer->sink, ".", 1, err))
                return false;
        }
        writer->state = next_state((int)writer->state, *at);
    }
    return sg_sink_write(&writer->sink, from, (size_t)(end - from), err);
}

bool smtp_data_writer_end(struct smtp_data_writer *writer, struct sg_error *err)
{
    if (writer->state == SMTP_OUT_CR)
        return sg_fail(err, SG_E_INVALID, "the message ends with a CR");
    const char *end = writer->state == SMTP_OUT_LINE ? ".\r\n" : "\r\n.\r\n";
    return sg_sink_write(&writer->sink, end, strlen(end), err);
}
