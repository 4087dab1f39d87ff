/* What a courier left: nothing counts but whole lines of ours, each id once. */
#include "courier/courier_internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct courier_kept kept = {0};
    courier_kept_parse(&kept, sg_bytes_of(data, size));
    if (kept.count > size / (2 * SG_COURIER_ID))
        abort();
    for (size_t i = 0; i < kept.count; i++)
        for (size_t k = 0; k < i; k++)
            if (memcmp(kept.list[i].id, kept.list[k].id, SG_COURIER_ID) == 0)
                abort();
    courier_kept_free(&kept);
    return 0;
}
