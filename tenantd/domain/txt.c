#include "domain/dns.h"

#include <string.h>

bool sg_txt_is(const uint8_t *data, size_t len, const char *value)
{
    size_t want = strlen(value), at = 0;
    for (size_t i = 0; i < len;) {
        size_t n = data[i++];
        if (n > len - i || n > want - at || memcmp(data + i, value + at, n) != 0)
            return false;
        i += n;
        at += n;
    }
    return len > 0 && at == want;
}
