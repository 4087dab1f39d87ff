/* Within the folder: one message over one connection of the client. */
#ifndef SG_SMTP_TRANSACTION_H
#define SG_SMTP_TRANSACTION_H

#include "smtp/connection.h"

enum smtp_outcome {
    SMTP_ANSWERED, /* every recipient is; the connection may be kept */
    SMTP_ANSWERED_CLOSE,
    SMTP_STALE, /* a kept connection was gone before any content: nothing has happened */
    SMTP_FAILED /* nobody is answered for */
};

enum smtp_outcome smtp_transact(struct smtp_connection *connection,
                                const struct sg_smtp_client_options *options, bool lmtp,
                                const struct sg_smtp_envelope *envelope,
                                const struct sg_smtp_piece *pieces, size_t piece_count,
                                struct sg_smtp_reply *replies, struct sg_error *err);

#endif
