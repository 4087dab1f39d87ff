/*
 * The states of a domain, and the one function that changes them. Mail goes for attested and
 * verified ones alone (domain.h).
 *
 *   pending    claimed; its challenge is looked for
 *   attested   the provider has made sure by hand (the exception)
 *   verified   the challenge was found in the DNS
 *   failed     the challenge was not found in time; may be asked for again
 *   suspended  was verified, and its record is gone for longer than the grace: its mail waits
 *   revoked    for good; the name may be claimed anew
 */
#ifndef SG_SCHEMA_DOMAIN_STATE_H
#define SG_SCHEMA_DOMAIN_STATE_H

#include "schema/db.h"

enum sg_domain_event {
    SG_DOMAIN_ASKED,   /* for a (new) challenge */
    SG_DOMAIN_PROVED,  /* its challenge was found */
    SG_DOMAIN_EXPIRED, /* not in time */
    SG_DOMAIN_LOST,    /* gone for longer than the grace */
    SG_DOMAIN_REVOKED
};

/* The state that follows; NULL where the event does not fit. */
const char *sg_domain_next_state(const char *state, enum sg_domain_event event);

/*
 * Locks the domain and changes its state; *from_r (in the arena) is what it was. SG_E_CONFLICT
 * where the event does not fit, with the state in words, and where another domain of the name is
 * owned (lib SQL).
 */
SG_MUST_USE bool sg_domain_change(struct sg_tx *tx, struct sg_arena *arena, const char *domain_id,
                                  enum sg_domain_event event, const char **from_r,
                                  struct sg_error *err);

#endif
