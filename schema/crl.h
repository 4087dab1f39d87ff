/* Revocation lists by the URL of their distribution point (REQ-39, 40). */
#ifndef SG_SCHEMA_CRL_H
#define SG_SCHEMA_CRL_H

#include "schema/db.h"

struct sg_crl_row {
    struct sg_bytes der;
    sg_time this_update, next_update, fetched_at;
};

SG_MUST_USE bool sg_crl_find(struct sg_db *db, struct sg_arena *arena, const char *url,
                             struct sg_crl_row *row_r, bool *found_r, struct sg_error *err);
/* Keeps what is there where that has a later thisUpdate. */
SG_MUST_USE bool sg_crl_store(struct sg_db *db, const char *url, const struct sg_crl_row *row,
                              struct sg_error *err);
/* Those that ended, and were fetched, before then: nobody has asked for them since. */
SG_MUST_USE bool sg_crl_forget(struct sg_db *db, sg_time before, struct sg_error *err);

/* REQ-59: is checking of this certificate bypassed? *until_r 0: no. */
SG_MUST_USE bool sg_crl_bypass_find(struct sg_db *db, struct sg_arena *arena,
                                    struct sg_bytes sha256, sg_time now, sg_time *until_r,
                                    const char **reason_r, struct sg_error *err);

#endif
