#include "api/render.h"

#include "api/pem.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#define CURSOR_BYTES_MAX 384

static const struct api_field page_fields[] = {API_PAGE_FIELDS};
const struct api_spec api_page_spec = {page_fields, 2, sizeof(struct api_page_query), NULL};

json_t *api_json_time(sg_time t)
{
    char text[SG_TIME_TEXT];
    sg_time_rfc3339(t, text);
    return json_string(text);
}

json_t *api_json_time_or_null(sg_time t)
{
    return t ? api_json_time(t) : json_null();
}

json_t *api_json_text_or_null(const char *s)
{
    return s ? json_string(s) : json_null();
}

json_t *api_json_strings(const char *const *items, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, api_json_text_or_null(items[i]));
    return array;
}

json_t *api_json_parse(const char *text)
{
    return text ? json_loads(text, JSON_DECODE_ANY, NULL) : json_null();
}

json_t *api_json_hex_or_null(struct sg_arena *arena, struct sg_bytes bytes)
{
    return bytes.len ? json_string(api_hex(arena, bytes)) : json_null();
}

/* A cursor is what a page ended with, as base64url of "microseconds:id". */
static const char *cursor_write(struct sg_arena *arena, const struct sg_api_key *key)
{
    const char *text = sg_arena_printf(arena, "%lld:%s", (long long)key->at, key->id);
    char *out = api_base64(arena, sg_bytes_str(text));
    for (char *p = out; *p; p++)
        *p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
    out[strcspn(out, "=")] = 0;
    return out;
}

static bool cursor_read(struct sg_arena *arena, const char *cursor, struct sg_api_key *key)
{
    size_t n = strlen(cursor), padded = (n + 3) / 4 * 4;
    char *base64 = sg_arena_alloc(arena, padded + 1), *text = sg_arena_alloc(arena, padded + 1);
    for (size_t i = 0; i < padded; i++) {
        char c = i < n ? cursor[i] : '=';
        base64[i] = (char)(c == '-' ? '+' : c == '_' ? '/' : c);
    }
    int len = n % 4 == 1
                  ? -1
                  : EVP_DecodeBlock((unsigned char *)text, (unsigned char *)base64, (int)padded);
    if (len <= 0 || len > CURSOR_BYTES_MAX)
        return false;
    text[len - (int)(padded - n)] = 0;
    char *end;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 18 || text[digits] != ':')
        return false;
    key->at = strtoll(text, &end, 10);
    key->id = end + 1;
    return *key->id && strspn(key->id, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(key->id);
}

bool api_page_read(const struct api_request *request, struct sg_api_page *page_r,
                   struct sg_error *err)
{
    const struct api_page_query *query = request->parameters;
    *page_r = (struct sg_api_page){.limit = (int)query->limit};
    if (!query->cursor || cursor_read(request->arena, query->cursor, &page_r->after))
        return true;
    sg_fail(err, SG_E_INVALID, "is not a cursor of a list");
    snprintf(err->field, sizeof err->field, "cursor");
    return false;
}

bool api_reply_list(struct api_request *request, const struct sg_api_page *page, const void *rows,
                    size_t count, size_t size, api_row_json json)
{
    size_t shown = count > (size_t)page->limit ? (size_t)page->limit : count;
    json_t *data = json_array();
    bool ok = true;
    for (size_t i = 0; i < shown; i++)
        ok &= json_array_append_new(data, json(request->arena, (const char *)rows + i * size)) == 0;
    const char *cursor = NULL;
    if (shown < count && shown > 0)
        cursor =
            cursor_write(request->arena, (const void *)((const char *)rows + (shown - 1) * size));
    json_t *body =
        json_pack("{s:o, s:o}", "data", data, "next_cursor", api_json_text_or_null(cursor));
    if (!ok) {
        json_decref(body);
        body = NULL;
    }
    return api_reply_ok(request, body);
}

bool api_conflict(struct sg_error *err, const char *field, const char *text)
{
    if (err->code != SG_E_CONFLICT || err->lib != SG_LIB_SQL)
        return false;
    sg_fail(err, SG_E_CONFLICT, "%s", text);
    snprintf(err->field, sizeof err->field, "%s", field);
    return false;
}
