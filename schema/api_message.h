/* Retention log (REQ-117) and trace, as the REST API sees them. */
#ifndef SG_SCHEMA_API_MESSAGE_H
#define SG_SCHEMA_API_MESSAGE_H

#include "schema/api_page.h"

struct sg_api_recipient {
    const char *msg_id, *recipient, *outcome, *verdict;
    const char **codes;
    size_t code_count;
    const char *reply;
    sg_time outcome_at;
};

struct sg_api_message {
    struct sg_api_key key; /* received_at */
    const char *tenant_id, *direction, *node, *queue_id, *sender, *header_from, *message_id,
        *client_address;
    int64_t size_bytes;
    struct sg_bytes body_sha256; /* empty: none */
    sg_time sent_at;             /* as the sender claims; 0: not known */
    struct sg_api_recipient *recipients;
    size_t recipient_count;
};

/* NULL and 0 filter nothing; all that is set must hold. Addresses normalised. */
struct sg_api_message_filter {
    sg_time from, to; /* received at from or later, before to */
    const char *sender, *sender_domain, *recipient, *recipient_domain, *message_id, *queue_id,
        *direction, *client;
    const char *domain;            /* of the sender or of a recipient */
    const char *outcome, *verdict; /* of a recipient (the same one, where several are asked for) */
    const char *code;              /* of table 3, that a recipient has or had */
};

SG_MUST_USE bool sg_api_message_find(struct sg_tx *tx, struct sg_arena *arena,
                                     const char *tenant_id, const char *id,
                                     struct sg_api_message *row_r, struct sg_error *err);
/* tenant_id NULL: of the whole platform. */
SG_MUST_USE bool sg_api_message_list(struct sg_tx *tx, struct sg_arena *arena,
                                     const char *tenant_id,
                                     const struct sg_api_message_filter *filter,
                                     const struct sg_api_page *page, struct sg_api_message **rows_r,
                                     size_t *count_r, struct sg_error *err);

/*
 * Writes in the audit log that the provider read what is a customer's (REQ-117): object "message",
 * object_id a message's id or "" for a search, parameters a JSON object. For pools of sg_provider.
 */
SG_MUST_USE bool sg_api_audit_read(struct sg_tx *tx, const char *tenant_id, const char *object,
                                   const char *object_id, const char *parameters,
                                   struct sg_error *err);

struct sg_api_trace {
    struct sg_api_key key; /* at; the id orders what happened at one instant */
    int64_t seq;
    const char *step, *requirement;
    const char *detail; /* a JSON object */
};

SG_MUST_USE bool sg_api_trace_list(struct sg_tx *tx, struct sg_arena *arena, const char *tenant_id,
                                   const char *msg_id, const struct sg_api_page *page,
                                   struct sg_api_trace **rows_r, size_t *count_r,
                                   struct sg_error *err);

#endif
