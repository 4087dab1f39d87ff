/* Within the folder: does the server know an address? A transaction that ends before its content.
 */
#ifndef SG_SMTP_QUESTION_H
#define SG_SMTP_QUESTION_H

#include "smtp/connection.h"

/*
 * *reply_r is the reply to RCPT. false: SG_E_SMTP_CONNECT, or SG_E_SMTP_PEER where the null sender
 * was refused. *keep_r: the connection is as it was before, and may be used again.
 */
SG_MUST_USE bool smtp_question(struct smtp_connection *connection,
                               const struct sg_smtp_client_options *options, const char *address,
                               struct sg_smtp_reply *reply_r, bool *keep_r, struct sg_error *err);

#endif
