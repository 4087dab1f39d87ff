#include "smime/smime_internal.h"

#include <stdlib.h>

bool sg_smime_look(const struct sg_spool *cms, size_t max_cms_bytes, const struct sg_sink *content,
                   enum sg_smime_object *object_r, struct sg_error *err)
{
    struct sg_source *source = malloc(sizeof *source);
    if (!source)
        abort();
    SG_AUTO_ARENA arena = sg_arena_new();
    const struct sg_header_block none = {.count = 0};
    struct sg_ber_stream ber;
    struct sg_smime_signed sd;
    SG_AUTO_BUF oid;
    sg_buf_init(&oid, 0);
    *object_r = SG_SMIME_OBJECT_OTHER;
    sg_smime_signed_init(&sd);
    bool ok = sg_source_open(source, arena, &none, cms, 0, sg_spool_size(cms), err);
    sg_ber_stream_begin(&ber, source, max_cms_bytes);
    ok = ok && sg_smime_content_info(&ber, &oid, err);
    struct sg_bytes kind = sg_buf_bytes(&oid);
    if (ok && (sg_bytes_equal(kind, sg_oid_enveloped_data) ||
               sg_bytes_equal(kind, sg_oid_auth_enveloped_data))) {
        *object_r = SG_SMIME_OBJECT_ENCRYPTED;
    } else if (ok && sg_bytes_equal(kind, sg_oid_signed_data)) {
        *object_r = SG_SMIME_OBJECT_SIGNED;
        ok = sg_smime_signed_read(&ber, content, &sd, err);
    }
    sg_smime_signed_free(&sd);
    free(source);
    return ok;
}
