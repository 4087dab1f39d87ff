/*
 * Within the folder: kept connections and slots per destination. Connections in use and kept ones
 * of a destination together are never more than its slots.
 */
#ifndef SG_SMTP_POOL_H
#define SG_SMTP_POOL_H

#include "smtp/connection.h"

struct smtp_pool;
struct smtp_place; /* a destination's, while somebody uses it */

/* connections: as in sg_smtp_client_options. */
struct smtp_pool *smtp_pool_new(int slots, int connections, int64_t idle_ms);
/* Nobody may be using it. */
void smtp_pool_free(struct smtp_pool **pool);

/* Takes a slot, waiting for one until then. *connection_r is a kept connection, or NULL. */
SG_MUST_USE bool smtp_pool_take(struct smtp_pool *pool,
                                const struct sg_smtp_destination *destination, sg_deadline until,
                                struct smtp_place **place_r, struct smtp_connection **connection_r,
                                struct sg_error *err);
/* Gives the slot back, with a connection to keep or NULL. */
void smtp_pool_give(struct smtp_pool *pool, struct smtp_place **place,
                    struct smtp_connection *connection);
/* The TLS context of the place's destination, made once; it lives as long as the place is used. */
SG_MUST_USE bool smtp_pool_tls(struct smtp_pool *pool, struct smtp_place *place,
                               const struct sg_smtp_destination *destination, SSL_CTX **tls_r,
                               struct sg_error *err);

#endif
