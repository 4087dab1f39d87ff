#include "common/daemon.h"

#include "common/log.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

static sigset_t handled;
static const char *config_path;
static int64_t stop_limit_ms;

/* A program that tells attackers what they want to know runs in the tests that must notice it, and
 * nowhere else. */
#ifdef SG_LEAKY_ORACLE
#define LEAKY " LEAKY: tells what is wrong with a ciphertext, never to be installed"
static bool is_wanted(const char *name)
{
    const char *wanted = getenv("SG_LEAKY_ORACLE");
    if (wanted && strcmp(wanted, "wanted") == 0)
        return true;
    fprintf(stderr, "%s: this build is%s\n", name, LEAKY);
    return false;
}
#else
#define LEAKY ""
static bool is_wanted(const char *name)
{
    (void)name;
    return true;
}
#endif

static int usage(const char *name)
{
    fprintf(stderr, "usage: %s -c FILE [-t] | -V | --manual\n", name);
    return 2;
}

int sg_daemon_begin(const struct sg_daemon_spec *spec, int argc, char **argv)
{
    const char *path = NULL; /* one of argv */
    bool check_only = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-c") == 0 && i + 1 < argc) {
            path = argv[++i];
        } else if (strcmp(argv[i], "-t") == 0) {
            check_only = true;
        } else if (strcmp(argv[i], "-V") == 0) {
            printf("%s %s%s\n", spec->name, SG_VERSION, LEAKY);
            return 0;
        } else if (strcmp(argv[i], "--manual") == 0) {
            sg_config_manual(stdout, spec->name, spec->options, spec->option_count);
            return 0;
        } else {
            return usage(spec->name);
        }
    }
    if (!path)
        return usage(spec->name);
    if (!is_wanted(spec->name))
        return 2;
    struct sg_error err = {0};
    if (!sg_config_load(path, spec->options, spec->option_count, spec->settings, &err) ||
        (spec->check && !spec->check(spec->settings, &err))) {
        fprintf(stderr, "%s: %s\n", spec->name, err.detail);
        return 2;
    }
    if (check_only)
        return 0;
    config_path = path;

    sg_log_init(spec->name, SG_LOG_INFO);
    umask(0077);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit is as a full disk: an error, and no end */
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
#ifndef SG_SANITIZED /* LeakSanitizer attaches to its own process */
    prctl(PR_SET_DUMPABLE, 0);
#endif
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    sigemptyset(&handled);
    sigaddset(&handled, SIGTERM);
    sigaddset(&handled, SIGINT);
    sigaddset(&handled, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &handled, NULL);
    return -1;
}

void sg_daemon_batch(void)
{
    const struct sched_param none = {0};
    if (sched_setscheduler(0, SCHED_BATCH, &none) != 0)
        sg_log(SG_LOG_WARNING, "no-batch-scheduling", NULL); /* it works as well, and costs more */
}

bool sg_daemon_reread(const struct sg_daemon_spec *spec, void *settings, struct sg_error *err)
{
    return sg_config_load(config_path, spec->options, spec->option_count, settings, err) &&
           (!spec->check || spec->check(settings, err));
}

static void *stop_guard(void *arg)
{
    (void)arg;
    struct timespec left = {stop_limit_ms / 1000, stop_limit_ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0)
        ;
    sg_log(SG_LOG_WARNING, "stopped-in-flight", "after", sg_log_num(stop_limit_ms), NULL);
    _exit(1);
}

void sg_daemon_stop_within(int64_t limit_ms)
{
    pthread_t thread;
    stop_limit_ms = limit_ms;
    if (pthread_create(&thread, NULL, stop_guard, NULL) == 0)
        pthread_detach(thread);
    else
        sg_log(SG_LOG_WARNING, "stop.no-guard", NULL); /* the service manager has one */
}

void sg_daemon_ready(void)
{
    sd_notify(0, "READY=1");
}

enum sg_daemon_event sg_daemon_wait(void)
{
    int sig = 0;
    while (sigwait(&handled, &sig) != 0)
        ;
    if (sig == SIGHUP)
        return SG_DAEMON_RELOAD;
    sd_notify(0, "STOPPING=1");
    return SG_DAEMON_STOP;
}

void sg_daemon_stop(void)
{
    kill(getpid(), SIGTERM);
}
