/* What the texts share. */
#ifndef SG_NOTICE_NOTICE_INTERNAL_H
#define SG_NOTICE_NOTICE_INTERNAL_H

#include "notice/notice.h"

#define SG_NOTICE_CODES_MAX 64

/* The first line, as tables 2 and 4 have it. retry_at: of DELAYED. */
void sg_notice_first_line(enum sg_notice_kind kind, const char *codes, sg_time created_at,
                          sg_time retry_at, struct sg_buf *out);
const char *sg_notice_subject(enum sg_notice_kind kind);
/* What each of "201, 202" means, a line each. */
void sg_notice_codes_explain(const char *codes, struct sg_buf *out);
/* A line of text from outside: no line break, no control character survives; at most `most` bytes.
 */
void sg_notice_line_add(struct sg_buf *out, const char *label, const char *value, size_t most);
/* The four fields of REQ-77, indented. */
void sg_notice_original_add(const struct sg_notice_original *original, const char *indent,
                            struct sg_buf *out);
void sg_notice_addition_add(const char *addition, struct sg_buf *out);
/* From, To, Subject, Date, Message-ID, Auto-Submitted. */
void sg_notice_head(const struct sg_notice *notice, const char *subject, bool reply,
                    struct sg_buf *out);

#endif
