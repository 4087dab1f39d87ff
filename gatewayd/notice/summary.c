/* A summary: what was folded in a period, counted in full and listed as far as it fits (REQ-94). */
#include "notice/notice_internal.h"

#include <inttypes.h>
#include <stdio.h>

static void period_add(const struct sg_notice *n, const struct sg_notice_summary *s,
                       struct sg_buf *out)
{
    char from[40], to[40];
    sg_time_rfc5322(s->began_at, from);
    sg_time_rfc5322(n->created_at, to);
    sg_buf_addf(out, "\r\nThis notice stands for %" PRId64 " of its kind.\r\n", s->stands_for);
    sg_buf_addf(out, "From: %s\r\nTo:   %s\r\n", from, to);
}

void sg_notice_summary_message(const struct sg_notice *n, const struct sg_notice_summary *s,
                               struct sg_buf *out)
{
    char subject[100];
    snprintf(subject, sizeof subject, "%s (%" PRId64 " messages)", sg_notice_subject(n->kind),
             s->stands_for);
    sg_notice_head(n, subject, false, out);
    sg_buf_adds(out, "Content-Type: text/plain; charset=utf-8\r\n"
                     "Content-Transfer-Encoding: 8bit\r\n\r\n");
    sg_notice_first_line(n->kind, s->codes, n->created_at, s->retry_at, out);
    period_add(n, s, out);
    if (!n->brief && *s->codes) {
        sg_buf_adds(out, "\r\n");
        sg_notice_codes_explain(s->codes, out);
    }
    sg_buf_adds(out, "\r\nThe messages:\r\n");
    for (size_t i = 0; i < s->line_count; i++) {
        sg_buf_addf(out, "\r\n%zu.\r\n", i + 1);
        sg_notice_original_add(&s->lines[i].original, "  ", out);
        sg_notice_line_add(out, "  Concerning: ", s->lines[i].addresses, 600);
    }
    if (s->stands_for > (int64_t)s->line_count)
        sg_buf_addf(out, "\r\nAnd %" PRId64 " more.\r\n", s->stands_for - (int64_t)s->line_count);
    sg_notice_addition_add(n->addition, out);
}
