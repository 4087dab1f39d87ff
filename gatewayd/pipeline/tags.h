/*
 * Subject tags by which other gateways, and people, say how a mail was found: "[signed OK]". Ours
 * says it in a header field (X-Sealgate-Verdict) and puts nothing into a Subject, so in mail that
 * is not verified such a tag is the sender's own word for it: it goes, as a forged field does.
 */
#ifndef SG_PIPELINE_TAGS_H
#define SG_PIPELINE_TAGS_H

#include "common/buf.h"
#include "mime/header.h"

/* "[a b], [c]": in square brackets, what is between them does not count. */
bool sg_tags_valid(const char *tags);

/*
 * Adds the field without the tags in it to out. Letter case, white space and invisible characters
 * in a tag do not count; encoded words (RFC 2047) are read, and written anew. false: there is none,
 * nothing was added.
 */
bool sg_tags_strip(const char *tags, const struct sg_header *field, struct sg_buf *out);

#endif
