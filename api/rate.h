/*
 * How often callers may ask: a token bucket each, kept by this process. A class ("billing",
 * "anonymous") has a rate and a burst. Told to the client as
 * draft-ietf-httpapi-ratelimit-headers has it.
 */
#ifndef SG_API_RATE_H
#define SG_API_RATE_H

#include "common/error.h"

#include <stdint.h>

/* What one caller has left. */
struct api_rate_state {
    const char *name; /* of the class; NULL: was not counted */
    int64_t quota;    /* requests at once */
    int64_t window_s; /* in which all of them come back */
    int64_t left;
    int64_t reset_s; /* until all are back; of a refusal, until one is */
};

/*
 * "CLASS=RATE/BURST …": requests a second, and how many at once; "*" is any class that is not
 * named. SG_E_CONFIG says what is wrong.
 */
struct api_rate;
SG_MUST_USE bool api_rate_new(const char *classes, struct api_rate **rate_r, struct sg_error *err);
void api_rate_free(struct api_rate **rate);

/*
 * Takes one request out of the bucket of key (an id, an address) at the time now_ms (monotonic);
 * false: it is empty. Thread-safe. rate NULL: there is no limit.
 */
bool api_rate_take(struct api_rate *rate, const char *name, const char *key, int64_t now_ms,
                   struct api_rate_state *state_r);

#endif
