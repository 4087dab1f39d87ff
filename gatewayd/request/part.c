/* The parts of a message that may hold certificates. Walks once, in memory, within limits. */
#include "request/request_internal.h"

#include "trigger/entity.h"

#include <stdlib.h>

struct walk {
    struct sg_arena *arena;
    const struct sg_request_limits *limits;
    size_t parts;
    struct found found;
};

static bool one_of(const char *value, const char *const *list)
{
    for (; *list; list++)
        if (strcasecmp(value, *list) == 0)
            return true;
    return false;
}

/* By its type or by the name of its file: both are used, and neither by all (REQ-44). */
static bool may_hold(const struct sg_entity *e)
{
    static const char *const types[] = {
        "application/pkix-cert",        "application/x-x509-ca-cert",
        "application/x-x509-user-cert", "application/x-pkcs7-certificates",
        "application/pkcs7-mime",       "application/x-pkcs7-mime",
        "application/x-pem-file",       NULL};
    static const char *const endings[] = {".cer", ".crt", ".p7b", ".p7c", ".pem", ".der", NULL};
    const char *dot = strrchr(e->name, '.');
    return one_of(e->types[0].type, types) || (dot && one_of(dot, endings));
}

static void leaf(struct walk *w, const struct sg_entity *e, struct sg_bytes body)
{
    if (!may_hold(e))
        return;
    struct sg_transfer_decoder decoder = {.kind = e->transfers[0]};
    uint8_t *plain = malloc(body.len + 2 * SG_TRANSFER_ROOM);
    if (!plain)
        return;
    size_t len = sg_transfer_decode(&decoder, body.data, body.len, plain);
    len += sg_transfer_end(&decoder, plain + len);
    sg_request_part_read(sg_bytes_of(plain, len), &w->found);
    free(plain);
}

static void entity(struct walk *w, const struct sg_header_block *block, struct sg_bytes body,
                   size_t depth);

static struct sg_bytes line_at(struct sg_bytes body, size_t at)
{
    const uint8_t *lf = memchr(body.data + at, '\n', body.len - at);
    return sg_bytes_slice(body, at, lf ? (size_t)(lf - body.data) + 1 - at : body.len - at);
}

/* 1: a delimiter; 2: the closing one (RFC 2046 §5.1.1). */
static int delimiter(struct sg_bytes line, const char *boundary, size_t len)
{
    if (line.len < len + 2 || memcmp(line.data, "--", 2) != 0 ||
        memcmp(line.data + 2, boundary, len) != 0)
        return 0;
    size_t i = len + 2;
    bool closing = line.len >= i + 2 && memcmp(line.data + i, "--", 2) == 0;
    for (i += closing ? 2 : 0; i < line.len; i++)
        if (!strchr(" \t\r\n", line.data[i]) || !line.data[i])
            return 0;
    return closing ? 2 : 1;
}

static void part(struct walk *w, struct sg_bytes octets, size_t depth)
{
    struct sg_header_block block;
    size_t at = 0, fields = 0;
    while (at < octets.len) { /* the empty line */
        struct sg_bytes line = line_at(octets, at);
        if (line.len == 1 || (line.len == 2 && line.data[0] == '\r'))
            break;
        at += line.len;
        fields += line.data[0] != ' ' && line.data[0] != '\t';
        if (at > w->limits->headers.max_bytes || fields > w->limits->headers.max_fields)
            return;
    }
    (void)sg_entity_fields(w->arena, sg_bytes_slice(octets, 0, at), &block);
    size_t skip = at < octets.len ? line_at(octets, at).len : 0;
    entity(w, &block, sg_bytes_slice(octets, at + skip, octets.len - at - skip), depth);
}

static void multipart(struct walk *w, struct sg_bytes body, const char *boundary, size_t depth)
{
    size_t len = strlen(boundary), from = 0;
    bool inside = false;
    int kind = 0;
    for (size_t at = 0; at < body.len && kind != 2;) {
        struct sg_bytes line = line_at(body, at);
        kind = delimiter(line, boundary, len);
        if (kind && inside)
            part(w, sg_bytes_slice(body, from, at - from), depth);
        at += line.len;
        if (kind) {
            inside = true;
            from = at;
        }
    }
    if (inside && kind != 2) /* without its end: what is there is looked at */
        part(w, sg_bytes_slice(body, from, body.len - from), depth);
}

static void entity(struct walk *w, const struct sg_header_block *block, struct sg_bytes body,
                   size_t depth)
{
    struct sg_entity e;
    if (++w->parts > w->limits->max_parts)
        return;
    sg_entity_read(w->arena, block, "text/plain", &e);
    const char *boundary = sg_content_type_parameter(&e.types[0], "boundary");
    if (strncmp(e.types[0].type, "multipart/", 10) != 0)
        leaf(w, &e, body);
    else if (boundary && *boundary && depth < w->limits->max_depth)
        multipart(w, body, boundary, depth + 1);
}

STACK_OF(X509) *sg_request_certificates(struct sg_arena *arena,
                                        const struct sg_header_block *headers, struct sg_bytes body,
                                        const struct sg_request_limits *limits,
                                        struct sg_budget *budget)
{
    struct walk w = {.arena = arena,
                     .limits = limits,
                     .found = {sk_X509_new_null(), limits->max_certificates, budget}};
    if (w.found.certificates && body.len)
        entity(&w, headers,
               sg_bytes_slice(body, 0, body.len < limits->max_bytes ? body.len : limits->max_bytes),
               0);
    return w.found.certificates;
}
