/* Orders of certificates, and what decides whether a domain needs one. tenantd/certlife/order.h has
 * the states. */
#ifndef SG_SCHEMA_CERTIFICATE_ORDER_H
#define SG_SCHEMA_CERTIFICATE_ORDER_H

#include "schema/db.h"

struct sg_life_row {
    const char *tenant_id, *domain, *domain_state, *tenant_state;
    const char *certificate_id; /* newest that signs or will sign and has not ended; NULL: none */
    sg_time not_before, not_after, renew_at;
    const char *key_id; /* newest active one; NULL: none */
    sg_time key_made;
    const char *key_algorithm;
    const char *order_id; /* the open one; NULL: none */
    sg_time again_at;     /* until then a failed order is left alone; 0: none failed */
};

/* Locks the domain until the transaction ends: two do not order at once. */
SG_MUST_USE bool sg_life_find(struct sg_tx *tx, struct sg_arena *arena, const char *domain_id,
                              struct sg_life_row *row_r, bool *found_r, struct sg_error *err);

/*
 * Asks for certificate.ensure, in the transaction in which something about the domain changed: it
 * was verified, an authority was chosen. One at a time; at 0 is now, and one for later stands
 * beside it. Where the domain needs nothing, the job does nothing.
 */
SG_MUST_USE bool sg_certificate_ensure(struct sg_tx *tx, const char *tenant_id,
                                       const char *domain_id, sg_time at, struct sg_error *err);

struct sg_pair {
    const char *id, *tenant_id;
};
/* Up to limit domains that need an order, behind after (NULL: from the start). */
SG_MUST_USE bool sg_life_due(struct sg_db *db, struct sg_arena *arena, sg_time now,
                             const char *after, int limit, struct sg_pair **pairs_r,
                             size_t *count_r, struct sg_error *err);

/* Up to limit domains whose last certificate ends by then. */
SG_MUST_USE bool sg_life_expiring(struct sg_db *db, struct sg_arena *arena, sg_time by,
                                  const char *after, int limit, struct sg_pair **pairs_r,
                                  size_t *count_r, struct sg_error *err);

/* As state "key", or another that the order begins in. */
struct sg_order_new {
    const char *id, *tenant_id, *domain_id, *authority_id, *reason, *state, *key_id;
};
SG_MUST_USE bool sg_order_insert(struct sg_tx *tx, const struct sg_order_new *order,
                                 struct sg_error *err);

struct sg_order_row {
    const char *id, *tenant_id, *domain_id, *domain, *domain_state, *tenant_state;
    const char *authority_id, *reason, *state, *explanation, *key_id;
    const char *certificate_id; /* NULL: not yet */
    struct sg_bytes *chain;     /* what the authority gave, leaf first */
    size_t chain_count;
    int attempts, polls;
    sg_time next_at, created_at;
    bool renews; /* the authority's last certificate for the domain has not ended */
};
SG_MUST_USE bool sg_order_find(struct sg_db *db, struct sg_arena *arena, const char *id,
                               sg_time now, struct sg_order_row *row_r, bool *found_r,
                               struct sg_error *err);

struct sg_order_move {
    const char *id, *from, *to;
    const char *cause, *explanation; /* "" none */
    int attempts, polls;
    sg_time next_at; /* 0: none */
    const struct sg_bytes *chain;
    size_t chain_count;
    const char *certificate_id; /* NULL: as it was */
    bool finished;              /* to is an end */
};
/* SG_E_CONFLICT where it is not in from any more. */
SG_MUST_USE bool sg_order_move(struct sg_tx *tx, struct sg_arena *arena,
                               const struct sg_order_move *move, struct sg_error *err);

/* The open order that waits for a certificate of this key; locked. */
SG_MUST_USE bool sg_order_open_of_key(struct sg_tx *tx, struct sg_arena *arena,
                                      const char *domain_id, const char *key_id, const char **id_r,
                                      const char **state_r, struct sg_error *err);
/* Up to limit open orders, behind after. */
SG_MUST_USE bool sg_order_open_list(struct sg_db *db, struct sg_arena *arena, const char *after,
                                    int limit, struct sg_pair **pairs_r, size_t *count_r,
                                    struct sg_error *err);

#endif
