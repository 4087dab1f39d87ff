/* The networks that secure mail may be sent into (REQ-125): one set, of the whole platform. */
#include "schema/egress.h"

#include "api/check.h"
#include "api/handlers.h"
#include "api/render.h"

#define NETWORKS_MAX 10000

struct egress {
    struct api_strings networks;
};
static const struct api_field fields[] = {
    {.name = "networks",
     .type = API_STRINGS,
     .offset = offsetof(struct egress, networks),
     .min = 9,
     .max = 43,
     .items_max = NETWORKS_MAX,
     .check = api_check_network},
};
const struct api_spec api_egress_body = {fields, 1, sizeof(struct egress), NULL};

bool api_egress_get(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const char *const *networks;
    size_t count;
    if (!sg_api_egress_list(tx, r->arena, &networks, &count, err))
        return false;
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(networks[i]));
    return api_reply_ok(r, json_pack("{s:o}", "networks", list));
}

bool api_egress_set(struct api_request *r, struct sg_tx *tx, struct sg_error *err)
{
    const struct egress *body = r->fields;
    return sg_api_egress_set(tx, r->arena, body->networks.items, body->networks.count, err) &&
           api_egress_get(r, tx, err);
}
