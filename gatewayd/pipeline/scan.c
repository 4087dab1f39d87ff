#include "pipeline/scan.h"

#include "pipeline/metrics.h"

_Static_assert((int)SG_POLICY_IN_CONFIDENCE == (int)SG_TRIGGER_IN_CONFIDENCE &&
                   (int)SG_POLICY_SENSITIVE == (int)SG_TRIGGER_SENSITIVE &&
                   (int)SG_POLICY_RESTRICTED == (int)SG_TRIGGER_RESTRICTED &&
                   (int)SG_POLICY_CONFIDENTIAL == (int)SG_TRIGGER_CONFIDENTIAL &&
                   (int)SG_POLICY_SECRET == (int)SG_TRIGGER_SECRET &&
                   (int)SG_POLICY_TOP_SECRET == (int)SG_TRIGGER_TOP_SECRET &&
                   (int)SG_POLICY_RSVPDR == (int)SG_TRIGGER_RSVPDR,
               "the rules' words are those that are looked for");

bool sg_scan(struct sg_message *m, const struct sg_header_block *headers,
             const struct sg_spool *body, uint64_t offset, uint64_t len, bool attachments,
             struct sg_trigger_found *found_r, struct sg_error *err)
{
    SG_MEASURE(SG_STAGE_SCAN);
    struct sg_trigger_options options = {.attachments = attachments,
                                         .limits = m->gw->trigger,
                                         .tnef = m->gw->tnef,
                                         .budget = &m->budget,
                                         .taken_out = sg_message_taken_out(m)};
    sg_budget_begin(&m->budget, m->gw->message_cpu_ms);
    if (!sg_trigger_scan(m->arena, headers, body, offset, len, &options, found_r, err))
        return false;
    for (size_t i = 0; i < found_r->hit_count; i++)
        sg_trace_add(&m->trace, "trigger", "REQ-32", "word",
                     sg_trigger_word_name(found_r->hits[i].word), "where", found_r->hits[i].where,
                     NULL);
    if (found_r->undecodable)
        sg_trace_add(&m->trace, "undecodable", "REQ-33", "where", found_r->undecodable_where, "why",
                     found_r->undecodable_why, NULL);
    if (found_r->opaque)
        sg_trace_add(&m->trace, "opaque", "REQ-12", "detail",
                     "holds what its reader alone can decrypt: not looked into", NULL);
    return true;
}
