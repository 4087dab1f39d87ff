#include "domain/domain_internal.h"

#include "common/log.h"
#include "schema/api_ownership.h"
#include "schema/certificate_order.h"
#include "schema/incident.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

struct check {
    struct sg_job *job;
    const struct sg_ownership *ownership;
    struct sg_ownership_row row; /* as it was before the look */
    struct sg_dns_look look;
    json_t *result;
};

/* A tenth more or less, so that the domains of one day are not all looked at in one minute. */
static sg_time jitter(sg_time now, sg_time then)
{
    uint32_t dice = 0;
    if (then <= now || getrandom(&dice, sizeof dice, 0) != sizeof dice)
        return then;
    sg_time span = (then - now) / 10;
    return then - span + (sg_time)(dice % (uint64_t)(2 * span + 1));
}

/*
 * Somebody else has the name. Where its record is gone for longer than the grace it passes to who
 * proves it now; else that one waits, and the present owner is looked at soon.
 */
static bool rival_settle(struct sg_tx *tx, struct check *c, bool *free_r, struct sg_error *err)
{
    struct sg_arena *arena = c->job->arena;
    const char *id, *tenant, *state, *from;
    if (!sg_ownership_rival(tx, arena, c->row.name, c->row.domain_id, &id, &tenant, &state, err))
        return false;
    *free_r = !id;
    if (!id)
        return true;
    if (strcmp(state, "suspended") != 0)
        return sg_ownership_hurry(tx, id, err);
    *free_r = true;
    struct sg_incident_new incident = {
        .tenant_id = tenant,
        .domain_id = id,
        .kind = "domain.transferred",
        .severity = "critical",
        .summary = sg_arena_printf(arena, "%s was proved by another owner and is revoked here",
                                   c->row.name),
        .dedup_key = sg_arena_printf(arena, "domain.transferred %s", id)};
    return sg_domain_change(tx, arena, id, SG_DOMAIN_REVOKED, &from, err) &&
           sg_ownership_close(tx, id, err) && sg_incident_open(tx, &incident, err);
}

static bool write(struct sg_tx *tx, struct check *c, const struct sg_ownership_row *row,
                  const struct sg_ownership_plan *plan, sg_time now, struct sg_error *err)
{
    bool proved = plan->change && plan->event == SG_DOMAIN_PROVED;
    sg_time next = plan->next_check_at;
    if (next && next != plan->suspend_at && next != plan->deadline_at)
        next = jitter(now, next);
    struct sg_ownership_checked checked = {.domain_id = row->domain_id,
                                           .result = sg_dns_verdict_name(c->look.verdict),
                                           .dnssec = c->look.dnssec,
                                           .last_error = c->look.words,
                                           .deadline_at = plan->deadline_at,
                                           .next_check_at = next,
                                           .missing_since = plan->missing_since,
                                           .suspend_at = plan->suspend_at,
                                           .attempts = plan->attempts,
                                           .notices = plan->notices,
                                           .verified = proved,
                                           .give_up =
                                               plan->change && plan->event == SG_DOMAIN_EXPIRED};
    return sg_ownership_checked(tx, &checked, err);
}

/* What a domain needs as soon as it is proved. */
static bool begin(struct sg_tx *tx, const struct sg_ownership_row *row,
                  const struct sg_ownership_plan *plan, struct sg_error *err)
{
    return !plan->change || plan->event != SG_DOMAIN_PROVED ||
           sg_certificate_ensure(tx, row->tenant_id, row->domain_id, 0, err);
}

static bool settle(struct sg_tx *tx, void *arg, struct sg_error *err)
{
    struct check *c = arg;
    struct sg_arena *arena = c->job->arena;
    struct sg_ownership_row row;
    const char *from;
    bool found, is_free = true;
    json_decref(c->result);
    c->result = json_pack("{s:s, s:s}", "result", sg_dns_verdict_name(c->look.verdict), "dnssec",
                          c->look.dnssec);
    if (!sg_ownership_lock(tx, arena, c->row.domain_id, &row, &found, err))
        return false;
    /* Deleted, revoked or asked anew meanwhile: what was looked for says nothing now. */
    if (!found || strcmp(row.challenge, c->row.challenge) != 0 ||
        strcmp(row.state, "revoked") == 0 || strcmp(row.state, "failed") == 0)
        return true;
    struct sg_ownership_facts facts = {.state = row.state,
                                       .verdict = c->look.verdict,
                                       .now = sg_tx_now(tx),
                                       .asked_at = row.asked_at,
                                       .missing_since = row.missing_since,
                                       .attempts = row.attempts,
                                       .notices = row.notices};
    if (facts.verdict == SG_DNS_FOUND && strcmp(row.state, "verified") != 0 &&
        !rival_settle(tx, c, &is_free, err))
        return false;
    if (!is_free) {
        facts.verdict = SG_DNS_UNAVAILABLE;
        snprintf(c->look.words, sizeof c->look.words,
                 "the challenge was found, but the domain is another customer's here: it passes to "
                 "you when that one's proof has lapsed");
    }
    struct sg_ownership_plan plan = sg_ownership_decide(&facts, &c->ownership->times);
    return (!plan.change || sg_domain_change(tx, arena, row.domain_id, plan.event, &from, err)) &&
           write(tx, c, &row, &plan, facts.now, err) && begin(tx, &row, &plan, err) &&
           domain_notice(tx, arena, c->ownership, &row, &plan, c->look.words, err);
}

/* A resolver that cannot be made (its trust anchor is not there) says as little as one that hangs.
 */
static void look(struct check *c)
{
    const char *name = sg_arena_printf(c->job->arena, SG_CHALLENGE_LABEL ".%s", c->row.name);
    struct sg_error err = {0};
    if (!sg_dns_txt(&c->ownership->dns, name, c->row.challenge, &c->look, &err)) {
        sg_log_error(SG_LOG_ERROR, "domain.not-checked", &err, "domain", c->row.domain_id, NULL);
        c->look.verdict = SG_DNS_UNAVAILABLE;
        c->look.dnssec = "";
        snprintf(c->look.words, sizeof c->look.words, "%s", err.detail);
    }
    sg_log(c->look.verdict == SG_DNS_FOUND ? SG_LOG_DEBUG : SG_LOG_INFO, "domain.checked", "domain",
           c->row.domain_id, "tenant", c->row.tenant_id, "result",
           sg_dns_verdict_name(c->look.verdict), "dnssec", c->look.dnssec, NULL);
}

bool domain_check_job(struct sg_job *job, struct sg_error *err)
{
    struct check c = {.job = job, .ownership = job->ctx};
    const char *id;
    bool found;
    if (!sg_job_string(job, "domain_id", &id, err) ||
        !sg_ownership_find(job->db, job->arena, id, &c.row, &found, err))
        return false;
    bool wanted = found && *c.row.challenge && strcmp(c.row.state, "revoked") != 0 &&
                  strcmp(c.row.state, "failed") != 0;
    if (wanted)
        look(&c);
    else
        c.result = json_pack("{s:s}", "result", "not looked for");
    bool ok = sg_job_commit(job, wanted ? settle : NULL, &c, &c.result, err);
    json_decref(c.result);
    return ok;
}
