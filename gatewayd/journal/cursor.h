/*
 * Walks over the frames of a segment file and finds the next good one behind damage. Used by the
 * reader, the feeder and the look at what a crash left.
 */
#ifndef SG_JOURNAL_CURSOR_H
#define SG_JOURNAL_CURSOR_H

#include "journal/format.h"

/* Up to len bytes at offset; *n_r is less only at the end of the file, and where it failed. */
SG_MUST_USE bool journal_pread(int fd, void *data, size_t len, uint64_t offset, size_t *n_r,
                               struct sg_error *err);
/* The disk cannot bring back what it was given: EIO. */
bool journal_is_unreadable(const struct sg_error *err);
/* SG_E_MALFORMED where the file does not begin with a good head. */
SG_MUST_USE bool journal_head_read(int fd, struct journal_head *head_r, struct sg_error *err);

/* Where, from offset on, what is not zero ends: *end_r is offset where all is, up to end. */
SG_MUST_USE bool journal_zeros_find(int fd, uint64_t offset, uint64_t end, uint64_t *end_r,
                                    struct sg_error *err);

enum journal_step { JOURNAL_AT_END, JOURNAL_AT_FRAME, JOURNAL_AT_DAMAGE };

struct journal_cursor {
    int fd; /* the caller's */
    uint64_t number;
    uint64_t offset, end; /* where the next step begins, and where there is nothing more */
    bool whole;           /* check the pieces of originals too, not only payloads */
    /* What the disk cannot read is passed over by blocks, as if zeros stood there, which makes it
     * damage; not more than a few MiB, or it fails all the same: that is no bad block any more. */
    bool pass_unreadable;
    uint64_t passed; /* octets */
    /* Of the step: */
    struct journal_frame frame;
    uint8_t head[JOURNAL_FRAME_HEAD];
    struct sg_buf piece; /* the sealed payload */
    uint64_t originals;  /* offset of the first piece behind the payload */
    uint64_t damage_offset, damage_length;
    bool unreadable; /* some of what was looked at */
};

void journal_cursor_init(struct journal_cursor *cursor, int fd, uint64_t number, uint64_t offset,
                         uint64_t end);
void journal_cursor_free(struct journal_cursor *cursor);
/*
 * Reads the piece at *at into out and moves *at behind it. *good_r is false where it is longer
 * than max, does not fit before end, or its CRC is wrong.
 */
SG_MUST_USE bool journal_piece_read(struct journal_cursor *cursor, uint64_t *at, uint64_t end,
                                    size_t max, struct sg_buf *out, bool *good_r,
                                    struct sg_error *err);
/* One step on. Damage reaches up to the next frame that is wholly good, or to the end. Zeros up to
 * the end are none: they are room that was made for what was to come. */
SG_MUST_USE bool journal_cursor_next(struct journal_cursor *cursor, enum journal_step *step_r,
                                     struct sg_error *err);

#endif
