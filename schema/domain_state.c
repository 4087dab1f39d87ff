#include "schema/domain_state.h"

#include "schema/db_internal.h"

static const struct {
    const char *from;
    enum sg_domain_event event;
    const char *to;
} table[] = {
    {"pending", SG_DOMAIN_ASKED, "pending"},     {"failed", SG_DOMAIN_ASKED, "pending"},
    {"attested", SG_DOMAIN_ASKED, "attested"},   {"suspended", SG_DOMAIN_ASKED, "suspended"},
    {"pending", SG_DOMAIN_PROVED, "verified"},   {"attested", SG_DOMAIN_PROVED, "verified"},
    {"suspended", SG_DOMAIN_PROVED, "verified"}, {"pending", SG_DOMAIN_EXPIRED, "failed"},
    {"attested", SG_DOMAIN_EXPIRED, "attested"}, {"verified", SG_DOMAIN_LOST, "suspended"},
    {"pending", SG_DOMAIN_REVOKED, "revoked"},   {"failed", SG_DOMAIN_REVOKED, "revoked"},
    {"attested", SG_DOMAIN_REVOKED, "revoked"},  {"verified", SG_DOMAIN_REVOKED, "revoked"},
    {"suspended", SG_DOMAIN_REVOKED, "revoked"},
};

const char *sg_domain_next_state(const char *state, enum sg_domain_event event)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].event == event && strcmp(table[i].from, state) == 0)
            return table[i].to;
    return NULL;
}

static bool lock(struct sg_tx *tx, struct sg_arena *arena, const char *domain_id,
                 const char **state_r, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    if (!sg_tx_query_one(tx, SG_Q_DOMAIN_STATE_LOCK, &p, &rows, "no such domain", err))
        return false;
    struct sg_row row = sg_row_at(&rows, 0, arena);
    *state_r = sg_row_text(&row);
    return sg_row_end(&row, err);
}

bool sg_domain_change(struct sg_tx *tx, struct sg_arena *arena, const char *domain_id,
                      enum sg_domain_event event, const char **from_r, struct sg_error *err)
{
    if (!lock(tx, arena, domain_id, from_r, err))
        return false;
    const char *to = sg_domain_next_state(*from_r, event);
    if (!to)
        return sg_fail(err, SG_E_CONFLICT, "the domain is %s", *from_r);
    if (strcmp(to, *from_r) == 0)
        return true;
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    sg_param_text(&p, to);
    sg_param_time(&p, sg_tx_now(tx));
    return sg_tx_query_one(tx, SG_Q_DOMAIN_STATE_SET, &p, NULL, "no such domain", err);
}
