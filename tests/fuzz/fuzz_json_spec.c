/* Bodies and query strings by the specs of every route. The first byte picks the route. */
#include "api/router.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    const struct api_route *route = &api_routes[data[0] % api_route_count];
    struct sg_bytes rest = sg_bytes_of(data + 1, size - 1);
    SG_AUTO_ARENA arena = sg_arena_new();
    if (route->body)
        body_read(route->body, arena, rest);
    if (!memchr(rest.data, 0, rest.len))
        query_read(route->query, arena, rest);
    return 0;
}
