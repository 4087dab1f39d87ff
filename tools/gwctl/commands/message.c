/* The retention log, and the trace of one message as an operator reads it. */
#include "../commands.h"

#include <limits.h>
#include <string.h>

static const struct gw_column columns[] = {
    {"ID", "id"},         {"RECEIVED", "received_at"}, {"WAY", "direction"},   {"SENDER", "sender"},
    {"RECIPIENTS", "to"}, {"OUTCOME", "outcome"},      {"SIZE", "size_bytes"}, {0}};

static const char *messages_path(struct gw *gw, struct sg_error *err)
{
    const char *path = gw_tenant_path(gw, err);
    return path ? sg_arena_printf(gw->arena, "%s/messages", path) : NULL;
}

static const char *text(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s ? s : "";
}

/* For the table: all recipients, and their outcomes, each said once. */
static void summarise(struct sg_arena *arena, json_t *message)
{
    const char *to = "", *outcomes = "";
    size_t i;
    json_t *r;
    json_array_foreach(json_object_get(message, "recipients"), i, r)
    {
        to = sg_arena_printf(arena, "%s%s%s", to, i ? ", " : "", text(r, "recipient"));
        if (!strstr(outcomes, text(r, "outcome")))
            outcomes = sg_arena_printf(arena, "%s%s%s", outcomes, *outcomes ? ", " : "",
                                       text(r, "outcome"));
    }
    json_object_set_new(message, "to", json_string(to));
    json_object_set_new(message, "outcome", json_string(outcomes));
}

bool gw_message_list(struct gw *gw, struct sg_error *err)
{
    static const char *const filters[][2] = {{"from", "--from"},
                                             {"to", "--to"},
                                             {"sender", "--sender"},
                                             {"recipient", "--recipient"},
                                             {"message_id", "--message-id"},
                                             {"queue_id", "--queue-id"},
                                             {"direction", "--direction"},
                                             {"domain", "--domain"},
                                             {"sender_domain", "--sender-domain"},
                                             {"recipient_domain", "--recipient-domain"},
                                             {"client", "--client"},
                                             {"outcome", "--outcome"},
                                             {"verdict", "--verdict"},
                                             {"code", "--code"}};
    const char *path = messages_path(gw, err);
    if (!path)
        return false;
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++)
        path = gw_query(gw, path, filters[i][0], gw_option(gw, filters[i][1]));
    return gw_list_each(gw, path, columns, summarise, err);
}

static const char *message_path(struct gw *gw, struct sg_error *err)
{
    const char *path = messages_path(gw, err);
    return path ? gw_below(gw, path, 1, "msg", err) : NULL;
}

static void line(const char *name, const char *value)
{
    printf("%-11s ", name);
    gw_print(stdout, *value ? value : "<>");
    putchar('\n');
}

static void head_print(struct gw *gw, const json_t *m)
{
    size_t i;
    json_t *r;
    line("message", text(m, "id"));
    line("received", sg_arena_printf(gw->arena, "%s, %s, from %s, queue id %s, %s bytes",
                                     text(m, "received_at"), text(m, "direction"),
                                     text(m, "client_address"), text(m, "queue_id"),
                                     gw_text(gw->arena, json_object_get(m, "size_bytes"))));
    line("sender", text(m, "sender"));
    line("Message-ID", text(m, "message_id"));
    json_array_foreach(json_object_get(m, "recipients"), i, r)
    {
        const char *codes = gw_text(gw->arena, json_object_get(r, "codes"));
        line("recipient", sg_arena_printf(gw->arena, "%s: %s%s%s%s%s%s%s", text(r, "recipient"),
                                          text(r, "outcome"), *text(r, "verdict") ? ", " : "",
                                          text(r, "verdict"), *codes ? ", code " : "", codes,
                                          *text(r, "reply") ? ": " : "", text(r, "reply")));
    }
}

static void step_print(struct gw *gw, const json_t *e)
{
    const char *key;
    json_t *value;
    printf("%s  %-28s %-8s", text(e, "at"), text(e, "step"), text(e, "requirement"));
    json_object_foreach(json_object_get(e, "detail"), key, value)
    {
        putchar(' ');
        gw_print(stdout, sg_arena_printf(gw->arena, "%s=%s", key, gw_text(gw->arena, value)));
    }
    putchar('\n');
}

void gw_step_explain(struct gw *gw, const json_t *e)
{
    const char *key, *because = text(json_object_get(e, "detail"), "because");
    json_t *value;
    printf("\n%.23s  ", text(e, "at"));
    gw_print(stdout, text(e, "step"));
    if (*text(e, "requirement"))
        printf("  (%s)", text(e, "requirement"));
    putchar('\n');
    if (*because) {
        fputs("    because ", stdout);
        gw_print(stdout, because);
        putchar('\n');
    }
    json_object_foreach(json_object_get(e, "detail"), key, value)
    {
        if (strcmp(key, "because") == 0)
            continue;
        gw_print(stdout,
                 sg_arena_printf(gw->arena, "    %-18s %s", key, gw_text(gw->arena, value)));
        putchar('\n');
    }
}

/* The message and its steps, one by one. */
static bool message_tell(struct gw *gw, void (*step_tell)(struct gw *gw, const json_t *step),
                         struct sg_error *err)
{
    const char *path = message_path(gw, err);
    bool more;
    size_t i;
    json_t *step;
    GW_AUTO_JSON message = path ? gw_call(gw, "GET", path, NULL, err) : NULL;
    GW_AUTO_JSON steps =
        message ? gw_items(gw, sg_arena_printf(gw->arena, "%s/trace", path), LONG_MAX, &more, err)
                : NULL;
    if (!steps)
        return false;
    if (gw->json)
        return gw_show(gw, json_pack("{s:O, s:O}", "message", message, "trace", steps));
    head_print(gw, message);
    putchar('\n');
    json_array_foreach(steps, i, step) step_tell(gw, step);
    return true;
}

bool gw_trace(struct gw *gw, struct sg_error *err)
{
    return message_tell(gw, step_print, err);
}

bool gw_explain(struct gw *gw, struct sg_error *err)
{
    return message_tell(gw, gw_step_explain, err);
}
