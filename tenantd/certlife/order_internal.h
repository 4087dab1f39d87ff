/* An order at work; shared by order_job.c and order_enrol.c alone. */
#ifndef SG_CERTLIFE_ORDER_INTERNAL_H
#define SG_CERTLIFE_ORDER_INTERNAL_H

#include "certlife/ensure.h"
#include "certlife/order.h"
#include "certlife/raise.h"
#include "schema/authority.h"

struct sg_order_work {
    struct sg_job *job;
    const struct sg_certlife *life;
    struct sg_order_row row;
    enum sg_order_state state;
    bool ended; /* the job is done or postponed */
};

/* What a step changes, all in one transaction. */
struct sg_order_step {
    struct sg_order_work *work;
    struct sg_order_move move; /* id, from, to, attempts and polls are filled in */
    /* Runs in the same transaction; may be NULL. */
    bool (*fn)(struct sg_tx *tx, void *arg, struct sg_error *err);
    void *arg;
};

/* The next state by order.h, committed; the job goes on. */
SG_MUST_USE bool sg_order_step(struct sg_order_step *step, enum sg_order_event event,
                               struct sg_error *err);
/* The same, and the job is looked at again at move.next_at. */
SG_MUST_USE bool sg_order_step_later(struct sg_order_step *step, enum sg_order_event event,
                                     struct sg_error *err);
/* The same, and the job is done: an end of the order, or a person's turn. */
SG_MUST_USE bool sg_order_step_end(struct sg_order_step *step, enum sg_order_event event,
                                   struct sg_error *err);
/* Stays in its state with the words of move, and is looked at again at move.next_at. */
SG_MUST_USE bool sg_order_wait(struct sg_order_step *step, struct sg_error *err);

/* States "enrol" and "pending". */
SG_MUST_USE bool sg_order_enrol(struct sg_order_work *work, struct sg_error *err);
/* Fails with a cause: an incident, and another order is made in its time. */
SG_MUST_USE bool sg_order_refuse(struct sg_order_work *work, const char *cause, const char *words,
                                 struct sg_error *err);

#endif
