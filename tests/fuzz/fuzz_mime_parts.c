/*
 * The parts of a multipart/signed: the first octet is how long the boundary is, which stands next;
 * what follows is the body. Where there are two parts, they lie one behind the other within it, and
 * a delimiter line stands in front of each.
 */
#include "common/buf.h"
#include "smime/smime_internal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t len = data[0] % 70 + 1u;
    if (size - 1 < len || memchr(data + 1, 0, len))
        return 0;
    SG_AUTO_ARENA arena = sg_arena_new();
    const struct sg_spool_limits limits = {4096, 1 << 20, "/tmp"};
    const char *boundary = sg_arena_str(arena, sg_bytes_of(data + 1, len));
    struct sg_bytes body = sg_bytes_of(data + 1 + len, size - 1 - len);
    SG_AUTO_SPOOL spool = sg_spool_new(&limits);
    struct sg_smime_parts parts;
    struct sg_error err = {0};
    check(sg_spool_write(spool, body.data, body.len, &err));
    if (!sg_smime_parts_find(spool, 0, body.len, boundary, &parts, &err)) {
        check(err.code == SG_E_MIME || err.code == SG_E_LIMIT);
        return 0;
    }
    check(parts.content <= parts.content_end && parts.content_end <= parts.signature &&
          parts.signature <= parts.signature_end && parts.signature_end <= parts.behind &&
          parts.preamble_end + len + 2 <= parts.content && parts.behind <= body.len);
    /* The delimiter lines in front of both parts are there, and none is inside of them. */
    check(parts.content >= len + 2 && parts.signature - parts.content_end >= len + 2);
    const uint8_t *between = body.data + parts.content_end;
    check(memmem(between, (size_t)(parts.signature - parts.content_end), boundary, len) != NULL);
    return 0;
}
