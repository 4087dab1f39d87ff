/* Bodies and query strings by the specs of every route. The first line names it: "POST
 * /v1/tenants", or picks one by what its bytes are. */
#include "api/router.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void body_read(const struct api_spec *spec, struct sg_arena *arena, struct sg_bytes body)
{
    struct sg_error err = {0};
    void *out = sg_arena_alloc(arena, spec ? spec->size : 1);
    if (!api_spec_read(spec, arena, body, out, &err)) {
        json_t *field = json_string(err.field);
        if (!field || !err.detail[0])
            abort(); /* an answer could not be written */
        json_decref(field);
    }
}

static void query_read(const struct api_spec *spec, struct sg_arena *arena, struct sg_bytes text)
{
    struct api_pair pairs[8];
    size_t count = 0;
    char *s = sg_arena_str(arena, text), *next;
    for (; s && count < 8; s = next, count++) {
        next = strchr(s, '&');
        if (next)
            *next++ = 0;
        char *value = strchr(s, '=');
        if (value)
            *value++ = 0;
        pairs[count] = (struct api_pair){s, value};
    }
    struct sg_error err = {0};
    void *out = sg_arena_alloc(arena, spec ? spec->size : 1);
    if (!api_spec_read_query(spec, arena, pairs, count, out, &err)) {
        json_t *field = json_string(err.field);
        if (!field || !err.detail[0])
            abort();
        json_decref(field);
    }
}

static const struct api_route *route_pick(struct sg_bytes line)
{
    unsigned sum = 0;
    for (size_t i = 0; i < api_route_count; i++) {
        char name[160];
        int n = snprintf(name, sizeof name, "%s %s", api_routes[i].method, api_routes[i].pattern);
        if (n > 0 && line.len == (size_t)n && memcmp(line.data, name, line.len) == 0)
            return &api_routes[i];
    }
    for (size_t i = 0; i < line.len; i++)
        sum = sum * 31 + line.data[i];
    return &api_routes[sum % api_route_count];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    if (!end)
        return 0;
    size_t n = (size_t)(end - data);
    const struct api_route *route = route_pick(sg_bytes_of(data, n));
    struct sg_bytes rest = sg_bytes_of(data + n + 1, size - n - 1);
    SG_AUTO_ARENA arena = sg_arena_new();
    if (route->body)
        body_read(route->body, arena, rest);
    if (!memchr(rest.data, 0, rest.len))
        query_read(route->query, arena, rest);
    return 0;
}
