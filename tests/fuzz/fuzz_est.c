/* What an EST server may answer: base64 and certs-only PKCS #7; and its Retry-After. */
#include "certlife/est.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    STACK_OF(X509) *list = NULL;
    struct sg_error err = {0};
    bool ok = sg_est_certificates(sg_bytes_of(data, size), &list, &err);
    if (ok != (list != NULL) ||
        (ok && (sk_X509_num(list) < 1 || sk_X509_num(list) > SG_EST_CERTIFICATES_MAX)) ||
        (!ok && (err.code != SG_E_MALFORMED || !err.detail[0])))
        abort();
    sk_X509_pop_free(list, X509_free);
    if (size < 64) {
        char text[65] = "";
        memcpy(text, data, size);
        if (sg_http_retry_after(text, 0) < -1)
            abort();
    }
    return 0;
}
