/* Requests for a dry run: what is taken has an envelope that can be worked with. */
#include "simulate/request.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct sg_spool_limits limits = {4096, 65536, "/tmp"};
    struct sg_simulate_request r;
    struct sg_simulation s;
    struct sg_error err = {0};
    sg_simulate_request_begin(&r, &limits);
    sg_simulate_request_push(&r, data, size / 2);
    sg_simulate_request_push(&r, data + size / 2, size - size / 2);
    if (sg_simulate_request_end(&r, 10, &s, &err) &&
        (!s.tenant || !s.direction || !s.sender || s.recipient_count < 1 ||
         s.recipient_count > 10 || !s.recipients[s.recipient_count - 1]))
        abort();
    sg_simulate_request_free(&r);
    return 0;
}
