/*
 * tenantd: the jobs of tenants and domains, out of a table in PostgreSQL; any number may run.
 *     tenantd -c FILE           the daemon
 *     tenantd migrate -c FILE   brings the schema to this program's state
 *     tenantd token -c FILE …   makes a token for the API
 */
#include "availability/sampler.h"
#include "certlife/certlife.h"
#include "commands.h"
#include "common/log.h"
#include "confine/confine.h"
#include "directory/directory.h"
#include "domain/ownership.h"
#include "housekeeping.h"
#include "jobs/metrics.h"
#include "jobs/worker.h"
#include "lifecycle/lifecycle.h"
#include "mail/mail.h"
#include "operation.h"
#include "reporting/reporting.h"
#include "retention/retention.h"
#include "schema/clock_watch.h"
#include "settings.h"
#include "watch/watch.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HSM_CONNECTIONS_SPARE 2

#define MINUTE_MS (60 * 1000)
#define HOUR_MS   (60 * MINUTE_MS)

/* Who is told of notifications. */
struct wake {
    struct sg_workers *workers;
    struct housekeeping *keeping;
    struct sg_watch *watch;
};

static void notified(void *arg, const char *channel, const char *payload)
{
    struct wake *w = arg;
    (void)payload;
    bool codes = channel && strcmp(channel, "sealgate_code") == 0;
    if (codes || !channel)
        sg_watch_codes(w->watch);
    if (codes)
        return;
    sg_workers_wake(w->workers);
    if (!channel) /* connected (again) */
        housekeeping_wake(w->keeping);
}

static struct sg_hsm *hsm_open(const struct settings *s)
{
    char address[300];
    snprintf(address, sizeof address, "%s%s", s->hsm_socket[0] == '/' ? "unix:" : "",
             s->hsm_socket);
    struct sg_hsm_options options = {.socket = address,
                                     .connections = (int)s->workers + HSM_CONNECTIONS_SPARE,
                                     .timeout_ms = s->hsm_timeout_ms};
    return sg_hsm_new(&options);
}

/* Towards customers' next hops; greets by the domain of our own sender. */
static struct sg_smtp_client *smtp_open(const struct settings *s)
{
    static char host[256];
    const char *at = strrchr(s->mail_sender, '@');
    if (at)
        snprintf(host, sizeof host, "%s", at + 1);
    else if (gethostname(host, sizeof host - 1) != 0)
        snprintf(host, sizeof host, "localhost");
    struct sg_smtp_client_options options = {.hostname = host,
                                             .slots = 1,
                                             .slot_wait_ms = s->mail_timeout_ms,
                                             .connect_timeout_ms = s->mail_timeout_ms,
                                             .command_timeout_ms = s->mail_timeout_ms,
                                             .data_timeout_ms = s->mail_timeout_ms,
                                             .idle_ms = 1};
    return sg_smtp_client_new(&options);
}

static bool serve(const struct settings *s, struct sg_error *err)
{
    static const char *const channels[] = {"sealgate_job", "sealgate_code", NULL};
    struct sg_db_options database = settings_database(s);
    struct sg_db *db = NULL;
    struct sg_db_listener *listener = NULL;
    struct wake wake = {0};
    struct sg_certlife life = {
        .hsm = hsm_open(s),
        .archive_kind = s->archive_kind == 0 ? SG_HSM_TOKEN : SG_HSM_WRAPPED,
        .archive_bits = (int)s->archive_bits,
        .credentials_dir = s->credentials_dir,
        .timeout_ms = s->authority_timeout_ms,
        .retry_first = s->authority_retry_ms * 1000,
        .retry_most = s->authority_retry_most_ms * 1000,
        .poll_least = s->authority_poll_ms * 1000,
        .poll_most = s->authority_poll_most_ms * 1000,
        .again = s->order_again_ms * 1000,
        .jitter = s->jitter_ms * 1000,
        .grace = s->grace_ms * 1000,
        .publication_timeout = s->publication_timeout_ms * 1000,
        .destroy = s->destroy_keys,
        .destroy_after = s->destroy_after_ms * 1000,
    };
    struct housekeeping_clean cleaning = {s->keep_ms, s->keep_dead_ms};
    struct sg_mail_server mail = settings_mail(s);
    struct sg_reporting reporting = settings_reporting(s, &mail);
    struct sg_ownership ownership = {.dns = settings_dns(s),
                                     .times = s->ownership,
                                     .mail = &mail,
                                     .smtp = smtp_open(s),
                                     .code_ms = s->postmaster_code_ms};
    struct sg_directory_options directory = settings_directory(s);
    struct sg_retention retention = settings_retention(s);
    struct sg_lifecycle lifecycle = {s->export_dir, s->export_keep_ms * 1000};
    const struct sg_job_set sets[] = {
        /* One a line. clang-format would pack them. */
        /* clang-format off */
        {sg_report_kinds, &reporting},
        {sg_certlife_kinds, &life},
        {sg_housekeeping_kinds, &cleaning},
        {sg_mail_kinds, &mail},
        {sg_ownership_kinds, &ownership},
        {sg_directory_kinds, &directory},
        {sg_lifecycle_kinds, &lifecycle},
        {sg_retention_kinds, &retention},
        /* clang-format on */
    };
    const struct sg_job_schedule schedules[] = {
        /* One a line. clang-format would pack them. */
        /* clang-format off */
        {"archive.key", HOUR_MS, 10},
        {"certificate.sweep", 10 * MINUTE_MS, 3},
        {"jobs.clean", HOUR_MS, 3},
        {"idempotency.clean", HOUR_MS, 3},
        {"report.due", HOUR_MS, 3},
        {"directory.sync", directory.interval_ms, 8},
        {"tenant.sweep", 10 * MINUTE_MS, 3},
        {"export.clean", HOUR_MS, 3},
        {"usage.close", HOUR_MS, 3},
        {"retention.dispose", 6 * HOUR_MS, 3},
        {"archive.dispose", 6 * HOUR_MS, 3},
        /* clang-format on */
    };
    struct operation *operation = NULL;
    struct sg_sampler *sampler = NULL;
    struct sg_clock_watch *clock = NULL;
    struct sg_clock_watch_options clock_options = {NULL, s->clock_interval_ms,
                                                   s->clock_tolerance_ms, s->clock_grace_ms};
    sg_jobs_metrics_init(sets, sizeof sets / sizeof sets[0]);
    bool ok = sg_db_open(&database, &db, err) && operation_start(s, db, life.hsm, &operation, err);
    struct housekeeping_options keeping = {.db = db,
                                           .schedules = schedules,
                                           .schedule_count = sizeof schedules / sizeof schedules[0],
                                           .sweep = sg_ownership_sweep,
                                           .poll_ms = s->poll_ms};
    struct sg_workers_options workers = {.db = db,
                                         .sets = sets,
                                         .set_count = sizeof sets / sizeof sets[0],
                                         .threads = (int)s->workers,
                                         .lease_ms = s->lease_ms,
                                         .longest_ms = s->longest_ms,
                                         .retry_ms = s->retry_ms,
                                         .poll_ms = s->poll_ms,
                                         .prepare = housekeeping_partitions};
    ok = ok && housekeeping_start(&keeping, &wake.keeping, err);
    workers.prepare_arg = wake.keeping;
    clock_options.db = db;
    ok = ok && sg_clock_watch_start(&clock_options, &clock, err) &&
         sg_workers_start(&workers, &wake.workers, err) && sg_watch_start(db, &wake.watch, err) &&
         sg_sampler_start(db, s->probes, s->probe_timeout_ms, &sampler, err) &&
         sg_db_listen(&database, channels, notified, &wake, NULL, &listener, err);
    ok = ok && (!s->confine || sg_confine(SG_CONFINE_NETWORK | SG_CONFINE_CLOCK, err));
    if (ok) {
        sg_log(SG_LOG_INFO, "ready", "version", SG_VERSION, NULL);
        sg_daemon_ready();
        while (sg_daemon_wait() != SG_DAEMON_STOP)
            ;
        operation_leave(operation);
    }
    sg_db_listen_stop(&listener);
    sg_sampler_stop(&sampler);
    sg_watch_stop(&wake.watch);
    sg_workers_stop(&wake.workers);
    housekeeping_stop(&wake.keeping);
    operation_stop(&operation);
    sg_clock_watch_stop(&clock);
    sg_db_close(&db);
    sg_smtp_client_free(&ownership.smtp);
    sg_hsm_free(&life.hsm);
    return ok;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "migrate") == 0)
        return command_migrate(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "token") == 0)
        return command_token(argc - 1, argv + 1);
    struct settings settings = {0};
    struct sg_daemon_spec spec = settings_spec(&settings);
    int status = sg_daemon_begin(&spec, argc, argv);
    if (status < 0) {
        struct sg_error err = {0};
        sg_log_level_set((enum sg_log_level)settings.log_level);
        status = 0;
        if (!serve(&settings, &err)) {
            sg_log_error(SG_LOG_ERROR, "failed", &err, NULL);
            status = 1;
        }
    }
    sg_config_free(spec.options, spec.option_count, &settings);
    return status;
}
