/*
 * hsmd's requests and its client's replies: what decodes encodes back to the same octets.
 */
#include "hsmclient/protocol.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t frame[SG_HSM_FRAME_MAX + 4];
    struct sg_bytes body = sg_bytes_of(data, size);
    struct sg_hsm_request request;
    struct sg_hsm_reply reply;
    struct sg_error err = {0};
    size_t len;
    if (size > SG_HSM_FRAME_MAX)
        return 0;
    if (sg_hsm_request_decode(body, &request, &err)) {
        if (!sg_hsm_request_encode(&request, frame, &len, &err) || len != size + 4 ||
            !sg_bytes_equal(body, sg_bytes_of(frame + 4, size)))
            abort();
    } else if (err.code != SG_E_HSM_PROTOCOL && err.code != SG_E_USAGE) {
        abort();
    }
    if (sg_hsm_reply_decode(body, &reply, &err) && reply.error.code == SG_OK) {
        if (!sg_hsm_reply_encode(&reply, frame, &len, &err) || len != size + 4)
            abort();
    }
    return 0;
}
