/*
 * Reads TNEF (winmail.dat, MS-OXTNEF; REQ-14, 33) for its text, in helper processes that can do
 * nothing but compute (gatewayd/tnef/helper): each reads one message and is gone, so that what a
 * message does to its reader is over with it. Thread-safe; callers beyond the configured processes
 * wait.
 */
#ifndef SG_TNEF_TNEF_H
#define SG_TNEF_TNEF_H

#include "common/arena.h"
#include "common/bytes.h"
#include "common/error.h"
#include "common/metrics.h"
#include "tnefreader/kinds.h"

#include <stdint.h>

struct sg_tnef_options {
    const char *helper;   /* path of sealgate-tnef */
    int processes;        /* at the same time */
    size_t request_bytes; /* size of a TNEF stream */
    size_t answer_bytes;  /* of all that is read out of one, with some bytes for each part */
    size_t memory_bytes;  /* address space of a helper */
    int64_t cpu_ms;       /* its CPU time (whole seconds, rounded up) */
    int64_t timeout_ms;   /* until the answer is complete, the wait for a process included */
    size_t max_parts;     /* of what is read; more is damage */
    unsigned max_depth;   /* messages within messages */
};

/* A part, in the order of the stream. Those that TNEF has twice come twice. */
struct sg_tnef_part {
    enum sg_tnef_kind kind;
    const char *charset; /* of SUBJECT, TEXT and HTML, for iconv (a code page that is not known has
                            its number as name: "CP4711"); NULL for RTF and ATTACHMENT */
    const char *name;    /* of an ATTACHMENT: its file name in UTF-8; "" where there is none */
    const char *type;    /* of an ATTACHMENT: its MIME type in lower case; "" where it says none */
    struct sg_bytes bytes;
    unsigned depth; /* 0: the message's own; 1: of a message attached to it; … */
};

struct sg_tnef_content {
    struct sg_tnef_part *parts;
    size_t count;
    int64_t cpu_us;     /* that the helper took, also where it failed */
    const char *damage; /* NULL, or what is wrong with the stream, or too much in it: text may be
                         * missing */
};

struct sg_tnef;

struct sg_tnef *sg_tnef_new(const struct sg_tnef_options *options);
/* Whoever reads has finished. Ends the helpers. */
void sg_tnef_free(struct sg_tnef **tnef);

/* Can a helper be started, and does it get into its sandbox? For a warning at the start. */
SG_MUST_USE bool sg_tnef_probe(struct sg_tnef *tnef, struct sg_error *err);

/*
 * attachments: gives ATTACHMENT parts too; text of attached messages comes in any case.
 * SG_E_MALFORMED: no TNEF, or the helper died over it; SG_E_LIMIT: it is larger than request_bytes
 * or gives more than answer_bytes, or took more CPU than cpu_ms; SG_E_TIMEOUT; SG_E_IO: no helper
 * could be started. Whatever it was, the next call has a new helper.
 */
SG_MUST_USE bool sg_tnef_read(struct sg_tnef *tnef, struct sg_bytes stream, bool attachments,
                              struct sg_arena *arena, struct sg_tnef_content *content_r,
                              struct sg_error *err);

/* What was read, and how it went, of all sg_tnef; a list ended by NULL. */
extern struct sg_metric *const sg_tnef_metrics[];

#endif
