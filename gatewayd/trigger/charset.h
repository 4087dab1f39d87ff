/*
 * Charsets: octets of a labelled charset to UTF-8, as a stream. Everything that iconv knows, and
 * UTF-7 by a decoder of our own, which takes what strict ones refuse.
 *
 * A label may stand for several readings, since readers differ: of UTF-16 without a mark both
 * orders of octets; of a charset that is no superset of ASCII the octets as they are, too (a reader
 * may not know it, or not heed it). A superset of ASCII that is not UTF-8 is read as it is: the
 * letters and brackets of a word are ASCII in it, and octets that are no UTF-8 are passed over.
 */
#ifndef SG_TRIGGER_CHARSET_H
#define SG_TRIGGER_CHARSET_H

#include "common/bytes.h"

#include <iconv.h>

#define SG_CHARSET_READINGS 3
#define SG_CHARSET_NAME     64

struct sg_charset_readings {
    const char *names[SG_CHARSET_READINGS]; /* NULL: the octets as they are */
    size_t count;
    bool unknown; /* nobody knows the label: the octets as they are */
    char name[SG_CHARSET_NAME];
};
/* label: as written, NULL for none. The names live in readings_r. */
void sg_charset_readings(const char *label, struct sg_charset_readings *readings_r);

typedef void sg_utf8_out(void *ctx, const uint8_t *utf8, size_t len);

struct sg_charset {
    enum { SG_CHARSET_AS_IS, SG_CHARSET_UTF7, SG_CHARSET_WIDE, SG_CHARSET_ICONV } kind;
    uint64_t octets, bad; /* given, and such as are nothing in this charset */
    iconv_t cd;
    uint8_t held[16]; /* an unfinished character */
    size_t held_len;
    size_t unit; /* UTF-16, UTF-32: octets of one */
    bool little;
    uint32_t high; /* the first half of a pair */
    bool shifted;  /* UTF-7 between '+' and '-' */
    bool fresh;    /* just behind the '+' */
    uint32_t bits;
    int bit_count;
};

/* name: of a reading. false where iconv does not know it. */
bool sg_charset_open(struct sg_charset *c, const char *name);
void sg_charset_close(struct sg_charset *c);
void sg_charset_push(struct sg_charset *c, const uint8_t *in, size_t len, sg_utf8_out *out,
                     void *ctx);

#endif
