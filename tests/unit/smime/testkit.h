/*
 * For tests of the S/MIME library: software keys behind its callbacks (the part that hsmd plays),
 * and files. Certificates are made by the openssl command, not by the code under test.
 */
#ifndef SG_TESTKIT_H
#define SG_TESTKIT_H

#include "smime/smime.h"

#include <openssl/evp.h>

struct kit_key {
    X509 *certificate;
    EVP_PKEY *key;
};

/* PEM files; aborts where they cannot be read. */
X509 *kit_certificate(const char *path);
struct kit_key kit_key_load(const char *certificate, const char *key);
void kit_key_free(struct kit_key *key);

/* Callbacks of struct sg_smime_signer and sg_smime_options; the context of the first and the key of
 * the second is a struct kit_key. What does not open gives a random key, as hsmd does. */
bool kit_sign(void *ctx, const struct sg_smime_to_sign *what, struct sg_buf *sig_r,
              struct sg_error *err);
bool kit_decrypt_cek(void *ctx, void *key, const struct sg_smime_cek *cek, struct sg_secret *cek_r,
                     struct sg_error *err);
bool kit_every_signer(void *ctx, const X509 *certificate);
bool kit_no_signer(void *ctx, const X509 *certificate);

/* Options with usual limits; spool files go to /tmp. */
struct sg_smime_options kit_options(struct sg_smime_own_key *own, size_t count);

struct sg_spool *kit_spool_new(void);
struct sg_spool *kit_spool_of(const void *data, size_t len);
struct sg_spool *kit_spool_of_file(const char *path);
/* Peak of the process's resident memory. */
long kit_peak_kib(void);

/* A directory in /tmp with keys and certificates (root.pem, <name>.key, <name>.pem) that is removed
 * at exit. names are signed by root, serials run from 1. */
const char *kit_pki(const char *const *names, size_t count);
/* One more; key as the openssl command wants it for -newkey, "ec -pkeyopt ec_paramgen_curve:P-256"
 */
void kit_issue(const char *name, const char *key);
/* Runs a shell command in that directory; aborts where it fails. */
void kit_run(const char *fmt, ...) SG_PRINTF(1, 2);
const char *kit_path(struct sg_arena *arena, const char *name);

#endif
