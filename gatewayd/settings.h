/* gatewayd.conf: every key of it, with range, default and meaning (settings.c). */
#ifndef SG_GATEWAYD_SETTINGS_H
#define SG_GATEWAYD_SETTINGS_H

#include "common/config.h"

struct settings {
    char *node, *hostname, *spool_dir;
    int log_level;
    char *clock_file, *rule_off;
    char *conninfo, *password_file;
    int64_t db_connections, db_wait_ms, db_statement_ms;
    int64_t cache_entries, cache_bytes, cache_lifetime_ms;
    char *hsm_socket;
    int64_t hsm_connections, hsm_timeout_ms;
    char *outbound, *inbound, *bounce, *policy;
    char *subject_tags;
    int64_t failure_ms, failure_each_ms;
    int64_t max_connections, max_recipients, max_errors, line_bytes, command_ms, data_ms,
        message_ms, message_cpu_ms;
    int64_t crash_wait_ms, crash_most_ms;
    int64_t message_bytes, memory_bytes, header_bytes, header_fields, max_from, cms_bytes, layers;
    int64_t trigger_parts, trigger_depth, trigger_header_bytes, trigger_text_bytes;
    int64_t trigger_rtf_depth;
    char *recipients, *unasked;
    bool verify;
    int64_t ask_ms, pause_ms, ask_slots, questions, unknown, remembered, known_ms, unknown_ms;
    int64_t known_servers, known_clients;
    char *reentry_host;
    int64_t reentry_port;
    char *sealed_host;
    int64_t sealed_port;
    char *courier_helper;
    int64_t reentry_wait_ms, slots, shared_connections, slot_wait_ms, connect_ms, client_command_ms,
        client_data_ms, idle_ms, courier_alive_ms;
    char *submission_key, *submission_previous;
    int64_t submission_age_ms;
    char *journal_dir;
    int64_t segment_bytes, append_ms, feed_ms, feed_batch, unreadable_ms;
    char *simulation;
    int64_t simulation_at_once, simulation_recipients;
    char *ping_local_part;
    int64_t ping_agencies;
    int64_t request_repeat_ms, request_answer_ms, request_age_ms;
    int64_t request_bytes, request_parts, request_depth, request_certificates;
    int64_t discover_ms;
    int64_t hold_first_ms, hold_most_ms, hold_life_ms, hold_others_ms, poll_ms, hold_tenant_bytes;
    int64_t notice_merge_ms, notice_waiting_ms, notice_lines, notice_attempts;
    int64_t crl_bytes, crl_ms, crl_total_ms, crl_grace_ms, crl_refresh_ms, crl_memory;
    int64_t crl_points, crl_redirections, own_root_waits, crl_lists, crl_retry_ms;
    int64_t ldap_ms, ldap_certificates, ldap_bytes, tolerance_ms, max_certificates, decoded;
    int64_t ldap_slots, ldap_waiting, ldap_pause_ms, ldap_refused_ms, ldap_more_ms;
    int64_t verdicts, verdict_ms, harvested;
    int64_t max_elements, max_signers, max_tries;
    int64_t shared_bytes, shared_each;
    char *credentials_dir;
    bool private_lists;
    int64_t registry, registry_recipients, stop_ms;
    int64_t waiting_share, waiting_each, waiting_ms;
    char *tnef_helper;
    int64_t tnef_processes, tnef_request, tnef_answer, tnef_memory, tnef_cpu_ms, tnef_ms,
        tnef_depth;
    char *ops_listen;
    bool confine;
    int64_t clock_interval_ms, clock_tolerance_ms, clock_grace_ms;
};

extern const struct sg_option settings_options[];
extern const size_t settings_option_count;

bool settings_check(void *settings, struct sg_error *err);

#endif
