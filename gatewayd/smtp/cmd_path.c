#include "smtp/session_internal.h"

static void skip_spaces(struct sg_bytes *s)
{
    while (s->len && s->data[0] == ' ')
        *s = sg_bytes_slice(*s, 1, s->len);
}

static bool refuse(bool sender, struct sg_smtp_reply *reply, const char *text)
{
    sg_smtp_reply_set(reply, 501, sender ? "5.1.7" : "5.1.3", "%s", text);
    return false;
}

/* Length up to the ">" that ends the path, which may also stand within quotes. */
static bool path_length(struct sg_bytes s, size_t *n_r)
{
    bool quoted = false;
    for (size_t i = 0; i < s.len; i++) {
        if (quoted && s.data[i] == '\\')
            i++;
        else if (s.data[i] == '"')
            quoted = !quoted;
        else if (s.data[i] == '>' && !quoted) {
            *n_r = i;
            return true;
        }
    }
    return false;
}

/* A source route is accepted and ignored (RFC 5321 §4.1.1.3, appendix C). */
static struct sg_bytes without_route(struct sg_bytes path)
{
    const uint8_t *colon =
        path.len && path.data[0] == '@' ? memchr(path.data, ':', path.len) : NULL;
    return colon ? sg_bytes_slice(path, (size_t)(colon - path.data) + 1, path.len) : path;
}

bool session_path(struct sg_bytes *args, const char *keyword, bool null_allowed, char *address_r,
                  struct sg_smtp_reply *reply)
{
    struct sg_bytes s = *args;
    size_t n = strlen(keyword);
    skip_spaces(&s);
    if (!sg_bytes_iequal(sg_bytes_slice(s, 0, n), keyword)) {
        sg_smtp_reply_set(reply, 501, "5.5.4", "expected %s<address>", keyword);
        return false;
    }
    s = sg_bytes_slice(s, n, s.len);
    skip_spaces(&s);
    if (s.len == 0 || s.data[0] != '<')
        return refuse(null_allowed, reply, "the address is not in angle brackets");
    s = sg_bytes_slice(s, 1, s.len);
    if (!path_length(s, &n))
        return refuse(null_allowed, reply, "the address does not end");
    struct sg_bytes address = without_route(sg_bytes_slice(s, 0, n));
    s = sg_bytes_slice(s, n + 1, s.len);
    if (s.len && s.data[0] != ' ')
        return refuse(null_allowed, reply, "something follows the address");
    if (!(null_allowed && n == 0) && !sg_address_valid(address))
        return refuse(null_allowed, reply, "the address is not valid");
    memcpy(address_r, address.data, address.len);
    address_r[address.len] = 0;
    *args = s;
    return true;
}

bool session_parameter(struct sg_bytes *args, struct sg_bytes *key_r, struct sg_bytes *value_r)
{
    skip_spaces(args);
    if (args->len == 0)
        return false;
    const uint8_t *space = memchr(args->data, ' ', args->len);
    struct sg_bytes word =
        sg_bytes_slice(*args, 0, space ? (size_t)(space - args->data) : args->len);
    const uint8_t *equals = memchr(word.data, '=', word.len);
    *key_r = sg_bytes_slice(word, 0, equals ? (size_t)(equals - word.data) : word.len);
    *value_r = sg_bytes_slice(word, key_r->len + 1, word.len);
    *args = sg_bytes_slice(*args, word.len, args->len);
    return true;
}
