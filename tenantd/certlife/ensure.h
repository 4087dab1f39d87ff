/*
 * Does a domain need an order, and with which key? Deciding is pure; making the order is one
 * transaction that holds the domain's lock, so that there is one at a time.
 */
#ifndef SG_CERTLIFE_ENSURE_H
#define SG_CERTLIFE_ENSURE_H

#include "certlife/certlife.h"
#include "schema/certificate_order.h"

enum sg_order_wish {
    SG_WISH_NEEDED,    /* where there is no certificate, or it is time to renew */
    SG_WISH_REQUEST,   /* a person wants one now */
    SG_WISH_COMPROMISE /* with a new key, whatever there is */
};

struct sg_order_decision {
    const char *reason; /* NULL: none is to be made */
    bool new_key;
    const char *because; /* in words */
};
/* algorithm: what the domain's authority wants of a key; NULL: it has no authority. */
struct sg_order_decision sg_order_decide(const struct sg_life_row *life, enum sg_order_wish wish,
                                         const char *algorithm, sg_time now);

/* Makes it with its job; *order_r: the open one, which may have been there; NULL: none is needed.
 */
SG_MUST_USE bool sg_order_ensure(struct sg_tx *tx, struct sg_arena *arena, const char *domain_id,
                                 enum sg_order_wish wish, const char **order_r,
                                 const char **because_r, struct sg_error *err);
/* certificate.order for it, unless there is one. */
SG_MUST_USE bool sg_order_job_make(struct sg_tx *tx, const char *tenant_id, const char *order_id,
                                   int priority, struct sg_error *err);

#endif
