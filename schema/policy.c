#include "schema/policy.h"

#include "schema/db_internal.h"

static const struct sg_domain_policy defaults = {
    .notice_form = "full",
    .notice_repeat_hours = 24,
    .notice_burst = 10,
    .notice_addition = "",
    .administrator_address = "",
    .administrator_notices = true,
    .unverified_action = "deliver",
    .unverified_form = "attached",
    .unknown_encrypted = "deliver_with_warning",
    .undecodable_action = "quarantine",
    .changed_certificate = "replace",
    .seal_to_correspondents = true,
    .crl_grace_hours = -1,
};

/* What no level sets is NULL and stays as it is. */
static void text(struct sg_row *r, const char **value)
{
    const char *set = sg_row_text(r);
    if (set)
        *value = set;
}
static void number(struct sg_row *r, int64_t *value)
{
    if (sg_row_is_null(r))
        sg_row_int(r);
    else
        *value = sg_row_int(r);
}
static void flag(struct sg_row *r, bool *value)
{
    if (sg_row_is_null(r))
        sg_row_bool(r);
    else
        *value = sg_row_bool(r);
}

static bool take(struct sg_row *r, int index, int count, void *arg, struct sg_error *err)
{
    struct sg_domain_policy *p = arg;
    (void)index, (void)count, (void)err;
    number(r, &p->hold_lifetime_hours);
    number(r, &p->hold_retry_minutes);
    text(r, &p->notice_form);
    number(r, &p->notice_repeat_hours);
    number(r, &p->notice_burst);
    text(r, &p->notice_addition);
    text(r, &p->administrator_address);
    flag(r, &p->administrator_notices);
    text(r, &p->unverified_action);
    text(r, &p->unverified_form);
    text(r, &p->unknown_encrypted);
    text(r, &p->undecodable_action);
    flag(r, &p->attachment_scanning);
    flag(r, &p->receipts_for_unauthenticated);
    flag(r, &p->seal_to_correspondents);
    flag(r, &p->discovery_approval);
    flag(r, &p->classification_approval);
    p->crl_bypass_until = sg_row_time(r);
    number(r, &p->crl_grace_hours);
    flag(r, &p->weak_algorithms);
    text(r, &p->changed_certificate);
    return true;
}

bool sg_domain_policy_load(struct sg_db *db, struct sg_arena *arena, const char *domain_id,
                           struct sg_domain_policy *policy_r, struct sg_error *err)
{
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    *policy_r = defaults;
    return sg_db_read(db, arena, SG_Q_POLICY_LOAD, &p, take, policy_r, err);
}

bool sg_domain_policy_read(struct sg_tx *tx, struct sg_arena *arena, const char *domain_id,
                           struct sg_domain_policy *policy_r, struct sg_error *err)
{
    SG_AUTO_ROWS rows = {0};
    struct sg_params p = {0};
    sg_param_text(&p, domain_id);
    *policy_r = defaults;
    if (!sg_tx_query(tx, SG_Q_POLICY_LOAD, &p, &rows, err))
        return false;
    if (rows.count == 0)
        return true;
    struct sg_row r = sg_row_at(&rows, 0, arena);
    return take(&r, 0, 1, policy_r, err) && sg_row_end(&r, err);
}

bool sg_policy_classification_approval(struct sg_tx *tx, bool *wanted_r, struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_ROWS rows = {0};
    *wanted_r = false;
    if (!sg_tx_query(tx, SG_Q_POLICY_CLASSIFICATION_APPROVAL, NULL, &rows, err))
        return false;
    if (rows.count == 0)
        return true;
    struct sg_row r = sg_row_at(&rows, 0, arena);
    *wanted_r = sg_row_bool(&r);
    return sg_row_end(&r, err);
}
