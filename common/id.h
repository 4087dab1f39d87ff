/*
 * Ids: a prefix and 128 random bits in 26 characters of lower-case Crockford base 32, as in
 * "msg_3v7q…". They cannot be guessed, sort by nothing and name nobody.
 */
#ifndef SG_COMMON_ID_H
#define SG_COMMON_ID_H

#include "common/bytes.h"
#include "common/error.h"

#define SG_ID_RANDOM 16 /* bytes */
#define SG_ID_TEXT   32 /* "xxx_" + 26 + NUL, rounded up */

struct sg_id {
    char text[SG_ID_TEXT];
};

/* prefix is three lower-case letters, without the underscore. */
struct sg_id sg_id_new(const char *prefix);
/* From 16 bytes that the caller has, for ids that follow from content. */
struct sg_id sg_id_from(const char *prefix, const uint8_t bits[SG_ID_RANDOM]);
bool sg_id_valid(struct sg_bytes text, const char *prefix);
/* The 16 bytes behind the prefix; false when text is not a valid id of that prefix. */
bool sg_id_decode(struct sg_bytes text, const char *prefix, uint8_t out[SG_ID_RANDOM]);

#endif
