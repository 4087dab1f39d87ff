/* What the files of this folder share: helper processes and their answers. */
#ifndef SG_TNEF_TNEF_INTERNAL_H
#define SG_TNEF_TNEF_INTERNAL_H

#include "common/deadline.h"
#include "tnef/tnef.h"

/* What became of a request, as it is counted. */
enum sg_tnef_outcome {
    SG_TNEF_OUTCOME_READ,
    SG_TNEF_OUTCOME_DAMAGED,
    SG_TNEF_OUTCOME_MALFORMED,   /* no TNEF */
    SG_TNEF_OUTCOME_LIMIT,       /* of size or CPU */
    SG_TNEF_OUTCOME_TIMEOUT,     /* also: no helper became free */
    SG_TNEF_OUTCOME_CRASH,       /* the helper died of what it read */
    SG_TNEF_OUTCOME_SANDBOX,     /* … for it tried what it may not */
    SG_TNEF_OUTCOME_GARBAGE,     /* its answer is not understood */
    SG_TNEF_OUTCOME_KILLED,      /* somebody killed it */
    SG_TNEF_OUTCOME_UNAVAILABLE, /* none could be started */
    SG_TNEF_OUTCOMES
};

/* A helper process: one request, then its end. fd -1: none. */
struct sg_tnef_process {
    pid_t pid;
    int fd;
    int64_t cpu_us; /* of one that has ended */
};

SG_MUST_USE bool sg_tnef_process_start(const struct sg_tnef_options *options,
                                       struct sg_tnef_process *process_r, struct sg_error *err);
/* Kills it if it lives, and waits for its end. */
void sg_tnef_process_end(struct sg_tnef_process *process);
/*
 * The helper closed its connection and so should be at its end: waits for that, and tells what it
 * says of the request. err gets it in words.
 */
enum sg_tnef_outcome sg_tnef_process_autopsy(const struct sg_tnef_options *options,
                                             struct sg_tnef_process *process, sg_deadline deadline,
                                             struct sg_error *err);

/* Waits for a helper's word that it is in its sandbox. */
SG_MUST_USE bool sg_tnef_answer_ready(int fd, sg_deadline deadline, bool *closed_r,
                                      struct sg_error *err);
/*
 * Reads a helper's answer into content_r. *closed_r: the helper ended without completing it, for
 * which its wait status has the reason; else false is the helper's fault or the deadline's.
 */
SG_MUST_USE bool sg_tnef_answer_read(const struct sg_tnef_options *options, int fd,
                                     sg_deadline deadline, struct sg_arena *arena,
                                     struct sg_tnef_content *content_r, bool *closed_r,
                                     struct sg_error *err);

#endif
