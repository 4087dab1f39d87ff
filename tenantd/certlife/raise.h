/* The incidents of this folder: what a person must look at, opened once and resolved by itself. */
#ifndef SG_CERTLIFE_RAISE_H
#define SG_CERTLIFE_RAISE_H

#include "common/arena.h"
#include "schema/db.h"

/* authority.unavailable, authority.refused: of the platform. */
SG_MUST_USE bool sg_raise_authority(struct sg_tx *tx, struct sg_arena *arena, const char *kind,
                                    const char *authority_id, const char *name, const char *words,
                                    struct sg_error *err);
/* It answers as it should. */
SG_MUST_USE bool sg_settle_authority(struct sg_tx *tx, struct sg_arena *arena,
                                     const char *authority_id, struct sg_error *err);

struct sg_raise {
    const char *kind;     /* "certificate.order", "certificate.unpublished", … */
    const char *severity; /* "warning", "critical" */
    const char *tenant_id, *domain_id, *domain;
    const char *about; /* the id that it is about: an order, a certificate, … */
    const char *cause, *words;
};
/* One of a kind and domain at a time. */
SG_MUST_USE bool sg_raise_domain(struct sg_tx *tx, struct sg_arena *arena,
                                 const struct sg_raise *raise, struct sg_error *err);
SG_MUST_USE bool sg_settle_domain(struct sg_tx *tx, struct sg_arena *arena, const char *kind,
                                  const char *domain_id, const char *words, struct sg_error *err);

#endif
