/*
 * A relay of nothing but this folder's server and client, for other people's mail programs to talk
 * to: lmtp_echo LISTEN lmtp|smtp PORT lmtp|smtp takes messages at LISTEN and gives each to the
 * server on 127.0.0.1:PORT. Says "ready" on standard output; SIGTERM stops it.
 */
#include "common/log.h"
#include "smtp/client.h"
#include "smtp/server.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct relay {
    struct sg_smtp_client *client;
    struct sg_smtp_destination next;
};

static void pass_on(void *ctx, struct sg_smtp_transaction *t, struct sg_smtp_reply *replies)
{
    struct relay *relay = ctx;
    const char **recipients = SG_ARENA_ARRAY(t->arena, const char *, t->recipient_count);
    for (size_t i = 0; i < t->recipient_count; i++)
        recipients[i] = t->recipients[i].address;
    struct sg_smtp_envelope e = {.sender = t->sender,
                                 .recipients = recipients,
                                 .recipient_count = t->recipient_count,
                                 .smtputf8 = t->smtputf8,
                                 .body_8bit = t->body_8bit};
    struct sg_smtp_piece piece = {.spool = t->body, .len = UINT64_MAX};
    struct sg_smtp_reply *theirs =
        SG_ARENA_ARRAY(t->arena, struct sg_smtp_reply, t->recipient_count);
    struct sg_error err = {0};
    bool ok = sg_smtp_client_send(relay->client, &relay->next, &e, &piece, 1, theirs, &err);
    for (size_t i = 0; i < t->recipient_count; i++) {
        if (ok)
            replies[i] = theirs[i];
        else
            sg_smtp_reply_error(&replies[i], &err);
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: lmtp_echo LISTEN lmtp|smtp PORT lmtp|smtp\n");
        return 2;
    }
    sigset_t stop;
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    sg_log_init("lmtp_echo", SG_LOG_INFO);

    struct sg_smtp_client_options co = {.hostname = "echo.test",
                                        .slots = 5,
                                        .slot_wait_ms = 20000,
                                        .connect_timeout_ms = 5000,
                                        .command_timeout_ms = 20000,
                                        .data_timeout_ms = 20000,
                                        .idle_ms = 5000};
    struct relay relay = {.client = sg_smtp_client_new(&co),
                          .next = {.host = "127.0.0.1",
                                   .port = (int)strtol(argv[3], NULL, 10),
                                   .lmtp = strcmp(argv[4], "lmtp") == 0}};
    struct sg_smtp_server_options so = {.name = "echo",
                                        .address = argv[1],
                                        .hostname = "echo.test",
                                        .lmtp = strcmp(argv[2], "lmtp") == 0,
                                        .mode = 0600,
                                        .max_connections = 20,
                                        .max_recipients = 100,
                                        .max_errors = 5,
                                        .max_line_bytes = 2048,
                                        .command_timeout_ms = 20000,
                                        .data_timeout_ms = 20000,
                                        .spool = {65536, 20 << 20, "/tmp"}};
    struct sg_smtp_callbacks callbacks = {.message = pass_on, .ctx = &relay};
    struct sg_smtp_server *server;
    struct sg_error err;
    if (!sg_smtp_server_start(&so, &callbacks, &server, &err)) {
        fprintf(stderr, "%s\n", err.detail);
        return 1;
    }
    puts("ready");
    fflush(stdout);
    int signal_number;
    sigwait(&stop, &signal_number);
    sg_smtp_server_stop(&server, 5000);
    sg_smtp_client_free(&relay.client);
    return 0;
}
