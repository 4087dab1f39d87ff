/* Reports on their way to somebody: to whom, how far, and what the retention log says of it. */
#ifndef SG_SCHEMA_REPORT_DELIVERY_H
#define SG_SCHEMA_REPORT_DELIVERY_H

#include "schema/db.h"

/* Whom a report of this kind goes to: those named for it, else the security contact (of usage, that
 * of billing), and administrator (of SecureMail; "": nobody) for those of the
 * platform that concern him. Each once. */
SG_MUST_USE bool sg_report_recipients(struct sg_tx *tx, struct sg_arena *arena,
                                      const char *tenant_id, const char *kind,
                                      const char *administrator, const char ***addresses_r,
                                      size_t *count_r, struct sg_error *err);

struct sg_report_delivery {
    const char *id, *recipient;
    const char *state; /* queued, sent, sealed, failed */
    const char *message_id;
    int64_t attempts;
    sg_time sent_at; /* the last time; 0: never */
    bool secure;     /* the recipient's domain is one that the gateway seals to, or holds for */
};

/* One for each recipient that has none: message ids are "ID@domain", ID being the delivery's. */
SG_MUST_USE bool sg_report_delivery_ensure(struct sg_tx *tx, const char *report_id,
                                           const char *tenant_id, const char *recipient,
                                           const char *domain, struct sg_error *err);
/* Those of a report, oldest first. */
SG_MUST_USE bool sg_report_delivery_list(struct sg_tx *tx, struct sg_arena *arena,
                                         const char *report_id, struct sg_report_delivery **rows_r,
                                         size_t *count_r, struct sg_error *err);
/* A new state, with words about what went wrong ("" nothing) and the message it became (NULL: not
 * known). sent: it was sent just now. */
SG_MUST_USE bool sg_report_delivery_set(struct sg_tx *tx, const char *id, const char *state,
                                        const char *words, const char *msg_id, bool sent,
                                        struct sg_error *err);

/* Deliveries that failed, and are to be tried again by themselves; the reports they are of. */
struct sg_report_again {
    const char *report_id, *tenant_id;
};
SG_MUST_USE bool sg_report_delivery_again(struct sg_tx *tx, struct sg_arena *arena,
                                          struct sg_report_again **rows_r, size_t *count_r,
                                          struct sg_error *err);

/* What the retention log has of a mail of ours; msg_id NULL: nothing (yet). */
struct sg_report_seen {
    const char *msg_id, *outcome, *verdict, *reply;
};
SG_MUST_USE bool sg_report_delivery_seen(struct sg_tx *tx, struct sg_arena *arena,
                                         const char *message_id, const char *recipient,
                                         sg_time since, struct sg_report_seen *seen_r,
                                         struct sg_error *err);

/* Reports of a kind that wants a signature, made before then, current and without one; and those
 * that have one now while an incident says that they have none. */
SG_MUST_USE bool sg_report_unsigned(struct sg_tx *tx, struct sg_arena *arena, sg_time before,
                                    const char ***ids_r, size_t *count_r, const char ***signed_r,
                                    size_t *signed_count_r, struct sg_error *err);

#endif
