/* Addresses of the envelope (RFC 5321 §4.1.2, RFC 6531) and their domains. */
#ifndef SG_SMTP_ADDRESS_H
#define SG_SMTP_ADDRESS_H

#include "common/arena.h"
#include "common/bytes.h"
#include "common/error.h"

#define SG_ADDRESS_MAX 320 /* 64 + "@" + 255 */

/* A mailbox without angle brackets: local part, "@", domain; no control characters, no white space
 * outside quotes; within the limits also when normalised. "" (the null sender) is not one. */
bool sg_address_valid(struct sg_bytes address);
/* Behind the last "@"; NULL where there is none. Points into address. */
const char *sg_address_domain(const char *address);
/* Does it need SMTPUTF8 (RFC 6531)? false: it does. */
bool sg_address_ascii(const char *address);
/* Lower-cased, the domain in ASCII where it has such a form (idna/idna.h): what is stored and
 * compared.
 */
char *sg_address_normalise(struct sg_arena *arena, const char *address);
/* The same form of an address as Postfix has it inside, without quotes: with quotes where they are
 * needed. NULL: it is no address. */
char *sg_address_quote(struct sg_arena *arena, const char *internal);

#endif
