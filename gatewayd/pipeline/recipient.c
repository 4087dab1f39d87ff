#include "pipeline/recipient.h"

#include "common/log.h"
#include "pipeline/gateway.h"
#include "pipeline/metrics.h"
#include "pipeline/next_hop.h"
#include "pipeline/ping.h"
#include "pipeline/request.h"
#include "schema/domain.h"
#include "smtp/address.h"

#include <stdio.h>

/* Is the local part one of the list's? */
static bool listed(const char *list, const char *address)
{
    size_t n = (size_t)(strrchr(address, '@') - address);
    for (const char *p = list; *p;) {
        size_t len = strcspn(p, " ");
        if (len == n && strncasecmp(p, address, n) == 0)
            return true;
        p += len + strspn(p + len, " ");
    }
    return false;
}

/* Which server, and what it says. In doubt he is let in: inbound.c defers or refuses. */
static enum sg_recipient_answer ask(struct sg_gateway *gw, struct sg_arena *arena,
                                    const char *given, const char *address, const char *client,
                                    enum sg_recipient_source *source_r)
{
    struct sg_domain_row domain;
    struct sg_smtp_destination server;
    struct sg_error err = {0};
    bool found = false;
    sg_db_fresh(gw->db);
    if (!sg_domain_find_by_name(gw->db, arena, sg_address_domain(address), &domain, &found, &err) ||
        (found && sg_domain_active(&domain) &&
         !sg_next_hop(gw, arena, domain.id, &server, &found, &err))) {
        sg_log_error(SG_LOG_WARNING, "recipients.no-database", &err, NULL);
        return SG_RECIPIENT_UNDECIDED;
    }
    if (!found || !sg_domain_active(&domain))
        return SG_RECIPIENT_UNDECIDED;
    server.owner = domain.tenant_id;
    return sg_recipients_ask(gw->recipients, &server, given, address, client, source_r);
}

static enum sg_recipient_answer decide(struct sg_gateway *gw, struct sg_arena *arena,
                                       const struct sg_policy_request *request)
{
    SG_MEASURE(SG_STAGE_RECIPIENT);
    enum sg_recipient_answer answer;
    enum sg_recipient_source source = SG_RECIPIENT_UNASKED;
    const char *given = sg_address_quote(arena, sg_policy_attribute(request, "recipient"));
    if (!given || listed(gw->unasked, given))
        return SG_RECIPIENT_UNDECIDED;
    const char *address = sg_address_normalise(arena, given);
    if (sg_ping_is(gw, address) || sg_request_is(address))
        return SG_RECIPIENT_UNDECIDED; /* it is answered here */
    if (sg_recipients_recall(gw->recipients, address, &answer))
        source = SG_RECIPIENT_REMEMBERED;
    else
        answer =
            ask(gw, arena, given, address, sg_policy_attribute(request, "client_address"), &source);
    sg_count_asked(answer, source);
    return answer;
}

void sg_recipient_decide(void *gateway, const struct sg_policy_request *request, char *action,
                         size_t size)
{
    struct sg_gateway *gw = gateway;
    SG_AUTO_ARENA arena = sg_arena_new();
    enum sg_recipient_answer answer = SG_RECIPIENT_UNDECIDED;
    /* A bounce is answered by nobody, and whoever verifies senders asks with the null sender. */
    if (gw->recipients && strcmp(sg_policy_attribute(request, "protocol_state"), "RCPT") == 0 &&
        *sg_policy_attribute(request, "sender"))
        answer = decide(gw, arena, request);
    if (answer == SG_RECIPIENT_UNKNOWN)
        snprintf(action, size, "550 5.1.1 there is no such mailbox");
    else if (answer == SG_RECIPIENT_LATER)
        snprintf(action, size, "450 4.7.1 too many unknown recipients, try again later");
    else
        snprintf(action, size, "DUNNO");
}
