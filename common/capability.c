#include "common/capability.h"

#include <stdio.h>
#include <string.h>

const char *const sg_capability_names[SG_CAPABILITY_COUNT + 1] = {
    "rc2",        "des",        "3des",       "aes128-cbc", "aes192-cbc", "aes256-cbc",
    "aes128-gcm", "aes192-gcm", "aes256-gcm", "rsa-oaep",   "rsa-pss",    "ecdh",
    "sha256",     "sha384",     "sha512",     NULL};

uint32_t sg_capability_bit(const char *name)
{
    for (unsigned i = 0; i < SG_CAPABILITY_COUNT; i++)
        if (strcmp(sg_capability_names[i], name) == 0)
            return 1U << i;
    return 0;
}

void sg_capability_text(uint32_t capabilities, char out[SG_CAPABILITY_TEXT])
{
    size_t n = 0;
    snprintf(out, SG_CAPABILITY_TEXT, "none");
    for (unsigned i = 0; i < SG_CAPABILITY_COUNT && n < SG_CAPABILITY_TEXT; i++)
        if (capabilities & 1U << i)
            n += (size_t)snprintf(out + n, SG_CAPABILITY_TEXT - n, "%s%s", n ? " " : "",
                                  sg_capability_names[i]);
}
