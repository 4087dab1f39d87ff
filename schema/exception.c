#include "schema/exception.h"

#include "schema/db_internal.h"

struct listed {
    sg_time now;
    size_t count;
};

static bool take(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)index, (void)count, (void)err;
    struct listed *listed = arg;
    sg_time expires_at = sg_row_time(r);
    if (!expires_at || expires_at > listed->now)
        listed->count++;
    return true;
}

bool sg_exception_count(struct sg_db *db, struct sg_arena *arena, const char *domain_id,
                        const char *const *partners, size_t count, sg_time now, size_t *listed_r,
                        struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    sg_param_texts(&p, arena, partners, count);
    struct listed listed = {.now = now};
    bool ok = sg_db_read(db, arena, SG_Q_EXCEPTION_LIST, &p, take, &listed, err);
    *listed_r = listed.count;
    return ok;
}
