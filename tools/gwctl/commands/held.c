#include "../commands.h"

static const struct gw_column columns[] = {{"ID", "id"},
                                           {"HELD AT", "held_at"},
                                           {"STATE", "state"},
                                           {"REASON", "reason"},
                                           {"SENDER", "sender"},
                                           {"RECIPIENTS", "recipients"},
                                           {"TRIES", "attempts"},
                                           {"NEXT TRY", "next_try_at"},
                                           {"EXPLANATION", "explanation"},
                                           {0}};

static const char *held_path(struct gw *gw, struct sg_error *err)
{
    const char *path = gw_tenant_path(gw, err);
    return path ? sg_arena_printf(gw->arena, "%s/held", path) : NULL;
}

static const char *one_path(struct gw *gw, struct sg_error *err)
{
    const char *path = held_path(gw, err);
    return path ? gw_below(gw, path, 1, "hld", err) : NULL;
}

bool gw_held_list(struct gw *gw, struct sg_error *err)
{
    const char *path = held_path(gw, err), *state = gw_option(gw, "--state");
    if (!path)
        return false;
    path = gw_query(gw, path, "domain_id", gw_option(gw, "--domain-id"));
    path = gw_query(gw, path, "recipient_domain", gw_option(gw, "--recipient-domain"));
    path = gw_query(gw, path, "sender", gw_option(gw, "--sender"));
    path = gw_query(gw, path, "reason", gw_option(gw, "--reason"));
    path = gw_query(gw, path, "waiting_for", gw_option(gw, "--waiting-for"));
    return gw_list(gw, gw_query(gw, path, "state", state ? state : "held"), columns, err);
}

bool gw_held_delete(struct gw *gw, struct sg_error *err)
{
    return gw_remove(gw, one_path(gw, err), "deleted", err);
}
