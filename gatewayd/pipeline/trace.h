/*
 * The trace of a message: what was found and done, step by step, as it is stored and explained.
 * Details are words for an operator; no content of the message, no secret.
 */
#ifndef SG_PIPELINE_TRACE_H
#define SG_PIPELINE_TRACE_H

#include "common/buf.h"
#include "common/clock.h"
#include "common/error.h"

#include <jansson.h>

/* What strangers write goes into details, and a record of the journal takes 4 MiB: of a value so
 * many octets are kept, and what comes when there are so many octets of steps is left out, with a
 * last step `trace-full`. */
#define SG_TRACE_VALUE_MAX 1000
#define SG_TRACE_MAX       ((size_t)2 << 20)

struct sg_trace {
    size_t count;
    bool full;
    struct sg_buf steps; /* as in a record (record.h): at, step, requirement, detail as JSON */
};

void sg_trace_init(struct sg_trace *trace);
void sg_trace_free(struct sg_trace *trace);
void sg_trace_clear(struct sg_trace *trace);
/* Pairs of key and string value behind, ended by NULL; a NULL value leaves its pair out. */
void sg_trace_add(struct sg_trace *trace, const char *step, const char *requirement, ...)
    __attribute__((sentinel));
void sg_trace_error(struct sg_trace *trace, const char *step, const struct sg_error *err);
#define SG_AUTO_TRACE __attribute__((cleanup(sg_trace_free))) struct sg_trace

/* The steps as an array; it owns nothing of the trace. */
json_t *sg_trace_json(const struct sg_trace *trace);
/* A string that need not be UTF-8 as JSON: what is not UTF-8 becomes U+FFFD. */
json_t *sg_trace_string(const char *s);

#endif
