/*
 * Mail that tenantd itself sends: notices to customers, reports. To Postfix "out", which knows us
 * as a submitter and has our own gateway seal it. By libcurl, with TLS as it is configured.
 *
 * sg_mail_queue() is the way for what must arrive: a job in the caller's transaction, tried again
 * while the server is away. Its Message-ID follows from the job, so that the second copy that SMTP
 * allows after a lost reply is the same message.
 */
#ifndef SG_MAIL_MAIL_H
#define SG_MAIL_MAIL_H

#include "jobs/worker.h"

#define SG_MAIL_TO_MAX    50
#define SG_MAIL_BYTES_MAX (20 * 1024 * 1024) /* text and attachments */

enum sg_mail_tls {
    SG_MAIL_TLS_NONE,
    SG_MAIL_TLS_OPPORTUNISTIC, /* STARTTLS where offered, any certificate */
    SG_MAIL_TLS_REQUIRED,      /* STARTTLS or fail, any certificate */
    SG_MAIL_TLS_VERIFIED       /* STARTTLS, certificate by CA and host name */
};

/* [mail] of the configuration; the ctx of sg_mail_kinds. Strings "" where there is none. */
struct sg_mail_server {
    const char *host; /* "": no mail can be sent */
    int port;
    enum sg_mail_tls tls;
    const char *ca_file;                     /* PEM; "": the system's */
    const char *certificate_file, *key_file; /* ours, PEM */
    const char *source_address;              /* of the connection */
    const char *sender;                      /* envelope and From */
    int64_t timeout_ms;                      /* for the whole of it */
};

struct sg_mail_attachment {
    const char *name; /* of the file */
    const char *type; /* "text/csv" */
    struct sg_bytes data;
};

struct sg_mail {
    const char *const *to;
    size_t to_count;
    const char *subject; /* UTF-8, one line */
    const char *text;    /* UTF-8, lines end in \n */
    const struct sg_mail_attachment *attachments;
    size_t attachment_count;
    const char *message_id; /* left part; NULL: a new one */
};

/* local@domain in printable ASCII, without what would need quotes: what a mail may be sent to. */
bool sg_mail_is_address(const char *text);

/*
 * Sends it now. SG_E_CONFIG without a server; SG_E_INVALID where it cannot be a mail;
 * SG_E_SMTP_REJECTED (permanent), SG_E_SMTP_DEFERRED, SG_E_SMTP_CONNECT, SG_E_SMTP_TLS.
 */
SG_MUST_USE bool sg_mail_send(const struct sg_mail_server *server, const struct sg_mail *mail,
                              struct sg_error *err);

/*
 * A job mail.send in this transaction. once (may be NULL) names what the mail says: as long as the
 * job of another mail of that name is kept ([jobs] keep) there is no second. made_r may be NULL.
 */
SG_MUST_USE bool sg_mail_queue(struct sg_tx *tx, const char *tenant_id, const struct sg_mail *mail,
                               const char *once, bool *made_r, struct sg_error *err);

/* mail.send {"to", "subject", "text", "attachments": [{"name", "type", "data" in base64}]} */
extern const struct sg_job_kind sg_mail_kinds[];

#endif
