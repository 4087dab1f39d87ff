/*
 * A daemon's filter of system calls (seccomp): whoever takes the process over cannot run a
 * program, look into other processes, open sockets of other families or make memory that can be
 * written and run. It holds with and without systemd, whose units have a coarser one of their own.
 *
 * What is not allowed is refused, not fatal: the call fails as on a kernel that does not have it
 * (ENOSYS; EPERM where it is allowed with other arguments; EAFNOSUPPORT for sockets), so that a
 * library that tries something new goes on in its old way, and mail is tried again where it cannot.
 * Each call that was refused is logged as an error (`process.call-refused`), at most once a second,
 * and counted. A thread that blocks SIGSYS ends the process instead: start threads with
 * sg_thread_start(). A program of another architecture's calls is ended at once.
 */
#ifndef SG_CONFINE_CONFINE_H
#define SG_CONFINE_CONFINE_H

#include "common/config.h"
#include "common/metrics.h"

/* What a daemon needs beyond files that are open to it, threads, and sockets of AF_UNIX. */
enum sg_confine_need {
    SG_CONFINE_NETWORK = 1, /* AF_INET, AF_INET6; a file in memory for CAs (libldap) */
    SG_CONFINE_SPAWN = 2,   /* to start a program, wait for it and end it */
    SG_CONFINE_CLOCK = 4    /* to ask how well the clock is kept */
};

/*
 * For all threads, those that run included; there is no way back. Call it when all that listens
 * listens, before the daemon says that it is ready. Under a sanitizer, whose run time needs more,
 * nothing is done but to log it.
 */
SG_MUST_USE bool sg_confine(unsigned needs, struct sg_error *err);

/* Whether this build can be confined: not under a sanitizer. */
bool sg_confine_possible(void);

/* For sg_monitor_options.metrics. */
extern struct sg_metric *const sg_confine_metrics[];

/* The row of a daemon's table of settings, a bool. */
#define SG_CONFINE_OPTION(offset)                                                                  \
    {                                                                                              \
        "process", "confine", SG_OPT_BOOL, offset, "yes", 0, 0, NULL,                              \
            "Whether the process gives up all system calls that it never needs (seccomp)."         \
    }

#endif
