/*
 * What callers hand to hsmd inside a request: wrapped keys, certification requests, and the
 * configuration's rules.
 */
#include "hsm/access.h"
#include "hsm/blob.h"
#include "hsm/pkix.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void blob_try(struct sg_bytes data, enum sg_blob_type type)
{
    static uint8_t out[SG_HSM_BLOB_MAX];
    struct sg_blob blob;
    if (!sg_blob_decode(data, type, &blob, NULL))
        return;
    size_t len = sg_blob_encode(&blob, out, sizeof out);
    if (len != data.len || !sg_bytes_equal(data, sg_bytes_of(out, len)))
        abort();
}

/* The key is the request's own, where it has one: so that the way past the comparison is taken. */
static void csr_try(struct sg_bytes info)
{
    uint8_t hash[32], out[SG_HSM_FIRST_MAX];
    size_t len;
    struct sg_csr *csr = NULL;
    for (size_t at = 0; at + 294 <= info.len && at < 256; at++) {
        if (info.data[at] != 0x30)
            continue;
        struct sg_bytes spki = sg_bytes_slice(info, at, 294);
        if (!sg_csr_prepare(info, spki, &csr, hash, NULL))
            continue;
        if (sg_csr_finish(csr, sg_bytes_of(hash, sizeof hash), out, sizeof out, &len, NULL))
            abort(); /* a hash is no signature */
        sg_csr_free(&csr);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > SG_HSM_BLOB_MAX)
        return 0;
    struct sg_bytes rest = sg_bytes_of(data + 1, size - 1);
    if (data[0] == 0) {
        blob_try(rest, SG_BLOB_PRIVATE);
        blob_try(rest, SG_BLOB_DATA);
    } else if (data[0] == 1) {
        csr_try(rest);
    } else {
        struct sg_access access;
        char *text = strndup((const char *)rest.data, rest.len);
        if (text && sg_access_parse(text, &access, NULL) &&
            (access.count == 0 || access.count > SG_ACCESS_RULES))
            abort();
        free(text);
    }
    return 0;
}
