/*
 * Discovery for held mail (REQ-51): each domain for whose certificate mail waits, a partner's or
 * our own, is looked up once a round by each policy of our domains, however much of it waits, so
 * that a certificate that was published, or a revocation list that is back, is in use within a
 * round and not only at the end of a long wait.
 */
#include "common/log.h"
#include "pipeline/outbound.h"
#include "pipeline/retry.h"
#include "schema/held.h"

#define AT_ONCE 200

static bool look_up(struct sg_gateway *gw, struct sg_arena *arena,
                    const struct sg_held_wanting *wanting, struct sg_error *err)
{
    struct sg_domain_policy policy;
    struct sg_cert_found found;
    if (!sg_domain_policy_load(gw->db, arena, wanting->domain_id, &policy, err))
        return false;
    struct sg_cert_wanted wanted = sg_outbound_wanted(&policy, wanting->name, sg_clock_now());
    wanted.relying = wanting->domain_id;
    if (!sg_outbound_discover(gw, arena, &wanted, &found, err))
        return false;
    bool ok =
        !found.certificate || sg_held_wake(gw->db, wanting, SG_RETRY_PORTION, sg_clock_now(), err);
    if (found.certificate)
        sg_log(SG_LOG_INFO, "hold.certificate_found", "domain", wanting->name, NULL);
    X509_free(found.certificate);
    return ok;
}

static bool can_sign(struct sg_gateway *gw, struct sg_arena *arena,
                     const struct sg_held_wanting *wanting, sg_time now, bool *can_r,
                     struct sg_error *err)
{
    SG_AUTO_KEYRING keyring = {0};
    struct sg_keyring_item *signer = NULL;
    struct sg_cert_facts facts = {0};
    bool ok = sg_keyring_load(gw, arena, wanting->domain_id, wanting->name, &keyring, err) &&
              sg_keyring_signer(&keyring, arena, now, &signer, &facts, err);
    *can_r = signer;
    return ok;
}

/* REQ-67: our own, whose revocation list may have been away. */
static bool look_up_own(struct sg_gateway *gw, struct sg_arena *arena,
                        const struct sg_held_wanting *wanting, struct sg_error *err)
{
    sg_time now = sg_clock_now();
    bool can = false;
    if (!sg_outbound_discovery_begin(arena, wanting->name, wanting->domain_id, err))
        return false;
    bool ok = can_sign(gw, arena, wanting, now, &can, err);
    sg_outbound_discovery_end();
    return ok && (!can || sg_held_wake_own(gw->db, wanting, SG_RETRY_PORTION, now, err));
}

struct round {
    bool (*list)(struct sg_db *db, struct sg_arena *arena, const struct sg_held_wanting *after,
                 int limit, struct sg_held_wanting **rows_r, size_t *count_r, struct sg_error *err);
    bool (*look_up)(struct sg_gateway *gw, struct sg_arena *arena,
                    const struct sg_held_wanting *wanting, struct sg_error *err);
};

static void go_round(struct sg_gateway *gw, const struct round *round)
{
    struct sg_held_wanting last, *after = NULL;
    SG_AUTO_ARENA names = sg_arena_new();
    for (size_t count = AT_ONCE; count == AT_ONCE;) {
        SG_AUTO_ARENA arena = sg_arena_new();
        struct sg_held_wanting *rows;
        struct sg_error err = {0};
        if (!round->list(gw->db, arena, after, AT_ONCE, &rows, &count, &err)) {
            sg_log_error(SG_LOG_WARNING, "hold.discovery_failed", &err, NULL);
            return;
        }
        for (size_t i = 0; i < count; i++) {
            struct sg_error why = {0};
            if (!round->look_up(gw, arena, &rows[i], &why))
                sg_log_error(SG_LOG_WARNING, "hold.discovery_failed", &why, "domain", rows[i].name,
                             NULL);
        }
        if (count) {
            last = (struct sg_held_wanting){.name = sg_arena_strdup(names, rows[count - 1].name),
                                            .domain_id =
                                                sg_arena_strdup(names, rows[count - 1].domain_id)};
            after = &last;
        }
    }
}

bool sg_retry_discovery_round(void *gateway)
{
    static const struct round partners = {sg_held_wanting, look_up};
    static const struct round own = {sg_held_wanting_own, look_up_own};
    const struct sg_gateway *gw = gateway;
    sg_db_fresh(gw->db);
    go_round(gateway, &own);
    go_round(gateway, &partners);
    return false;
}
