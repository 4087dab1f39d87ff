#include "schema/db_internal.h"

#include <stdio.h>
#include <stdlib.h>

/* Element types of arrays (pg_type). */
enum { OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25, OID_TIMESTAMPTZ = 1184 };

#define PG_EPOCH_SECONDS 946684800 /* 2000-01-01 */

static void add(struct sg_params *p, const void *value, size_t len, int format)
{
    if (p->count >= SG_PARAMS_MAX || len > INT32_MAX)
        abort(); /* a query of ours with too many parameters, or beyond every limit */
    p->values[p->count] = value;
    p->lengths[p->count] = (int)len;
    p->formats[p->count] = format;
    p->count++;
}

void sg_param_null(struct sg_params *p)
{
    add(p, NULL, 0, 0);
}

void sg_param_text(struct sg_params *p, const char *s)
{
    add(p, s, 0, 0);
}

void sg_param_bytes(struct sg_params *p, struct sg_bytes b)
{
    add(p, b.data, b.len, 1);
}

static char *number(struct sg_params *p)
{
    if (p->count >= SG_PARAMS_MAX)
        abort();
    return p->numbers[p->count];
}

void sg_param_int(struct sg_params *p, int64_t n)
{
    char *text = number(p);
    snprintf(text, sizeof p->numbers[0], "%lld", (long long)n);
    add(p, text, 0, 0);
}

void sg_param_bool(struct sg_params *p, bool b)
{
    add(p, b ? "t" : "f", 0, 0);
}

void sg_param_time(struct sg_params *p, sg_time t)
{
    char *text = number(p), day[24];
    time_t s = (time_t)(t / SG_SECOND);
    int micros = (int)(t % SG_SECOND);
    if (micros < 0) {
        s--;
        micros += (int)SG_SECOND;
    }
    struct tm tm;
    gmtime_r(&s, &tm);
    strftime(day, sizeof day, "%Y-%m-%d %H:%M:%S", &tm);
    snprintf(text, sizeof p->numbers[0], "%s.%06d+00", day, micros);
    add(p, text, 0, 0);
}

void sg_param_time_or_null(struct sg_params *p, sg_time t)
{
    if (t == 0)
        sg_param_null(p);
    else
        sg_param_time(p, t);
}

/* Arrays in PostgreSQL's binary form: dimensions, a flag for NULLs, the element's type, length and
 * lower bound, then each element with its length (-1: NULL). All in network order. */
struct array {
    uint8_t *data, *at;
};

static void put(struct array *a, uint64_t n, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        *a->at++ = (uint8_t)(n >> (8 * i));
}

static struct array array_begin(struct sg_arena *arena, uint32_t oid, size_t count, bool nulls,
                                size_t content_bytes)
{
    if (count > INT32_MAX / 16)
        abort();
    struct array a;
    a.data = a.at = sg_arena_alloc(arena, 20 + 4 * count + content_bytes);
    put(&a, count ? 1 : 0, 4);
    put(&a, nulls, 4);
    put(&a, oid, 4);
    if (count) {
        put(&a, count, 4);
        put(&a, 1, 4);
    }
    return a;
}

static void put_item(struct array *a, const void *data, size_t len)
{
    put(a, data ? len : UINT32_MAX, 4);
    if (data && len) {
        memcpy(a->at, data, len);
        a->at += len;
    }
}

void sg_param_texts(struct sg_params *p, struct sg_arena *arena, const char *const *items,
                    size_t count)
{
    size_t total = 0;
    bool nulls = false;
    for (size_t i = 0; i < count; i++) {
        total += items[i] ? strlen(items[i]) : 0;
        nulls |= !items[i];
    }
    struct array a = array_begin(arena, OID_TEXT, count, nulls, total);
    for (size_t i = 0; i < count; i++)
        put_item(&a, items[i], items[i] ? strlen(items[i]) : 0);
    add(p, a.data, (size_t)(a.at - a.data), 1);
}

void sg_param_bytes_array(struct sg_params *p, struct sg_arena *arena, const struct sg_bytes *items,
                          size_t count)
{
    size_t total = 0;
    bool nulls = false;
    for (size_t i = 0; i < count; i++) {
        total += items[i].len;
        nulls |= !items[i].data;
    }
    struct array a = array_begin(arena, OID_BYTEA, count, nulls, total);
    for (size_t i = 0; i < count; i++)
        put_item(&a, items[i].data, items[i].len);
    add(p, a.data, (size_t)(a.at - a.data), 1);
}

static void add_int8s(struct sg_params *p, struct sg_arena *arena, uint32_t oid,
                      const int64_t *items, size_t count, int64_t minus)
{
    struct array a = array_begin(arena, oid, count, false, 8 * count);
    for (size_t i = 0; i < count; i++) {
        put(&a, 8, 4);
        put(&a, (uint64_t)(items[i] - minus), 8);
    }
    add(p, a.data, (size_t)(a.at - a.data), 1);
}

void sg_param_ints(struct sg_params *p, struct sg_arena *arena, const int64_t *items, size_t count)
{
    add_int8s(p, arena, OID_INT8, items, count, 0);
}

void sg_param_times(struct sg_params *p, struct sg_arena *arena, const sg_time *items, size_t count)
{
    add_int8s(p, arena, OID_TIMESTAMPTZ, items, count, PG_EPOCH_SECONDS * SG_SECOND);
}
