/*
 * Which messages passed here: Postfix's queue id and tenant → our message id and the outcome of
 * each recipient, so that a retry is recognised (it gets its 250 without being sent again) and many
 * LMTP transactions of one queue id are one message. In memory for what is young, PostgreSQL
 * behind.
 */
#ifndef SG_PIPELINE_REGISTRY_H
#define SG_PIPELINE_REGISTRY_H

#include "common/bytes.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/id.h"
#include "courier/courier.h"
#include "schema/db.h"

#include <stdbool.h>

struct sg_registry;

struct sg_registry_entry {
    struct sg_id msg_id;
    sg_time received_at;
    int64_t announced_ms; /* when it was announced (monotonic); 0: it was not */
    bool recorded;        /* its `received` record is in the journal */
    bool maybe_held;      /* PostgreSQL may hold of it what this memory knows nothing of */
};

struct sg_registry_options {
    size_t messages, recipients; /* that are remembered; recipients of each on the average */
    int waiting, waiting_each;   /* threads that may wait for a message: in all, and for one */
    int64_t waiting_ms;          /* for so long */
};

struct sg_registry *sg_registry_new(struct sg_db *db, const struct sg_registry_options *options);
/*
 * unfed_ms tells for how long, at the most, the oldest record of the journal that is not in
 * PostgreSQL yet has been there; negative: there is none. Whoever may have been forgotten before
 * that is refused (SG_E_BUSY) until PostgreSQL can know of it. Before any thread enters.
 */
void sg_registry_behind(struct sg_registry *registry, int64_t (*unfed_ms)(void *ctx), void *ctx);
/* *unsaid gets what was sent of which the outcome is still owed; to be released. */
void sg_registry_free(struct sg_registry **registry, struct sg_courier_sent **unsaid);

/*
 * Postfix hands its messages to one gatewayd alone, which remembers the youngest of them: what is
 * missing here although Postfix took it in (as its long queue id says) later than the oldest that
 * is remembered is new, and PostgreSQL is not asked.
 *
 * The entry of that message, made where there is none, for this thread alone until
 * sg_registry_leave(). An empty queue id is always a new message. SG_E_DB_UNAVAILABLE where it
 * cannot be known; SG_E_BUSY where another thread has it for longer than waiting_ms, or enough wait
 * already, for it or in all: each of them has a connection meanwhile.
 */
SG_MUST_USE bool sg_registry_enter(struct sg_registry *registry, const char *direction,
                                   const char *queue_id, const char *tenant,
                                   struct sg_registry_entry **entry_r, struct sg_error *err);
/*
 * Postfix has begun to take a message in under this queue id (its DATA command): nobody can have
 * handed it on before, so that PostgreSQL need not be asked about it.
 */
void sg_registry_announce(struct sg_registry *registry, const char *direction, const char *queue_id,
                          const char *tenant);
void sg_registry_leave(struct sg_registry *registry, struct sg_registry_entry *entry);

/*
 * Has this recipient (normalised) an outcome that is final for Postfix (not deferred)? *refusal_r,
 * the entry's: why it was refused, where the answer to Postfix alone tells the sender, so that a
 * retry needs the same one; else NULL.
 */
bool sg_registry_settled(const struct sg_registry_entry *entry, const char *recipient,
                         const char **refusal_r);
void sg_registry_settle(struct sg_registry_entry *entry, const char *recipient,
                        const char *refusal);
/*
 * Whether PostgreSQL took what was just written of this message is not known (a COMMIT without an
 * answer): it is asked again before the next transaction of the message is decided.
 */
void sg_registry_doubt(struct sg_registry_entry *entry);

/*
 * A record that the journal would not take although what it says was done: it is owed to the
 * journal, and must be there before the next transaction of this message is answered. In memory
 * alone, hence lost with the process; what was sent (taken from *sent) stays known to the courier
 * until it is paid.
 */
void sg_registry_owe(struct sg_registry_entry *entry, struct sg_bytes record,
                     struct sg_courier_sent **sent);
/* The oldest record that is owed, until sg_registry_paid(); false: none. */
bool sg_registry_owed(const struct sg_registry_entry *entry, struct sg_bytes *record_r);
/* It is in the journal; *sent gets what was sent, to be released. */
void sg_registry_paid(struct sg_registry_entry *entry, struct sg_courier_sent **sent);

#endif
