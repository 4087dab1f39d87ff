/*
 * What the journal is told of a message, as octets: fields one behind another, so that neither who
 * writes it nor who feeds it to PostgreSQL makes a tree of it. The head: an octet that says which
 * form this is, and how many recipients and steps of the trace there are (two numbers). What then
 * comes is known to message.c, which writes it, and feed.c.
 *
 * A number is 8 octets, a text 4 octets of length, the text and a NUL; little-endian.
 */
#ifndef SG_PIPELINE_RECORD_H
#define SG_PIPELINE_RECORD_H

#include "common/arena.h"
#include "common/buf.h"
#include "common/error.h"

void sg_record_begin(struct sg_buf *out, size_t recipients, size_t steps);
void sg_record_add_text(struct sg_buf *out, const char *text); /* NULL is "" */
void sg_record_add_number(struct sg_buf *out, int64_t number);
/* A text that is written into out between the two: what text_begin() gave goes to text_end(). */
size_t sg_record_text_begin(struct sg_buf *out);
void sg_record_text_end(struct sg_buf *out, size_t begun);

struct sg_record_reader {
    struct sg_bytes rest;
    bool bad; /* something was read that is not there; texts were "" and numbers 0 */
};
/* false: not of this form, or more recipients and steps than there is room for. */
SG_MUST_USE bool sg_record_open(struct sg_bytes record, struct sg_record_reader *reader_r,
                                size_t *recipients_r, size_t *steps_r);
const char *sg_record_text(struct sg_record_reader *reader); /* a part of the record */
int64_t sg_record_number(struct sg_record_reader *reader);

/*
 * Records up to version 0.1 are JSON: gives the same as one of today's, in the arena.
 * SG_E_MALFORMED where it is no such record.
 */
SG_MUST_USE bool sg_record_of_json(struct sg_arena *arena, struct sg_bytes json, bool received,
                                   struct sg_bytes *record_r, struct sg_error *err);

#endif
