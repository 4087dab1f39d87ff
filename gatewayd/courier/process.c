/* The courier's process: one runs, with a file of its own. */
#include "courier/courier_internal.h"

#include "common/id.h"
#include "common/log.h"
#include "common/spawn.h"
#include "courierhelper/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

/* A full disk must not keep it from saying what it heard: 71 octets for each recipient of the last
 * message of each channel. */
#define FILE_RESERVE (1 << 20)
#define END_MS       5000 /* where no time is set in which it must give a sign of life */
#define CONTROL_MS   100  /* more than it takes to hand over channels that wait to be taken */
#define NUMBERS      9
#define DIGITS       24

/* Locked by the description, which only the courier has in the end. */
static int file_make(struct sg_courier *c, struct sg_error *err)
{
    struct sg_id id = sg_id_new("cur");
    snprintf(c->file, sizeof c->file, "%s.kept", id.text);
    int fd = openat(c->dir_fd, c->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        (void)!fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, FILE_RESERVE);
        return fd;
    }
    sg_fail_errno(err, SG_E_IO, "no file for the courier in %s", c->dir);
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool spawn(struct sg_courier *c, int control, int file, struct sg_error *err)
{
    const struct sg_smtp_client_options *o = &c->options.client;
    const long long numbers[NUMBERS] = {o->slots,
                                        o->connections,
                                        o->slot_wait_ms,
                                        o->connect_timeout_ms,
                                        o->command_timeout_ms,
                                        o->data_timeout_ms,
                                        o->idle_ms,
                                        c->options.log_level,
                                        c->options.confine};
    const int fds[3] = {control, file, STDERR_FILENO};
    char texts[NUMBERS][DIGITS], program[] = "sealgate-courier";
    char *argv[NUMBERS + 3] = {program, c->hostname};
    for (int i = 0; i < NUMBERS; i++) {
        snprintf(texts[i], sizeof texts[i], "%lld", numbers[i]);
        argv[i + 2] = texts[i];
    }
    return sg_spawn(c->program, argv, fds, &c->pid, err);
}

bool courier_run(struct sg_courier *c, struct sg_error *err)
{
    int pair[2];
    if (c->pid)
        return true;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return sg_fail_errno(err, SG_E_IO, "no socket pair for the courier");
    const struct timeval most = {.tv_usec =
                                     CONTROL_MS * 1000}; /* nobody waits for one that hangs */
    (void)!setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
    int file = file_make(c, err);
    bool ok = file >= 0 && spawn(c, pair[1], file, err);
    close(pair[1]);
    if (file >= 0)
        close(file);
    if (ok) {
        c->control = pair[0];
        c->generation++;
        return true;
    }
    close(pair[0]);
    if (file >= 0)
        unlinkat(c->dir_fd, c->file, 0);
    c->pid = 0;
    return false;
}

static void channels_close(struct sg_courier *c)
{
    while (c->free) {
        struct sg_courier_sent *s = c->free;
        c->free = s->next;
        close(s->fd);
        free(s);
    }
}

/* One that was told to end, or is dead: its end of the control socket is closed when it is gone. */
static void reap(struct sg_courier *c)
{
    int64_t most_ms = c->options.alive_ms ? c->options.alive_ms : END_MS;
    if (!sg_io_wait(c->control, 0, sg_deadline_in(most_ms), NULL))
        kill(c->pid, SIGKILL);
    while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    c->pid = 0;
    close(c->control);
    channels_close(c);
    if (!c->keep)
        unlinkat(c->dir_fd, c->file, 0);
}

void courier_lost(struct sg_courier *c, uint64_t generation)
{
    struct pollfd control = {.fd = c->control};
    if (!c->pid || c->generation != generation || poll(&control, 1, 0) != 1)
        return;
    courier_fault(COURIER_LOST);
    sg_log(SG_LOG_ERROR, "courier.lost", NULL);
    reap(c);
}

void courier_force(struct sg_courier *c)
{
    kill(c->pid, SIGKILL);
    reap(c);
}

void courier_say(struct sg_courier *c, char what, uint8_t value)
{
    const uint8_t text[2] = {(uint8_t)what, value};
    if (c->pid)
        (void)!send(c->control, text, sizeof text, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void sg_courier_keep(struct sg_courier *courier)
{
    courier->keep = true;
}

void sg_courier_stop(struct sg_courier **courier)
{
    static const char end = COURIER_END;
    struct sg_courier *c = *courier;
    if (!c)
        return;
    courier_unwatch(c);
    if (c->pid) {
        if (c->keep)
            shutdown(c->control, SHUT_WR); /* as if we were gone */
        else if (send(c->control, &end, 1, MSG_NOSIGNAL) != 1)
            kill(c->pid, SIGKILL);
        reap(c);
    }
    courier_kept_free(&c->kept);
    pthread_cond_destroy(&c->end);
    pthread_mutex_destroy(&c->lock);
    if (c->dir_fd >= 0)
        close(c->dir_fd);
    free(c->program);
    free(c->dir);
    free(c->hostname);
    free(c);
    *courier = NULL;
}
