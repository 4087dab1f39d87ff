/* From an SMTP transaction to a message of the pipeline, and back to its replies. */
#ifndef SG_PIPELINE_RECEIVE_H
#define SG_PIPELINE_RECEIVE_H

#include "crash/crash.h"
#include "pipeline/message.h"

/*
 * Fills m from t (recipients normalised, headers read). The registry's fields (msg_id, received_at)
 * are set once the tenant is known. SG_E_LIMIT or SG_E_MIME for headers that cannot be read.
 */
SG_MUST_USE bool sg_receive_begin(struct sg_message *m, struct sg_gateway *gw,
                                  const char *direction, struct sg_smtp_transaction *t,
                                  struct sg_error *err);
void sg_receive_end(struct sg_message *m);

/* Enters the registry for m->tenant, marks what is settled, journals `received`. */
SG_MUST_USE bool sg_receive_register(struct sg_message *m, struct sg_error *err);
/*
 * Between two deliveries of one message: journals what the first did, so that a crash in the second
 * does not repeat it. false: nothing more may be sent.
 */
SG_MUST_USE bool sg_receive_checkpoint(struct sg_message *m, struct sg_error *err);
/* Journals the rest of the outcome; where that fails no recipient is answered for: all deferred. */
void sg_receive_finish(struct sg_message *m);

/*
 * What a listener's callback does, with t in hand (crash/crash.h). A message on which gatewayd has
 * crashed is not looked at: all recipients are told to come again.
 */
void sg_receive_guarded(enum sg_crash_kind kind,
                        void (*message)(struct sg_gateway *gw, struct sg_smtp_transaction *t,
                                        struct sg_smtp_reply *replies),
                        void *gateway, struct sg_smtp_transaction *t,
                        struct sg_smtp_reply *replies);

/* The error's reply to all recipients; unless it is the peer's fault, never more than a 451. */
void sg_reply_all(struct sg_smtp_transaction *t, struct sg_smtp_reply *replies,
                  const struct sg_error *err, bool peers_fault);
/* A listener's callback: counts for whom Postfix was told to try again, for whatever reason. */
void sg_receive_answered(void *gateway, const struct sg_smtp_transaction *t,
                         const struct sg_smtp_reply *replies, size_t count);

#endif
