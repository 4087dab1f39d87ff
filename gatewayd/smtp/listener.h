/*
 * Within the folder: a listening socket and a thread per connection, bounded; an orderly stop.
 * What is spoken on a connection is the business of serve().
 */
#ifndef SG_SMTP_LISTENER_H
#define SG_SMTP_LISTENER_H

#include "common/deadline.h"
#include "common/error.h"

struct listener;
struct listener_connection;

struct listener_options {
    const char *name, *address;
    mode_t mode;
    int max_connections;
    const char *refusal; /* sent on a connection too many; NULL: nothing */
    void (*serve)(void *ctx, struct listener_connection *connection, int fd);
    void *ctx;
};

SG_MUST_USE bool listener_start(const struct listener_options *options,
                                struct listener **listener_r, struct sg_error *err);
/* Accepts no more and wakes what waits (its peer seems gone). */
void listener_stop_begin(struct listener *listener);
/*
 * Begins it where it has not begun; what is busy has grace_ms, then its connection is cut. Returns
 * when every serve() has returned.
 */
void listener_stop(struct listener **listener, int64_t grace_ms);

/* Around the wait for something new, where a stop may interrupt. begin: false when stopping. */
bool listener_wait_begin(struct listener_connection *connection);
void listener_wait_end(struct listener_connection *connection);
bool listener_stopping(struct listener_connection *connection);

#endif
