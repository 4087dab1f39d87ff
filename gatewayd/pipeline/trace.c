#include "pipeline/trace.h"

#include "common/buf.h"

#include <stdarg.h>
#include <stdlib.h>

void sg_trace_init(struct sg_trace *trace)
{
    trace->steps = json_array();
    if (!trace->steps)
        abort();
}

void sg_trace_free(struct sg_trace *trace)
{
    json_decref(trace->steps);
    trace->steps = NULL;
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

void sg_trace_add(struct sg_trace *trace, const char *step, const char *requirement, ...)
{
    json_t *detail = json_object();
    va_list ap;
    va_start(ap, requirement);
    const char *key;
    while ((key = va_arg(ap, const char *)) != NULL) {
        const char *value = va_arg(ap, const char *);
        if (value)
            json_object_set_new(detail, key, sg_trace_string(value));
    }
    va_end(ap);
    json_t *row = json_object();
    json_object_set_new(row, "at", json_integer(sg_clock_now()));
    json_object_set_new(row, "step", json_string(step));
    json_object_set_new(row, "requirement", json_string(requirement ? requirement : ""));
    json_object_set_new(row, "detail", detail);
    json_array_append_new(trace->steps, row);
}

void sg_trace_error(struct sg_trace *trace, const char *step, const struct sg_error *err)
{
    sg_trace_add(trace, step, "", "error", sg_error_name(err->code), "detail", err->detail, NULL);
}
