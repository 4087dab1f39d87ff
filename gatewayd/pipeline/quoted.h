/* Quoted-printable (RFC 2045 §6.7): texts of our own, for next hops that take 7 bits alone. */
#ifndef SG_PIPELINE_QUOTED_H
#define SG_PIPELINE_QUOTED_H

#include "common/buf.h"

/* Appends a text with CRLF line ends; no line becomes longer than 76 characters, and none breaks
 * within a character of UTF-8. */
void sg_quoted_add(struct sg_bytes text, struct sg_buf *out);

#endif
