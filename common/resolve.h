/*
 * The addresses of a host, looked up within a deadline. The C library's resolver knows none: where
 * the DNS does not answer it comes back after 10 to 60 seconds (resolv.conf), and cannot be called
 * off. So it is asked on a thread that is left behind. Who asks for a name that is being looked up
 * waits for that one: a name whose servers are silent keeps one thread, whoever writes to it.
 */
#ifndef SG_COMMON_RESOLVE_H
#define SG_COMMON_RESOLVE_H

#include "common/deadline.h"

#include <netdb.h>

/*
 * Lookups of the process at the same time; who comes when there are as many waits for the end of
 * one. A constant and no option: it bounds threads that are left behind, not what is served. A name
 * has one however many ask, and one whose servers answer has it for milliseconds; what is to be
 * changed where names hang is the resolver (resolv.conf: timeout, attempts), which decides how
 * long.
 */
#define SG_LOOKUPS_MOST 64

struct sg_lookup;

/* An address literal is taken at once. SG_E_TIMEOUT: no answer in time; SG_E_IO: there is none. */
SG_MUST_USE bool sg_lookup(const char *host, const char *port, sg_deadline deadline,
                           struct sg_lookup **lookup_r, struct sg_error *err);
/* For streams, in their order; at least one. The lookup's. */
const struct addrinfo *sg_lookup_addresses(const struct sg_lookup *lookup);
void sg_lookup_free(struct sg_lookup **lookup);
#define SG_AUTO_LOOKUP __attribute__((cleanup(sg_lookup_free))) struct sg_lookup *

#endif
