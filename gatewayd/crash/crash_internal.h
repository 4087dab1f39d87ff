#ifndef SG_CRASH_CRASH_INTERNAL_H
#define SG_CRASH_CRASH_INTERNAL_H

#include "crash/crash.h"

#include <stdatomic.h>

#define CRASH_FOUND    16  /* threads that crash together; what further ones had is not noted */
#define CRASH_SUSPECTS 256 /* those of which nothing was heard for longest go first */
#define CRASH_MOST     100000

struct crash_name {
    uint32_t kind; /* of enum sg_crash_kind */
    char id[60];
};
/* A thread that crashed. The handler fills it, the next process reads it. */
struct crash_found {
    atomic_int signal; /* 0: there is none. Written last */
    struct crash_name name;
};
struct crash_suspect {
    struct crash_name name; /* of kind 0: free */
    uint32_t crashes;
    sg_time at; /* the last crash, as the start after it saw it */
};
struct crash_table {
    char magic[8];
    uint64_t crashes; /* of the process, since there is the file */
    atomic_uint found_count;
    struct crash_found found[CRASH_FOUND];
    struct crash_suspect suspects[CRASH_SUSPECTS];
};

/* hand.c: what this thread has in hand. With a table, crashes are noted in it; NULL: no more. */
bool crash_hand_watch(struct crash_table *table, struct sg_error *err);
void crash_hand_take(enum sg_crash_kind kind, const char *id);
/* What was taken last; from now on what was taken before it is in hand, if anything. */
struct crash_name crash_hand_drop(void);
struct crash_name crash_name_of(enum sg_crash_kind kind, const char *id);

/* table.c: the file. The table of before (empty where there is none that can be read), with what
 * was found moved to the suspects, stands in a new file that is mapped. */
bool crash_table_open(const char *path, sg_time now, sg_time keep, struct crash_table **table_r,
                      struct sg_error *err);
void crash_table_close(struct crash_table **table);
/* NULL: not among the suspects. */
struct crash_suspect *crash_table_find(struct crash_table *table, const struct crash_name *name);
void crash_table_forget(struct crash_suspect *suspect);

/* Words for the kinds, and the log's name for their ids. */
extern const char *const crash_kinds[SG_CRASH_KINDS + 1];
extern const char *const crash_ids[SG_CRASH_KINDS];

#endif
