/* Figures of the message path: what came, what became of it, and how long each stage took. */
#ifndef SG_PIPELINE_METRICS_H
#define SG_PIPELINE_METRICS_H

#include "common/metrics.h"
#include "recipients/recipients.h"

struct sg_message;

/* Stages, as the values of the label. */
enum sg_stage {
    SG_STAGE_JOURNAL,   /* an append, until it is on disk */
    SG_STAGE_DECIDE,    /* outbound: certificates and policy, of a recipient domain */
    SG_STAGE_SCAN,      /* trigger words, within decide or judge */
    SG_STAGE_SEAL,      /* signing and enveloping */
    SG_STAGE_JUDGE,     /* inbound: opening, verifying, policy */
    SG_STAGE_HOLD,      /* holding, with its notices */
    SG_STAGE_DELIVER,   /* a transaction with the next hop or Postfix "out" */
    SG_STAGE_RECIPIENT, /* finding out whether there is a recipient, before mail for him is taken */
    SG_STAGE_TOTAL,     /* from the end of the data to the reply */
    SG_STAGES
};

struct sg_stage_timer {
    enum sg_stage stage;
    int64_t began;
};
struct sg_stage_timer sg_stage_begin(enum sg_stage stage);
void sg_stage_end(const struct sg_stage_timer *timer);
/* Measures until the end of the block. */
#define SG_MEASURE(which)                                                                          \
    __attribute__((cleanup(sg_stage_end), unused)) struct sg_stage_timer timer =                   \
        sg_stage_begin(which)

void sg_count_message(const char *direction);
void sg_count_recipient(const char *direction, const char *outcome, const char *verdict,
                        const char *code);
/* What Postfix "out" was answered at its edge: "yes", "no", "later". */
void sg_count_edge(const char *answer);
/* An attempt to send a notice: "sent", "deferred", "failed". */
void sg_count_notice(const char *kind, const char *state);
void sg_count_folded(size_t count);

/* A mail that was not held for want of room ([hold] tenant_size). */
void sg_count_hold_full(void);
/* A reply that was to wait for the floor of failures (even.h) came after it. */
void sg_count_floor_exceeded(void);

/* What became of a question of Postfix "in" about a recipient. */
void sg_count_asked(enum sg_recipient_answer answer, enum sg_recipient_source source);

/* Of how many networks the egress set is (REQ-125). */
void sg_show_egress(size_t networks);

extern struct sg_metric *const sg_pipeline_metrics[];

#endif
