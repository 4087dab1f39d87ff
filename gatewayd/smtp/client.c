#include "smtp/client.h"

#include "smtp/address.h"
#include "smtp/pool.h"
#include "smtp/question.h"
#include "smtp/transaction.h"

#include <stdlib.h>

struct sg_smtp_client {
    struct sg_smtp_client_options options;
    struct smtp_pool *pool;
};

struct sg_smtp_client *sg_smtp_client_new(const struct sg_smtp_client_options *options)
{
    struct sg_smtp_client *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->options = *options;
    c->pool = smtp_pool_new(options->slots, options->connections, options->idle_ms);
    return c;
}

void sg_smtp_client_free(struct sg_smtp_client **client)
{
    if (!*client)
        return;
    smtp_pool_free(&(*client)->pool);
    free(*client);
    *client = NULL;
}

/* An address goes into a command line: nothing that is none may get there. */
static bool check(struct sg_smtp_envelope *e, struct sg_error *err)
{
    if (e->recipient_count == 0)
        return sg_fail(err, SG_E_INVALID, "a message without recipients");
    if (*e->sender && !sg_address_valid(sg_bytes_str(e->sender)))
        return sg_fail(err, SG_E_INVALID, "the sender's address is not valid");
    e->smtputf8 |= !sg_address_ascii(e->sender);
    for (size_t i = 0; i < e->recipient_count; i++) {
        if (!sg_address_valid(sg_bytes_str(e->recipients[i])))
            return sg_fail(err, SG_E_INVALID, "a recipient's address is not valid");
        e->smtputf8 |= !sg_address_ascii(e->recipients[i]);
    }
    return true;
}

static bool connect_to(struct sg_smtp_client *client, const struct sg_smtp_client_options *options,
                       struct smtp_place *place, const struct sg_smtp_destination *destination,
                       struct smtp_connection **connection_r, struct sg_error *err)
{
    SSL_CTX *tls;
    return smtp_pool_tls(client->pool, place, destination, &tls, err) &&
           smtp_connection_open(options, destination, tls, connection_r, err);
}

/*
 * Our own Postfix remembers for the life of a process which addresses it could not look up: mail to
 * them would be put off for as long as others keep that connection in use.
 */
static bool may_be_kept(const struct sg_smtp_destination *destination,
                        const struct sg_smtp_reply *replies, size_t count)
{
    for (size_t i = 0; destination->own_wait_ms && i < count; i++)
        if (replies[i].code / 100 == 4)
            return false;
    return true;
}

bool sg_smtp_client_send(struct sg_smtp_client *client,
                         const struct sg_smtp_destination *destination,
                         const struct sg_smtp_envelope *envelope,
                         const struct sg_smtp_piece *pieces, size_t piece_count,
                         struct sg_smtp_reply *replies_r, struct sg_error *err)
{
    struct sg_smtp_envelope e = *envelope;
    struct smtp_place *place;
    struct smtp_connection *c = NULL;
    struct sg_error own;
    err = err ? err : &own;
    sg_deadline slot_by = sg_deadline_in(destination->own_wait_ms ? destination->own_wait_ms
                                                                  : client->options.slot_wait_ms);
    if (!check(&e, err) || !smtp_pool_take(client->pool, destination, slot_by, &place, &c, err))
        return false;
    enum smtp_outcome outcome = SMTP_STALE;
    if (c) {
        c->reused = true;
        outcome = smtp_transact(c, &client->options, destination->lmtp, &e, pieces, piece_count,
                                replies_r, err);
        if (outcome == SMTP_STALE)
            smtp_connection_abort(&c);
    }
    if (outcome == SMTP_STALE) {
        outcome = SMTP_FAILED;
        if (connect_to(client, &client->options, place, destination, &c, err))
            outcome = smtp_transact(c, &client->options, destination->lmtp, &e, pieces, piece_count,
                                    replies_r, err);
    }
    if (outcome != SMTP_ANSWERED)
        smtp_connection_abort(&c);
    else if (!may_be_kept(destination, replies_r, e.recipient_count))
        smtp_connection_close(&c);
    smtp_pool_give(client->pool, &place, c);
    return outcome == SMTP_ANSWERED || outcome == SMTP_ANSWERED_CLOSE;
}

bool sg_smtp_client_ask(struct sg_smtp_client *client,
                        const struct sg_smtp_destination *destination, const char *address,
                        int64_t within_ms, struct sg_smtp_reply *reply_r, struct sg_error *err)
{
    struct sg_smtp_client_options options = client->options;
    struct smtp_place *place;
    struct smtp_connection *c = NULL;
    struct sg_error own;
    err = err ? err : &own;
    if (!sg_address_valid(sg_bytes_str(address)))
        return sg_fail(err, SG_E_INVALID, "the address is not valid");
    options.end = sg_deadline_in(within_ms);
    if (!smtp_pool_take(client->pool, destination, options.end, &place, &c, err))
        return false;
    bool keep = false;
    bool ok = c && smtp_question(c, &options, address, reply_r, &keep, err);
    if (!c || (!ok && err->code == SG_E_SMTP_CONNECT && sg_deadline_left(options.end) > 0)) {
        smtp_connection_abort(&c); /* the kept one was dead */
        ok = connect_to(client, &options, place, destination, &c, err) &&
             smtp_question(c, &options, address, reply_r, &keep, err);
    }
    if (!keep)
        smtp_connection_abort(&c);
    smtp_pool_give(client->pool, &place, c);
    return ok;
}
