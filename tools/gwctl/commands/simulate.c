/* The dry run: a mail out of a file, and what the gateway would do with it. */
#include "../commands.h"

#include "common/buf.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_MAX ((size_t)12 << 20)

/* Lines of a file may end in LF alone; mail's do not. */
static void lines_add(struct sg_buf *out, const char *data, size_t len, char *last)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n' && *last != '\r')
            sg_buf_add(out, "\r", 1);
        sg_buf_add(out, &data[i], 1);
        *last = data[i];
    }
}

static bool message_read(const char *path, struct sg_buf *out, struct sg_error *err)
{
    char part[16384], last = 0;
    ssize_t n;
    int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return sg_fail_errno(err, SG_E_IO, "cannot open %.100s", path);
    while ((n = read(fd, part, sizeof part)) > 0 && !out->overflown)
        lines_add(out, part, (size_t)n, &last);
    if (fd != STDIN_FILENO)
        close(fd);
    if (n < 0)
        return sg_fail_errno(err, SG_E_IO, "cannot read %.100s", path);
    return !out->overflown ||
           sg_fail(err, SG_E_LIMIT, "%.100s has more than %zu bytes", path, MESSAGE_MAX);
}

static const char *encode(struct sg_arena *arena, const struct sg_buf *message)
{
    unsigned char *text = sg_arena_alloc(arena, (message->len + 2) / 3 * 4 + 1);
    EVP_EncodeBlock(text, message->data, (int)message->len);
    return (const char *)text;
}

static json_t *split(struct sg_arena *arena, const char *list)
{
    json_t *items = json_array();
    for (; *list; list += *list == ',') {
        size_t n = strcspn(list, ",");
        json_array_append_new(items, json_string(sg_arena_str(arena, sg_bytes_of(list, n))));
        list += n;
    }
    return items;
}

static void plan_print(struct gw *gw, const json_t *plan)
{
    static const char *const members[][2] = {{"action", "action"},       {"rule", "rule"},
                                             {"requirement", "serves"},  {"code", "code"},
                                             {"explanation", "because"}, {"recipients", "for"},
                                             {"tells", "tells"}};
    size_t i;
    json_t *step;
    printf("%s\n", gw_text(gw->arena, json_object_get(plan, "domain")));
    for (size_t k = 0; k < sizeof members / sizeof members[0]; k++) {
        const char *value = gw_text(gw->arena, json_object_get(plan, members[k][0]));
        if (!*value)
            continue;
        gw_print(stdout, sg_arena_printf(gw->arena, "  %-10s %s", members[k][1], value));
        putchar('\n');
    }
    json_array_foreach(json_object_get(plan, "steps"), i, step) gw_step_explain(gw, step);
    putchar('\n');
}

bool gw_simulate(struct gw *gw, struct sg_error *err)
{
    SG_AUTO_BUF message;
    size_t i;
    json_t *plan;
    const char *path = gw_tenant_path(gw, err);
    sg_buf_init(&message, MESSAGE_MAX);
    if (!path || !message_read(gw->arguments[1], &message, err))
        return false;
    json_t *body = json_pack("{s:s, s:s, s:o, s:s}", "direction", gw_option(gw, "--direction"),
                             "sender", gw_option(gw, "--sender"), "recipients",
                             split(gw->arena, gw_option(gw, "--recipients")), "message",
                             encode(gw->arena, &message));
    GW_AUTO_JSON said =
        gw_call(gw, "POST", sg_arena_printf(gw->arena, "%s/simulations", path), body, err);
    if (!said)
        return false;
    if (gw->json)
        return gw_show(gw, json_incref(said));
    json_array_foreach(json_object_get(said, "plans"), i, plan) plan_print(gw, plan);
    return true;
}
