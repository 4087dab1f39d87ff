/*
 * The submission proof (REQ-136): Postfix's edge asks who a client is, and the answer travels with
 * the message in one header that carries a MAC. On the message path it is checked against the queue
 * id and the envelope sender, and taken out with every other header of that name.
 */
#ifndef SG_PIPELINE_SUBMISSION_H
#define SG_PIPELINE_SUBMISSION_H

#include "common/arena.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/secret.h"

#define SG_SUBMISSION_HEADER "X-Sealgate-Submission"
#define SG_SUBMISSION_KEYS   2

struct sg_submission_keys {
    struct sg_secret keys[SG_SUBMISSION_KEYS]; /* the first makes, all check */
    size_t count;
    sg_time max_age; /* queue lifetime and a day */
};

struct sg_submission {
    const char *tenant, *submitter, *sender, *queue_id;
    sg_time at;
};

/*
 * The sender as the MAC covers it: lower-cased, without quotes. Postfix tells a policy service
 * joe smith@x (quoted false) and sends MAIL FROM:<"joe smith"@x> (quoted true).
 */
char *sg_submission_sender(struct sg_arena *arena, const char *address, bool quoted);
/* The header's value: "v=1; tenant=…; submitter=…; at=SECONDS; mac=HEX". sender is of
 * sg_submission_sender(). */
SG_MUST_USE bool sg_submission_make(const struct sg_submission_keys *keys,
                                    const struct sg_submission *submission, char *value,
                                    size_t size, struct sg_error *err);
/* Checks a value against sender and queue id; fills tenant, submitter and at in the arena.
 * SG_E_SUBMISSION where it does not hold; SG_E_CLOCK (temporary) where it will in a while: it is
 * authentic, and of the future. */
SG_MUST_USE bool sg_submission_check(const struct sg_submission_keys *keys, struct sg_arena *arena,
                                     const char *value, const char *sender, const char *queue_id,
                                     sg_time now, struct sg_submission *submission_r,
                                     struct sg_error *err);
/* A key file: 64 hexadecimal digits. */
SG_MUST_USE bool sg_submission_key_read(struct sg_submission_keys *keys, const char *path,
                                        struct sg_error *err);

#endif
