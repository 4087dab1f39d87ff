/*
 * A message on which gatewayd dies shall not kill it again and again (docs/decisions/0016). A
 * thread says what it has in hand that strangers made; where the process dies of a fault of that
 * thread (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT), a handler notes the name in a file, which the
 * next gatewayd reads. What crashed it once is tried again as ever; from the second time on it is
 * put off, for a time that doubles from crash to crash.
 *
 * One table a process, for signals are the process's. Without one (it was not opened) everything
 * may be taken in hand and nothing is noted. The file need not survive the machine, only the
 * process.
 */
#ifndef SG_CRASH_CRASH_H
#define SG_CRASH_CRASH_H

#include "common/clock.h"
#include "common/metrics.h"

/* What there is, and what its id is. Numbers stand in the file. */
enum sg_crash_kind {
    SG_CRASH_NOTHING = 0,
    SG_CRASH_OUTBOUND = 1, /* queue ids of Postfix */
    SG_CRASH_INBOUND = 2,
    SG_CRASH_BOUNCE = 3,
    SG_CRASH_HELD = 4, /* rows of PostgreSQL */
    SG_CRASH_NOTICE = 5,
    SG_CRASH_REQUEST = 6,
    SG_CRASH_DISCOVERY = 7, /* a domain whose certificates are looked for, and for whom */
    SG_CRASH_KINDS
};

struct sg_crash_options {
    const char *path; /* of this process alone */
    int64_t wait_ms;  /* after the second crash; 0: nothing is put off */
    int64_t most_ms;  /* the longest wait */
    int64_t keep_ms;  /* so long after its last crash a name is forgotten */
};

/*
 * Reads what the last process left, logs it (`crash.found`), and from then on notes. A file that
 * cannot be used is replaced by an empty one. Only signals whose action is still the default get
 * the handler, and only threads that have none an alternate stack: a sanitizer keeps its own.
 */
SG_MUST_USE bool sg_crash_open(const struct sg_crash_options *options, struct sg_error *err);
void sg_crash_close(void);

/*
 * This thread has it in hand, until sg_crash_end(). false: it has not, for that is put off until
 * *until_r (which is 0 otherwise; may be NULL): logged (`crash.deferred`) and counted, and
 * err->detail has words for whoever asks why it waits. An empty id names nothing; one beyond 59
 * octets is known by the first of them and a digest of all. What is taken within something else is
 * to blame alone for a crash meanwhile.
 */
SG_MUST_USE bool sg_crash_begin(enum sg_crash_kind kind, const char *id, sg_time *until_r,
                                struct sg_error *err);
/* done: it will not come again, and its crashes are forgotten; else they are in time. */
void sg_crash_end(bool done);

/* For a part of the monitor: false while something is put off, with its names. */
SG_MUST_USE bool sg_crash_check(struct sg_error *err);
/* Sets the gauges. */
void sg_crash_collect(void);
extern struct sg_metric *const sg_crash_metrics[];

#endif
