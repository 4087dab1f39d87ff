/*
 * The operations of hsmd, on a validated request whose caller may do it. Counts them by class.
 */
#ifndef SG_HSM_OPS_H
#define SG_HSM_OPS_H

#include "hsm/keystore.h"

struct sg_ops;

struct sg_ops_options {
    struct sg_pool *pool; /* outlives it, and so does store */
    struct sg_keystore *store;
    int64_t answer_ms, generate_ms; /* what an operation may take; what making a key pair may */
};

struct sg_ops *sg_ops_new(const struct sg_ops_options *options);
void sg_ops_free(struct sg_ops **ops);

/* By when an operation that begins now should have ended. */
sg_deadline sg_ops_deadline(const struct sg_ops *ops, enum sg_hsm_op op);
/* The caller wipes the result. Where the HSM hangs, it returns after the deadline or never. */
SG_MUST_USE bool sg_ops_run(struct sg_ops *ops, const struct sg_hsm_request *request,
                            sg_deadline deadline, struct sg_result *result, struct sg_error *err);

/* "dca.sign=12 dca.sign.failed=1 …", what has happened at all. Returns its length. */
size_t sg_ops_counters(struct sg_ops *ops, char *out, size_t size);

#endif
