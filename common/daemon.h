/*
 * What every daemon does alike: its command line (-c FILE, -t check and exit, -V version,
 * --manual print the manual page of its configuration file), foreground, signals, sd_notify,
 * hardening of the process.
 */
#ifndef SG_COMMON_DAEMON_H
#define SG_COMMON_DAEMON_H

#include "common/config.h"

struct sg_daemon_spec {
    const char *name; /* "gatewayd" */
    const struct sg_option *options;
    size_t option_count;
    void *settings;
    /* Further checks of the settings; may be NULL. */
    bool (*check)(void *settings, struct sg_error *err);
};

/*
 * Reads the command line and the configuration. Returns -1 to go on, or the exit status (0 after
 * -t, -V or --manual, 2 with one line on stderr after an error). SIGPIPE is ignored, core dumps
 * are off, and SIGTERM, SIGINT and SIGHUP are blocked for sg_daemon_wait(): call it before
 * threads are started.
 */
int sg_daemon_begin(const struct sg_daemon_spec *spec, int argc, char **argv);
/*
 * For a daemon whose threads wake each other many times a message, before it starts any: whom they
 * wake waits for a free processor and interrupts nobody (SCHED_BATCH; children too).
 */
void sg_daemon_batch(void);
/* Says READY=1 to the service manager, where there is one. */
void sg_daemon_ready(void);
/*
 * For SIGHUP: reads the file of the command line once more, into settings (zeroed by the caller,
 * who frees them, whatever comes of it).
 */
SG_MUST_USE bool sg_daemon_reread(const struct sg_daemon_spec *spec, void *settings,
                                  struct sg_error *err);
/*
 * An orderly stop has begun: what hangs for longer than that is cut off by the end of the process,
 * status 1, as it would be by the service manager's SIGKILL a little later.
 */
void sg_daemon_stop_within(int64_t limit_ms);
enum sg_daemon_event { SG_DAEMON_STOP, SG_DAEMON_RELOAD };
/* Sleeps until SIGTERM/SIGINT (stop) or SIGHUP (reload); says STOPPING=1 for the former. */
enum sg_daemon_event sg_daemon_wait(void);
/* From any thread: has sg_daemon_wait() say stop, as SIGTERM does. */
void sg_daemon_stop(void);

#endif
