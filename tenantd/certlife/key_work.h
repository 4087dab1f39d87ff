/* What is done with a key in the HSM; each may be done twice. */
#ifndef SG_CERTLIFE_KEY_WORK_H
#define SG_CERTLIFE_KEY_WORK_H

#include "certlife/certlife.h"
#include "schema/hsm_key.h"

struct sg_hsm_key sg_key_name(const struct sg_hsm_key_row *row);
SG_MUST_USE bool sg_key_generate(struct sg_hsm *hsm, const struct sg_hsm_key_row *row,
                                 struct sg_buf *spki_r, struct sg_buf *blob_r,
                                 struct sg_error *err);
/* The signed request, DER. */
SG_MUST_USE bool sg_key_request(struct sg_hsm *hsm, const struct sg_hsm_key_row *row,
                                struct sg_buf *csr_r, struct sg_error *err);
/* Of a wrapped key there is nothing in the HSM; one that is not on the token is gone already. */
SG_MUST_USE bool sg_key_destroy(struct sg_hsm *hsm, const struct sg_hsm_key *key,
                                struct sg_error *err);

#endif
