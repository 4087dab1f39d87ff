#include "smtp/session_internal.h"

static bool too_large(struct sg_bytes digits, uint64_t max, struct sg_smtp_reply *reply)
{
    uint64_t n = 0;
    bool over = false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9' || digits.len > 20) {
            sg_smtp_reply_set(reply, 501, "5.5.4", "SIZE is not a number");
            return true;
        }
        over |= __builtin_mul_overflow(n, 10, &n);
        over |= __builtin_add_overflow(n, (uint64_t)(digits.data[i] - '0'), &n);
    }
    if (!over && n <= max)
        return false;
    sg_smtp_reply_set(reply, 552, "5.3.4", "message larger than %llu bytes",
                      (unsigned long long)max);
    return true;
}

static bool parameter(struct session *s, struct sg_bytes key, struct sg_bytes value,
                      struct sg_smtp_reply *reply)
{
    if (sg_bytes_iequal(key, "SIZE") && value.len)
        return !too_large(value, s->options->spool.max_bytes, reply);
    if (sg_bytes_iequal(key, "BODY") && sg_bytes_iequal(value, "8BITMIME"))
        return s->args.body_8bit = true;
    if (sg_bytes_iequal(key, "BODY") && sg_bytes_iequal(value, "7BIT"))
        return true;
    if (sg_bytes_iequal(key, "SMTPUTF8") && value.len == 0)
        return s->args.smtputf8 = true;
    sg_smtp_reply_set(reply, 555, "5.5.4", "unsupported parameter");
    return false;
}

bool cmd_mail_check(struct session *s, struct sg_bytes args, struct sg_smtp_reply *reply)
{
    struct sg_bytes key, value;
    s->args.body_8bit = s->args.smtputf8 = false;
    s->refused = true; /* until it is taken */
    if (!session_path(&args, "FROM:", true, s->args.address, reply))
        return false;
    while (session_parameter(&args, &key, &value))
        if (!parameter(s, key, value, reply))
            return false;
    if (s->args.smtputf8 || sg_address_ascii(s->args.address))
        return true;
    sg_smtp_reply_set(reply, 553, "5.6.7", "an address beyond ASCII needs SMTPUTF8");
    return false;
}

void cmd_mail(struct session *s)
{
    struct sg_smtp_reply reply;
    sg_smtp_reply_set(&reply, 250, "2.1.0", "Ok");
    s->t.arena = sg_arena_new();
    s->t.listener = s->options;
    s->t.sender = sg_arena_strdup(s->t.arena, s->args.address);
    s->t.smtputf8 = s->args.smtputf8;
    s->t.body_8bit = s->args.body_8bit;
    session_xforward_copy(s);
    if (s->callbacks->mail)
        s->callbacks->mail(s->callbacks->ctx, &s->t, &reply);
    if (reply.code / 100 == 2) {
        s->refused = false;
        session_on(s, SESSION_ON_MAIL);
    } else {
        sg_arena_free(&s->t.arena);
        memset(&s->t, 0, sizeof s->t);
    }
    session_answer(s, &reply);
}
