/* How an authority is reached, with the secrets that its row names (never in the database). */
#ifndef SG_CERTLIFE_ACCESS_H
#define SG_CERTLIFE_ACCESS_H

#include "certlife/certlife.h"
#include "certlife/http.h"
#include "schema/authority.h"

struct sg_access {
    struct sg_http_access http;
    struct sg_secret password;
    char certificate_file[512], key_file[512];
};

/*
 * password: the file CREDENTIAL.est in the credentials directory; certificate: CREDENTIAL.pem and
 * CREDENTIAL.key there. No other secret in it is sent to whom a row names. SG_E_CONFIG where they
 * are missing or others may read them.
 */
SG_MUST_USE bool sg_access_open(const struct sg_certlife *life,
                                const struct sg_authority_row *authority, struct sg_access *access,
                                struct sg_error *err);
static inline void sg_access_close(struct sg_access *access)
{
    sg_secret_wipe(&access->password);
}
#define SG_AUTO_ACCESS __attribute__((cleanup(sg_access_close))) struct sg_access

#endif
