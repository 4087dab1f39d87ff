/* What the files of the feeder share; all of it is its thread's. */
#ifndef SG_JOURNAL_FEEDER_H
#define SG_JOURNAL_FEEDER_H

#include "journal/journal_internal.h"

#define JOURNAL_BACKOFF_MS 100
#define JOURNAL_TRIES      3 /* at the least, of what cannot be read */

/* feeder.c */
void journal_batch_reset(struct journal_feeder *feeder);
bool journal_batch_full(const struct sg_journal *journal);
/* Fills the batch with what is committed. After false the batch may hold a part, which counts. */
SG_MUST_USE bool journal_batch_gather(struct sg_journal *journal, struct sg_error *err);
/* Sleeps for the back-off, which grows. false: the journal is closing. */
SG_MUST_USE bool journal_back_off(struct sg_journal *journal, int64_t *ms);

/* frames.c: opens the file and, where it is not known, the data key. *lost_r: the file is not
 * there, or its head is no head, or cannot be read for good. */
SG_MUST_USE bool journal_segment_open(struct sg_journal *journal, bool *lost_r,
                                      struct sg_error *err);
/* The data key of the segment with that head. */
SG_MUST_USE bool journal_key_open(const struct sg_journal *journal, const struct journal_head *head,
                                  struct sg_secret *key_r, struct sg_error *err);
/* Reads frames of the segment at hand up to end, or until the batch is full. */
SG_MUST_USE bool journal_frames_read(struct sg_journal *journal, uint64_t end,
                                     struct sg_error *err);
/* Opens the frame that the cursor has read and puts it into the batch. */
void journal_frame_take(struct sg_journal *journal, const struct journal_cursor *cursor);
/* What a frame says of its record; the payload is the caller's. */
void journal_record_of(const struct journal_head *head, const struct journal_frame *frame,
                       struct sg_bytes payload, struct sg_journal_record *record_r);
void journal_tell_damage(struct journal_feeder *feeder, uint64_t offset, uint64_t length,
                         const char *what);
/* … of that segment. */
void journal_tell_not_read(uint64_t number, const struct sg_error *err);

/* handover.c: hands the batch on until it is taken, but for what never is. false: the journal is
 * closing. */
SG_MUST_USE bool journal_batch_feed(struct sg_journal *journal);
/* false: it could not be noted down, so it is not passed over. */
bool journal_record_set_aside(struct sg_journal *journal, const struct journal_place *place,
                              const struct sg_error *err);
/* What others need is away as well: what is behind it would not fare better. */
bool journal_is_away(const struct sg_error *err);

/* witness.c: this one was taken. */
void journal_witness_note(struct journal_witness *witness, const struct sg_journal_record *record);
/* Is there one? It may be asked of the disk and of hsmd, until they have answered once. */
bool journal_witness_find(struct sg_journal *journal);

/* giveup.c: may the segment at hand, which did not open for that, be passed over? */
bool journal_segment_given_up(const struct sg_journal *journal, const struct sg_error *err);
/* Sets aside all of it up to end, for that reason. false: it could not be read or noted down. */
SG_MUST_USE bool journal_segment_set_aside(struct sg_journal *journal, uint64_t end,
                                           const struct sg_error *why, struct sg_error *err);

/* again.c: tries what was set aside. false: the journal is closing. */
SG_MUST_USE bool journal_aside_feed(struct sg_journal *journal);

#endif
