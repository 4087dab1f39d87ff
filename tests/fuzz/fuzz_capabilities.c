/* SMIMECapabilities: only bits that have a name; cut off or with something behind, it says nothing.
 */
#include "smime/capabilities.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t all = sg_smime_capabilities_parse(sg_bytes_of(data, size));
    if (all >> SG_CAPABILITY_COUNT)
        abort();
    if (all == 0)
        return 0;
    uint8_t *longer = calloc(1, size + 1);
    if (!longer)
        return 0;
    memcpy(longer, data, size);
    if (sg_smime_capabilities_parse(sg_bytes_of(data, size - 1)) != 0 ||
        sg_smime_capabilities_parse(sg_bytes_of(longer, size + 1)) != 0)
        abort();
    free(longer);
    char text[SG_CAPABILITY_TEXT];
    sg_capability_text(all, text);
    if (strlen(text) + 1 >= sizeof text)
        abort();
    return 0;
}
