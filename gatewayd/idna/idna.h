/*
 * Internationalised domain names (RFC 5891, UTS 46): the one ASCII form of a name, by which domains
 * are stored and certificates issued, whatever way of writing it a mail has.
 */
#ifndef SG_IDNA_H
#define SG_IDNA_H

#include "common/arena.h"

/* A name in ASCII comes back as it is; of another one the form has letters, digits, '-', '_' and
 * stops alone. NULL for what is no domain name in any reading, or no UTF-8. */
const char *sg_idna_ascii(struct sg_arena *arena, const char *name);

#endif
