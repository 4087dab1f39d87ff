/* Names of domains as mails write them: what comes back is ASCII, and is its own form; of what was
 * none it has nothing that no domain has. */
#include "idna/idna.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    const char *name = sg_idna_ascii(arena, sg_arena_str(arena, sg_bytes_of(data, size)));
    if (!name)
        return 0;
    bool mapped = false;
    for (size_t i = 0; i < size && data[i]; i++)
        mapped |= data[i] >= 0x80;
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p >= 0x80 ||
            (mapped && !isalnum((unsigned char)*p) && !strchr("-_.", *p)))
            abort();
    const char *again = sg_idna_ascii(arena, name);
    if (!again || strcmp(again, name) != 0)
        abort();
    return 0;
}
