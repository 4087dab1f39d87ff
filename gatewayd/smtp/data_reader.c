#include "smtp/data.h"

#include "common/scan.h"

void smtp_data_reader_init(struct smtp_data_reader *reader, struct sg_sink sink)
{
    memset(reader, 0, sizeof *reader);
    reader->sink = sink;
}

static const uint8_t lone_cr[] = {'\r'};

static void emit(struct smtp_data_reader *r, const uint8_t *from, const uint8_t *to)
{
    if (to > from && !r->failed)
        r->failed = !sg_sink_write(&r->sink, from, (size_t)(to - from), &r->error);
}

/* The octet behind the start of a line that is no dot, or anything within one. */
static int text_state(struct smtp_data_reader *r, uint8_t c)
{
    if (c == '\r')
        return SMTP_DATA_CR;
    if (c == '\n')
        r->bare = true;
    return SMTP_DATA_TEXT;
}

static int cr_state(struct smtp_data_reader *r, uint8_t c)
{
    if (c == '\n')
        return SMTP_DATA_LINE;
    r->bare = true;
    return c == '\r' ? SMTP_DATA_CR : SMTP_DATA_TEXT;
}

/* One octet on from the states that are not TEXT; *from is where the octets still to be emitted
 * begin, and is moved over what is no content. */
static int step(struct smtp_data_reader *r, const uint8_t *at, const uint8_t **from)
{
    switch (r->state) {
    case SMTP_DATA_LINE:
        if (*at != '.')
            return text_state(r, *at);
        emit(r, *from, at);
        *from = at + 1; /* a leading dot is never content */
        return SMTP_DATA_DOT;
    case SMTP_DATA_DOT:
        if (*at != '\r')
            return text_state(r, *at);
        *from = at + 1; /* perhaps the end's */
        return SMTP_DATA_DOT_CR;
    case SMTP_DATA_DOT_CR:
        if (*at == '\n')
            return SMTP_DATA_DONE;
        emit(r, lone_cr, lone_cr + 1);
        return cr_state(r, *at);
    case SMTP_DATA_CR:
        return cr_state(r, *at);
    default:
        return text_state(r, *at);
    }
}

size_t smtp_data_reader_feed(struct smtp_data_reader *reader, struct sg_bytes input)
{
    const uint8_t *from = input.data, *at = from, *end = input.data + input.len;
    while (at < end && reader->state != SMTP_DATA_DONE) {
        if (reader->state == SMTP_DATA_TEXT)
            at = sg_scan_line_break(at, end);
        if (at == end)
            break;
        reader->state = step(reader, at, &from);
        at++;
    }
    if (reader->state != SMTP_DATA_DONE)
        emit(reader, from, at);
    return (size_t)(at - input.data);
}
