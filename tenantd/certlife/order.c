#include "certlife/order.h"

#include <string.h>

static const char *const states[] = {"key",      "csr",       "enrol",  "pending",
                                     "received", "installed", "failed", "cancelled"};
static const char *const events[] = {"key-there", "csr-there", "accepted", "ask",   "issued",
                                     "fit",       "unfit",     "given-up", "cancel"};

static const struct {
    enum sg_order_state from;
    enum sg_order_event event;
    enum sg_order_state to;
} moves[] = {
    {SG_ORDER_KEY, SG_ORDER_KEY_THERE, SG_ORDER_CSR},
    {SG_ORDER_CSR, SG_ORDER_CSR_THERE, SG_ORDER_ENROL},
    {SG_ORDER_ENROL, SG_ORDER_ACCEPTED, SG_ORDER_PENDING},
    {SG_ORDER_ENROL, SG_ORDER_ISSUED, SG_ORDER_RECEIVED},
    {SG_ORDER_PENDING, SG_ORDER_ACCEPTED, SG_ORDER_PENDING},
    {SG_ORDER_PENDING, SG_ORDER_ASK, SG_ORDER_ENROL},
    {SG_ORDER_PENDING, SG_ORDER_ISSUED, SG_ORDER_RECEIVED},
    {SG_ORDER_RECEIVED, SG_ORDER_FIT, SG_ORDER_INSTALLED},
    /* Brought by hand, while the authority was to be asked or considered. */
    {SG_ORDER_CSR, SG_ORDER_FIT, SG_ORDER_INSTALLED},
    {SG_ORDER_ENROL, SG_ORDER_FIT, SG_ORDER_INSTALLED},
    {SG_ORDER_PENDING, SG_ORDER_FIT, SG_ORDER_INSTALLED},
    {SG_ORDER_RECEIVED, SG_ORDER_UNFIT, SG_ORDER_FAILED},
    {SG_ORDER_ENROL, SG_ORDER_UNFIT, SG_ORDER_FAILED},
    {SG_ORDER_PENDING, SG_ORDER_UNFIT, SG_ORDER_FAILED},
};

bool sg_order_open(enum sg_order_state state)
{
    return state < SG_ORDER_INSTALLED;
}

bool sg_order_next(enum sg_order_state state, enum sg_order_event event,
                   enum sg_order_state *next_r, struct sg_error *err)
{
    if (sg_order_open(state) && (event == SG_ORDER_CANCEL || event == SG_ORDER_GIVEN_UP)) {
        *next_r = event == SG_ORDER_CANCEL ? SG_ORDER_CANCELLED : SG_ORDER_FAILED;
        return true;
    }
    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++) {
        if (moves[i].from == state && moves[i].event == event) {
            *next_r = moves[i].to;
            return true;
        }
    }
    return sg_fail(err, SG_E_CONFLICT, "an order that is %s takes no %s", states[state],
                   events[event]);
}

const char *sg_order_state_name(enum sg_order_state state)
{
    return states[state];
}

bool sg_order_state_parse(const char *name, enum sg_order_state *state_r, struct sg_error *err)
{
    for (int i = 0; i < SG_ORDER_STATES; i++) {
        if (strcmp(states[i], name) == 0) {
            *state_r = (enum sg_order_state)i;
            return true;
        }
    }
    return sg_fail(err, SG_E_INTERNAL, "an order in the state %.30s", name);
}

const char *sg_order_event_name(enum sg_order_event event)
{
    return events[event];
}
