/*
 * Whose a domain is (REQ-135): its challenge is looked for in the DNS, with DNSSEC validated here;
 * and whether its postmaster account answers (REQ-182).
 *
 *   domain.check {"domain_id"}     one look, and what follows from it (decide.h)
 *   postmaster.send {"domain_id"}  a code by mail, straight to the domain's next hop
 *
 * sg_ownership_sweep() makes the first for every domain that is due. The state lies in the tables
 * alone: a job that is lost or cancelled takes no check away.
 */
#ifndef SG_DOMAIN_OWNERSHIP_H
#define SG_DOMAIN_OWNERSHIP_H

#include "domain/decide.h"
#include "domain/dns.h"
#include "jobs/worker.h"
#include "mail/mail.h"
#include "smtp/client.h"

/* The ctx of sg_ownership_kinds. */
struct sg_ownership {
    struct sg_dns_options dns;
    struct sg_ownership_times times;
    const struct sg_mail_server *mail;
    struct sg_smtp_client *smtp; /* towards next hops */
    int64_t code_ms;             /* how long a postmaster's code is good */
};

extern const struct sg_job_kind sg_ownership_kinds[];

SG_MUST_USE bool sg_ownership_sweep(struct sg_db *db, sg_time now, struct sg_error *err);

#endif
