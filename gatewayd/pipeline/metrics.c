#include "pipeline/metrics.h"

static const char *const directions[] = {"inbound", "outbound", NULL};
static const char *const outcomes[] = {"delivered", "held",    "refused", "deferred",
                                       "discarded", "expired", "other",   NULL};
static const char *const verdicts[] = {"plain",      "sealed", "verified", "opened",
                                       "unverified", "other",  NULL};
/* Of table 3, and what has none. */
static const char *const codes[] = {"001", "002", "003", "004", "005", "008",   "009", "101",
                                    "102", "103", "104", "105", "111", "112",   "113", "114",
                                    "115", "201", "202", "211", "212", "other", NULL};
static const char *const stages[] = {"journal", "decide",  "scan",      "seal",  "judge",
                                     "hold",    "deliver", "recipient", "total", NULL};
static const char *const kinds[] = {"failure",    "delayed",    "non-delivery",   "receipt",
                                    "waiting",    "unverified", "system-failure", "system-warning",
                                    "quarantine", "breach",     "certificate",    NULL};
static const char *const notice_states[] = {"sent", "deferred", "failed", NULL};
/* As enum sg_recipient_answer and enum sg_recipient_source. */
static const char *const knowledge[] = {"undecided", "known", "unknown", "later", NULL};
static const char *const sources[] = {"unasked", "remembered", "asked", NULL};
static const char *const answers[] = {"yes", "no", "later", NULL};

#define DIRECTIONS 2
#define OUTCOMES   7
#define VERDICTS   6
#define CODES      22
#define ANSWERS    3
#define KINDS      11
#define NOTICES    3
#define KNOWLEDGE  4
#define SOURCES    3

static struct sg_metric messages = {
    .name = "sealgate_gateway_messages_total",
    .help = "Messages that were taken, once each however often Postfix tries.",
    .labels = {"direction"},
    .values = {directions},
    .cells = SG_CELLS(DIRECTIONS),
    .cell_count = DIRECTIONS,
};
static struct sg_metric recipients = {
    .name = "sealgate_gateway_recipients_total",
    .help = "Recipients by what became of the message for them; deferred: each 4xx to a message.",
    .labels = {"direction", "outcome"},
    .values = {directions, outcomes},
    .cells = SG_CELLS(DIRECTIONS * OUTCOMES),
    .cell_count = DIRECTIONS * OUTCOMES,
};
static struct sg_metric forms = {
    .name = "sealgate_gateway_delivered_total",
    .help = "Recipients who got the message, by its form.",
    .labels = {"direction", "verdict"},
    .values = {directions, verdicts},
    .cells = SG_CELLS(DIRECTIONS * VERDICTS),
    .cell_count = DIRECTIONS * VERDICTS,
};
static struct sg_metric by_code = {
    .name = "sealgate_gateway_codes_total",
    .help = "Recipients whose message got a code of table 3.",
    .labels = {"code"},
    .values = {codes},
    .cells = SG_CELLS(CODES),
    .cell_count = CODES,
};
static struct sg_metric seconds = {
    .name = "sealgate_gateway_stage_seconds",
    .help = "How long the stages of a message's way took.",
    .type = SG_HISTOGRAM,
    .unit = 1000000,
    .labels = {"stage"},
    .values = {stages},
    .bounds = sg_seconds_bounds,
    .cells = SG_CELLS(SG_STAGES * (SG_SECONDS_BOUNDS + 2)),
    .cell_count = SG_STAGES * (SG_SECONDS_BOUNDS + 2),
};
static struct sg_metric edge = {
    .name = "sealgate_gateway_edge_total",
    .help = "Answers to Postfix out at DATA: may this client send for this sender?",
    .labels = {"answer"},
    .values = {answers},
    .cells = SG_CELLS(ANSWERS),
    .cell_count = ANSWERS,
};

static struct sg_metric notices = {
    .name = "sealgate_gateway_notices_total",
    .help = "Attempts to send a notice, by its kind and what came of it.",
    .labels = {"kind", "state"},
    .values = {kinds, notice_states},
    .cells = SG_CELLS(KINDS * NOTICES),
    .cell_count = KINDS * NOTICES,
};
static struct sg_metric folded = {
    .name = "sealgate_gateway_notices_folded_total",
    .help = "Notices that did not go out singly: a summary tells of them.",
    .cells = SG_CELLS(1),
    .cell_count = 1,
};

static struct sg_metric egress = {
    .name = "sealgate_gateway_egress_networks",
    .help = "Networks that secure mail may be sent into; 0: none configured, any.",
    .type = SG_GAUGE,
    .cells = SG_CELLS(1),
    .cell_count = 1,
};
static struct sg_metric asked = {
    .name = "sealgate_gateway_recipient_questions_total",
    .help = "Answers to Postfix in at RCPT: does the recipient's server know him?",
    .labels = {"answer", "source"},
    .values = {knowledge, sources},
    .cells = SG_CELLS(KNOWLEDGE * SOURCES),
    .cell_count = KNOWLEDGE * SOURCES,
};

static struct sg_metric exceeded = {
    .name = "sealgate_gateway_failure_floor_exceeded_total",
    .help = "Replies to mail that was sealed to us and did not pass that came after [inbound] "
            "failure_time, so that the time may tell what was wrong with it.",
    .cells = SG_CELLS(1),
    .cell_count = 1,
};

static struct sg_metric hold_full = {
    .name = "sealgate_gateway_hold_full_total",
    .help = "Mail that was to be held and stays in Postfix's queue, its tenant having as much held "
            "as [hold] tenant_size.",
    .cells = SG_CELLS(1),
    .cell_count = 1,
};

struct sg_metric *const sg_pipeline_metrics[] = {
    &messages, &recipients, &forms,  &by_code,  &seconds,   &edge, &notices,
    &folded,   &asked,      &egress, &exceeded, &hold_full, NULL};

void sg_count_hold_full(void)
{
    sg_metric_add(&hold_full, 0, 0, 1);
}

void sg_count_floor_exceeded(void)
{
    sg_metric_add(&exceeded, 0, 0, 1);
}

struct sg_stage_timer sg_stage_begin(enum sg_stage stage)
{
    return (struct sg_stage_timer){stage, sg_metric_now()};
}

void sg_stage_end(const struct sg_stage_timer *timer)
{
    sg_metric_since(&seconds, timer->stage, 0, timer->began);
}

void sg_count_message(const char *direction)
{
    sg_metric_add(&messages, sg_metric_value(directions, direction), 0, 1);
}

void sg_count_recipient(const char *direction, const char *outcome, const char *verdict,
                        const char *code)
{
    size_t d = sg_metric_value(directions, direction);
    size_t o = sg_metric_value(outcomes, outcome);
    sg_metric_add(&recipients, d, o, 1);
    if (o == 0) /* delivered */
        sg_metric_add(&forms, d, sg_metric_value(verdicts, verdict), 1);
    if (*code)
        sg_metric_add(&by_code, sg_metric_value(codes, code), 0, 1);
}

void sg_count_edge(const char *answer)
{
    sg_metric_add(&edge, sg_metric_value(answers, answer), 0, 1);
}

void sg_count_notice(const char *kind, const char *state)
{
    sg_metric_add(&notices, sg_metric_value(kinds, kind), sg_metric_value(notice_states, state), 1);
}

void sg_count_folded(size_t count)
{
    sg_metric_add(&folded, 0, 0, (int64_t)count);
}

void sg_count_asked(enum sg_recipient_answer answer, enum sg_recipient_source source)
{
    sg_metric_add(&asked, (size_t)answer, (size_t)source, 1);
}

void sg_show_egress(size_t networks)
{
    sg_metric_set(&egress, 0, 0, (int64_t)networks);
}
