/* tenantd's configuration. */
#ifndef SG_TENANTD_SETTINGS_H
#define SG_TENANTD_SETTINGS_H

#include "common/config.h"
#include "common/daemon.h"
#include "directory/directory.h"
#include "domain/ownership.h"
#include "mail/mail.h"
#include "reporting/reporting.h"
#include "retention/retention.h"
#include "schema/db.h"

struct settings {
    char *conninfo, *password_file, *owner_conninfo, *owner_password_file;
    int64_t connections, wait_ms, statement_timeout_ms, lock_timeout_ms;
    char *hsm_socket;
    int64_t hsm_timeout_ms;
    int64_t workers, lease_ms, longest_ms, retry_ms, poll_ms, keep_ms, keep_dead_ms;
    int archive_kind;
    int64_t archive_bits;
    char *probes;
    int64_t probe_timeout_ms;
    char *report_zone, *report_provider, *report_administrator;
    int64_t report_delay_ms, report_sign_ms;
    int64_t directory_interval_ms, directory_timeout_ms, directory_retry_ms, directory_members;
    char *directory_version;
    int directory_classification;
    int64_t shrink_free, shrink_percent, shrink_members;
    char *mail_host, *mail_ca_file, *mail_certificate_file, *mail_key_file, *mail_source_address,
        *mail_sender;
    int64_t mail_port, mail_timeout_ms;
    int mail_tls;
    int64_t usage_lag_ms, usage_adjust_months, dispose_batch;
    char *ops_listen;
    bool confine;
    char *credentials_dir;
    int64_t authority_timeout_ms, authority_retry_ms, authority_retry_most_ms;
    int64_t authority_poll_ms, authority_poll_most_ms, order_again_ms;
    int64_t jitter_ms, grace_ms, publication_timeout_ms, destroy_after_ms;
    char *export_dir;
    int64_t export_keep_ms;
    bool destroy_keys;
    char *dns_trust_anchor, *dns_forwarders, *dns_reserved;
    int64_t dns_timeout_ms;
    struct sg_ownership_times ownership;
    int64_t postmaster_code_ms;
    int64_t clock_interval_ms, clock_tolerance_ms, clock_grace_ms;
    int log_level;
    char *clock_file;
};

/* The table, for sg_daemon_begin(). */
struct sg_daemon_spec settings_spec(struct settings *settings);
struct sg_mail_server settings_mail(const struct settings *settings);
/* mail is borrowed. */
struct sg_reporting settings_reporting(const struct settings *settings,
                                       const struct sg_mail_server *mail);
struct sg_dns_options settings_dns(const struct settings *settings);
struct sg_retention settings_retention(const struct settings *settings);
struct sg_directory_options settings_directory(const struct settings *settings);
/* As sg_tenant, and as sg_owner for migrations. */
struct sg_db_options settings_database(const struct settings *settings);
SG_MUST_USE bool settings_owner(const struct settings *settings, struct sg_db_options *options_r,
                                struct sg_error *err);

#endif
