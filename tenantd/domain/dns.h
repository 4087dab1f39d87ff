/*
 * One look at a TXT record, by libunbound with a resolver of its own each time: nothing is cached,
 * and DNSSEC is validated here, from the trust anchor on, whatever a forwarder says of it.
 */
#ifndef SG_DOMAIN_DNS_H
#define SG_DOMAIN_DNS_H

#include "common/error.h"

#include <stdint.h>

struct sg_dns_options {
    const char *trust_anchor_file; /* DS or DNSKEY of the root, as in a zone file */
    const char *forwarders;        /* "192.0.2.1 192.0.2.2@5353"; "": from the root servers on */
    const char *reserved; /* "test": reserved names (RFC 6761) that this DNS has all the same */
    int64_t timeout_ms;   /* for the whole answer */
};

enum sg_dns_verdict {
    SG_DNS_FOUND,
    SG_DNS_MISSING,    /* the DNS says so: no such name, no such type, or other values alone */
    SG_DNS_BOGUS,      /* the answer is forged or its signatures are broken: says nothing */
    SG_DNS_UNAVAILABLE /* no answer, or a failure of the servers: says nothing */
};

struct sg_dns_look {
    enum sg_dns_verdict verdict;
    const char *dnssec; /* "secure", "insecure", "bogus"; "": no answer */
    char words[256];    /* why it was not found */
};

const char *sg_dns_verdict_name(enum sg_dns_verdict verdict);

/* Is there a TXT record of this value at the name? false: the resolver could not even be made. One
 * look at a time in a process. */
SG_MUST_USE bool sg_dns_txt(const struct sg_dns_options *options, const char *name,
                            const char *value, struct sg_dns_look *look_r, struct sg_error *err);

/* Is a TXT record's data (RFC 1035 §3.3.14: strings of a length octet each, joined) this value? */
bool sg_txt_is(const uint8_t *data, size_t len, const char *value);

#endif
