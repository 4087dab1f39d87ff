/*
 * What the files of the journal share. Threads: appenders (one of them at a time leads and owns
 * the writer), the feeder (owns the feeder part). What both see is under lock.
 */
#ifndef SG_JOURNAL_INTERNAL_H
#define SG_JOURNAL_INTERNAL_H

#include "journal/cursor.h"

#include <pthread.h>
#include <sys/types.h>

/* System calls that change a segment: tests put failing ones in their place. */
struct journal_io {
    ssize_t (*pwrite)(int fd, const void *data, size_t len, off_t offset);
    int (*fdatasync)(int fd);
    int (*ftruncate)(int fd, off_t length);
};
extern const struct journal_io journal_io_system;

/* A segment that is written or not wholly fed yet. */
struct journal_segment {
    struct journal_segment *next;
    uint64_t number;
    uint64_t end;     /* records before it are on disk; under lock */
    uint64_t records; /* of them not fed when the journal was opened; under lock */
    bool closed;      /* nothing more comes; under lock */
    bool lost;        /* the feeder found no good head in its file, or no file; under lock */
    uint64_t start;   /* of the first frame, where it was made in this run; else 0 */
    bool whole;       /* a record counts where its original is whole too */
    bool unsure;      /* of the records: not all of it could be read at open */
    /* Its data key. Set before the segment is seen; of one found at open by the feeder, which
     * asks for it when it first needs it. Length 0: not known. */
    struct sg_secret key;
};

/* One append, from begin to finish. */
struct journal_append {
    struct journal_append *next;
    struct sg_journal_record *record;
    struct sg_spool *pieces;         /* the original sealed, NULL for none */
    const struct sg_spool *original; /* … when it is */
    char key_id[JOURNAL_KEY_ID];
    uint64_t number, offset;
    bool written; /* in the file, not yet synced */
    struct sg_error err;
    unsigned slot; /* of the condition it waits for */
    /* Under lock: */
    bool waits, lead, taken, done, ok;
};

/* Conditions that appends wait for. They are the journal's and outlive each append, so that they
 * can be told outside of the lock; some may share one. */
#define JOURNAL_WAKES 64

/* The leader's. */
struct journal_writer {
    int fd; /* of segment, -1 for none */
    struct journal_segment *segment;
    uint64_t tail;       /* written up to here */
    uint64_t start;      /* of the first frame */
    uint64_t room;       /* zeros were written up to here, or would have been */
    unsigned room_syncs; /* since */
    uint64_t next_number;
    int64_t retry_ms; /* not before this time is a new segment tried while the old one will do */
    struct sg_buf buffer;
};

/* Where a frame begins. */
struct journal_place {
    uint64_t number, offset;
};

/* How far was fed, as the disk has it. */
struct journal_position {
    bool found;
    struct journal_place place; /* all before it is fed */
    unsigned next;              /* which of the two files is written next */
};

struct journal_feeder {
    struct journal_segment *segment; /* at hand, NULL before the first */
    int fd;                          /* of it, -1 for none */
    struct journal_head head;
    uint64_t offset; /* the next frame of it to read */
    uint64_t seen;   /* records read of it */
    struct journal_position position;
    /* The batch that is being fed. */
    struct sg_arena *arena;
    struct sg_journal_record *batch;
    struct journal_place *places; /* of each of them */
    size_t count, bytes;
    uint64_t settled; /* records that the batch settles: count and those that were skipped */
    uint64_t records; /* of the segment at hand, as far as they are known */
    /* What the disk cannot read: where, since when (monotonic), and how often that was tried. */
    struct journal_place stuck;
    int64_t stuck_ms;
    unsigned tries;
    bool told;   /* damage, since seen was as many as there are */
    bool passed; /* such a place of the segment at hand: further ones are tried, but not waited for
                  */
    /* What was set aside: it is tried when so many records are fed, as open has found, not before
     * that time (monotonic), and until that is done. */
    uint64_t found;
    int64_t aside_ms;
    bool aside_done;
    bool again; /* it is being tried */
    bool kept;  /* the one that was tried stays set aside */
    bool away;  /* … for want of hsmd or of the database, as would those behind it */
};

/* A record that was taken: where queries fail, it tells whether the database takes anything. */
struct journal_witness {
    struct sg_journal_record record; /* of payload */
    struct sg_buf payload;
    bool known;
    bool sought; /* in the files */
};

struct sg_journal {
    struct sg_journal_options options;
    char *dir, *node;
    const struct journal_io *io;
    int dir_fd, lock_fd;

    pthread_mutex_t lock;
    struct journal_append *queue, **queue_end;
    pthread_cond_t wakes[JOURNAL_WAKES];
    unsigned next_slot;
    bool leading;  /* an appender leads */
    bool stopping; /* no more appends; the feeder ends */
    bool hungry;   /* the feeder waits for a first record */
    unsigned appenders, drainers;
    pthread_cond_t idle; /* appenders became 0 */
    struct journal_segment *segments, **segments_end;
    uint64_t committed, fed; /* records, since open; committed counts those found at open */
    uint64_t set_aside;      /* of those fed: the feed would never have taken them */
    /*
     * Since when the oldest record that is not fed has been on disk, at the most. mark is how many
     * there were at mark_ms: once these are fed the oldest is no older than that.
     */
    int64_t oldest_ms, mark_ms;
    uint64_t mark;
    uint64_t
        fed_segment; /* where the file `position` says that the feed stands; 0: there is none */
    uint64_t syncs;
    bool refuses;           /* the last append failed */
    struct sg_error fault;  /* why the last append failed, where the disk is at fault; else SG_OK */
    int64_t probe_ms;       /* when the disk is tried next; of who asks for the health */
    pthread_cond_t feed;    /* something for the feeder */
    pthread_cond_t settled; /* fed has grown */

    struct journal_writer writer;
    struct journal_feeder feeder;
    struct journal_witness witness; /* the feeder's */
    pthread_t feeding;
};

/* sg_journal_open() with other system calls. */
SG_MUST_USE bool journal_open_io(const struct sg_journal_options *options,
                                 const struct journal_io *io, struct sg_journal **journal_r,
                                 struct sg_error *err);
/* How often records were brought to disk since open. */
uint64_t journal_syncs(struct sg_journal *journal);

static inline pthread_cond_t *journal_wake_of(struct sg_journal *journal,
                                              const struct journal_append *append)
{
    return &journal->wakes[append->slot];
}
void journal_cond_init(pthread_cond_t *cond);
/* Waits at most until that time; false when it has passed. */
bool journal_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ms);
/* Appends the segment to the list, under lock. */
void journal_segment_add(struct sg_journal *journal, struct journal_segment *segment);

/* health.c, under lock: what became of an append; NULL: it is on disk. */
void journal_health_note(struct sg_journal *journal, const struct sg_error *err);

/* faults.c: counts one; the caller logs it. */
enum journal_fault {
    JOURNAL_DAMAGED,
    JOURNAL_TORN,
    JOURNAL_HEADLESS,
    JOURNAL_SHORT,
    JOURNAL_WRITE,
    JOURNAL_SYNC,
    JOURNAL_NOT_READ,
    JOURNAL_FAULTS
};
void journal_fault(enum journal_fault kind);
/* … and logs octets that are no record, or one that cannot be opened. */
void journal_fault_damaged(uint64_t number, uint64_t offset, uint64_t length, const char *what);

/* journal.c, under lock: so many more records are on disk; are fed. */
void journal_count_committed(struct sg_journal *journal, uint64_t records);
void journal_count_fed(struct sg_journal *journal, uint64_t records);

/* writer.c: brings the list to disk; each of it is done afterwards. */
void journal_writer_commit(struct sg_journal *journal, struct journal_append *list);
void journal_writer_close(struct sg_journal *journal);

/* feeder.c */
void *journal_feeder_run(void *journal);
void journal_feeder_free(struct sg_journal *journal);

/* position.c: where the feeder stands, in the files `position` and `position.2`. */
SG_MUST_USE bool journal_position_read(int dir_fd, struct journal_position *position_r,
                                       struct sg_error *err);
SG_MUST_USE bool journal_position_write(int dir_fd, struct journal_position *position,
                                        const struct journal_place *place, struct sg_error *err);

/*
 * aside.c: where the records stand that were set aside. Adds some, which are on disk afterwards;
 * reads all of them, in order (the caller frees; none where there is no file); puts others in their
 * place.
 */
SG_MUST_USE bool journal_aside_add(int dir_fd, const struct journal_place *places, size_t count,
                                   struct sg_error *err);
SG_MUST_USE bool journal_aside_read(int dir_fd, struct journal_place **places_r, size_t *count_r,
                                    struct sg_error *err);
SG_MUST_USE bool journal_aside_write(int dir_fd, const struct journal_place *places, size_t count,
                                     struct sg_error *err);

/* In the order of the journal; for qsort() and bsearch(). */
int journal_place_compare(const void *a, const void *b);

/* recover.c: lists what is to be fed again, cuts torn tails, sets the next number. */
SG_MUST_USE bool journal_recover(struct sg_journal *journal, struct sg_error *err);

#endif
