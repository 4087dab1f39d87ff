#include "schema/egress.h"

#include "schema/db_internal.h"

struct set {
    const char **networks;
    size_t count;
};

static void fill(struct sg_row *row, void *item)
{
    struct set *set = item;
    set->networks = sg_row_texts(row, &set->count);
}

bool sg_egress_list(struct sg_db *db, struct sg_arena *arena, const char *const **networks_r,
                    size_t *count_r, struct sg_error *err)
{
    struct set set = {0};
    bool found;
    if (!sg_db_find(db, arena, SG_Q_EGRESS_LIST, NULL, fill, &set, &found, err))
        return false;
    *networks_r = set.networks;
    *count_r = set.count;
    return true;
}

bool sg_api_egress_list(struct sg_tx *tx, struct sg_arena *arena, const char *const **networks_r,
                        size_t *count_r, struct sg_error *err)
{
    struct set set = {0};
    bool found;
    if (!sg_tx_find(tx, arena, SG_Q_EGRESS_LIST, NULL, fill, &set, &found, err))
        return false;
    *networks_r = set.networks;
    *count_r = set.count;
    return true;
}

bool sg_api_egress_set(struct sg_tx *tx, struct sg_arena *arena, const char *const *networks,
                       size_t count, struct sg_error *err)
{
    struct sg_params those = {0}, all = {0};
    sg_param_texts(&those, arena, networks, count);
    sg_param_texts(&all, arena, networks, count);
    sg_param_time(&all, sg_tx_now(tx));
    return sg_tx_query(tx, SG_Q_EGRESS_DELETE, &those, NULL, err) &&
           sg_tx_query(tx, SG_Q_EGRESS_INSERT, &all, NULL, err);
}
