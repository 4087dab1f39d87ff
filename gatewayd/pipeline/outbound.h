/*
 * A message of one of our tenants on its way out: decided per recipient domain, then passed on,
 * sealed, held or refused.
 */
#ifndef SG_PIPELINE_OUTBOUND_H
#define SG_PIPELINE_OUTBOUND_H

#include "pipeline/keyring.h"
#include "pipeline/message.h"
#include "schema/domain.h"
#include "schema/policy.h"

struct sg_outbound {
    struct sg_message *m;
    struct sg_outbound_facts facts; /* what holds for all recipients */
    struct sg_domain_row own;       /* the domain in From */
    struct sg_domain_policy policy; /* … and what it has chosen */
    bool content_looked_at;         /* policy is loaded and the facts of the content are there */
    struct sg_keyring keyring;
    struct sg_keyring_item *signer; /* NULL: none is valid */
    bool signer_looked_up;
    struct sg_buf entity, signature; /* of the message; the signature is made once */
    struct sg_buf visible;           /* addresses named in To and Cc, each followed by a newline */
};

/* One recipient domain and what was decided for it. */
struct sg_outbound_group {
    const char *domain, *environment;
    struct sg_rcpt **rcpts;
    size_t count;
    struct sg_plan plan;
    struct sg_cert_found found; /* certificate to encrypt to; freed by sg_outbound_group_free() */
};

/* The facts of m that do not depend on the recipient. submitted: the edge vouched for it. */
SG_MUST_USE bool sg_outbound_begin(struct sg_outbound *o, struct sg_message *m, bool submitted,
                                   struct sg_error *err);
void sg_outbound_end(struct sg_outbound *o);
/* The certificate of o->own that signs, once: o->signer (NULL where none is valid) and facts.own.
 */
SG_MUST_USE bool sg_outbound_own_certificate(struct sg_outbound *o, struct sg_error *err);

/* The signature over the message, once. To be called where there is an o->signer. */
SG_MUST_USE bool sg_outbound_sign(struct sg_outbound *o, struct sg_error *err);

/* The certificate of that domain, by what one of ours has chosen (REQ-54, 83). Whose roots it
 * relies on is for the caller to say. */
struct sg_cert_wanted sg_outbound_wanted(const struct sg_domain_policy *policy, const char *domain,
                                         sg_time now);
/* A domain whose certificates are looked at for one of ours, itself perhaps, is in hand
 * (crash/crash.h) between the two; false: it is put off. */
SG_MUST_USE bool sg_outbound_discovery_begin(struct sg_arena *arena, const char *domain,
                                             const char *relying, struct sg_error *err);
void sg_outbound_discovery_end(void);
/*
 * What the store and the directories have of a domain, with the domain in hand:
 * what crashes us there is not the message's fault, and its other recipients are not to wait.
 */
SG_MUST_USE bool sg_outbound_discover(struct sg_gateway *gw, struct sg_arena *arena,
                                      const struct sg_cert_wanted *wanted,
                                      struct sg_cert_found *found_r, struct sg_error *err);
/* Looks up what the rules need and decides; traces facts and plan. */
SG_MUST_USE bool sg_outbound_decide(struct sg_outbound *o, struct sg_outbound_group *group,
                                    struct sg_error *err);
/* Acts on a plan to seal: signs (once), encrypts, re-enters. Sets the recipients' outcomes. */
void sg_outbound_seal(struct sg_outbound *o, struct sg_outbound_group *group);
/* Acts on plans to pass on, for recipients of several groups together (REQ-11). */
void sg_outbound_plain(struct sg_message *m, struct sg_rcpt **rcpts, size_t count);
void sg_outbound_group_free(struct sg_outbound_group *group);

/* The callback of the outbound LMTP listener; gateway is a struct sg_gateway. */
void sg_outbound_message(void *gateway, struct sg_smtp_transaction *t,
                         struct sg_smtp_reply *replies);

#endif
