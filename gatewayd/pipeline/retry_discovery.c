/*
 * Discovery for held mail (REQ-51): each partner for whose certificate mail waits is looked up once
 * a round, however much of it waits, so that a certificate that was published, or a revocation list
 * that is back, is in use within a round and not only at the end of a long wait.
 */
#include "common/log.h"
#include "pipeline/outbound.h"
#include "pipeline/retry.h"
#include "schema/held.h"

#define AT_ONCE 50

static bool look_up(struct sg_gateway *gw, struct sg_arena *arena,
                    const struct sg_held_wanting *wanting, struct sg_error *err)
{
    struct sg_domain_policy policy;
    struct sg_cert_found found;
    if (!sg_domain_policy_load(gw->db, arena, wanting->domain_id, &policy, err))
        return false;
    struct sg_cert_wanted wanted = sg_outbound_wanted(&policy, wanting->partner, sg_clock_now());
    wanted.relying = wanting->domain_id;
    if (!sg_cert_discover(gw->certs, arena, &wanted, &found, err))
        return false;
    bool ok = !found.certificate || sg_held_wake(gw->db, wanting->partner, sg_clock_now(), err);
    if (found.certificate)
        sg_log(SG_LOG_INFO, "hold.certificate_found", "domain", wanting->partner, NULL);
    X509_free(found.certificate);
    return ok;
}

bool sg_retry_discovery_round(void *gateway)
{
    struct sg_gateway *gw = gateway;
    const char *after = "";
    SG_AUTO_ARENA names = sg_arena_new();
    for (size_t count = AT_ONCE; count == AT_ONCE;) {
        SG_AUTO_ARENA arena = sg_arena_new();
        struct sg_held_wanting *rows;
        struct sg_error err = {0};
        if (!sg_held_wanting(gw->db, arena, after, AT_ONCE, &rows, &count, &err)) {
            sg_log_error(SG_LOG_WARNING, "hold.discovery_failed", &err, NULL);
            return false;
        }
        for (size_t i = 0; i < count; i++) {
            struct sg_error why = {0};
            if (!look_up(gw, arena, &rows[i], &why))
                sg_log_error(SG_LOG_WARNING, "hold.discovery_failed", &why, "domain",
                             rows[i].partner, NULL);
        }
        if (count)
            after = sg_arena_strdup(names, rows[count - 1].partner);
    }
    return false;
}
