/*
 * A set of networks in CIDR form, and whether an address lies in it. Never changed once it is made,
 * and shared by count of references.
 */
#ifndef SG_COMMON_NETWORKS_H
#define SG_COMMON_NETWORKS_H

#include "common/bytes.h"
#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

struct sg_networks;
struct sockaddr;

/* "192.0.2.0/24", "2001:db8::/32"; version tells sets apart. SG_E_INVALID: one is no network. */
SG_MUST_USE bool sg_networks_new(const char *const *texts, size_t count, uint64_t version,
                                 struct sg_networks **networks_r, struct sg_error *err);
struct sg_networks *sg_networks_ref(struct sg_networks *networks);
/* Takes NULL and nulls the pointer. */
void sg_networks_unref(struct sg_networks **networks);

size_t sg_networks_count(const struct sg_networks *networks);
uint64_t sg_networks_version(const struct sg_networks *networks);
/* For another process of this machine and build: its octets, good as long as the set, and a set of
 * them; NULL where they are none. */
struct sg_bytes sg_networks_pack(const struct sg_networks *networks);
struct sg_networks *sg_networks_unpack(struct sg_bytes packed, uint64_t version);
/* An IPv4-mapped address counts as what it is reached by: IPv4. Unix sockets lie in no network. */
bool sg_networks_have(const struct sg_networks *networks, const struct sockaddr *address);

#endif
