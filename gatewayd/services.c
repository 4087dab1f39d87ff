#include "services.h"

#include "operation.h"

#include "common/deadline.h"
#include "common/log.h"
#include "common/watch.h"
#include "crash/crash.h"
#include "pipeline/archive.h"
#include "pipeline/bounce.h"
#include "pipeline/edge.h"
#include "pipeline/egress.h"
#include "pipeline/inbound.h"
#include "pipeline/outbound.h"
#include "pipeline/receive.h"
#include "pipeline/recipient.h"
#include "pipeline/request.h"
#include "pipeline/retry.h"
#include "pipeline/storage.h"
#include "pipeline/worker.h"
#include "schema/clock_watch.h"
#include "simulate/server.h"
#include "tnef/tnef.h"
#include "x509/x509.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define SOCKET_MODE      0660
#define BACKLOG_WAIT_MS  1000
#define FEED_LIMIT_MS    (10 * 60 * 1000)
#define FEED_REFUSED_MS  60000
#define DRAIN_AT_STOP_MS 5000

struct services {
    const struct settings *settings;
    struct sg_gateway gw;
    struct sg_simulate_server *simulation;
    struct sg_archive *archive;
    struct sg_db_listener *listener;
    struct sg_worker *held, *discovery, *requests, *notices, *replay;
    struct sg_smtp_server *outbound, *inbound, *bounce;
    struct sg_policy_server *policy, *recipients;
    struct sg_watch feeding;
    struct operation *operation;
    struct sg_clock_watch *clock;
};

static struct sg_db_options db_options(const struct settings *s)
{
    return (struct sg_db_options){
        .conninfo = s->conninfo,
        .password_file = s->password_file,
        .application = "gatewayd",
        .actor = "gatewayd",
        .connections = (int)s->db_connections,
        .wait_ms = s->db_wait_ms,
        .statement_timeout_ms = s->db_statement_ms,
    };
}

static struct sg_recipients *recipients_make(const struct settings *s)
{
    struct sg_recipients_options options = {
        .client =
            {
                .hostname = s->hostname,
                .slots = (int)s->ask_slots,
                .connect_timeout_ms = s->ask_ms,
                .command_timeout_ms = s->ask_ms,
                .idle_ms = s->idle_ms,
            },
        .entries = (size_t)s->remembered,
        .servers = (size_t)s->known_servers,
        .clients = (size_t)s->known_clients,
        .known_ms = s->known_ms,
        .unknown_ms = s->unknown_ms,
        .within_ms = s->ask_ms,
        .pause_ms = s->pause_ms,
        .questions = s->questions,
        .unknown = s->unknown,
    };
    return sg_recipients_new(&options);
}

static struct sg_registry *registry_make(const struct settings *s, struct sg_db *db)
{
    int64_t waiting = s->max_connections * s->waiting_share / 100;
    struct sg_registry_options options = {
        .messages = (size_t)s->registry,
        .recipients = (size_t)s->registry_recipients,
        .waiting = waiting > 0 ? (int)waiting : 1,
        .waiting_each = (int)s->waiting_each,
        .waiting_ms = s->waiting_ms,
    };
    return sg_registry_new(db, &options);
}

static bool connections_make(struct services *v, struct sg_error *err)
{
    const struct settings *s = v->settings;
    struct sg_gateway *gw = &v->gw;
    struct sg_db_options db = db_options(s);
    struct sg_hsm_options hsm = {s->hsm_socket, (int)s->hsm_connections, s->hsm_timeout_ms};
    struct sg_cert_limits certs = {
        .max_certificates = (size_t)s->max_certificates,
        .max_crl_bytes = (size_t)s->crl_bytes,
        .crl_timeout_ms = s->crl_ms,
        .crl_total_ms = s->crl_total_ms,
        .crl_grace_ms = s->crl_grace_ms,
        .crl_refresh_ms = s->crl_refresh_ms,
        .further_private = s->private_lists,
        .max_crl_memory = (size_t)s->crl_memory,
        .ldap_timeout_ms = s->ldap_ms,
        .clock_tolerance_ms = s->tolerance_ms,
        .verdicts = (size_t)s->verdicts,
        .harvested = (size_t)s->harvested,
        .verdict_ttl_ms = s->verdict_ms,
        .kept_ms = s->cache_lifetime_ms,
        .max_points = (size_t)s->crl_points,
        .max_redirections = (size_t)s->crl_redirections,
        .max_further_fetches = (size_t)s->own_root_waits,
        .max_directory_values = (size_t)s->ldap_certificates,
        .max_directory_bytes = (size_t)s->ldap_bytes,
        .directory_slots = (int)s->ldap_slots,
        .directory_waiting = (size_t)s->ldap_waiting,
        .directory_pause_ms = s->ldap_pause_ms,
        .directory_refused_ms = s->ldap_refused_ms,
        .directory_more_ms = s->ldap_more_ms,
        .max_lists = (size_t)s->crl_lists,
        .crl_retry_ms = s->crl_retry_ms,
        .credentials_dir = s->credentials_dir,
    };
    struct sg_db_cache_options cache = {(size_t)s->cache_entries, (size_t)s->cache_bytes,
                                        s->cache_lifetime_ms};
    sg_x509_keep((size_t)s->decoded);
    sg_spool_share((size_t)s->shared_bytes, (size_t)s->shared_each);
    if (!sg_db_open(&db, &gw->db, err))
        return false;
    sg_db_cache(gw->db, &cache);
    struct sg_cert_storage storage = sg_cert_storage_of(gw->db);
    gw->egress = sg_egress_new(gw->db, s->cache_lifetime_ms);
    gw->hsm = sg_hsm_new(&hsm);
    gw->certs = sg_certs_new(&certs, &storage);
    gw->recipients = s->verify ? recipients_make(s) : NULL;
    gw->registry = registry_make(s, gw->db);
    v->archive = sg_archive_new(gw);
    return true;
}

static bool gateway_fill(struct services *v, struct sg_error *err)
{
    const struct settings *s = v->settings;
    struct sg_gateway *gw = &v->gw;
    gw->node = s->node;
    gw->hostname = s->hostname;
    gw->reentry = (struct sg_smtp_destination){
        .host = s->reentry_host, .port = (int)s->reentry_port, .own_wait_ms = s->reentry_wait_ms};
    gw->reentry_sealed = (struct sg_smtp_destination){
        .host = s->sealed_host, .port = (int)s->sealed_port, .own_wait_ms = s->reentry_wait_ms};
    gw->spool =
        (struct sg_spool_limits){(size_t)s->memory_bytes, (uint64_t)s->message_bytes, s->spool_dir};
    gw->headers = (struct sg_header_limits){(size_t)s->header_bytes, (size_t)s->header_fields};
    gw->max_from = (size_t)s->max_from;
    gw->max_cms_bytes = (size_t)s->cms_bytes;
    gw->max_certificates = (size_t)s->max_certificates;
    gw->max_elements = (size_t)s->max_elements;
    gw->max_signers = (size_t)s->max_signers;
    gw->max_tries = (size_t)s->max_tries;
    gw->max_layers = (int)s->layers;
    gw->message_ms = s->message_ms;
    gw->message_cpu_ms = s->message_cpu_ms;
    gw->subject_tags = s->subject_tags;
    gw->failure_ms = s->failure_ms;
    gw->failure_each_ms = s->failure_each_ms;
    gw->trigger = (struct sg_trigger_limits){
        .max_parts = (size_t)s->trigger_parts,
        .max_depth = (size_t)s->trigger_depth,
        .max_header_bytes = (size_t)s->trigger_header_bytes,
        .max_text_bytes = (uint64_t)s->trigger_text_bytes,
        .max_tnef_bytes = (size_t)s->tnef_request,
        .max_cms_bytes = (size_t)s->cms_bytes,
        .max_rtf_depth = (size_t)s->trigger_rtf_depth,
        .spool = gw->spool,
    };
    gw->ping_local_part = s->ping_local_part;
    gw->ping_agencies = s->ping_agencies;
    gw->unasked = s->unasked;
    gw->request_repeat = s->request_repeat_ms * 1000;
    gw->request_answer_every = s->request_answer_ms * 1000;
    gw->request_age = s->request_age_ms * 1000;
    gw->request_ahead = s->tolerance_ms * 1000;
    gw->request = (struct sg_request_limits){
        .max_bytes = (size_t)s->request_bytes,
        .max_parts = (size_t)s->request_parts,
        .max_depth = (size_t)s->request_depth,
        .max_certificates = (size_t)s->request_certificates,
        .headers = {(size_t)s->header_bytes, (size_t)s->header_fields},
    };
    gw->hold_retry_first = s->hold_first_ms * 1000;
    gw->hold_retry_most = s->hold_most_ms * 1000;
    gw->hold_lifetime = s->hold_life_ms * 1000;
    gw->hold_others_ms = s->hold_others_ms;
    gw->hold_tenant_bytes = s->hold_tenant_bytes;
    gw->notice_merge = s->notice_merge_ms * 1000;
    gw->notice_waiting = s->notice_waiting_ms * 1000;
    gw->notice_lines = (int)s->notice_lines;
    gw->notice_attempts = (int)s->notice_attempts;
    gw->submission.max_age = s->submission_age_ms * 1000;
    return sg_submission_key_read(&gw->submission, s->submission_key, err) &&
           (!*s->submission_previous ||
            sg_submission_key_read(&gw->submission, s->submission_previous, err));
}

/* Without it TNEF cannot be read, which is a fact of its own for the rules: mail goes on. */
static void tnef_start(struct services *v)
{
    const struct settings *s = v->settings;
    struct sg_error err = {0};
    struct sg_tnef_options options = {
        .helper = s->tnef_helper,
        .processes = (int)s->tnef_processes,
        .request_bytes = (size_t)s->tnef_request,
        .answer_bytes = (size_t)s->tnef_answer,
        .memory_bytes = (size_t)s->tnef_memory,
        .cpu_ms = s->tnef_cpu_ms,
        .timeout_ms = s->tnef_ms,
        .max_parts = (size_t)s->trigger_parts,
        .max_depth = (unsigned)s->tnef_depth,
    };
    v->gw.tnef = sg_tnef_new(&options);
    if (!sg_tnef_probe(v->gw.tnef, &err))
        sg_log_error(SG_LOG_WARNING, "tnef.unavailable", &err, NULL);
}

static bool feed(void *arg, const struct sg_journal_record *records, size_t count,
                 struct sg_error *err)
{
    struct services *v = arg;
    sg_watch_begin(&v->feeding);
    bool ok = sg_message_feed_records(&v->gw, records, count, err);
    sg_watch_end(&v->feeding);
    return ok;
}

static int64_t unfed_ms(void *arg)
{
    struct services *v = arg;
    return sg_journal_backlog(v->gw.journal) ? sg_journal_oldest_ms(v->gw.journal) : -1;
}

static bool journal_open(struct services *v, struct sg_error *err)
{
    const struct settings *s = v->settings;
    struct sg_journal_options options = {
        .dir = s->journal_dir,
        .node = s->node,
        .segment_bytes = (uint64_t)s->segment_bytes,
        .append_timeout_ms = s->append_ms,
        .feed_interval_ms = s->feed_ms,
        .feed_batch = (size_t)s->feed_batch,
        .unreadable_ms = s->unreadable_ms,
        .refused_ms = FEED_REFUSED_MS,
        .feed = feed,
        .feed_ctx = v,
        .keys = sg_archive_journal_keys(v->archive),
    };
    sg_registry_behind(v->gw.registry, unfed_ms, v);
    sg_watch_enter(&v->feeding, "journal feeder", FEED_LIMIT_MS);
    return sg_journal_open(&options, &v->gw.journal, err);
}

/* After the journal, which is one gatewayd's alone. Without it mail goes on as well. */
static void crashes_watch(const struct services *v)
{
    const struct settings *s = v->settings;
    struct sg_error err = {0};
    char path[4096];
    struct sg_crash_options options = {.path = path,
                                       .wait_ms = s->crash_wait_ms,
                                       .most_ms = s->crash_most_ms,
                                       .keep_ms = s->submission_age_ms};
    snprintf(path, sizeof path, "%s/crashes", s->journal_dir);
    if (!sg_crash_open(&options, &err))
        sg_log_error(SG_LOG_ERROR, "crash.not-watched", &err, NULL);
}

/* After the journal, which is one gatewayd's alone. */
static bool courier_start(struct services *v, struct sg_error *err)
{
    const struct settings *s = v->settings;
    char dir[4096];
    struct sg_courier_options options = {
        .program = s->courier_helper,
        .dir = dir,
        .keep_ms = s->submission_age_ms,
        .client =
            {
                .hostname = s->hostname,
                .slots = (int)s->slots,
                .connections = (int)s->shared_connections,
                .slot_wait_ms = s->slot_wait_ms,
                .connect_timeout_ms = s->connect_ms,
                .command_timeout_ms = s->client_command_ms,
                .data_timeout_ms = s->client_data_ms,
                .idle_ms = s->idle_ms,
            },
        .alive_ms = s->courier_alive_ms,
        .log_level = s->log_level,
        .confine = s->confine,
    };
    int n = snprintf(dir, sizeof dir, "%s/courier", s->journal_dir);
    if (n < 0 || (size_t)n >= sizeof dir)
        return sg_fail(err, SG_E_CONFIG, "the journal's path is too long");
    return sg_courier_start(&options, &v->gw.courier, err);
}

/*
 * Until what the last run left in the journal is in PostgreSQL, a retry could not be told from a
 * new message: mail waits in Postfix.
 */
static bool replay_round(void *arg)
{
    struct services *v = arg;
    if (atomic_load(&v->gw.replayed))
        return false;
    if (sg_courier_listed(v->gw.courier) &&
        sg_journal_drain(v->gw.journal, BACKLOG_WAIT_MS, NULL)) {
        atomic_store(&v->gw.replayed, true);
        sg_log(SG_LOG_INFO, "journal.replayed", NULL);
    }
    return false;
}

/* Tables of which an answer about a recipient depends. */
static bool decides_recipients(const char *table)
{
    return strcmp(table, "next_hop") == 0 || strcmp(table, "domain") == 0 ||
           strcmp(table, "tenant") == 0;
}

/* … and of which it depends whether a partner's certificate is to be had. */
static bool decides_certificates(const char *table)
{
    static const char *const tables[] = {"directory_source", "trust_anchor", "domain_anchor",
                                         "certificate", "policy"};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        if (strcmp(table, tables[i]) == 0)
            return true;
    return false;
}

/* Tables that say nothing of certificates. */
static bool is_of_routing(const char *table)
{
    static const char *const tables[] = {"tenant",      "domain",        "submitter",
                                         "next_hop",    "member_domain", "smime_exception",
                                         "archive_key", "egress_network"};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        if (strcmp(table, tables[i]) == 0)
            return true;
    return false;
}

static void changed(void *ctx, const char *channel, const char *payload)
{
    struct services *v = ctx;
    if (!channel || strcmp(channel, "sealgate_held") == 0)
        sg_worker_wake(v->held);
    if (!channel || (strcmp(channel, "sealgate_config") == 0 && !is_of_routing(payload)))
        sg_certs_flush(v->gw.certs);
    if (!channel || decides_certificates(payload))
        sg_worker_wake(v->discovery);
    if (!channel || strcmp(channel, "sealgate_request") == 0)
        sg_worker_wake(v->requests);
    if (!channel || strcmp(payload, "egress_network") == 0)
        sg_egress_changed(v->gw.egress);
    if (v->gw.recipients && (!channel || decides_recipients(payload)))
        sg_recipients_flush(v->gw.recipients);
}

static bool workers_start(struct services *v, struct sg_error *err)
{
    static const char *const channels[] = {"sealgate_config", "sealgate_held", "sealgate_request",
                                           NULL};
    struct sg_worker_options held = {"held mail", v->settings->poll_ms, sg_retry_held_round,
                                     &v->gw};
    struct sg_worker_options discovery = {"discovery", v->settings->discover_ms,
                                          sg_retry_discovery_round, &v->gw};
    struct sg_worker_options requests = {"requests", v->settings->poll_ms, sg_request_round,
                                         &v->gw};
    struct sg_worker_options notices = {"notices", v->settings->poll_ms, sg_retry_notice_round,
                                        &v->gw};
    struct sg_worker_options replay = {"replay", BACKLOG_WAIT_MS, replay_round, v};
    struct sg_db_options db = db_options(v->settings);
    db.node = v->settings->node;
    struct sg_clock_watch_options clock = {v->gw.db, v->settings->clock_interval_ms,
                                           v->settings->clock_tolerance_ms,
                                           v->settings->clock_grace_ms};
    return sg_clock_watch_start(&clock, &v->clock, err) &&
           sg_worker_start(&replay, &v->replay, err) && sg_worker_start(&held, &v->held, err) &&
           sg_worker_start(&discovery, &v->discovery, err) &&
           sg_worker_start(&requests, &v->requests, err) &&
           sg_worker_start(&notices, &v->notices, err) &&
           sg_db_listen(&db, channels, changed, v, v->gw.db, &v->listener, err);
}

static struct sg_smtp_server_options listener(const struct services *v, const char *name,
                                              const char *address)
{
    const struct settings *s = v->settings;
    return (struct sg_smtp_server_options){
        .name = name,
        .address = address,
        .hostname = s->hostname,
        .lmtp = true,
        .mode = SOCKET_MODE,
        .max_connections = (int)s->max_connections,
        .max_recipients = (int)s->max_recipients,
        .max_errors = (int)s->max_errors,
        .max_line_bytes = (size_t)s->line_bytes,
        .command_timeout_ms = s->command_ms,
        .data_timeout_ms = s->data_ms,
        .spool = v->gw.spool,
    };
}

static struct sg_policy_server_options policy(struct services *v, const char *name,
                                              const char *address)
{
    return (struct sg_policy_server_options){
        .name = name,
        .address = address,
        .mode = SOCKET_MODE,
        .max_connections = (int)v->settings->max_connections,
        .max_request_bytes = 16384,
        .request_timeout_ms = v->settings->command_ms,
        .ctx = &v->gw,
    };
}

static bool listeners_start(struct services *v, struct sg_error *err)
{
    struct sg_smtp_server_options outbound = listener(v, "outbound", v->settings->outbound);
    struct sg_smtp_server_options inbound = listener(v, "inbound", v->settings->inbound);
    struct sg_smtp_server_options bounce = listener(v, "bounce", v->settings->bounce);
    struct sg_smtp_callbacks on_outbound = {
        .message = sg_outbound_message, .answered = sg_receive_answered, .ctx = &v->gw};
    struct sg_smtp_callbacks on_inbound = {
        .message = sg_inbound_message, .answered = sg_receive_answered, .ctx = &v->gw};
    struct sg_smtp_callbacks on_bounce = {.mail = sg_bounce_mail,
                                          .message = sg_bounce_message,
                                          .answered = sg_receive_answered,
                                          .ctx = &v->gw};
    struct sg_policy_server_options submitted = policy(v, "policy", v->settings->policy);
    struct sg_policy_server_options asked = policy(v, "recipients", v->settings->recipients);
    submitted.decide = sg_edge_decide;
    asked.decide = sg_recipient_decide;
    return sg_smtp_server_start(&outbound, &on_outbound, &v->outbound, err) &&
           sg_smtp_server_start(&inbound, &on_inbound, &v->inbound, err) &&
           sg_smtp_server_start(&bounce, &on_bounce, &v->bounce, err) &&
           sg_policy_server_start(&submitted, &v->policy, err) &&
           sg_policy_server_start(&asked, &v->recipients, err);
}

static bool simulation_start(struct services *v, struct sg_error *err)
{
    const struct settings *s = v->settings;
    struct sg_simulate_options options = {.listen = s->simulation,
                                          .at_once = (int)s->simulation_at_once,
                                          .max_recipients = (size_t)s->simulation_recipients,
                                          .gw = &v->gw};
    return sg_simulate_start(&options, &v->simulation, err);
}

bool services_start(const struct settings *settings, struct services **services_r,
                    struct sg_error *err)
{
    struct services *v = calloc(1, sizeof *v);
    if (!v)
        return sg_fail(err, SG_E_NO_MEMORY, "out of memory");
    v->settings = settings;
    *services_r = v;
    tnef_start(v);
    bool ok = gateway_fill(v, err) && connections_make(v, err) && journal_open(v, err);
    if (ok)
        crashes_watch(v);
    if (ok && courier_start(v, err) && workers_start(v, err) &&
        operation_start(settings, &v->gw, &v->operation, err) && simulation_start(v, err) &&
        listeners_start(v, err))
        return true;
    services_stop(services_r);
    return false;
}

/* All of them take nothing more from now on, and have the grace together. */
static void listeners_stop(struct services *v)
{
    struct sg_smtp_server **const servers[] = {&v->outbound, &v->inbound, &v->bounce};
    struct sg_policy_server **const asked[] = {&v->policy, &v->recipients};
    sg_deadline until = sg_deadline_in(v->settings->stop_ms);
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++)
        sg_smtp_server_stop_begin(*servers[i]);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
        sg_policy_server_stop_begin(*asked[i]);
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++)
        sg_smtp_server_stop(servers[i], sg_deadline_left(until));
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
        sg_policy_server_stop(asked[i], sg_deadline_left(until));
}

void services_log_level(struct services *services, int level)
{
    sg_courier_log_level(services->gw.courier, level);
}

void services_stop(struct services **services)
{
    struct services *v = *services;
    if (!v)
        return;
    operation_leave(v->operation);
    listeners_stop(v);
    sg_simulate_stop(&v->simulation);
    if (v->listener)
        sg_db_listen_stop(&v->listener);
    sg_clock_watch_stop(&v->clock);
    sg_worker_stop(&v->held);
    sg_worker_stop(&v->discovery);
    sg_worker_stop(&v->requests);
    sg_worker_stop(&v->notices);
    sg_worker_stop(&v->replay);
    struct sg_error err = {0};
    operation_stop(&v->operation);
    if (v->gw.journal) {
        if (!sg_journal_drain(v->gw.journal, DRAIN_AT_STOP_MS, &err))
            sg_log_error(SG_LOG_INFO, "journal.left_to_replay", &err, NULL);
        sg_journal_close(&v->gw.journal);
    }
    if (v->feeding.at)
        sg_watch_leave(&v->feeding);
    sg_archive_free(&v->archive);
    struct sg_courier_sent *unsaid = NULL;
    sg_registry_free(&v->gw.registry, &unsaid);
    sg_retry_held_end(&v->gw, &unsaid);
    sg_courier_join(&unsaid, &v->gw.unsettled_notice.sent);
    sg_courier_join(&unsaid, &v->gw.unsettled_request.sent);
    if (unsaid)
        sg_courier_keep(v->gw.courier);
    sg_courier_release(v->gw.courier, &unsaid);
    sg_recipients_free(&v->gw.recipients);
    sg_courier_stop(&v->gw.courier);
    sg_crash_close();
    sg_tnef_free(&v->gw.tnef);
    sg_certs_free(&v->gw.certs);
    sg_hsm_free(&v->gw.hsm);
    sg_egress_free(&v->gw.egress);
    sg_db_close(&v->gw.db);
    free(v);
    *services = NULL;
}
