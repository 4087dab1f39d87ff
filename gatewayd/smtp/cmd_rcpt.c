#include "smtp/session_internal.h"

bool cmd_rcpt_check(struct session *s, struct sg_bytes args, struct sg_smtp_reply *reply)
{
    struct sg_bytes key, value;
    if (!session_path(&args, "TO:", false, s->args.address, reply))
        return false;
    if (session_parameter(&args, &key, &value)) {
        sg_smtp_reply_set(reply, 555, "5.5.4", "unsupported parameter");
        return false;
    }
    if (s->t.smtputf8 || sg_address_ascii(s->args.address))
        return true;
    sg_smtp_reply_set(reply, 553, "5.6.7", "an address beyond ASCII needs SMTPUTF8");
    return false;
}

void cmd_rcpt(struct session *s)
{
    struct sg_smtp_transaction *t = &s->t;
    struct sg_smtp_reply reply;
    sg_smtp_reply_set(&reply, 250, "2.1.5", "Ok");
    if (t->recipient_count == (size_t)s->options->max_recipients)
        sg_smtp_reply_set(&reply, 452, "4.5.3", "too many recipients");
    else if (s->callbacks->rcpt)
        s->callbacks->rcpt(s->callbacks->ctx, t, s->args.address, &reply);
    if (reply.code / 100 == 2) {
        if (!t->recipients)
            t->recipients = SG_ARENA_ARRAY(t->arena, struct sg_smtp_recipient,
                                           (size_t)s->options->max_recipients);
        t->recipients[t->recipient_count++].address = sg_arena_strdup(t->arena, s->args.address);
        session_on(s, SESSION_ON_RCPT);
    } else {
        s->refused = true;
    }
    session_answer(s, &reply);
}
