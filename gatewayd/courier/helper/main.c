/*
 * sealgate-courier HOSTNAME SLOTS CONNECTIONS SLOT_WAIT CONNECT COMMAND DATA IDLE LEVEL CONFINE
 * (times in ms): hands gatewayd's messages to their next hops. It outlives a gatewayd that is
 * killed until the last answer has come, and leaves in its file which messages were taken. Started
 * by gatewayd.
 */
#include "courierhelper/helper.h"

#include "common/log.h"
#include "confine/confine.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ARGUMENTS 10

/* false: gatewayd is gone. */
static bool control_read(char *what_r, int *fd_r)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec text = {what_r, 1};
    struct msghdr message = {.msg_iov = &text,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t n;
    *fd_r = -1;
    do
        n = recvmsg(0, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return false;
    const struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(fd_r, CMSG_DATA(c), sizeof(int));
    return true;
}

int main(int argc, char **argv)
{
    struct sg_error err = {0};
    char what = 0;
    int fd;
    if (argc != ARGUMENTS + 1)
        return 2;
    const struct sg_smtp_client_options options = {.hostname = argv[1],
                                                   .slots = atoi(argv[2]),
                                                   .connections = atoi(argv[3]),
                                                   .slot_wait_ms = atoll(argv[4]),
                                                   .connect_timeout_ms = atoll(argv[5]),
                                                   .command_timeout_ms = atoll(argv[6]),
                                                   .data_timeout_ms = atoll(argv[7]),
                                                   .idle_ms = atoll(argv[8])};
    prctl(PR_SET_DUMPABLE, 0); /* mail is in its memory */
    signal(SIGPIPE, SIG_IGN);
    mallopt(M_ARENA_MAX, 2);
    sg_log_init("courier", (enum sg_log_level)atoi(argv[9]));
    struct sg_smtp_client *client = sg_smtp_client_new(&options);
    if (atoi(argv[10]) && !sg_confine(SG_CONFINE_NETWORK, &err)) {
        sg_log_error(SG_LOG_ERROR, "courier.not-confined", &err, NULL);
        return 1;
    }
    while (what != COURIER_END && control_read(&what, &fd))
        if (what == COURIER_CHANNEL && fd >= 0)
            channel_start(client, fd);
    if (what != COURIER_END) {
        sg_log(SG_LOG_WARNING, "courier.alone", NULL);
        channels_end();
    } else {
        sg_smtp_client_free(&client); /* nobody sends: says good-bye to next hops */
    }
    _exit(0); /* with the channels' threads */
}
