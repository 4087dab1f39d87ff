/*
 * Does a domain's own server know a recipient? Asked before mail for it is taken, so that nobody
 * has to be told afterwards that there is no such mailbox: the sender of such mail is most often
 * forged. Answers are remembered, in memory alone, by a digest of the address. In doubt a recipient
 * is let in, and delivering decides.
 */
#ifndef SG_RECIPIENTS_RECIPIENTS_H
#define SG_RECIPIENTS_RECIPIENTS_H

#include "smtp/client.h"

enum sg_recipient_answer {
    SG_RECIPIENT_UNDECIDED, /* not asked, or the server did not say: let it in */
    SG_RECIPIENT_KNOWN,
    SG_RECIPIENT_UNKNOWN, /* the server says that there is no such mailbox */
    SG_RECIPIENT_LATER    /* this client has tried too many unknown ones, and is told no more */
};

enum sg_recipient_source { SG_RECIPIENT_UNASKED, SG_RECIPIENT_REMEMBERED, SG_RECIPIENT_ASKED };

struct sg_recipients_options {
    struct sg_smtp_client_options client; /* its slots: questions to one server at once */
    size_t entries;                       /* answers that are remembered */
    int64_t known_ms, unknown_ms;         /* for so long */
    size_t servers, clients; /* of which it is remembered how they were asked, and did ask */
    int64_t within_ms;       /* a question takes at most */
    int64_t pause_ms;        /* a server that could not be asked is left alone for so long */
    int64_t questions;       /* to one server in a minute; beyond them recipients are let in */
    int64_t unknown;         /* recipients that one client may find unknown in ten minutes */
};

struct sg_recipients;
struct sg_recipients *sg_recipients_new(const struct sg_recipients_options *options);
void sg_recipients_free(struct sg_recipients **recipients);

/* What is remembered of the mailbox, by its normalised address. false: nothing. */
bool sg_recipients_recall(struct sg_recipients *recipients, const char *mailbox,
                          enum sg_recipient_answer *answer_r);
/*
 * Asks the server for the address, as it was given, and remembers what it says of the mailbox.
 * client is the address of who sends the mail (IPv6: its /64 counts as one). *source_r: was the
 * server really asked.
 */
enum sg_recipient_answer sg_recipients_ask(struct sg_recipients *recipients,
                                           const struct sg_smtp_destination *server,
                                           const char *address, const char *mailbox,
                                           const char *client, enum sg_recipient_source *source_r);
/* Forgets all answers, those too that are being asked for. */
void sg_recipients_flush(struct sg_recipients *recipients);

/* What a server's reply to RCPT says of the mailbox. */
enum sg_recipient_answer sg_recipient_verdict(const struct sg_smtp_reply *reply);

#endif
