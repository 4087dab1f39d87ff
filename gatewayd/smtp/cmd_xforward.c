/* XFORWARD as Postfix has it (XFORWARD_README): attributes for the next transaction. */
#include "smtp/session_internal.h"

static const char *const names[XFORWARD_COUNT] = {"NAME", "ADDR",  "PORT",  "PROTO",
                                                  "HELO", "IDENT", "SOURCE"};

static int hex(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* xtext (RFC 3461 §4). What is no printable ASCII becomes "?", as in Postfix, and what is too long
 * is cut: it is for logs and headers, a stranger chooses it (HELO), and a refusal would cost us
 * IDENT. */
static bool xtext_decode(struct sg_bytes s, char *value_r)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        int c = s.data[i];
        if (c == '+') {
            if (s.len - i < 3 || hex(s.data[i + 1]) < 0 || hex(s.data[i + 2]) < 0)
                return false;
            c = hex(s.data[i + 1]) << 4 | hex(s.data[i + 2]);
            i += 2;
        }
        if (n < XFORWARD_VALUE - 1)
            value_r[n++] = (char)(c < 0x20 || c > 0x7e ? '?' : c);
    }
    value_r[n] = 0;
    return true;
}

static void normalise(int which, char *value)
{
    if (strcasecmp(value, "[UNAVAILABLE]") == 0 || strcasecmp(value, "[TEMPUNAVAIL]") == 0)
        value[0] = 0;
    if (which == XFORWARD_ADDR && strncasecmp(value, "IPv6:", 5) == 0)
        memmove(value, value + 5, strlen(value + 5) + 1);
}

static bool attribute(struct session_args *a, struct sg_bytes key, struct sg_bytes value)
{
    for (int i = 0; i < XFORWARD_COUNT; i++) {
        if (!sg_bytes_iequal(key, names[i]))
            continue;
        if (!xtext_decode(value, a->xforward[i]))
            return false;
        normalise(i, a->xforward[i]);
        a->given[i] = true;
        return true;
    }
    return false;
}

bool cmd_xforward_check(struct session *s, struct sg_bytes args, struct sg_smtp_reply *reply)
{
    struct sg_bytes key, value;
    int count = 0;
    memset(s->args.given, 0, sizeof s->args.given);
    for (; session_parameter(&args, &key, &value); count++) {
        if (!attribute(&s->args, key, value)) {
            sg_smtp_reply_set(reply, 501, "5.5.4", "bad XFORWARD attribute");
            return false;
        }
    }
    if (count > 0)
        return true;
    sg_smtp_reply_set(reply, 501, "5.5.4", "XFORWARD attribute=value is expected");
    return false;
}

void cmd_xforward(struct session *s)
{
    session_on(s, SESSION_ON_XFORWARD);
    for (int i = 0; i < XFORWARD_COUNT; i++)
        if (s->args.given[i])
            memcpy(s->xforward[i], s->args.xforward[i], XFORWARD_VALUE);
    session_say(s, 250, "2.0.0", "Ok");
}

void session_xforward_copy(struct session *s)
{
    const char *v[XFORWARD_COUNT];
    for (int i = 0; i < XFORWARD_COUNT; i++)
        v[i] = sg_arena_strdup(s->t.arena, s->xforward[i]);
    s->t.xforward = (struct sg_smtp_xforward){.name = v[XFORWARD_NAME],
                                              .addr = v[XFORWARD_ADDR],
                                              .port = v[XFORWARD_PORT],
                                              .proto = v[XFORWARD_PROTO],
                                              .helo = v[XFORWARD_HELO],
                                              .ident = v[XFORWARD_IDENT],
                                              .source = v[XFORWARD_SOURCE]};
}
