#include "pipeline/request.h"

#include "common/log.h"
#include "request/request.h"

bool sg_request_is(const char *address)
{
    return sg_request_is_asked(address) || sg_request_is_answered(address);
}

void sg_request_message(struct sg_message *m, const struct sg_domain_row *domain,
                        struct sg_rcpt *rcpt)
{
    struct sg_error err = {0};
    bool asked = sg_request_is_asked(rcpt->normalised);
    bool ok = sg_domain_active(domain) || sg_fail(&err, SG_E_BUSY, "the domain is suspended");
    ok = ok && (asked ? sg_request_answer(m, domain, rcpt, &err)
                      : sg_request_take(m, domain, rcpt, &err));
    if (ok) {
        sg_smtp_reply_set(&rcpt->reply, 250, "2.0.0", "%s %s", m->msg_id,
                          asked ? "certificate request" : "certificate answer");
        return;
    }
    sg_log_error(SG_LOG_WARNING, "request.deferred", &err, "msg_id", m->msg_id, "tenant", m->tenant,
                 NULL);
    sg_trace_error(&m->trace, "deferred", &err);
    sg_rcpt_defer(rcpt, &err);
}
