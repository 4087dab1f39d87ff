#include "simulate/request.h"

#include "smtp/address.h"

void sg_simulate_request_begin(struct sg_simulate_request *r, const struct sg_spool_limits *limits)
{
    *r = (struct sg_simulate_request){.arena = sg_arena_new(), .message = sg_spool_new(limits)};
    sg_buf_init(&r->envelope, SG_SIMULATE_ENVELOPE_MAX);
}

void sg_simulate_request_free(struct sg_simulate_request *r)
{
    sg_buf_free(&r->envelope);
    sg_spool_free(&r->message);
    sg_arena_free(&r->arena);
}

void sg_simulate_request_push(struct sg_simulate_request *r, const void *data, size_t len)
{
    const char *rest = data;
    if (r->err.code != SG_OK)
        return;
    if (!r->line_done) {
        const char *end = memchr(rest, '\n', len);
        size_t n = end ? (size_t)(end - rest) : len;
        sg_buf_add(&r->envelope, rest, n);
        if (r->envelope.overflown) {
            sg_fail(&r->err, SG_E_LIMIT, "the envelope has more than %zu octets",
                    SG_SIMULATE_ENVELOPE_MAX);
            return;
        }
        r->line_done = end != NULL;
        rest += n + r->line_done;
        len -= n + r->line_done;
    }
    if (len && !sg_spool_write(r->message, rest, len, &r->err) && r->err.code == SG_OK)
        sg_fail(&r->err, SG_E_INTERNAL, "the message could not be kept");
}

static const char *text(struct sg_arena *arena, const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? sg_arena_strdup(arena, s) : NULL;
}

static bool recipients_read(struct sg_arena *arena, const json_t *list, size_t most,
                            struct sg_simulation *s, struct sg_error *err)
{
    size_t count = json_array_size(list), i;
    const char **addresses = SG_ARENA_ARRAY(arena, const char *, count + 1);
    json_t *item;
    if (count == 0 || count > most)
        return sg_fail(err, SG_E_MALFORMED, "recipients: 1 to %zu addresses", most);
    json_array_foreach(list, i, item)
    {
        const char *address = json_string_value(item);
        if (!address || !sg_address_valid(sg_bytes_str(address)))
            return sg_fail(err, SG_E_MALFORMED, "recipient %zu is no address", i + 1);
        addresses[i] = sg_arena_strdup(arena, address);
    }
    s->recipients = addresses;
    s->recipient_count = count;
    return true;
}

static bool envelope_read(struct sg_simulate_request *r, const json_t *o, size_t max_recipients,
                          struct sg_simulation *s, struct sg_error *err)
{
    s->direction = text(r->arena, o, "direction");
    s->tenant = text(r->arena, o, "tenant");
    s->sender = text(r->arena, o, "sender");
    s->message = r->message;
    if (!s->direction ||
        (strcmp(s->direction, "outbound") != 0 && strcmp(s->direction, "inbound") != 0))
        return sg_fail(err, SG_E_MALFORMED, "direction: outbound or inbound");
    if (!s->tenant)
        return sg_fail(err, SG_E_MALFORMED, "tenant: whose mail it is");
    if (!s->sender || (*s->sender && !sg_address_valid(sg_bytes_str(s->sender))))
        return sg_fail(err, SG_E_MALFORMED, "sender: an address, or empty for the null sender");
    return recipients_read(r->arena, json_object_get(o, "recipients"), max_recipients, s, err);
}

bool sg_simulate_request_end(struct sg_simulate_request *r, size_t max_recipients,
                             struct sg_simulation *simulation_r, struct sg_error *err)
{
    *simulation_r = (struct sg_simulation){0};
    if (r->err.code != SG_OK) {
        *err = r->err;
        return false;
    }
    json_t *o =
        r->line_done ? json_loadb((const char *)r->envelope.data, r->envelope.len, 0, NULL) : NULL;
    bool ok = json_is_object(o)
                  ? envelope_read(r, o, max_recipients, simulation_r, err)
                  : sg_fail(err, SG_E_MALFORMED, "a line of JSON with the envelope comes first");
    json_decref(o);
    return ok;
}
