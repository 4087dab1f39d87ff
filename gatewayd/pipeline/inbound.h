/*
 * A message for our domains on its way in: opened with the domain's keys, judged, delivered
 * straight to the domain's next hop, marked where it did not verify.
 */
#ifndef SG_PIPELINE_INBOUND_H
#define SG_PIPELINE_INBOUND_H

#include "pipeline/keyring.h"
#include "pipeline/message.h"
#include "schema/domain.h"
#include "schema/policy.h"

/* The callback of the inbound LMTP listener; gateway is a struct sg_gateway. */
void sg_inbound_message(void *gateway, struct sg_smtp_transaction *t,
                        struct sg_smtp_reply *replies);

/* What opening a message for one domain found: layers, facts and the plan. */
struct sg_inbound_judgement {
    struct sg_smime_opened opened;
    bool is_smime;
    struct sg_inbound_facts facts;
    struct sg_domain_policy policy; /* what the domain has chosen; set with the plan */
    struct sg_plan plan;
    X509 *signer;                     /* whose signature is among the facts; NULL: none */
    STACK_OF(X509) *signer_came_with; /* … and what else it carried */
    const struct sg_smime_signer_info *signature; /* … itself */
    const char *from_domain;                      /* the first that From names, "" */
    /* The first of From that takes part in Secure Email, "": storms are folded by it, for of
     * strangers' domains there are as many as anybody likes. */
    const char *member_domain;
    const char *signer_domain; /* the From domain that a good signature stands for, "" */
};
/* Opens the message and gathers facts; no rule is asked. To be freed in the end. */
SG_MUST_USE bool sg_inbound_gather(struct sg_message *m, const struct sg_domain_row *domain,
                                   struct sg_inbound_judgement *j_r, struct sg_error *err);
/* The same, and the rules' plan; nothing is stored, sent or learnt by it. */
SG_MUST_USE bool sg_inbound_judge(struct sg_message *m, const struct sg_domain_row *domain,
                                  struct sg_inbound_judgement *j_r, struct sg_error *err);
/* The plan's codes as a text lists them: "101, 111". */
const char *sg_inbound_codes(struct sg_arena *arena, const struct sg_plan *plan);
void sg_inbound_judgement_free(struct sg_inbound_judgement *j);

#endif
