/*
 * What gatewayd reads of the configuration, kept: results of the queries that query_cache.c names,
 * by their parameters. The listener (listen.c) keeps it current. Inside schema/ alone.
 */
#ifndef SG_SCHEMA_QUERY_CACHE_H
#define SG_SCHEMA_QUERY_CACHE_H

#include "schema/db_internal.h"

#include "common/cache.h"

struct sg_conn;

#define SG_ROW_CHANNEL "sealgate_row"

struct sg_query_cache;

struct sg_query_cache *sg_query_cache_new(const struct sg_db_cache_options *options,
                                          int64_t wait_ms);
void sg_query_cache_free(struct sg_query_cache **cache);
/* NULL: the pool has none, or there is none. */
struct sg_query_cache *sg_db_query_cache(struct sg_db *db);

/* Is it kept? cache may be NULL. */
bool sg_query_cache_has(const struct sg_query_cache *cache, enum sg_query query);
/* The rows, borrowed until the reference is released. */
SG_MUST_USE bool sg_query_cache_get(struct sg_query_cache *cache, struct sg_db *db,
                                    enum sg_query query, const struct sg_params *params,
                                    struct sg_rows *rows_r, struct sg_cache_ref *ref_r,
                                    struct sg_error *err);
void sg_query_cache_release(struct sg_query_cache *cache, struct sg_cache_ref *ref);

/*
 * The listener (listen.c) gives it a connection that listens to SG_ROW_CHANNEL, whose calls end
 * within wait_ms, and takes it back before it closes it; what is kept is used in between alone.
 */
void sg_query_cache_connected(struct sg_query_cache *cache, struct sg_conn *conn);
struct sg_conn *sg_query_cache_disconnect(struct sg_query_cache *cache);
/* Readable when that connection does not answer any more. */
int sg_query_cache_lost_fd(const struct sg_query_cache *cache);
/*
 * The listener asks the server on another connection how often it has changed the tables that
 * results depend on, by its own count, which no trigger makes: before the cache is connected, and
 * whenever poll_in() is 0. What depends on a table that was changed is read again, told of or not;
 * the rest is as good as read then.
 */
SG_MUST_USE bool sg_query_cache_poll(struct sg_query_cache *cache, struct sg_conn *conn,
                                     struct sg_error *err);
/* Milliseconds until then. */
int sg_query_cache_poll_in(const struct sg_query_cache *cache);
/* sg_db_fresh() of it. */
void sg_query_cache_fresh(struct sg_query_cache *cache);

#endif
