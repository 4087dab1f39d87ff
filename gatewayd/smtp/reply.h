/*
 * An SMTP reply: three digits, an enhanced status code (RFC 3463), one line of text.
 */
#ifndef SG_SMTP_REPLY_H
#define SG_SMTP_REPLY_H

#include "common/error.h"

#include <stdint.h>

struct sg_smtp_reply {
    int code;          /* 250, 451, … */
    char enhanced[12]; /* "2.0.0"; "" where the peer sent none */
    char text[255];    /* printable, one line; of a longer reply the first lines joined */
    /* Not 0: of 8-bit content, sent all the same to a server that does not offer 8BITMIME. */
    uint8_t undeclared;
};

void sg_smtp_reply_set(struct sg_smtp_reply *reply, int code, const char *enhanced, const char *fmt,
                       ...) SG_PRINTF(4, 5);
/* From the table of errors; detail only where it is the peer's fault, never of our bugs. */
void sg_smtp_reply_error(struct sg_smtp_reply *reply, const struct sg_error *err);

#endif
