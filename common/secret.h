/*
 * Secrets: fixed storage that wipes itself and has no formatter. Holds keys, PINs, tokens.
 */
#ifndef SG_COMMON_SECRET_H
#define SG_COMMON_SECRET_H

#include "common/bytes.h"
#include "common/error.h"

#define SG_SECRET_MAX 512

struct sg_secret {
    size_t len;
    uint8_t data[SG_SECRET_MAX];
};

void sg_secret_wipe(struct sg_secret *secret);
SG_MUST_USE bool sg_secret_set(struct sg_secret *secret, const void *data, size_t len,
                               struct sg_error *err);
/*
 * Reads a secret from a file, or from the systemd credential of that name where path starts with
 * "credential:". One trailing newline is cut off. Refuses a file that others may read.
 */
SG_MUST_USE bool sg_secret_read(struct sg_secret *secret, const char *path, struct sg_error *err);
/* The file of a credential in dir, or in systemd's credentials directory where that is "". name is
 * one that the database has checked: no separator, no dot in front. */
#define SG_CREDENTIAL_PATH 512
SG_MUST_USE bool sg_credential_path(const char *dir, const char *name, const char *suffix,
                                    char path[SG_CREDENTIAL_PATH], struct sg_error *err);
/* In constant time. */
bool sg_secret_equal(struct sg_bytes a, struct sg_bytes b);
#define SG_AUTO_SECRET __attribute__((cleanup(sg_secret_wipe))) struct sg_secret

#endif
