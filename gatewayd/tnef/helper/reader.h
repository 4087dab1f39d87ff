/*
 * The text of a TNEF stream (MS-OXTNEF, MS-OXCMSG, MS-OXRTFCP; REQ-33): everything that a mail
 * client shows somebody out of it. Reads in one pass without allocating, in time linear to the
 * stream; what is broken is said, and what stands around it read. It runs in the helper process.
 */
#ifndef SG_TNEFREADER_READER_H
#define SG_TNEFREADER_READER_H

#include "common/bytes.h"
#include "tnefreader/kinds.h"

enum sg_tnef_damage {
    SG_TNEF_WHOLE,
    SG_TNEF_NOT_TNEF,       /* no signature: nothing was read */
    SG_TNEF_TRUNCATED,      /* an attribute is longer than what there is */
    SG_TNEF_BAD_CHECKSUM,   /* of an attribute */
    SG_TNEF_BAD_ATTRIBUTES, /* something else stands where an attribute should */
    SG_TNEF_BAD_PROPERTIES, /* a list of MAPI properties cannot be followed */
    SG_TNEF_BAD_RTF,        /* compressed RTF is none, or ends early */
    SG_TNEF_BAD_RTF_CRC,
    SG_TNEF_TOO_DEEP, /* messages within messages beyond max_depth */
    SG_TNEF_DAMAGES
};

/* Code pages are Windows' numbers. */
#define SG_TNEF_UTF16 1200
#define SG_TNEF_ANSI  1252 /* where none is said */

/* What takes the parts; one ends where another begins, at a damage, and at the end. */
struct sg_tnef_sink {
    void *ctx;
    void (*begin)(void *ctx, enum sg_tnef_kind kind, unsigned depth, unsigned codepage);
    /* Of an attachment, before its data: file name and MIME type. */
    void (*name)(void *ctx, unsigned codepage, struct sg_bytes name);
    void (*type)(void *ctx, unsigned codepage, struct sg_bytes type);
    void (*data)(void *ctx, struct sg_bytes data); /* any number of times */
    void (*damage)(void *ctx, enum sg_tnef_damage damage);
};

/* attachments: files too. Attached messages are read in any case. */
void sg_tnef_reader(struct sg_bytes stream, unsigned max_depth, bool attachments,
                    const struct sg_tnef_sink *sink);

#endif
