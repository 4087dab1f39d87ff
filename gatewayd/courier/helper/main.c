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
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define NUMBERS 9 /* behind the host name */

static bool number_read(const char *text, int64_t *n_r)
{
    char *end;
    errno = 0;
    *n_r = strtoll(text, &end, 10);
    return *text && !*end && errno == 0 && *n_r >= 0 && *n_r <= INT_MAX;
}

static int not_for_people(void)
{
    fprintf(stderr, "sealgate-courier: it is gatewayd that starts it, with %d arguments\n",
            NUMBERS + 1);
    return 2;
}

static void obey(struct sg_smtp_client *client, const struct control_word *word)
{
    if (word->what == COURIER_CHANNEL && word->fd >= 0)
        channel_start(client, word->fd);
    else if (word->what == COURIER_LEVEL)
        sg_log_level_set((enum sg_log_level)word->value);
    else if (word->what == COURIER_ALIVE)
        (void)!send(0, &word->what, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int main(int argc, char **argv)
{
    struct sg_error err = {0};
    int64_t n[NUMBERS];
    struct control_word word = {0};
    if (argc != NUMBERS + 2)
        return not_for_people();
    for (int i = 0; i < NUMBERS; i++)
        if (!number_read(argv[i + 2], &n[i]))
            return not_for_people();
    const struct sg_smtp_client_options options = {.hostname = argv[1],
                                                   .slots = (int)n[0],
                                                   .connections = (int)n[1],
                                                   .slot_wait_ms = n[2],
                                                   .connect_timeout_ms = n[3],
                                                   .command_timeout_ms = n[4],
                                                   .data_timeout_ms = n[5],
                                                   .idle_ms = n[6]};
    prctl(PR_SET_DUMPABLE, 0); /* mail is in its memory */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit is as a full disk: an error, and no end */
    mallopt(M_ARENA_MAX, 2);
    sg_log_init("courier", (enum sg_log_level)n[7]);
    struct sg_smtp_client *client = sg_smtp_client_new(&options);
    if (n[8] && !sg_confine(SG_CONFINE_NETWORK, &err)) {
        sg_log_error(SG_LOG_ERROR, "courier.not-confined", &err, NULL);
        return 1;
    }
    while (word.what != COURIER_END && control_read(0, &word))
        obey(client, &word);
    if (word.what != COURIER_END) {
        sg_log(SG_LOG_WARNING, "courier.alone", NULL);
        channels_end();
    } else {
        sg_smtp_client_free(&client); /* nobody sends: says good-bye to next hops */
    }
    _exit(0); /* with the channels' threads */
}
