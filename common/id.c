#include "common/id.h"

#include "common/random.h"

#include <stdio.h>

#define DIGITS 26

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

struct sg_id sg_id_from(const char *prefix, const uint8_t bits[SG_ID_RANDOM])
{
    struct sg_id id = {{0}};
    int n = snprintf(id.text, sizeof id.text, "%.3s_", prefix);
    char *p = id.text + n;
    unsigned acc = 0, have = 2; /* 130 bits of digits, 128 of data: two zero bits in front */
    for (size_t i = 0; i < SG_ID_RANDOM; i++) {
        acc = acc << 8 | bits[i];
        have += 8;
        while (have >= 5) {
            have -= 5;
            *p++ = alphabet[acc >> have & 31];
        }
        acc &= (1u << have) - 1;
    }
    *p = 0;
    return id;
}

struct sg_id sg_id_new(const char *prefix)
{
    uint8_t bits[SG_ID_RANDOM];
    sg_random(bits, sizeof bits);
    return sg_id_from(prefix, bits);
}

bool sg_id_decode(struct sg_bytes text, const char *prefix, uint8_t out[SG_ID_RANDOM])
{
    if (text.len != 4 + DIGITS || memcmp(text.data, prefix, 3) != 0 || text.data[3] != '_')
        return false;
    unsigned acc = 0, have = 0;
    size_t n = 0;
    for (size_t i = 4; i < text.len; i++) {
        const char *at = text.data[i] ? strchr(alphabet, text.data[i]) : NULL;
        if (!at)
            return false;
        unsigned v = (unsigned)(at - alphabet);
        if (i == 4) {
            if (v > 7)
                return false;
            acc = v;
            have = 3;
            continue;
        }
        acc = acc << 5 | v;
        have += 5;
        if (have >= 8) {
            have -= 8;
            out[n++] = (uint8_t)(acc >> have);
            acc &= (1u << have) - 1;
        }
    }
    return n == SG_ID_RANDOM && have == 0;
}

bool sg_id_valid(struct sg_bytes text, const char *prefix)
{
    uint8_t bits[SG_ID_RANDOM];
    return sg_id_decode(text, prefix, bits);
}
