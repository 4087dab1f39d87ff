/* CRC-32C eight octets at a time: by the processor where it can, else by tables made at the first
 * use. */
#include "journal/format.h"

#include <pthread.h>

#define POLYNOMIAL 0x82f63b78u /* reflected */

static uint32_t table[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void table_make(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++)
            c = c >> 1 ^ (c & 1 ? POLYNOMIAL : 0);
        table[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int t = 1; t < 8; t++)
            table[t][i] = table[t - 1][i] >> 8 ^ table[0][table[t - 1][i] & 0xff];
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t by_processor(uint32_t c, const uint8_t *p,
                                                               size_t len)
{
    uint64_t wide = c, word;
    for (; len >= 8; p += 8, len -= 8) {
        memcpy(&word, p, 8);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    c = (uint32_t)wide;
    for (; len; p++, len--)
        c = __builtin_ia32_crc32qi(c, *p);
    return c;
}
#endif

static uint32_t by_table(uint32_t c, const uint8_t *p, size_t len)
{
    pthread_once(&once, table_make);
    for (; len >= 8; p += 8, len -= 8) {
        uint32_t low = c ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                            (uint32_t)p[3] << 24);
        c = table[7][low & 0xff] ^ table[6][low >> 8 & 0xff] ^ table[5][low >> 16 & 0xff] ^
            table[4][low >> 24] ^ table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
    }
    for (; len; p++, len--)
        c = c >> 8 ^ table[0][(c ^ *p) & 0xff];
    return c;
}

uint32_t journal_crc_by_table(uint32_t crc, const void *data, size_t len)
{
    return ~by_table(~crc, data, len);
}

uint32_t journal_crc(uint32_t crc, const void *data, size_t len)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("sse4.2"))
        return ~by_processor(~crc, data, len);
#endif
    return ~by_table(~crc, data, len);
}
