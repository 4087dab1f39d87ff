/*
 * What the pipeline works with: the daemon's settings and its connections to everything else,
 * made once by main.c and shared by all threads.
 */
#ifndef SG_PIPELINE_GATEWAY_H
#define SG_PIPELINE_GATEWAY_H

#include "cert/cert.h"
#include "courier/courier.h"
#include "hsmclient/client.h"
#include "journal/journal.h"
#include "mime/header.h"
#include "pipeline/submission.h"
#include "recipients/recipients.h"
#include "request/request.h"
#include "schema/db.h"
#include "smtp/client.h"
#include "spool/spool.h"
#include "trigger/trigger.h"

#include <stdatomic.h>

struct sg_egress;
struct sg_unsettled_held;
struct sg_registry;

/* What a worker has sent without PostgreSQL knowing it: until it does, that worker takes nothing
 * else, and could not take it again. One for each worker, which alone looks at it. */
struct sg_unsettled {
    struct sg_id id; /* "": there is none */
    sg_time at;
    struct sg_courier_sent *sent;
};

struct sg_gateway {
    const char *node, *hostname;
    struct sg_db *db;
    struct sg_hsm *hsm;
    struct sg_certs *certs;
    struct sg_journal *journal;
    struct sg_registry *registry;
    struct sg_tnef *tnef;       /* reads winmail.dat for trigger words */
    struct sg_courier *courier; /* towards next hops and the re-entry listener */
    /* Postfix "out", behind its content filter; for sealed mail, which goes on its own way
     * (REQ-125) */
    struct sg_smtp_destination reentry, reentry_sealed;
    struct sg_egress *egress;
    struct sg_recipients *recipients; /* NULL: recipients are not asked for */
    const char *unasked;              /* local parts that are let in, with spaces between */
    struct sg_submission_keys submission;
    struct sg_spool_limits spool;
    struct sg_header_limits headers;
    size_t max_from; /* mailboxes of all From fields together: each is looked up */
    size_t max_cms_bytes;
    int64_t message_ms;     /* after this no further delivery of a message is begun */
    int64_t message_cpu_ms; /* of one thread, to open a message or to read its text */
    size_t max_certificates, max_elements, max_signers, max_tries; /* smime.h */
    int max_layers;
    struct sg_trigger_limits trigger;
    const char *subject_tags;            /* that unverified mail loses (tags.h) */
    int64_t failure_ms, failure_each_ms; /* when failures are answered (even.h); for each MiB */
    const char *ping_local_part;         /* REQ-96; lower case */
    int64_t ping_agencies;               /* that an answer lists at most */
    sg_time request_repeat;              /* REQ-44: a partner is asked once in so long; 0: never */
    sg_time request_answer_every;        /* … and its own requests are answered once in so long */
    sg_time request_age, request_ahead;  /* … unless signed longer ago, or so far in the future */
    struct sg_request_limits request;    /* of what is read of an answer */
    sg_time hold_retry_first, hold_retry_most, hold_lifetime;
    int64_t hold_tenant_bytes; /* of one tenant's mail that is held, at most */
    int64_t hold_others_ms;    /* what another node had in hand is left to it for so long */
    sg_time notice_merge;      /* so long further recipients come to a notice */
    sg_time notice_waiting;    /* … the sender is told that it waits; 0: never */
    int notice_lines;          /* of a summary */
    int notice_attempts;
    _Atomic int64_t away; /* PostgreSQL was: counts until this deadline (keep.h) */
    struct sg_unsettled unsettled_notice, unsettled_request;
    struct sg_unsettled_held *unsettled_held; /* retry_held.c */
    atomic_bool replayed; /* the journal of the last run is in PostgreSQL: retries are recognised */
};

#endif
