/*
 * Trigger words of a message (REQ-29 to REQ-35, 109, 110, 114): which of them its subject and body
 * hold, whatever encoding, charset or markup they are written in. Only reads; needs little memory
 * whatever the size of the message, and time that grows with it in a straight line.
 *
 * What counts as a word says words.h; what is text, and how it is read, README.md.
 */
#ifndef SG_TRIGGER_TRIGGER_H
#define SG_TRIGGER_TRIGGER_H

#include "common/arena.h"
#include "common/budget.h"
#include "common/error.h"
#include "mime/header.h"
#include "spool/spool.h"

enum sg_trigger_word {
    SG_TRIGGER_IN_CONFIDENCE = 1,
    SG_TRIGGER_SENSITIVE = 2,
    SG_TRIGGER_RESTRICTED = 4,
    SG_TRIGGER_CONFIDENTIAL = 8,
    SG_TRIGGER_SECRET = 16,
    SG_TRIGGER_TOP_SECRET = 32,
    SG_TRIGGER_RSVPDR = 64 /* asks for a delivery receipt (REQ-35) */
};
#define SG_TRIGGER_WORDS 7

/* "TOP SECRET", without brackets. */
const char *sg_trigger_word_name(enum sg_trigger_word word);

/* Beyond a limit the rest is read as plain lines and the message is undecodable. */
struct sg_trigger_limits {
    size_t max_parts;             /* MIME entities, and ends of multiparts that had ended */
    size_t max_depth;             /* multiparts and messages within each other */
    size_t max_header_bytes;      /* of one part */
    uint64_t max_text_bytes;      /* read as text, after decoding */
    size_t max_tnef_bytes;        /* of one winmail.dat, which is held in memory */
    size_t max_cms_bytes;         /* of a CMS structure without its content */
    size_t max_rtf_depth;         /* groups within each other */
    struct sg_spool_limits spool; /* for S/MIME content that has to be taken out first */
};
/* What the daemon has unless configured otherwise; spool.dir stays to be set. */
struct sg_trigger_limits sg_trigger_limits_default(void);

struct sg_tnef; /* tnef/tnef.h */
struct sg_trigger_options {
    bool attachments; /* read text, HTML, RTF, TNEF and messages among the attachments too (REQ-34)
                       */
    struct sg_trigger_limits limits;
    struct sg_tnef *tnef;           /* reads TNEF; NULL: it is undecodable */
    struct sg_budget *budget;       /* CPU time; beyond it no more is read; NULL: any */
    struct sg_spool_sum *taken_out; /* where S/MIME content that is held counts; NULL: nowhere */
};

struct sg_trigger_hit {
    enum sg_trigger_word word;
    const char *where; /* "subject", "text/html part 1.2" */
};

struct sg_trigger_found {
    unsigned words;              /* OR of sg_trigger_word */
    struct sg_trigger_hit *hits; /* the first place of each word, in the order they were found */
    size_t hit_count;
    /* Something that may be text could not be read, or not for certain. A fact beside the words:
     * what could be read was. where and why name the first. */
    bool undecodable;
    const char *undecodable_where, *undecodable_why;
    const char *smime_where; /* the first entity that is S/MIME, signed or encrypted; NULL: none */
    /* Encrypted content (S/MIME, PGP/MIME): for its reader's eyes only; not undecodable. */
    bool opaque;
};

/*
 * Scans a message: its header and the range of a spool that is its body. found_r lives in the
 * arena. false only for trouble of our own (a spool cannot be read or made, no helper reads TNEF
 * now): nothing is known then, and it may be tried again. Whatever the message does is a fact.
 */
SG_MUST_USE bool sg_trigger_scan(struct sg_arena *arena, const struct sg_header_block *headers,
                                 const struct sg_spool *body, uint64_t offset, uint64_t len,
                                 const struct sg_trigger_options *options,
                                 struct sg_trigger_found *found_r, struct sg_error *err);

#endif
