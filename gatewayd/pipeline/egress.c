#include "pipeline/egress.h"

#include "common/deadline.h"
#include "common/log.h"
#include "pipeline/metrics.h"
#include "schema/egress.h"

#include <pthread.h>
#include <stdlib.h>

struct sg_egress {
    struct sg_db *db;
    int64_t holds_ms;
    pthread_mutex_t lock; /* of all that follows */
    struct sg_networks *networks;
    uint64_t version;  /* of networks: connections within them are known by it */
    sg_deadline until; /* the set holds; 0: it is not known */
    bool told;         /* that none are configured */
};

struct sg_egress *sg_egress_new(struct sg_db *db, int64_t holds_ms)
{
    struct sg_egress *e = calloc(1, sizeof *e);
    if (!e)
        abort();
    e->db = db;
    e->holds_ms = holds_ms;
    pthread_mutex_init(&e->lock, NULL);
    return e;
}

void sg_egress_free(struct sg_egress **egress)
{
    if (!*egress)
        return;
    sg_networks_unref(&(*egress)->networks);
    pthread_mutex_destroy(&(*egress)->lock);
    free(*egress);
    *egress = NULL;
}

/* With the lock held: whoever comes meanwhile needs the answer too. */
static bool look_up(struct sg_egress *e, struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    const char *const *texts;
    struct sg_networks *found;
    size_t count;
    sg_deadline until = sg_deadline_in(e->holds_ms);
    if (!sg_egress_list(e->db, arena, &texts, &count, err) ||
        !sg_networks_new(texts, count, e->version + 1, &found, err))
        return false;
    if (e->networks && sg_bytes_equal(sg_networks_pack(e->networks), sg_networks_pack(found))) {
        sg_networks_unref(&found); /* connections made within these are as good as before */
    } else {
        sg_networks_unref(&e->networks);
        e->networks = found;
        e->version++;
    }
    e->until = until;
    if (count == 0 && !e->told)
        sg_log(SG_LOG_WARNING, "egress.not-configured", "effect",
               "secure mail is sent to any network", NULL);
    e->told = count == 0;
    sg_show_egress(count);
    return true;
}

bool sg_egress_get(struct sg_egress *egress, struct sg_networks **networks_r, struct sg_error *err)
{
    struct sg_egress *e = egress;
    *networks_r = NULL;
    pthread_mutex_lock(&e->lock);
    bool ok = (e->until && sg_deadline_left(e->until) > 0) || look_up(e, err);
    if (ok && sg_networks_count(e->networks) > 0)
        *networks_r = sg_networks_ref(e->networks);
    pthread_mutex_unlock(&e->lock);
    return ok;
}

void sg_egress_changed(struct sg_egress *egress)
{
    struct sg_error err = {0};
    pthread_mutex_lock(&egress->lock);
    egress->until = 0;
    if (!look_up(egress, &err))
        sg_log_error(SG_LOG_INFO, "egress.unknown", &err, NULL); /* who needs it tries again */
    pthread_mutex_unlock(&egress->lock);
}
