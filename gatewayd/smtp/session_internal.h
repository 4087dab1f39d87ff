/*
 * What the files of a session share. Each verb has a check, which reads the arguments into
 * session.args or fills a refusal and changes nothing, and a proceed, which acts and answers.
 */
#ifndef SG_SMTP_SESSION_INTERNAL_H
#define SG_SMTP_SESSION_INTERNAL_H

#include "smtp/address.h"
#include "smtp/session.h"
#include "smtp/stream.h"

enum session_state {
    SESSION_START, /* not greeted */
    SESSION_READY, /* no transaction */
    SESSION_MAIL,  /* a sender */
    SESSION_RCPT,  /* and a recipient */
    SESSION_DATA,  /* content on its way */
    SESSION_CLOSED,
    SESSION_STATES
};

enum session_event {
    SESSION_ON_NOTHING, /* a verb that changes no state */
    SESSION_ON_HELLO,
    SESSION_ON_XFORWARD,
    SESSION_ON_MAIL,
    SESSION_ON_RCPT,
    SESSION_ON_DATA,
    SESSION_ON_END, /* of the content */
    SESSION_ON_RESET,
    SESSION_ON_CLOSE,
    SESSION_EVENTS
};

enum {
    XFORWARD_NAME,
    XFORWARD_ADDR,
    XFORWARD_PORT,
    XFORWARD_PROTO,
    XFORWARD_HELO,
    XFORWARD_IDENT,
    XFORWARD_SOURCE,
    XFORWARD_COUNT
};
#define XFORWARD_VALUE 256 /* 255 and NUL, as Postfix */

struct session_args {
    char address[SG_ADDRESS_MAX + 1]; /* MAIL, RCPT */
    bool smtputf8, body_8bit;         /* MAIL */
    bool given[XFORWARD_COUNT];
    char xforward[XFORWARD_COUNT][XFORWARD_VALUE];
};

struct session {
    const struct sg_smtp_server_options *options;
    const struct sg_smtp_callbacks *callbacks;
    struct listener_connection *connection;
    struct smtp_stream stream;
    struct sg_buf line;
    enum session_state state;
    int errors;
    bool refused; /* MAIL or RCPT was: a pipelining client may send the rest all the same */
    struct session_args args;
    char xforward[XFORWARD_COUNT][XFORWARD_VALUE]; /* for the next transaction */
    struct sg_smtp_transaction t;                  /* t.arena NULL: there is none */
};

struct session_verb {
    const char *name;
    enum session_event event;
    enum { ANY_PROTOCOL, ONLY_SMTP, ONLY_LMTP } protocol;
    /* NULL: no arguments to look at. */
    bool (*check)(struct session *s, struct sg_bytes args, struct sg_smtp_reply *reply);
    void (*proceed)(struct session *s);
};

bool session_may(const struct session *s, enum session_event event);
/* The one place where a session's state changes. What a transaction had is freed on leaving it. */
void session_on(struct session *s, enum session_event event);

/* Puts a reply into the output; what makes no sense on the wire becomes 451 or a generic code. */
void session_answer(struct session *s, const struct sg_smtp_reply *reply);
void session_say(struct session *s, int code, const char *enhanced, const char *text);
/* 421, and the connection ends. */
void session_close(struct session *s, const char *enhanced, const char *text);
/* Waits and errors of the peer's making. */
sg_deadline session_deadline(const struct session *s);

/* cmd_path.c: "FROM:<a@b>" and what follows it. */
bool session_path(struct sg_bytes *args, const char *keyword, bool null_allowed, char *address_r,
                  struct sg_smtp_reply *reply);
bool session_parameter(struct sg_bytes *args, struct sg_bytes *key_r, struct sg_bytes *value_r);

/* cmd_hello.c */
bool cmd_hello_check(struct session *s, struct sg_bytes args, struct sg_smtp_reply *reply);
void cmd_ehlo(struct session *s);
void cmd_helo(struct session *s);
/* cmd_xforward.c */
bool cmd_xforward_check(struct session *s, struct sg_bytes args, struct sg_smtp_reply *reply);
void cmd_xforward(struct session *s);
/* Into the arena of the transaction that begins. */
void session_xforward_copy(struct session *s);
/* cmd_mail.c */
bool cmd_mail_check(struct session *s, struct sg_bytes args, struct sg_smtp_reply *reply);
void cmd_mail(struct session *s);
/* cmd_rcpt.c */
bool cmd_rcpt_check(struct session *s, struct sg_bytes args, struct sg_smtp_reply *reply);
void cmd_rcpt(struct session *s);
/* cmd_data.c */
void cmd_data(struct session *s);
/* cmd_misc.c */
bool cmd_no_args_check(struct session *s, struct sg_bytes args, struct sg_smtp_reply *reply);
void cmd_rset(struct session *s);
void cmd_noop(struct session *s);
void cmd_vrfy(struct session *s);
void cmd_quit(struct session *s);

#endif
