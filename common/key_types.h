/*
 * Which types of keys OpenSSL reads in this process, and how. For each key that it reads, the
 * public one of a certificate as much as a private one that SoftHSM unwraps, OpenSSL 3.0 goes
 * through everything that could read any key: with the few that a daemon has to do with, a public
 * key takes half of the time, and a private one, read as OpenSSL 1.1 did, a ninth. The rest of
 * OpenSSL stays as it is.
 */
#ifndef SG_COMMON_KEY_TYPES_H
#define SG_COMMON_KEY_TYPES_H

#include "common/error.h"

/*
 * types, ended by NULL, static: names of OpenSSL's decoders ("RSA", "EC"). A public key of another
 * type, hence that of a certificate, is then one that cannot be read. Once, before anything else of
 * OpenSSL is used; holds for the libraries and modules of the process too. false: this OpenSSL is
 * another one than is known here, and reads all keys as it always did.
 */
SG_MUST_USE bool sg_key_types_set(const char *const *types, struct sg_error *err);

#endif
