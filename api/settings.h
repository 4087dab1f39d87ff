/* The configuration file of apid. */
#ifndef SG_API_SETTINGS_H
#define SG_API_SETTINGS_H

#include "common/config.h"

#include <sys/types.h>

#define API_LISTENERS_MAX 4

struct api_settings {
    char *listen;
    int socket_mode;
    char *rates;
    int64_t idempotency_ttl, idempotency_wait;
    char *tls_certificate_file, *tls_key_file, *tls_client_ca_file;
    int64_t threads, max_connections, idle_timeout, stop_timeout, body_limit;
    char *conninfo, *api_password_file, *provider_password_file, *auth_password_file;
    int64_t connections, wait, statement_timeout;
    int log_level;
    char *ops_listen;
    bool confine;
    char *export_dir, *clock_file;
    char *simulation;
    int64_t crl_bypass_max;
    int64_t simulation_timeout;
    int64_t usage_table_time;
};

extern const struct sg_option api_options[];
extern const size_t api_option_count;
bool api_settings_check(void *settings, struct sg_error *err);

mode_t api_socket_mode(const struct api_settings *settings);
/* The next address of the list behind *at, into out; false at the end of it. */
bool api_listen_next(const char **at, char *out, size_t size);

#endif
