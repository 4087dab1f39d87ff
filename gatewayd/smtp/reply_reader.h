/* Within the folder: a reply of the peer, line by line (RFC 5321 §4.2, RFC 2034). */
#ifndef SG_SMTP_REPLY_READER_H
#define SG_SMTP_REPLY_READER_H

#include "common/bytes.h"
#include "smtp/reply.h"

enum reply_step { REPLY_MORE, REPLY_END, REPLY_BAD };

struct reply_reader {
    struct sg_smtp_reply *reply;
    int lines;
    /* Sees the text of each line (what EHLO offers); may be NULL. */
    void (*line)(void *ctx, struct sg_bytes text);
    void *ctx;
};

/* line comes without its end. The code of the last line counts. */
enum reply_step reply_reader_line(struct reply_reader *reader, struct sg_bytes line);

#endif
