#include "api/etag.h"

#include "api/pem.h"
#include "api/router.h"
#include "schema/idempotency.h"

#include <openssl/evp.h>
#include <stdlib.h>

#define TAG_BYTES 16 /* of the SHA-256 */

static const char *etag_of(struct sg_arena *arena, struct sg_bytes text)
{
    uint8_t sha256[32];
    if (EVP_Digest(text.data, text.len, sha256, NULL, EVP_sha256(), NULL) != 1)
        return NULL;
    return sg_arena_printf(arena, "\"%s\"", api_hex(arena, sg_bytes_of(sha256, TAG_BYTES)));
}

static const char *etag_of_json(struct sg_arena *arena, const json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT);
    const char *tag = text ? etag_of(arena, sg_bytes_str(text)) : NULL;
    free(text);
    return tag;
}

void api_etag_set(struct api_request *r)
{
    const struct api_reply *reply = &r->reply;
    /* What was made is what GET would show, where it has an id; an order has parts that have. */
    bool made = reply->status == 201 && json_object_get(reply->body, "id");
    bool shows = made || (reply->status == 200 && strcmp(r->method, "POST") != 0);
    if (!shows || reply->file || reply->secret || !r->route->transact)
        return;
    if (reply->media_type)
        r->reply.etag = etag_of(r->arena, reply->text);
    else if (reply->body && !json_object_get(reply->body, "next_cursor"))
        r->reply.etag = etag_of_json(r->arena, reply->body);
}

bool api_etag_listed(const char *header, const char *etag, bool weak)
{
    size_t n = strlen(etag);
    for (const char *p = header; *p;) {
        p += strspn(p, " \t,");
        if (*p == '*')
            return true;
        bool marked = strncmp(p, "W/", 2) == 0;
        p += marked ? 2 : 0;
        size_t len = *p == '"' ? strcspn(p + 1, "\"") + 1 : strcspn(p, ",");
        len += p[len] == '"'; /* the one that closes it */
        if (len == n && memcmp(p, etag, n) == 0 && (weak || !marked))
            return true;
        p += len;
    }
    return false;
}

void api_etag_not_modified(struct api_request *r)
{
    if (r->reply.status != 200 || !r->reply.etag || !r->if_none_match ||
        strcmp(r->method, "GET") != 0 || !api_etag_listed(r->if_none_match, r->reply.etag, true))
        return;
    json_decref(r->reply.body);
    r->reply = (struct api_reply){.status = 304, .etag = r->reply.etag};
}

static const struct api_route *shown_by(const struct api_route *route)
{
    for (size_t i = 0; i < api_route_count; i++)
        if (strcmp(api_routes[i].method, "GET") == 0 &&
            strcmp(api_routes[i].pattern, route->pattern) == 0)
            return &api_routes[i];
    return NULL;
}

/* The tag of what the path shows now; NULL where it shows nothing that has one. */
static bool current(struct api_request *r, struct sg_tx *tx, const char **etag_r,
                    struct sg_error *err)
{
    struct api_request get = *r;
    struct sg_error why = {0};
    *etag_r = NULL;
    get.method = "GET";
    get.route = shown_by(r->route);
    get.fields = get.parameters = NULL;
    get.reply = (struct api_reply){0};
    if (!get.route)
        return true;
    if (get.route->query)
        get.parameters = sg_arena_alloc(r->arena, get.route->query->size);
    if (!api_spec_read_query(get.route->query, r->arena, NULL, 0, get.parameters, err))
        return false;
    bool ok = get.route->transact(&get, tx, &why);
    if (ok) {
        api_etag_set(&get);
        *etag_r = get.reply.etag;
    }
    json_decref(get.reply.body);
    if (!ok && why.code != SG_E_NOT_FOUND) {
        *err = why;
        return false;
    }
    return true;
}

bool api_etag_precondition(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const char *etag;
    if (strcmp(r->method, "GET") == 0 || strcmp(r->method, "POST") == 0)
        return true;
    if (!sg_api_path_lock(tx, r->path, err))
        return false;
    if (!r->if_match && !r->if_none_match)
        return true;
    if (!current(r, tx, &etag, err))
        return false;
    if (r->if_match && (!etag || !api_etag_listed(r->if_match, etag, false)))
        return sg_fail(err, SG_E_PRECONDITION, "If-Match does not name what is there now");
    return !r->if_none_match || !etag || !api_etag_listed(r->if_none_match, etag, true) ||
           sg_fail(err, SG_E_PRECONDITION, "If-None-Match names what is there now");
}
