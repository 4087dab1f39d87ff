/*
 * The lists of members in the directories, brought into the database (REQ-55, 108, 190, 191): job
 * "directory.sync". What the directories say is read first, from several in their order; then all
 * of it is applied in the one transaction that ends the job, list by list as a difference. A list
 * that shrinks suddenly waits for somebody's word.
 */
#ifndef SG_DIRECTORY_DIRECTORY_H
#define SG_DIRECTORY_DIRECTORY_H

#include "jobs/worker.h"

struct sg_directory_options {
    int64_t interval_ms; /* between two readings; for "when next" */
    int64_t timeout_ms;  /* of one operation of a directory */
    int64_t retry_ms;    /* first pause of a directory that failed; doubles, up to interval_ms */
    int64_t max_members; /* of a list */
    const char *version_attribute;
    /* What is not done without somebody's word: */
    bool approval;               /* any change (REQ-55) */
    const char *credentials_dir; /* passwords of directories; "": systemd's credentials */
    int64_t shrink_free;         /* never of this: so many members may always go at a time … */
    int64_t shrink_percent;      /* … more than this part of a list may not … */
    int64_t shrink_members;      /* … nor more than so many */
};

/* ctx of the job: a struct sg_directory_options. */
extern const struct sg_job_kind sg_directory_kinds[];

#endif
