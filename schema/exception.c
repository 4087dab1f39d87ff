#include "schema/exception.h"

#include "schema/db_internal.h"

static bool take(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    (void)index, (void)count, (void)err;
    *(size_t *)arg = (size_t)sg_row_int(r);
    return true;
}

bool sg_exception_count(struct sg_db *db, struct sg_arena *arena, const char *domain_id,
                        const char *const *partners, size_t count, sg_time now, size_t *listed_r,
                        struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    sg_param_texts(&p, arena, partners, count);
    sg_param_time(&p, now);
    *listed_r = 0;
    return sg_db_read(db, arena, SG_Q_EXCEPTION_COUNT, &p, take, listed_r, err);
}
