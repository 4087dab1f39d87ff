#include "common/random.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SUPPLY 512

void sg_random(void *out, size_t len)
{
    static _Thread_local uint8_t supply[SUPPLY];
    static _Thread_local size_t left;
    if (len > sizeof supply) {
        if (RAND_bytes(out, (int)len) != 1)
            abort();
        return;
    }
    if (len > left) {
        if (RAND_bytes(supply, sizeof supply) != 1)
            abort();
        left = sizeof supply;
    }
    left -= len;
    memcpy(out, supply + left, len);
    OPENSSL_cleanse(supply + left, len); /* nobody gets the same octets again */
}
