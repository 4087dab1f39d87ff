#include "settings.h"

#include "availability/probe.h"
#include "common/clock.h"
#include "common/log.h"
#include "confine/confine.h"
#include "monitor/monitor.h"
#include "schema/clock_watch.h"

#include <string.h>

static const char *const levels[] = {"debug", "info", "warning", "error", NULL};
static const char *const classifications[] = {"automatic", "approval", NULL};
static const char *const kinds[] = {"token", "wrapped", NULL};
static const char *const tls_levels[] = {"none", "opportunistic", "required", "verified", NULL};

#define AT(field) offsetof(struct settings, field)

static const struct sg_option options[] = {
    {"database", "conninfo", SG_OPT_STRING, AT(conninfo), NULL, 0, 0, NULL,
     "How to reach PostgreSQL as sg_tenant (libpq's conninfo, without a password)."},
    {"database", "password_file", SG_OPT_STRING, AT(password_file), "", 0, 0, NULL,
     "File with the password, or credential:NAME; empty for peer authentication."},
    {"database", "owner_conninfo", SG_OPT_STRING, AT(owner_conninfo), "", 0, 0, NULL,
     "How to reach PostgreSQL as sg_owner; for tenantd migrate alone."},
    {"database", "owner_password_file", SG_OPT_STRING, AT(owner_password_file), "", 0, 0, NULL,
     "File with the password of sg_owner."},
    {"database", "connections", SG_OPT_INT, AT(connections), "4", 1, 100, NULL,
     "Connections at most."},
    {"database", "wait", SG_OPT_DURATION, AT(wait_ms), "5s", 100, 60000, NULL,
     "How long to wait for a connection; of several hosts in conninfo each has its share."},
    {"database", "statement_timeout", SG_OPT_DURATION, AT(statement_timeout_ms), "30s", 100, 600000,
     NULL, "How long a statement may take."},
    {"database", "lock_timeout", SG_OPT_DURATION, AT(lock_timeout_ms), "2s", 10, 60000, NULL,
     "How long tenantd migrate waits for a table that others use, each of twenty times: so long "
     "mail may wait behind it."},
    {"hsm", "socket", SG_OPT_STRING, AT(hsm_socket), "/run/sealgate/hsmd.sock", 0, 0, NULL,
     "The socket of hsmd."},
    {"hsm", "timeout", SG_OPT_DURATION, AT(hsm_timeout_ms), "2m", 1000, 3600000, NULL,
     "How long an operation of the HSM may take; generating a long key takes a while."},
    {"jobs", "workers", SG_OPT_INT, AT(workers), "2", 1, 64, NULL, "Jobs done at the same time."},
    {"jobs", "lease", SG_OPT_DURATION, AT(lease_ms), "30s", 100, 86400000, NULL,
     "After this long a job is taken from a worker that was lost; renewed while it is at work."},
    {"jobs", "longest", SG_OPT_DURATION, AT(longest_ms), "1h", 1000, 604800000, NULL,
     "A job at work for longer hangs: its lease is not renewed any more."},
    {"jobs", "retry", SG_OPT_DURATION, AT(retry_ms), "5s", 10, 3600000, NULL,
     "First pause before a job is tried again; it doubles each time, up to a hundredfold."},
    {"jobs", "poll", SG_OPT_DURATION, AT(poll_ms), "30s", 100, 600000, NULL,
     "How often to look for jobs when no notification comes."},
    {"jobs", "keep", SG_OPT_DURATION, AT(keep_ms), "30d", 1000, 315360000000, NULL,
     "How long jobs that are done or cancelled can be seen."},
    {"jobs", "keep_dead", SG_OPT_DURATION, AT(keep_dead_ms), "90d", 1000, 315360000000, NULL,
     "How long jobs that failed for good can be seen, retried and cancelled."},
    {"archive", "key_kind", SG_OPT_ENUM, AT(archive_kind), "token", 0, 0, kinds,
     "Where a quarter's archive key is kept: on the token, or wrapped in the database."},
    {"archive", "key_bits", SG_OPT_INT, AT(archive_bits), "3072", 2048, 4096, NULL,
     "Size of a quarter's archive key: 2048, 3072 or 4096."},
    {"availability", "probes", SG_OPT_STRING, AT(probes), "", 0, 0, NULL,
     "What is looked at each minute: NAME=smtp:HOST:PORT, and of our daemons NAME=inet:HOST:PORT "
     "or "
     "NAME=unix:PATH (their [ops] listen), separated by blanks. Of one name one that is well "
     "suffices."},
    {"availability", "timeout", SG_OPT_DURATION, AT(probe_timeout_ms), "5s", 100, 30000, NULL,
     "What has not answered by then is down."},
    {"reports", "time_zone", SG_OPT_STRING, AT(report_zone), "Pacific/Auckland", 0, 0, NULL,
     "Whose months and days reports are about: a name of the tz database."},
    {"reports", "provider", SG_OPT_STRING, AT(report_provider), "Sealgate", 0, 0, NULL,
     "The provider's name on reports."},
    {"reports", "delay", SG_OPT_DURATION, AT(report_delay_ms), "12h", 0, 864000000, NULL,
     "From the end of a month until its reports are made: what came late is in the log by then."},
    {"directory", "interval", SG_OPT_DURATION, AT(directory_interval_ms), "15m", 1000, 86400000,
     NULL, "How often the lists of members are read from the directories."},
    {"directory", "timeout", SG_OPT_DURATION, AT(directory_timeout_ms), "10s", 100, 300000, NULL,
     "How long one operation of a directory may take."},
    {"directory", "retry", SG_OPT_DURATION, AT(directory_retry_ms), "30s", 100, 3600000, NULL,
     "For how long a directory that failed is asked only after the others; it doubles each time."},
    {"directory", "max_members", SG_OPT_INT, AT(directory_members), "100000", 1, 1000000, NULL,
     "A list with more members than this is not taken over."},
    {"directory", "version_attribute", SG_OPT_STRING, AT(directory_version), "description", 0, 0,
     NULL, "Attribute of a list that holds its version; without it, when its entry was changed."},
    {"directory", "classification", SG_OPT_ENUM, AT(directory_classification), "automatic", 0, 0,
     classifications,
     "Whether a domain is classified as soon as the lists say so, or after approval (REQ-55)."},
    {"directory", "shrink_free", SG_OPT_INT, AT(shrink_free), "2", 0, 1000000, NULL,
     "So many members may always leave a list at a time, if it does not become empty."},
    {"directory", "shrink_percent", SG_OPT_INT, AT(shrink_percent), "10", 0, 100, NULL,
     "If more than this part of a list leaves at a time, the change waits for approval."},
    {"directory", "shrink_members", SG_OPT_INT, AT(shrink_members), "100", 0, 1000000, NULL,
     "If more members than this leave at a time, the change waits for approval."},
    {"mail", "server", SG_OPT_STRING, AT(mail_host), "", 0, 0, NULL,
     "The mail server that takes our own mail: Postfix \"out\". Empty: no mail is sent."},
    {"mail", "port", SG_OPT_INT, AT(mail_port), "25", 1, 65535, NULL, "Its port."},
    {"mail", "tls", SG_OPT_ENUM, AT(mail_tls), "verified", 0, 0, tls_levels,
     "STARTTLS: never, where offered, always, or always with its certificate verified."},
    {"mail", "ca_file", SG_OPT_STRING, AT(mail_ca_file), "", 0, 0, NULL,
     "The CAs (PEM) that its certificate is verified by; empty for the system's."},
    {"mail", "certificate", SG_OPT_STRING, AT(mail_certificate_file), "", 0, 0, NULL,
     "Our certificate (PEM), by which Postfix \"out\" may know us as a submitter."},
    {"mail", "key", SG_OPT_STRING, AT(mail_key_file), "", 0, 0, NULL, "Its key (PEM)."},
    {"mail", "source_address", SG_OPT_STRING, AT(mail_source_address), "", 0, 0, NULL,
     "Address that we connect from, by which Postfix \"out\" may know us as a submitter."},
    {"mail", "sender", SG_OPT_STRING, AT(mail_sender), "", 0, 0, NULL,
     "Sender of our own mail, in a domain of the provider's that is hosted here."},
    {"mail", "timeout", SG_OPT_DURATION, AT(mail_timeout_ms), "1m", 100, 600000, NULL,
     "How long sending a mail may take."},
    {"reports", "sign_within", SG_OPT_DURATION, AT(report_sign_ms), "5d", 1000, 8640000000, NULL,
     "The breach and compliance reports go out when they are signed; later than this it is an "
     "incident."},
    {"reports", "administrator", SG_OPT_STRING, AT(report_administrator), "", 0, 0, NULL,
     "Address of the SecureMail Administrator, who gets the platform's breach, compliance and "
     "availability reports. Empty: nobody."},
    SG_MONITOR_OPTION(AT(ops_listen)),
    SG_CONFINE_OPTION(AT(confine)),
    {"authorities", "credentials_dir", SG_OPT_STRING, AT(credentials_dir), "", 0, 0, NULL,
     "Where the files lie that certification authorities' rows name: passwords (.est), TLS client "
     "certificates (.pem) and keys (.key), and of directories: passwords (.ldap). Empty: systemd's "
     "credentials."},
    {"authorities", "timeout", SG_OPT_DURATION, AT(authority_timeout_ms), "30s", 100, 600000, NULL,
     "How long an answer of an authority or a directory may take."},
    {"authorities", "retry", SG_OPT_DURATION, AT(authority_retry_ms), "30s", 10, 86400000, NULL,
     "First pause before an authority that is away is asked again; it doubles each time."},
    {"authorities", "retry_most", SG_OPT_DURATION, AT(authority_retry_most_ms), "6h", 10, 604800000,
     NULL, "That pause at most."},
    {"authorities", "poll", SG_OPT_DURATION, AT(authority_poll_ms), "10s", 10, 86400000, NULL,
     "While an authority considers (202) it is asked no sooner than this, whatever it says."},
    {"authorities", "poll_most", SG_OPT_DURATION, AT(authority_poll_most_ms), "1h", 10, 604800000,
     NULL, "And no later than this."},
    {"authorities", "again", SG_OPT_DURATION, AT(order_again_ms), "1h", 10, 2592000000, NULL,
     "After an order failed (what came was unfit, or the authority refused) another is made."},
    {"certificates", "jitter", SG_OPT_DURATION, AT(jitter_ms), "7d", 0, 7776000000, NULL,
     "Renewals are spread over this time before the authority's lead, by domain."},
    {"certificates", "grace", SG_OPT_DURATION, AT(grace_ms), "90d", 0, 315360000000, NULL,
     "After the end of its last certificate a key decrypts for this long; then it is retired."},
    {"certificates", "publication_timeout", SG_OPT_DURATION, AT(publication_timeout_ms), "1d", 1000,
     2592000000, NULL,
     "When a certificate is not in the directory by then, or a revoked one still is, an incident "
     "is "
     "opened."},
    {"export", "dir", SG_OPT_STRING, AT(export_dir), "", 0, 0, NULL,
     "Directory of tenants' exports, which apid reads; empty: none are made."},
    {"export", "keep", SG_OPT_DURATION, AT(export_keep_ms), "7d", 1000, 7776000000, NULL,
     "How long an export may be fetched."},
    {"keys", "destroy", SG_OPT_BOOL, AT(destroy_keys), "no", 0, 0, NULL,
     "Whether retired keys are destroyed. Mail under them that is kept cannot be opened any more."},
    {"keys", "destroy_after", SG_OPT_DURATION, AT(destroy_after_ms), "3650d", 0, 3153600000000,
     NULL, "How long after a key was retired."},
    {"dns", "trust_anchor", SG_OPT_STRING, AT(dns_trust_anchor), "/usr/share/dns/root.key", 0, 0,
     NULL, "The root's keys, from which on DNSSEC is validated: DS or DNSKEY, as in a zone file."},
    {"dns", "forwarders", SG_OPT_LIST, AT(dns_forwarders), "", 0, 0, NULL,
     "Resolvers to ask, ADDRESS or ADDRESS@PORT; empty: the servers are asked from the root on."},
    {"dns", "reserved", SG_OPT_LIST, AT(dns_reserved), "", 0, 0, NULL,
     "Reserved names (RFC 6761), as test, that these resolvers have all the same; for pilots."},
    {"dns", "timeout", SG_OPT_DURATION, AT(dns_timeout_ms), "15s", 100, 300000, NULL,
     "How long an answer may take."},
    {"ownership", "deadline", SG_OPT_DURATION, AT(ownership.deadline_ms), "30d", 1000, 31536000000,
     NULL, "How long the challenge of a claimed domain is looked for."},
    {"ownership", "first_pause", SG_OPT_DURATION, AT(ownership.first_ms), "1m", 100, 86400000, NULL,
     "First pause between looks at a record that is not found; it doubles."},
    {"ownership", "longest_pause", SG_OPT_DURATION, AT(ownership.longest_ms), "6h", 100, 604800000,
     NULL, "Longest pause between looks at a record that is not found."},
    {"ownership", "recheck", SG_OPT_DURATION, AT(ownership.recheck_ms), "1d", 1000, 2592000000,
     NULL, "How often a verified domain is looked at again."},
    {"ownership", "grace", SG_OPT_DURATION, AT(ownership.grace_ms), "7d", 1000, 31536000000, NULL,
     "How long the record of a verified domain may be missing until the domain is suspended."},
    {"ownership", "postmaster_code", SG_OPT_DURATION, AT(postmaster_code_ms), "3d", 1000,
     2592000000, NULL, "How long a code sent to a postmaster is good."},
    {"usage", "close_lag", SG_OPT_DURATION, AT(usage_lag_ms), "3d", 0, 2678400000, NULL,
     "How long after its end a month is closed for billing; what comes to light later is an "
     "adjustment."},
    {"usage", "adjust_months", SG_OPT_INT, AT(usage_adjust_months), "3", 1, 11, NULL,
     "So many closed months are counted again for adjustments; less than messages are kept at "
     "least."},
    {"retention", "batch", SG_OPT_INT, AT(dispose_batch), "5000", 1, 100000, NULL,
     "Rows that are deleted in one transaction where a whole month cannot be dropped."},
    {"log", "level", SG_OPT_ENUM, AT(log_level), "info", 0, 0, levels, "What is logged at least."},
    SG_CLOCK_WATCH_OPTIONS(AT(clock_interval_ms), AT(clock_tolerance_ms), AT(clock_grace_ms)),
    {"clock", "file", SG_OPT_STRING, AT(clock_file), "", 0, 0, NULL,
     "File with an offset of the clock in seconds; for tests, in builds that allow it."},
};

struct sg_reporting settings_reporting(const struct settings *s, const struct sg_mail_server *mail)
{
    return (struct sg_reporting){.time_zone = s->report_zone,
                                 .provider = s->report_provider,
                                 .delay_ms = s->report_delay_ms,
                                 .sign_within_ms = s->report_sign_ms,
                                 .administrator = s->report_administrator,
                                 .mail = mail};
}

struct sg_mail_server settings_mail(const struct settings *s)
{
    return (struct sg_mail_server){.host = s->mail_host,
                                   .port = (int)s->mail_port,
                                   .tls = (enum sg_mail_tls)s->mail_tls,
                                   .ca_file = s->mail_ca_file,
                                   .certificate_file = s->mail_certificate_file,
                                   .key_file = s->mail_key_file,
                                   .source_address = s->mail_source_address,
                                   .sender = s->mail_sender,
                                   .timeout_ms = s->mail_timeout_ms};
}

struct sg_dns_options settings_dns(const struct settings *s)
{
    return (struct sg_dns_options){.trust_anchor_file = s->dns_trust_anchor,
                                   .forwarders = s->dns_forwarders,
                                   .reserved = s->dns_reserved,
                                   .timeout_ms = s->dns_timeout_ms};
}

struct sg_retention settings_retention(const struct settings *s)
{
    return (struct sg_retention){.time_zone = s->report_zone,
                                 .close_lag_ms = s->usage_lag_ms,
                                 .adjust_months = s->usage_adjust_months,
                                 .dispose_batch = s->dispose_batch};
}

struct sg_directory_options settings_directory(const struct settings *s)
{
    return (struct sg_directory_options){.interval_ms = s->directory_interval_ms,
                                         .timeout_ms = s->directory_timeout_ms,
                                         .retry_ms = s->directory_retry_ms,
                                         .max_members = s->directory_members,
                                         .credentials_dir = s->credentials_dir,
                                         .version_attribute = s->directory_version,
                                         .approval = s->directory_classification == 1,
                                         .shrink_free = s->shrink_free,
                                         .shrink_percent = s->shrink_percent,
                                         .shrink_members = s->shrink_members};
}

static bool check(void *arg, struct sg_error *err)
{
    const struct settings *s = arg;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_probe *probes;
    size_t count;
    if (!sg_probes_parse(arena, s->probes, &probes, &count, err))
        return false;
    if (s->archive_bits % 1024 != 0)
        return sg_fail(err, SG_E_CONFIG, "key_bits in [archive] must be 2048, 3072 or 4096");
    if (*s->mail_host && !strchr(s->mail_sender, '@'))
        return sg_fail(err, SG_E_CONFIG, "sender in [mail] must be an address where server is set");
    if (s->ownership.first_ms > s->ownership.longest_ms)
        return sg_fail(err, SG_E_CONFIG,
                       "first_pause in [ownership] must not be longer than longest_pause");
    if ((*s->mail_certificate_file == 0) != (*s->mail_key_file == 0))
        return sg_fail(err, SG_E_CONFIG, "certificate and key in [mail] go together");
    return sg_monitor_address_check(s->ops_listen, err) && sg_clock_set_file(s->clock_file, err);
}

struct sg_daemon_spec settings_spec(struct settings *settings)
{
    return (struct sg_daemon_spec){.name = "tenantd",
                                   .options = options,
                                   .option_count = sizeof options / sizeof options[0],
                                   .settings = settings,
                                   .check = check};
}

struct sg_db_options settings_database(const struct settings *s)
{
    return (struct sg_db_options){.conninfo = s->conninfo,
                                  .password_file = s->password_file,
                                  .application = "tenantd",
                                  .actor = "tenantd",
                                  .connections = (int)s->connections,
                                  .wait_ms = s->wait_ms,
                                  .statement_timeout_ms = s->statement_timeout_ms};
}

bool settings_owner(const struct settings *s, struct sg_db_options *options_r, struct sg_error *err)
{
    if (!*s->owner_conninfo)
        return sg_fail(err, SG_E_CONFIG, "owner_conninfo in [database] must be set to migrate");
    *options_r = settings_database(s);
    options_r->conninfo = s->owner_conninfo;
    options_r->password_file = s->owner_password_file;
    options_r->application = "tenantd migrate";
    options_r->actor = "migrate";
    return true;
}
