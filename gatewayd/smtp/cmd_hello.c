#include "smtp/session_internal.h"

bool cmd_hello_check(struct session *s, struct sg_bytes args, struct sg_smtp_reply *reply)
{
    (void)s;
    if (args.len && args.len <= 255)
        return true;
    sg_smtp_reply_set(reply, 501, "5.5.4", "a host name is expected");
    return false;
}

void cmd_ehlo(struct session *s)
{
    session_on(s, SESSION_ON_HELLO);
    sg_buf_addf(&s->stream.out,
                "250-%s\r\n"
                "250-PIPELINING\r\n"
                "250-SIZE %llu\r\n"
                "250-XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE\r\n"
                "250-ENHANCEDSTATUSCODES\r\n"
                "250-8BITMIME\r\n"
                "250 SMTPUTF8\r\n",
                s->options->hostname, (unsigned long long)s->options->spool.max_bytes);
}

void cmd_helo(struct session *s)
{
    session_on(s, SESSION_ON_HELLO);
    sg_buf_addf(&s->stream.out, "250 %s\r\n", s->options->hostname);
}
