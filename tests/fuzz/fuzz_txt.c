/* The data of TXT records, which comes from anybody's DNS. */
#include "domain/dns.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* What is found is what the strings say, joined. */
    char *joined = malloc(size + 1);
    size_t n = 0, i = 0;
    while (i < size && (size_t)data[i] + 1 <= size - i) {
        memcpy(joined + n, data + i + 1, data[i]);
        n += data[i];
        i += 1 + data[i];
    }
    joined[n] = 0;
    bool whole = i == size && size > 0 && strlen(joined) == n;
    if (sg_txt_is(data, size, joined) != whole)
        abort();
    free(joined);
    return 0;
}
