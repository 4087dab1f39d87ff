#include "bombs.h"

#include <stdlib.h>
#include <sys/resource.h>

/* Written from its end to its beginning, so that each length is known. */
struct der {
    uint8_t *octets;
    size_t at, room;
};

static void put(struct der *d, const void *octets, size_t n)
{
    if (n > d->at)
        abort();
    d->at -= n;
    memcpy(d->octets + d->at, octets, n);
}
#define PUT(d, octets) put(d, octets, sizeof(octets) - 1)

/* Of what was written since end. */
static void head(struct der *d, uint8_t tag, size_t end)
{
    size_t n = end - d->at;
    const uint8_t octets[] = {
        tag, 0x84, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
    put(d, octets, sizeof octets);
}

static void name(struct der *d, size_t octets)
{
    size_t end = d->at;
    for (size_t i = 0; i < octets; i++)
        PUT(d, "x");
    head(d, 0x0c, end);
    PUT(d, "\x06\x03\x55\x04\x03"); /* commonName */
    head(d, 0x30, end);
    head(d, 0x31, end);
    head(d, 0x30, end);
}

static void distribution_points(struct der *d, size_t points)
{
    size_t end = d->at;
    for (size_t i = 0; i < points; i++)
        PUT(d, "\x30\x04\xa0\x02\xa1\x00");
    head(d, 0x30, end);
    head(d, 0x04, end);
    PUT(d, "\x06\x03\x55\x1d\x1f");
    head(d, 0x30, end);
    head(d, 0x30, end);
    head(d, 0xa3, end);
}

#define ECDSA_SHA256 "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"

const char bomb_key[] = "-----BEGIN EC PRIVATE KEY-----\n"
                        "MDECAQEEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABoAoGCCqGSM49\n"
                        "AwEH\n"
                        "-----END EC PRIVATE KEY-----\n";

/* The generator of P-256, the point that belongs to the private key 1. */
static const char public_key[] =
    "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
    "\x03\x42\x00\x04"
    "\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2"
    "\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96"
    "\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16"
    "\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5";

struct sg_bytes bomb_relative(size_t issuer_octets, size_t points)
{
    size_t room = issuer_octets + 6 * points + 1000;
    struct der d = {malloc(room), room, room};
    if (!d.octets)
        abort();
    PUT(&d, "\x03\x02\x00\x01" /* nobody's signature */);
    PUT(&d, ECDSA_SHA256);
    size_t end = d.at;
    if (points)
        distribution_points(&d, points);
    PUT(&d, public_key);
    name(&d, 1);
    PUT(&d, "\x30\x1e\x17\x0d"
            "250101000000Z\x17\x0d"
            "490101000000Z");
    name(&d, issuer_octets);
    PUT(&d, ECDSA_SHA256);
    PUT(&d, "\xa0\x03\x02\x01\x02\x02\x01\x01" /* version 3, serial number 1 */);
    head(&d, 0x30, end);
    head(&d, 0x30, room);
    memmove(d.octets, d.octets + d.at, room - d.at);
    return sg_bytes_of(d.octets, room - d.at);
}

long bomb_peak_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}
