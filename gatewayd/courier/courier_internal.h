/* What the files of the folder share. */
#ifndef SG_COURIER_INTERNAL_H
#define SG_COURIER_INTERNAL_H

#include "common/deadline.h"
#include "common/id.h"
#include "courier/courier.h"

#include <pthread.h>
#include <stdatomic.h>

/* kept.c: what earlier couriers left. */
struct courier_fate {
    uint8_t id[SG_COURIER_ID];
    enum sg_courier_fate fate;
};
struct courier_kept {
    struct courier_fate *list;
    size_t count, cap;
    bool listed; /* as far as the text goes */
};
/* The lines of a file behind those before it; what is no line of ours ends it. */
void courier_kept_parse(struct courier_kept *kept, struct sg_bytes text);
void courier_kept_free(struct courier_kept *kept);
/*
 * Reads all files of the directory but that one (may be NULL). *living_r: some are still written
 * to; *listed_r: these have all said what was in their hands. With keep_ms, files go that are older
 * or say nothing. Where they cannot all be read (no descriptors), what was known stays, and they
 * are taken for living: they are to be read again.
 */
void courier_kept_load(struct courier_kept *kept, int dir_fd, const char *but, int64_t keep_ms,
                       bool *living_r, bool *listed_r);

/* A channel to the courier, used by one thread at a time. */
struct sg_courier_sent {
    struct sg_courier_sent *next;
    int fd;
    uint64_t generation; /* of the courier that it leads to */
};

struct sg_courier {
    struct sg_courier_options options;
    char *program, *dir, *hostname;
    int dir_fd;
    pthread_mutex_t lock; /* of all that follows */
    pid_t pid;            /* 0: none runs */
    int control;
    char file[SG_ID_TEXT + 8];
    uint64_t generation;
    uint64_t asked; /* which one was asked whether it lives */
    int unanswered; /* questions */
    bool watched;   /* by a thread that asks */
    bool ending;    /* … which is to end: */
    pthread_cond_t end;
    pthread_t watcher;
    struct sg_courier_sent *free; /* channels at rest */
    struct courier_kept kept;
    bool living, listed;
    int64_t listed_by_ms; /* nothing is waited for afterwards (monotonic) */
    atomic_bool knows;
    bool keep; /* at the stop */
};

/* courier.c: counts a fault; the caller logs it. */
enum courier_fault { COURIER_LOST, COURIER_HUNG, COURIER_NOT_READ, COURIER_FAULTS };
void courier_fault(enum courier_fault kind);

/* process.c, under lock: starts one where none runs; sees to it that one of this generation that
 * is dead is not taken for running. */
SG_MUST_USE bool courier_run(struct sg_courier *courier, struct sg_error *err);
void courier_lost(struct sg_courier *courier, uint64_t generation);
/* … kills the one that runs, and waits for its end. */
void courier_force(struct sg_courier *courier);
/* … tells it something, if it listens. */
void courier_say(struct sg_courier *courier, char what, uint8_t value);

/* alive.c: a thread that asks the courier from time to time, and kills one that hangs. */
SG_MUST_USE bool courier_watch(struct sg_courier *courier, struct sg_error *err);
void courier_unwatch(struct sg_courier *courier);

#endif
