/* Trigger words of a message that passes: looked for once, traced, and handed on as facts. */
#ifndef SG_PIPELINE_SCAN_H
#define SG_PIPELINE_SCAN_H

#include "pipeline/message.h"

/* headers and the range of body are a message; attachments: the domain wants these read (REQ-34).
 */
SG_MUST_USE bool sg_scan(struct sg_message *m, const struct sg_header_block *headers,
                         const struct sg_spool *body, uint64_t offset, uint64_t len,
                         bool attachments, struct sg_trigger_found *found_r, struct sg_error *err);

#endif
