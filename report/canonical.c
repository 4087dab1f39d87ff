#include "report/report.h"

#include <openssl/evp.h>

static int append(const char *data, size_t size, void *arg)
{
    return sg_buf_add(arg, data, size) ? 0 : -1;
}

bool sg_report_canonical(const json_t *data, struct sg_buf *out, struct sg_error *err)
{
    return json_dump_callback(data, append, out, JSON_COMPACT | JSON_SORT_KEYS) == 0 ||
           sg_fail(err, SG_E_LIMIT, "a report of more than %d bytes", SG_REPORT_SIZE_MAX);
}

bool sg_report_hash(const json_t *data, uint8_t hash[SG_REPORT_HASH_SIZE], struct sg_error *err)
{
    SG_AUTO_BUF text;
    sg_buf_init(&text, SG_REPORT_SIZE_MAX);
    if (!sg_report_canonical(data, &text, err))
        return false;
    return EVP_Digest(text.data, text.len, hash, NULL, EVP_sha256(), NULL) == 1 ||
           sg_fail_openssl(err, SG_E_CRYPTO, "no SHA-256");
}
