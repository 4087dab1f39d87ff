/* Date: what is read lies between 1970 and 9999, and is read again as itself once written. */
#include "common/clock.h"
#include "mime/header.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sg_header field = {.name = sg_bytes_str("Date"), .value = sg_bytes_of(data, size)};
    sg_time at, again;
    char text[40];
    if (!sg_date_parse(&field, &at))
        return 0;
    sg_time_rfc5322(at, text);
    field.value = sg_bytes_str(text);
    if (at <= 0 || at > 253402387200 * SG_SECOND)
        abort();
    if (at < 253402300800 * SG_SECOND && (!sg_date_parse(&field, &again) || again != at))
        abort();
    return 0;
}
