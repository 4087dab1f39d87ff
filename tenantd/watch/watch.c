#include "watch/watch.h"

#include "common/log.h"
#include "schema/breach.h"
#include "watch/ticker.h"

#include <stdlib.h>

#define CODES_BATCH  2000
#define CODES_MS     1000 /* looks at least as often, should a notification be lost */
#define CODES_GAP_MS 100  /* between two batches of a storm: others may have the database */

struct sg_watch {
    struct sg_db *db;
    struct sg_ticker *codes;
};

static int64_t codes_tick(void *arg)
{
    struct sg_watch *w = arg;
    struct sg_error err = {0};
    int64_t taken = 0;
    if (!sg_breach_fold(w->db, CODES_BATCH, &taken, &err))
        sg_log_error(SG_LOG_WARNING, "breaches.not-counted", &err, NULL);
    return taken == CODES_BATCH ? CODES_GAP_MS : CODES_MS;
}

bool sg_watch_start(struct sg_db *db, struct sg_watch **watch_r, struct sg_error *err)
{
    struct sg_watch *w = calloc(1, sizeof *w);
    if (!w)
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    w->db = db;
    if (!sg_ticker_start(codes_tick, w, &w->codes, err)) {
        free(w);
        return false;
    }
    *watch_r = w;
    return true;
}

void sg_watch_codes(struct sg_watch *w)
{
    if (w)
        sg_ticker_wake(w->codes);
}

void sg_watch_stop(struct sg_watch **watch)
{
    struct sg_watch *w = *watch;
    if (!w)
        return;
    sg_ticker_stop(&w->codes);
    free(w);
    *watch = NULL;
}
