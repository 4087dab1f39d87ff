/* Figures of hsmd: operations and their time, sessions, circuit, caches. */
#ifndef SG_HSM_METRICS_H
#define SG_HSM_METRICS_H

#include "common/metrics.h"
#include "hsm/cache.h"
#include "hsmclient/protocol.h"

/* An operation has ended; op 0: the request was none. */
void sg_hsm_count(enum sg_hsm_op op, const struct sg_error *err, int64_t began_us);
enum sg_hsm_cache_name { SG_CACHE_TOKEN, SG_CACHE_WRAPPED };
/* An operation that its caller was told has not been answered in time. */
void sg_hsm_count_unanswered(void);
void sg_hsm_count_cache(enum sg_hsm_cache_name cache, enum sg_cache_found found);
/* Whether no memory of the process gets into swap. */
void sg_hsm_show_memory(bool is_locked);

struct sg_pool;
/* Sets the gauges. */
void sg_hsm_metrics_collect(struct sg_pool *pool);

extern struct sg_metric *const sg_hsm_metrics[];

#endif
