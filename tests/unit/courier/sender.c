/*
 * sender HELPER DIR PORT TLS ID OCTETS: what gatewayd does with its courier, in a process that can
 * be killed: sends one message and says what was answered. Then it waits to be killed, or to be
 * told to end by the end of its standard input.
 */
#include "courier/courier.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    const char *const recipients[] = {"c@d.test"};
    uint8_t ids[1][SG_COURIER_ID];
    char octet;
    if (argc != 7)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    memset(ids[0], atoi(argv[5]), sizeof ids[0]);
    struct sg_courier_options o = {.program = argv[1],
                                   .dir = argv[2],
                                   .keep_ms = 86400000,
                                   .client = {.hostname = "gw.test",
                                              .slots = 2,
                                              .slot_wait_ms = 5000,
                                              .connect_timeout_ms = 5000,
                                              .command_timeout_ms = 10000,
                                              .data_timeout_ms = 10000,
                                              .idle_ms = 60000},
                                   .log_level = 3,
                                   .confine = true};
    struct sg_smtp_destination d = {
        .host = "127.0.0.1", .port = atoi(argv[3]), .tls = (enum sg_smtp_tls)atoi(argv[4])};
    struct sg_smtp_envelope e = {
        .sender = "a@b.test", .recipients = recipients, .recipient_count = 1};
    size_t size = (size_t)atoll(argv[6]);
    char *text = malloc(size + 1);
    if (!text)
        return 2;
    for (size_t i = 0; i < size; i++)
        text[i] = i % 64 == 62 ? '\r' : i % 64 == 63 ? '\n' : 'x';
    struct sg_smtp_piece piece = {.bytes = sg_bytes_of(text, size)};
    struct sg_courier *c;
    struct sg_courier_sent *sent = NULL;
    struct sg_smtp_reply reply;
    struct sg_error err = {0};
    if (!sg_courier_start(&o, &c, &err)) {
        fprintf(stderr, "%s\n", err.detail);
        return 1;
    }
    if (sg_courier_send(c, &sent, &d, &e, (const uint8_t(*)[SG_COURIER_ID])ids, &piece, 1, &reply,
                        &err))
        printf("%d\n", reply.code);
    else
        printf("%s\n", sg_error_name(err.code));
    fflush(stdout);
    while (read(0, &octet, 1) > 0)
        ;
    sg_courier_release(c, &sent);
    sg_courier_stop(&c);
    free(text);
    return 0;
}
