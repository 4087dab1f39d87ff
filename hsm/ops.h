/*
 * The operations of hsmd, on a validated request whose caller may do it. Counts them by class.
 */
#ifndef SG_HSM_OPS_H
#define SG_HSM_OPS_H

#include "hsm/keystore.h"

struct sg_ops;

/* pool and store outlive it. */
struct sg_ops *sg_ops_new(struct sg_pool *pool, struct sg_keystore *store);
void sg_ops_free(struct sg_ops **ops);

/* The caller wipes the result. */
SG_MUST_USE bool sg_ops_run(struct sg_ops *ops, const struct sg_hsm_request *request,
                            struct sg_result *result, struct sg_error *err);

/* "dca.sign=12 dca.sign.failed=1 …", what has happened at all. Returns its length. */
size_t sg_ops_counters(struct sg_ops *ops, char *out, size_t size);

#endif
