#include "pipeline/trace.h"

#include <stdarg.h>
#include <stdlib.h>

void sg_trace_init(struct sg_trace *trace)
{
    sg_buf_init(&trace->steps, 0);
}

void sg_trace_free(struct sg_trace *trace)
{
    sg_buf_free(&trace->steps);
}

json_t *sg_trace_json(const struct sg_trace *trace)
{
    SG_AUTO_BUF text = {0};
    sg_buf_adds(&text, "[");
    sg_buf_add(&text, trace->steps.data, trace->steps.len);
    sg_buf_adds(&text, "]");
    json_t *steps = json_loadb((const char *)text.data, text.len, 0, NULL), *step;
    size_t i;
    json_array_foreach(steps, i, step)
    {
        const char *detail = json_string_value(json_object_get(step, "detail"));
        json_object_set_new(step, "detail", json_loads(detail, 0, NULL));
    }
    return steps ? steps : json_array();
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
    sg_buf_add_json_string(out, sg_bytes_str(s));
}

void sg_trace_add(struct sg_trace *trace, const char *step, const char *requirement, ...)
{
    struct sg_buf *out = &trace->steps;
    sg_buf_addf(out, "%s{\"at\":%lld,\"step\":", out->len ? "," : "", (long long)sg_clock_now());
    string_add(out, step);
    sg_buf_adds(out, ",\"requirement\":");
    string_add(out, requirement ? requirement : "");
    sg_buf_adds(out, ",\"detail\":");
    SG_AUTO_BUF detail = {0};
    va_list ap;
    va_start(ap, requirement);
    const char *key, *before = "{";
    while ((key = va_arg(ap, const char *)) != NULL) {
        const char *value = va_arg(ap, const char *);
        if (!value)
            continue;
        sg_buf_adds(&detail, before);
        string_add(&detail, key);
        sg_buf_adds(&detail, ":");
        string_add(&detail, value);
        before = ",";
    }
    va_end(ap);
    sg_buf_adds(&detail, detail.len ? "}" : "{}");
    sg_buf_add_json_string(out, sg_buf_bytes(&detail));
    sg_buf_adds(out, "}");
}

void sg_trace_error(struct sg_trace *trace, const char *step, const struct sg_error *err)
{
    sg_trace_add(trace, step, "", "error", sg_error_name(err->code), "detail", err->detail, NULL);
}
