#include "schema/availability.h"

#include "schema/db_internal.h"

bool sg_availability_insert(struct sg_tx *tx, const struct sg_availability_sample *sample,
                            struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_time(&p, sample->minute);
    sg_param_text(&p, sample->component);
    sg_param_text(&p, sample->node);
    sg_param_bool(&p, sample->ok);
    sg_param_text(&p, sample->detail);
    return sg_tx_query(tx, SG_Q_AVAILABILITY_INSERT, &p, NULL, err);
}
