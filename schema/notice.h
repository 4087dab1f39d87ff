/*
 * The outbox of notices. A notice is about one message and goes to one person; its items are the
 * recipients of the message that it concerns. It is open for a while, so that further ones of the
 * same message come to it; then it is closed: it goes out singly, or is folded and told of in a
 * summary with the others of its kind (REQ-94). Strings live in the caller's arena.
 */
#ifndef SG_SCHEMA_NOTICE_H
#define SG_SCHEMA_NOTICE_H

#include "schema/db.h"

struct sg_notice_item {
    const char *about;    /* normalised: a recipient told of is not told of again; writing alone */
    const char *address;  /* as it was given */
    const char *code;     /* of table 3 or "" */
    const char *status;   /* RFC 3463: "5.1.1" */
    const char *words;    /* our own, one line, or "" */
    const char *partner;  /* what it is folded by, or ""; writing alone */
    sg_time retry_at;     /* the next try; 0: none */
    sg_time delivered_at; /* a receipt: when the recipient's server took it; reading alone */
};

struct sg_notice_row {
    const char *id;     /* "ntc_…" */
    const char *msg_id; /* "": of a summary */
    const char *tenant_id, *domain_id;
    const char *kind;                      /* a name of sg_notice_kind_name() */
    const char *recipient;                 /* who gets the notice */
    const char *codes;                     /* "201, 202"; reading alone */
    struct sg_bytes original, wrapped_key; /* sealed like held mail */
    const char *sealed_as;                 /* what original is bound to */
    sg_time created_at, next_try_at;
    sg_time received_at; /* the message, here */
    /* Reading alone */
    int64_t stands_for; /* a summary: of so many notices; 0: a notice of its own */
    sg_time began_at;   /* a summary: since then */
    int attempts;       /* the one it was claimed for included */
};

/*
 * Adds items to the open notice of (msg_id, kind, recipient) or to a new one, which is closed at
 * next_try_at. Those of whom this person was told before are left out.
 */
SG_MUST_USE bool sg_notice_add(struct sg_db *db, const struct sg_notice_row *row,
                               const struct sg_notice_item *items, size_t count,
                               struct sg_error *err);

/* The same for a list of them, in the transaction of what they tell of. */
struct sg_notice_post {
    struct sg_notice_row row;
    const struct sg_notice_item *items;
    size_t count;
    struct sg_notice_post *next;
};
SG_MUST_USE bool sg_notice_post(struct sg_tx *tx, const struct sg_notice_post *first,
                                struct sg_error *err);

/*
 * Closes at most `most` open notices that are due, receipts aside. By their domain's policy the
 * first notice_burst of a kind in a period go singly; of the others a summary tells when the period
 * ends, which lists the first `lines` of them: the originals of the rest are dropped here.
 */
struct sg_notice_closed {
    size_t singly, folded;
};
SG_MUST_USE bool sg_notice_close_due(struct sg_db *db, sg_time now, int most, int64_t lines,
                                     struct sg_notice_closed *closed_r, struct sg_error *err);
/* Ends the periods that are over, at most `most`: a summary for each that folded anything. */
SG_MUST_USE bool sg_notice_periods_end(struct sg_db *db, sg_time now, int most, size_t *summaries_r,
                                       struct sg_error *err);
/*
 * Closes at most `most` receipts that are due, as far as the retention log says that the message
 * was delivered; those whom it cannot reach any more are dropped, for the rest it is asked again.
 */
SG_MUST_USE bool sg_notice_receipts_close(struct sg_db *db, sg_time now, int most, size_t *closed_r,
                                          struct sg_error *err);

/* Closed ones that are due, whose next_try_at moves ahead by the lease, and which count as tried
 * once more from here on; of those due together first who was tried least. */
SG_MUST_USE bool sg_notice_claim_due(struct sg_db *db, struct sg_arena *arena, sg_time now,
                                     const struct sg_claim *claim, struct sg_notice_row **rows_r,
                                     size_t *count_r, struct sg_error *err);
SG_MUST_USE bool sg_notice_items(struct sg_db *db, struct sg_arena *arena, const char *id,
                                 struct sg_notice_item **items_r, size_t *count_r,
                                 struct sg_error *err);

/* One that a summary stands for. */
struct sg_notice_folded {
    struct sg_bytes original, wrapped_key;
    const char *sealed_as, *addresses; /* "ann@b.test, bob@b.test" */
    sg_time created_at, retry_at;
};
SG_MUST_USE bool sg_notice_folded_list(struct sg_db *db, struct sg_arena *arena,
                                       const char *summary_id, int most,
                                       struct sg_notice_folded **list_r, size_t *count_r,
                                       struct sg_error *err);

SG_MUST_USE bool sg_notice_reschedule(struct sg_db *db, const char *id, sg_time next_try_at,
                                      const char *last_error, struct sg_error *err);
/* Those of the domain's that are due to people of recipient_domain, all together and not counted as
 * tried. */
SG_MUST_USE bool sg_notice_put_off(struct sg_db *db, const char *domain_id,
                                   const char *recipient_domain, sg_time now, sg_time next_try_at,
                                   struct sg_error *err);
/* state "sent" or "failed"; original and key are emptied, and of those that it stands for. */
SG_MUST_USE bool sg_notice_finish(struct sg_db *db, const char *id, const char *state,
                                  const char *last_error, sg_time now, struct sg_error *err);

#endif
