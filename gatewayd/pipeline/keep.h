/* Holding (REQ-56) and telling the sender (REQ-57), each committed before anything is answered. */
#ifndef SG_PIPELINE_KEEP_H
#define SG_PIPELINE_KEEP_H

#include "notice/notice.h"
#include "pipeline/outbound.h"

/* Holds the message for a group's recipients and posts the DELAYED notices; sets their outcomes. */
void sg_keep_group(struct sg_outbound *o, struct sg_outbound_group *group);

/* The four header fields of REQ-77 and what the text needs, from a message. */
void sg_notice_content_of(struct sg_message *m, const char *kind, const char *codes,
                          struct sg_rcpt **rcpts, size_t count,
                          struct sg_notice_content *content_r);
/* Posts one notice about m to recipient, from the domain's postmaster. */
SG_MUST_USE bool sg_keep_notice(struct sg_message *m, const char *domain_id, const char *recipient,
                                const struct sg_notice_content *content, struct sg_error *err);
/* When a held message is tried next: doubling from the first wait to the longest. */
sg_time sg_keep_next_try(const struct sg_gateway *gw, int attempts, sg_time now);

#endif
