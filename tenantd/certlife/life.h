/* When a certificate is renewed and a key replaced. Pure: no I/O, no clock. */
#ifndef SG_CERTLIFE_LIFE_H
#define SG_CERTLIFE_LIFE_H

#include "common/clock.h"

#define SG_LIFE_LEAD_DAYS          30           /* of a domain without an authority */
#define SG_LIFE_EXPIRING           (7 * SG_DAY) /* without a successor: an incident */
#define SG_LIFE_CERTIFICATE_MONTHS 13           /* at most (REQ-160) */
#define SG_LIFE_KEY_MONTHS         48           /* then a new one is made (REQ-161) */
#define SG_LIFE_KEY_MONTHS_MOST    60 /* and no certificate reaches beyond this (REQ-161) */

/* The same day and hour that many months later; a day that the month has not is its last. */
sg_time sg_life_months_after(sg_time t, int months);

/*
 * lead before the end, and earlier by up to jitter, which follows from the domain's id alone: so
 * that domains that were made together are not renewed together. Never in the first half of the
 * certificate's time.
 */
sg_time sg_life_renew_at(sg_time not_before, sg_time not_after, sg_time lead, sg_time jitter,
                         const char *domain_id);

/* May a certificate be asked for now with a key made then? One of the full 13 months must end
 * within the key's five years (REQ-161). */
bool sg_life_key_usable(sg_time key_made, sg_time now);
/* Does a certificate that ends then stay within the key's five years? (REQ-161) */
bool sg_life_key_covers(sg_time key_made, sg_time not_after);

/* The pause after that many failures: first, doubled each time, never above most. */
sg_time sg_life_pause(int failures, sg_time first, sg_time most);

#endif
