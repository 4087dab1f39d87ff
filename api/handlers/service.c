#include "api/service.h"
#include "api/handlers.h"

bool api_health(struct api_request *r, struct sg_error *err)
{
    (void)err;
    return api_reply_ok(r, json_pack("{s:s}", "status", "ok"));
}

bool api_ready(struct api_request *r, struct sg_error *err)
{
    const struct api_service *s = r->service;
    return sg_db_health(s->auth, err) && sg_db_health(s->api, err) &&
           sg_db_health(s->provider, err) && api_reply_ok(r, json_pack("{s:s}", "status", "ok"));
}

bool api_version(struct api_request *r, struct sg_error *err)
{
    (void)err;
    return api_reply_ok(r, json_pack("{s:s, s:s}", "version", SG_VERSION, "api", "v1"));
}
