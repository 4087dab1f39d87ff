/*
 * Within the folder: the content of a message on the wire (RFC 5321 §4.5.2), both ways. Only
 * CRLF "." CRLF ends it; a CR or LF on its own is noticed and never taken for the end of a line
 * (SMTP smuggling).
 */
#ifndef SG_SMTP_DATA_H
#define SG_SMTP_DATA_H

#include "common/bytes.h"
#include "common/error.h"
#include "spool/spool.h"

struct smtp_data_reader {
    enum {
        SMTP_DATA_LINE, /* at the start of a line */
        SMTP_DATA_TEXT,
        SMTP_DATA_CR,     /* behind a CR within text */
        SMTP_DATA_DOT,    /* behind the dot that starts a line */
        SMTP_DATA_DOT_CR, /* behind that and a CR */
        SMTP_DATA_DONE
    } state;
    bool bare;   /* a CR or LF stood on its own */
    bool failed; /* the sink failed with error; the rest is read and thrown away */
    struct sg_error error;
    struct sg_sink sink; /* takes the content, dots unstuffed */
};

void smtp_data_reader_init(struct smtp_data_reader *reader, struct sg_sink sink);
/* Returns how much of input belongs to the content: all of it, until the state is DONE. */
size_t smtp_data_reader_feed(struct smtp_data_reader *reader, struct sg_bytes input);

/* Stuffs dots, also behind NULs at the start of a line: there are servers that drop those, and
 * would see the end. A bare CR or LF is SG_E_INVALID. */
struct smtp_data_writer {
    enum { SMTP_OUT_LINE, SMTP_OUT_NUL, SMTP_OUT_TEXT, SMTP_OUT_CR } state;
    struct sg_sink sink;
};

void smtp_data_writer_init(struct smtp_data_writer *writer, struct sg_sink sink);
SG_MUST_USE bool smtp_data_writer_add(struct smtp_data_writer *writer, struct sg_bytes content,
                                      struct sg_error *err);
/* Ends the last line where the content does not, and the content. */
SG_MUST_USE bool smtp_data_writer_end(struct smtp_data_writer *writer, struct sg_error *err);

#endif
