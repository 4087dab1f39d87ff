/*
 * Server of Postfix's policy delegation protocol (SMTPD_POLICY_README): requests of name=value
 * lines ended by an empty line, answered by "action=…". Keeps connections; a thread per
 * connection, bounded.
 */
#ifndef SG_SMTP_POLICY_SERVER_H
#define SG_SMTP_POLICY_SERVER_H

#include "common/arena.h"
#include "common/bytes.h"
#include "common/error.h"

#include <sys/types.h>

struct sg_policy_request;

/* "" where the attribute is absent. */
const char *sg_policy_attribute(const struct sg_policy_request *request, const char *name);

struct sg_policy_server_options {
    const char *name; /* for logs */
    const char *address;
    mode_t mode;
    int max_connections;
    size_t max_request_bytes;
    int64_t request_timeout_ms; /* once a request has begun */
    /* Fills action: "DUNNO", "PREPEND Header: value", "REJECT 5.7.1 …", "DEFER_IF_PERMIT 4.3.0 …".
     */
    void (*decide)(void *ctx, const struct sg_policy_request *request, char *action, size_t size);
    void *ctx;
};

struct sg_policy_server;
SG_MUST_USE bool sg_policy_server_start(const struct sg_policy_server_options *options,
                                        struct sg_policy_server **server_r, struct sg_error *err);
/* As of sg_smtp_server. */
void sg_policy_server_stop_begin(struct sg_policy_server *server);
void sg_policy_server_stop(struct sg_policy_server **server, int64_t grace_ms);

#endif
