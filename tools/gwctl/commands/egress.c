/* The networks that secure mail may be sent into (REQ-125), as Postfix and nftables want them. */
#include "../commands.h"

#include "common/buf.h"

#define ANY4 "0.0.0.0/0"
#define ANY6 "::/0"

static bool is_six(const char *network)
{
    return strchr(network, ':') != NULL;
}

static json_t *networks_get(struct gw *gw, struct sg_error *err)
{
    GW_AUTO_JSON answer = gw_call(gw, "GET", "/v1/egress", NULL, err);
    json_t *list = json_object_get(answer, "networks");
    if (answer && !json_is_array(list))
        sg_fail(err, SG_E_IO, "the answer has no networks");
    return json_is_array(list) ? json_incref(list) : NULL;
}

static bool write_out(struct gw *gw, struct sg_buf *text, struct sg_error *err)
{
    const char *out = gw_option(gw, "--out");
    return gw_file_write(out ? out : "-", (const char *)text->data, 0644, true, err);
}

/* A cidr table: what address is inside, what is outside. Without networks all are inside. */
bool gw_egress_postfix(struct gw *gw, struct sg_error *err)
{
    GW_AUTO_JSON list = networks_get(gw, err);
    if (!list)
        return false;
    SG_AUTO_BUF text;
    sg_buf_init(&text, 0);
    sg_buf_adds(&text, "# Made by gwctl egress postfix: see deploy/README.md.\n");
    for (size_t i = 0; i < json_array_size(list); i++)
        sg_buf_addf(&text, "%s inside\n", json_string_value(json_array_get(list, i)));
    const char *rest = json_array_size(list) ? "outside" : "inside";
    sg_buf_addf(&text, ANY4 " %s\n" ANY6 " %s\n", rest, rest);
    return write_out(gw, &text, err);
}

/* One set: the networks of a family, or all addresses where no networks are configured at all. */
static void set_add(struct sg_buf *text, const char *set, const json_t *list, bool six)
{
    const char *between = "";
    sg_buf_addf(text, "flush set inet sealgate %s\n", set);
    if (json_array_size(list) == 0)
        sg_buf_addf(text, "add element inet sealgate %s { %s }\n", set, six ? ANY6 : ANY4);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *network = json_string_value(json_array_get(list, i));
        if (is_six(network) != six)
            continue;
        if (!*between)
            sg_buf_addf(text, "add element inet sealgate %s { ", set);
        sg_buf_addf(text, "%s%s", between, network);
        between = ", ";
    }
    if (*between)
        sg_buf_adds(text, " }\n");
}

/* The elements of the sets of deploy/nftables, for nft -f. */
bool gw_egress_nftables(struct gw *gw, struct sg_error *err)
{
    GW_AUTO_JSON list = networks_get(gw, err);
    if (!list)
        return false;
    SG_AUTO_BUF text;
    sg_buf_init(&text, 0);
    sg_buf_adds(&text, "# Made by gwctl egress nftables: see deploy/README.md.\n");
    set_add(&text, "inside4", list, false);
    set_add(&text, "inside6", list, true);
    return write_out(gw, &text, err);
}
