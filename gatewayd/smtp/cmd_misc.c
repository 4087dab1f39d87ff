#include "smtp/session_internal.h"

bool cmd_no_args_check(struct session *s, struct sg_bytes args, struct sg_smtp_reply *reply)
{
    (void)s;
    for (size_t i = 0; i < args.len; i++) {
        if (args.data[i] != ' ') {
            sg_smtp_reply_set(reply, 501, "5.5.4", "no arguments are expected");
            return false;
        }
    }
    return true;
}

void cmd_rset(struct session *s)
{
    session_on(s, SESSION_ON_RESET);
    session_say(s, 250, "2.0.0", "Ok");
}

void cmd_noop(struct session *s)
{
    session_say(s, 250, "2.0.0", "Ok");
}

void cmd_vrfy(struct session *s)
{
    session_say(s, 252, "2.5.0", "send some mail, we shall try");
}

void cmd_quit(struct session *s)
{
    session_on(s, SESSION_ON_CLOSE);
    session_say(s, 221, "2.0.0", "Bye");
}
