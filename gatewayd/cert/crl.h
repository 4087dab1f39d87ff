/* A revocation list as it is held: what is asked of it, and no more (inside cert/ alone). */
#ifndef SG_CERT_CRL_H
#define SG_CERT_CRL_H

#include "cert/cert_internal.h"

#include <openssl/x509v3.h>
#include <stdatomic.h>

/* Of a list's scope, and of a distribution point. Who issues lists names a place or two. */
#define SG_CRL_NAMES_MAX 16
#define SG_CRL_SOME_TIME INT64_MIN /* a date that cannot be read */

struct sg_crl_serial {
    uint32_t offset; /* of the number in numbers */
    uint8_t len, reason;
    sg_time since;
};

/* Never changed once it was read, but for the references. */
struct sg_crl {
    atomic_int references;
    struct sg_crl_times times;
    ISSUING_DIST_POINT *scope;     /* NULL: all certificates of the issuer */
    struct sg_crl_serial *serials; /* sorted by length, then octets */
    uint8_t *numbers;              /* INTEGERs in their shortest form */
    size_t count;
    size_t bytes; /* that it takes in memory */
};

#endif
