/*
 * The states of an order, a domain's way to a certificate, and the one function that says which
 * follows. Pure; what is done in each state stands in order_job.c.
 */
#ifndef SG_CERTLIFE_ORDER_H
#define SG_CERTLIFE_ORDER_H

#include "common/error.h"

enum sg_order_state {
    SG_ORDER_KEY,       /* its key is to be made in the HSM, unless it has one */
    SG_ORDER_CSR,       /* the request is to be signed */
    SG_ORDER_ENROL,     /* the authority is to be asked */
    SG_ORDER_PENDING,   /* the authority considers, or a person brings the certificate */
    SG_ORDER_RECEIVED,  /* a certificate came and is to be checked */
    SG_ORDER_INSTALLED, /* done */
    SG_ORDER_FAILED,    /* this one will not succeed; the sweep makes another in its time */
    SG_ORDER_CANCELLED,
    SG_ORDER_STATES
};

enum sg_order_event {
    SG_ORDER_KEY_THERE,
    SG_ORDER_CSR_THERE,
    SG_ORDER_ACCEPTED, /* 202, or there is nobody to ask but a person */
    SG_ORDER_ASK,      /* asked again, for the authority forgot or the way to it changed */
    SG_ORDER_ISSUED,
    SG_ORDER_FIT,   /* checked and installed */
    SG_ORDER_UNFIT, /* what came must not be installed; the authority refused */
    SG_ORDER_GIVEN_UP,
    SG_ORDER_CANCEL,
    SG_ORDER_EVENTS
};

/* SG_E_CONFLICT where the event cannot happen in that state. */
SG_MUST_USE bool sg_order_next(enum sg_order_state state, enum sg_order_event event,
                               enum sg_order_state *next_r, struct sg_error *err);
bool sg_order_open(enum sg_order_state state);

const char *sg_order_state_name(enum sg_order_state state);
SG_MUST_USE bool sg_order_state_parse(const char *name, enum sg_order_state *state_r,
                                      struct sg_error *err);
const char *sg_order_event_name(enum sg_order_event event);

#endif
