#include "smtp/question.h"

#include "smtp/address.h"

enum { MAIL, RCPT, RSET, COMMANDS };

/* Servers slow down and hang up on who resets or is refused too often in a session (Postfix: after
 * 100 and 10 times): a new one is begun before. */
#define QUESTIONS_MOST 50
#define REFUSALS_MOST  5

static void command_add(struct smtp_connection *c, int which, const char *address)
{
    struct sg_buf *out = &c->stream.out;
    if (which == MAIL)
        sg_buf_addf(out, "MAIL FROM:<>%s\r\n", sg_address_ascii(address) ? "" : " SMTPUTF8");
    else if (which == RCPT)
        sg_buf_addf(out, "RCPT TO:<%s>\r\n", address);
    else
        sg_buf_adds(out, "RSET\r\n");
}

static bool reply_read(struct smtp_connection *c, const struct sg_smtp_client_options *o,
                       struct sg_smtp_reply *reply, struct sg_error *err)
{
    if (!smtp_connection_reply(c, reply, smtp_within(o, o->command_timeout_ms), err)) {
        if (err)
            err->code = SG_E_SMTP_CONNECT;
        return false;
    }
    return reply->code / 100 != 3 ||
           sg_fail(err, SG_E_SMTP_CONNECT, "a reply of %d does not fit the command", reply->code);
}

/* Of the commands, by turns or pipelined (RFC 2920); *count_r of the replies came. */
static bool converse(struct smtp_connection *c, const struct sg_smtp_client_options *o,
                     const char *address, struct sg_smtp_reply replies[COMMANDS], int *count_r,
                     struct sg_error *err)
{
    *count_r = 0;
    for (int i = 0; i < COMMANDS && c->pipelining; i++)
        command_add(c, i, address);
    for (int i = 0; i < COMMANDS; i++) {
        if (!c->pipelining)
            command_add(c, i, address);
        if (!reply_read(c, o, &replies[i], err))
            return false;
        *count_r = i + 1;
        if (replies[i].code == 421)
            return sg_fail(err, SG_E_SMTP_CONNECT, "the server closes: %.200s", replies[i].text);
    }
    return true;
}

bool smtp_question(struct smtp_connection *connection, const struct sg_smtp_client_options *options,
                   const char *address, struct sg_smtp_reply *reply_r, bool *keep_r,
                   struct sg_error *err)
{
    struct sg_smtp_reply replies[COMMANDS];
    int count = 0;
    *keep_r = false;
    if (!sg_address_ascii(address) && !connection->smtputf8) {
        sg_smtp_reply_set(reply_r, 550, "5.6.7", "the next hop does not offer SMTPUTF8");
        return *keep_r = true;
    }
    *keep_r = converse(connection, options, address, replies, &count, err) &&
              replies[RSET].code / 100 == 2;
    if (count > MAIL && replies[MAIL].code / 100 != 2 && replies[MAIL].code != 421)
        return sg_fail_lib(err, SG_E_SMTP_PEER, SG_LIB_SMTP, replies[MAIL].code,
                           "the null sender was refused: %d %.200s", replies[MAIL].code,
                           replies[MAIL].text);
    if (count <= RCPT || replies[RCPT].code == 421)
        return false;
    *reply_r = replies[RCPT];
    connection->questions++;
    connection->refusals += reply_r->code / 100 != 2;
    *keep_r =
        *keep_r && connection->questions < QUESTIONS_MOST && connection->refusals < REFUSALS_MOST;
    return true; /* whatever came of RSET */
}
