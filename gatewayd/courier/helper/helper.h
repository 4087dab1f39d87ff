/* What the files of sealgate-courier share. */
#ifndef SG_COURIER_HELPER_H
#define SG_COURIER_HELPER_H

#include "courierhelper/protocol.h"
#include "smtp/client.h"

/* What gatewayd says over the control socket. */
struct control_word {
    char what;
    uint8_t value; /* 0 where none is said */
    int fd;        /* the channel, -1 where none came */
};
/* false: gatewayd is gone. */
SG_MUST_USE bool control_read(int control, struct control_word *word_r);
/* Serves the channel in a thread of its own, which closes fd. */
void channel_start(struct sg_smtp_client *client, int fd);
/*
 * gatewayd is dead: writes what became of the messages that it may not have journaled, waits for
 * the answers that are still to come, and writes them.
 */
void channels_end(void);

#endif
