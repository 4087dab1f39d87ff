#include "pipeline/edge.h"

#include "common/log.h"
#include "pipeline/gateway.h"
#include "pipeline/metrics.h"
#include "pipeline/registry.h"
#include "schema/domain.h"
#include "schema/submitter.h"
#include "smtp/address.h"

#include <ctype.h>
#include <stdio.h>

/* Postfix writes fingerprints as "AB:CD:…"; ours are lower-case hexadecimal. */
static void fingerprint_normalise(const char *given, char out[65])
{
    size_t n = 0;
    for (; *given && n < 64; given++)
        if (*given != ':')
            out[n++] = (char)tolower((unsigned char)*given);
    out[n == 64 && !*given ? 64 : 0] = 0;
}

enum answer { ANSWER_YES, ANSWER_UNKNOWN_CLIENT, ANSWER_FOREIGN_SENDER, ANSWER_SUSPENDED };

static bool ask(struct sg_gateway *gw, struct sg_arena *arena,
                const struct sg_policy_request *request, struct sg_submission *s,
                enum answer *answer_r, struct sg_error *err)
{
    char fingerprint[65];
    struct sg_submitter_row submitter;
    struct sg_domain_row domain;
    bool found;
    sg_db_fresh(gw->db);
    fingerprint_normalise(sg_policy_attribute(request, "ccert_fingerprint"), fingerprint);
    if (!sg_submitter_match(gw->db, arena, sg_policy_attribute(request, "client_address"),
                            fingerprint, &submitter, &found, err))
        return false;
    *answer_r = ANSWER_UNKNOWN_CLIENT;
    if (!found)
        return true;
    *answer_r = ANSWER_SUSPENDED; /* REQ-142: it may be lifted, so the mail is to wait */
    if (strcmp(submitter.tenant_state, "active") != 0)
        return true;
    s->tenant = submitter.tenant_id;
    s->submitter = submitter.id;
    s->sender = sg_submission_sender(arena, sg_policy_attribute(request, "sender"), false);
    s->queue_id = sg_policy_attribute(request, "queue_id");
    s->at = sg_clock_now();
    *answer_r = ANSWER_YES;
    if (!*s->sender)
        return true; /* the customer's own bounce; its From is checked on the message path */
    const char *name = sg_address_domain(s->sender);
    *answer_r = ANSWER_FOREIGN_SENDER;
    if (!name)
        return true;
    if (!sg_domain_find_by_name(gw->db, arena, name, &domain, &found, err))
        return false;
    if (found && strcmp(domain.tenant_id, s->tenant) == 0 && sg_domain_active(&domain))
        *answer_r = ANSWER_YES;
    else if (found && strcmp(domain.tenant_id, s->tenant) == 0 && sg_domain_waits(&domain))
        *answer_r = ANSWER_SUSPENDED;
    return true;
}

void sg_edge_decide(void *gateway, const struct sg_policy_request *request, char *action,
                    size_t size)
{
    struct sg_gateway *gw = gateway;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_submission s = {0};
    struct sg_error err = {0};
    enum answer answer;
    char value[256];
    if (strcmp(sg_policy_attribute(request, "protocol_state"), "DATA") != 0) {
        snprintf(action, size, "DUNNO");
    } else if (!*sg_policy_attribute(request, "queue_id")) {
        snprintf(action, size, "451 4.3.5 no queue id");
    } else if (!ask(gw, arena, request, &s, &answer, &err) ||
               (answer == ANSWER_YES &&
                !sg_submission_make(&gw->submission, &s, value, sizeof value, &err))) {
        sg_count_edge("later");
        sg_log_error(SG_LOG_WARNING, "edge.deferred", &err, NULL);
        snprintf(action, size, "451 4.3.0 try again later");
    } else if (answer == ANSWER_YES) {
        sg_count_edge("yes");
        sg_registry_announce(gw->registry, "outbound", s.queue_id, s.tenant);
        snprintf(action, size, "PREPEND " SG_SUBMISSION_HEADER ": %s", value);
    } else if (answer == ANSWER_SUSPENDED) {
        sg_count_edge("later"); /* the customer's server keeps its mail */
        snprintf(action, size, "450 4.7.1 the sender's domain is suspended");
    } else {
        sg_count_edge("no");
        sg_log(SG_LOG_INFO, "edge.refused", "queue_id", sg_policy_attribute(request, "queue_id"),
               "reason", answer == ANSWER_UNKNOWN_CLIENT ? "client" : "sender", NULL);
        snprintf(action, size, "550 5.7.1 %s",
                 answer == ANSWER_UNKNOWN_CLIENT
                     ? "this client submits for no customer of this gateway"
                     : "the sender's domain is not the submitting customer's");
    }
}
