#include "api/request.h"

#include <stdio.h>
#include <unistd.h>

const char *api_param(const struct api_request *request, const char *name)
{
    for (size_t i = 0; i < request->params.count; i++)
        if (strcmp(request->params.items[i].name, name) == 0)
            return request->params.items[i].value;
    return "";
}

void api_reply_clear(struct api_request *request)
{
    json_decref(request->reply.body);
    if (request->reply.file)
        close(request->reply.file);
    request->reply = (struct api_reply){0};
}

static bool set(struct api_request *request, int status, const char *location, json_t *body)
{
    const char *copy = location ? sg_arena_strdup(request->arena, location) : NULL;
    api_reply_clear(request);
    request->reply = (struct api_reply){.status = status, .body = body, .location = copy};
    return true;
}

bool api_reply_ok(struct api_request *request, json_t *body)
{
    return set(request, 200, NULL, body);
}

bool api_reply_created(struct api_request *request, const char *location, json_t *body)
{
    return set(request, 201, location, body);
}

bool api_reply_accepted(struct api_request *request, const char *location, json_t *body)
{
    return set(request, 202, location, body);
}

bool api_reply_gone(struct api_request *request)
{
    return set(request, 204, NULL, NULL);
}

bool api_reply_file(struct api_request *request, const char *media_type, const char *disposition,
                    int fd, uint64_t size)
{
    set(request, 200, NULL, NULL);
    request->reply.file = fd;
    request->reply.file_size = size;
    request->reply.media_type = media_type;
    request->reply.disposition = disposition;
    return true;
}

bool api_reply_text(struct api_request *request, const char *media_type, const char *disposition,
                    struct sg_bytes text)
{
    set(request, 200, NULL, NULL);
    request->reply.text = sg_arena_copy(request->arena, text);
    request->reply.media_type = media_type;
    request->reply.disposition = disposition;
    return true;
}

bool api_reply_secret(struct api_request *request, const char *member)
{
    request->reply.secret = member;
    return true;
}

const char *api_caller_id(const struct api_caller *caller)
{
    return caller->client_id ? caller->client_id : caller->token_id;
}

/* Of our own faults and of the world's the client learns the kind, what he can do where the handler
 * has said that, and the log the rest; a text of the database may name what the client must not
 * know. NULL: none. */
static const char *detail_public(const struct sg_error *err, const char *instead)
{
    if (err->code == SG_E_TIMEOUT)
        return instead;
    bool theirs = sg_error_class(err->code) == SG_CLASS_PERMANENT && err->lib == SG_LIB_NONE &&
                  sg_error_http(err->code) < 500;
    return theirs && err->detail[0] ? err->detail : NULL;
}

void api_reply_problem(struct api_request *request, const struct sg_error *err)
{
    const char *allow = request->reply.allow;
    const char *detail = detail_public(err, request->reply.instead);
    int64_t retry_after = request->reply.retry_after;
    char type[96];
    int status = sg_error_http(err->code);
    snprintf(type, sizeof type, "urn:sealgate:error:%s", sg_error_slug(err->code));
    json_t *body =
        json_pack("{s:s, s:s, s:i, s:s}", "type", type, "title", sg_error_text(err->code), "status",
                  status, "request_id", request->id.text);
    if (detail)
        json_object_set_new(body, "detail", json_string(detail));
    if (detail && err->field[0])
        json_object_set_new(body, err->field[0] == '/' ? "pointer" : "parameter",
                            json_string(err->field));
    set(request, status, NULL, body);
    request->reply.allow = allow;
    request->reply.retry_after = retry_after                     ? retry_after
                                 : status == 503                 ? 1
                                 : err->code == SG_E_IN_PROGRESS ? 1
                                                                 : 0;
}
