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

struct sg_trace {
    size_t count;
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
