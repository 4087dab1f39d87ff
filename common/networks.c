#include "common/networks.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define V4_BITS 96 /* IPv4 is kept as IPv4-mapped IPv6 */

struct network {
    uint8_t bits[16];
    int prefix;
};

struct sg_networks {
    atomic_int references;
    uint64_t version;
    size_t count;
    struct network list[];
};

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool prefix_read(const char *text, int most, int *prefix_r)
{
    int n = 0;
    if (!*text || strlen(text) > 3)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        n = 10 * n + (*text - '0');
    }
    *prefix_r = n;
    return n <= most;
}

static bool network_read(const char *text, struct network *n)
{
    char address[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    bool six = strchr(text, ':');
    if (!slash || (size_t)(slash - text) >= sizeof address)
        return false;
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = 0;
    memcpy(n->bits, mapped, sizeof mapped);
    if (inet_pton(six ? AF_INET6 : AF_INET, address, n->bits + (six ? 0 : 12)) != 1 ||
        !prefix_read(slash + 1, six ? 128 : 32, &n->prefix))
        return false;
    n->prefix += six ? 0 : V4_BITS;
    return true;
}

static struct sg_networks *networks_room(size_t count, uint64_t version)
{
    struct sg_networks *s = calloc(1, sizeof *s + count * sizeof s->list[0]);
    if (!s)
        abort();
    atomic_init(&s->references, 1);
    s->version = version;
    s->count = count;
    return s;
}

bool sg_networks_new(const char *const *texts, size_t count, uint64_t version,
                     struct sg_networks **networks_r, struct sg_error *err)
{
    struct sg_networks *s = networks_room(count, version);
    for (size_t i = 0; i < count; i++) {
        if (!network_read(texts[i], &s->list[i])) {
            free(s);
            return sg_fail(err, SG_E_INVALID, "not a network: %.60s", texts[i]);
        }
    }
    *networks_r = s;
    return true;
}

struct sg_bytes sg_networks_pack(const struct sg_networks *networks)
{
    return sg_bytes_of(networks->list, networks->count * sizeof networks->list[0]);
}

struct sg_networks *sg_networks_unpack(struct sg_bytes packed, uint64_t version)
{
    size_t count = packed.len / sizeof(struct network);
    struct sg_networks *s = networks_room(count, version);
    if (packed.len)
        memcpy(s->list, packed.data, count * sizeof s->list[0]);
    for (size_t i = 0; i < count; i++) {
        if (s->list[i].prefix < 0 || s->list[i].prefix > 128) {
            free(s);
            return NULL;
        }
    }
    return s;
}

struct sg_networks *sg_networks_ref(struct sg_networks *networks)
{
    atomic_fetch_add(&networks->references, 1);
    return networks;
}

void sg_networks_unref(struct sg_networks **networks)
{
    if (*networks && atomic_fetch_sub(&(*networks)->references, 1) == 1)
        free(*networks);
    *networks = NULL;
}

size_t sg_networks_count(const struct sg_networks *networks)
{
    return networks->count;
}

uint64_t sg_networks_version(const struct sg_networks *networks)
{
    return networks->version;
}

static bool inside(const struct network *n, const uint8_t bits[16])
{
    int whole = n->prefix / 8, rest = n->prefix % 8;
    return memcmp(n->bits, bits, (size_t)whole) == 0 &&
           (rest == 0 || (n->bits[whole] ^ bits[whole]) >> (8 - rest) == 0);
}

bool sg_networks_have(const struct sg_networks *networks, const struct sockaddr *address)
{
    uint8_t bits[16];
    memcpy(bits, mapped, sizeof mapped);
    if (address->sa_family == AF_INET)
        memcpy(bits + 12, &((const struct sockaddr_in *)address)->sin_addr, 4);
    else if (address->sa_family == AF_INET6)
        memcpy(bits, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
    else
        return false;
    for (size_t i = 0; i < networks->count; i++)
        if (inside(&networks->list[i], bits))
            return true;
    return false;
}
