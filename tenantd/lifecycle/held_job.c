/* Much held mail at once: a portion a transaction, so that no one of them is long. */
#include "lifecycle/kinds.h"
#include "schema/held_bulk.h"

#define PORTION 200

struct portion {
    struct sg_held_bulk bulk;
    struct sg_arena *arena;
    const char *after; /* the last id of the portion before */
    size_t found, changed;
};

static bool portion_do(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct portion *p = arg;
    return sg_held_bulk_portion(tx, p->arena, &p->bulk, PORTION, &p->after, &p->found, &p->changed,
                                err);
}

static const char *optional(const struct sg_job *job, const char *name)
{
    return json_string_value(json_object_get(job->payload, name));
}

/* Done twice it is as done once: what is not held any more is passed over. */
bool sg_held_bulk_job(struct sg_job *job, struct sg_error *err)
{
    struct portion p = {.arena = job->arena, .after = ""};
    if (!sg_job_string(job, "tenant_id", &p.bulk.tenant_id, err) ||
        !sg_job_string(job, "action", &p.bulk.action, err))
        return false;
    p.bulk.until = json_integer_value(json_object_get(job->payload, "until"));
    p.bulk.domain_id = optional(job, "domain_id");
    p.bulk.recipient_domain = optional(job, "recipient_domain");
    p.bulk.sender = optional(job, "sender");
    p.bulk.reason = optional(job, "reason");
    p.bulk.waiting_for = optional(job, "waiting_for");
    json_int_t total = 0;
    do {
        if (!sg_job_step(job, portion_do, &p, err))
            return false;
        total += (json_int_t)p.changed;
    } while (p.found == PORTION);
    json_t *result = json_pack("{s:I}", "count", total);
    bool ok = sg_job_commit(job, NULL, NULL, &result, err);
    json_decref(result);
    return ok;
}
