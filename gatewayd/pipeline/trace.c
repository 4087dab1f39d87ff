#include "pipeline/trace.h"

#include "pipeline/record.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void sg_trace_init(struct sg_trace *trace)
{
    *trace = (struct sg_trace){0};
}

void sg_trace_free(struct sg_trace *trace)
{
    sg_buf_free(&trace->steps);
    sg_trace_clear(trace);
}

void sg_trace_clear(struct sg_trace *trace)
{
    sg_buf_clear(&trace->steps);
    trace->count = 0;
    trace->full = false;
}

json_t *sg_trace_json(const struct sg_trace *trace)
{
    struct sg_record_reader r = {.rest = sg_buf_bytes(&trace->steps)};
    json_t *steps = json_array();
    for (size_t i = 0; i < trace->count; i++) {
        json_t *step = json_object();
        json_object_set_new(step, "at", json_integer(sg_record_number(&r)));
        json_object_set_new(step, "step", sg_trace_string(sg_record_text(&r)));
        json_object_set_new(step, "requirement", sg_trace_string(sg_record_text(&r)));
        json_object_set_new(step, "detail", json_loads(sg_record_text(&r), 0, NULL));
        json_array_append_new(steps, step);
    }
    return steps;
}

json_t *sg_trace_string(const char *s)
{
    json_t *value = json_string(s);
    if (value)
        return value;
    SG_AUTO_BUF buf;
    sg_buf_init(&buf, 0);
    sg_buf_add_json_string(&buf, sg_bytes_str(s));
    value = json_loadb((const char *)buf.data, buf.len, JSON_DECODE_ANY, NULL);
    return value ? value : json_string("");
}

static void string_add(struct sg_buf *out, const char *s)
{
    sg_buf_add_json_string(out, sg_bytes_of(s, strnlen(s, SG_TRACE_VALUE_MAX)));
}

/* Where the text of its details has begun. */
static size_t step_begin(struct sg_trace *trace, const char *step, const char *requirement)
{
    struct sg_buf *out = &trace->steps;
    sg_record_add_number(out, sg_clock_now());
    sg_record_add_text(out, step);
    sg_record_add_text(out, requirement);
    trace->count++;
    return sg_record_text_begin(out);
}

static bool has_room(struct sg_trace *trace)
{
    if (trace->steps.len < SG_TRACE_MAX)
        return true;
    if (!trace->full) {
        size_t detail = step_begin(trace, "trace-full", "");
        sg_buf_adds(&trace->steps, "{}");
        sg_record_text_end(&trace->steps, detail);
    }
    trace->full = true;
    return false;
}

void sg_trace_add(struct sg_trace *trace, const char *step, const char *requirement, ...)
{
    struct sg_buf *out = &trace->steps;
    if (!has_room(trace))
        return;
    size_t detail = step_begin(trace, step, requirement);
    va_list ap;
    va_start(ap, requirement);
    const char *key, *before = "{";
    while ((key = va_arg(ap, const char *)) != NULL) {
        const char *value = va_arg(ap, const char *);
        if (!value)
            continue;
        sg_buf_adds(out, before);
        string_add(out, key);
        sg_buf_adds(out, ":");
        string_add(out, value);
        before = ",";
    }
    va_end(ap);
    sg_buf_adds(out, *before == '{' ? "{}" : "}");
    sg_record_text_end(out, detail);
}

void sg_trace_error(struct sg_trace *trace, const char *step, const struct sg_error *err)
{
    sg_trace_add(trace, step, "", "error", sg_error_name(err->code), "detail", err->detail, NULL);
}
