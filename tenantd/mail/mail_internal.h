#ifndef SG_MAIL_MAIL_INTERNAL_H
#define SG_MAIL_MAIL_INTERNAL_H

#include "mail/mail.h"

/* A header's text: as it is where it is ASCII, else in encoded words (RFC 2047), folded. */
const char *mail_words(struct sg_arena *arena, const char *text);
/* Lines end in CRLF. */
const char *mail_crlf(struct sg_arena *arena, const char *text);
/* One line, without control characters. */
bool mail_is_line(const char *text);

#endif
