/* What handlers share: values as JSON, and pages of lists. */
#ifndef SG_API_RENDER_H
#define SG_API_RENDER_H

#include "api/request.h"

#include "schema/api_page.h"

json_t *api_json_time(sg_time t);
/* null for 0 */
json_t *api_json_time_or_null(sg_time t);
/* null for NULL */
json_t *api_json_text_or_null(const char *s);
json_t *api_json_strings(const char *const *items, size_t count);
/* JSON text of the database; null for NULL. */
json_t *api_json_parse(const char *text);
/* In hexadecimal; null where it is empty. */
json_t *api_json_hex_or_null(struct sg_arena *arena, struct sg_bytes bytes);

/* The query of a list: the first member of the struct that a list's query is read into. */
struct api_page_query {
    int64_t limit;
    const char *cursor;
};
#define API_LIMIT_MAX 500
#define API_PAGE_FIELDS                                                                            \
    {.name = "limit",                                                                              \
     .type = API_INTEGER,                                                                          \
     .offset = offsetof(struct api_page_query, limit),                                             \
     .optional = true,                                                                             \
     .min = 1,                                                                                     \
     .max = API_LIMIT_MAX,                                                                         \
     .initial = 100},                                                                              \
    {                                                                                              \
        .name = "cursor", .type = API_STRING, .offset = offsetof(struct api_page_query, cursor),   \
        .optional = true, .min = 1, .max = 512                                                     \
    }
/* Of a list that takes no filter. */
extern const struct api_spec api_page_spec;

/* The page that request->parameters asks for. */
SG_MUST_USE bool api_page_read(const struct api_request *request, struct sg_api_page *page_r,
                               struct sg_error *err);

/*
 * Replies {"data", "next_cursor"}. rows are count structs of size bytes that begin with a struct
 * sg_api_key; the one beyond the page's limit is not shown, but makes a cursor.
 */
typedef json_t *(*api_row_json)(struct sg_arena *arena, const void *row);
bool api_reply_list(struct api_request *request, const struct sg_api_page *page, const void *rows,
                    size_t count, size_t size, api_row_json json);

/* Says in words what a unique constraint of the database means; other errors stay as they are. */
bool api_conflict(struct sg_error *err, const char *field, const char *text);

#endif
