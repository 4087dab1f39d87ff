#include "api/settings.h"

#include "api/rate.h"

#include "common/clock.h"
#include "confine/confine.h"
#include "monitor/monitor.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define ADDRESS_MAX 160
#define DAY_MS      86400000LL

static const char *const socket_modes[] = {"0600", "0660", "0666", NULL};
static const char *const log_levels[] = {"debug", "info", "warning", "error", NULL};

#define AT(field) offsetof(struct api_settings, field)

const struct sg_option api_options[] = {
    {"http", "listen", SG_OPT_LIST, AT(listen), "unix:/run/sealgate/apid.sock", 0, 0, NULL,
     "Where to listen: inet:ADDRESS:PORT (a loopback address: TLS is terminated in front), "
     "tls:ADDRESS:PORT (any address) and unix:PATH, up to four."},
    {"http", "socket_mode", SG_OPT_ENUM, AT(socket_mode), "0660", 0, 0, socket_modes,
     "Permissions of the Unix sockets. A token is asked for there too."},
    {"http", "threads", SG_OPT_INT, AT(threads), "4", 1, 256, NULL,
     "Threads, hence requests at a time, of each listener."},
    {"http", "max_connections", SG_OPT_INT, AT(max_connections), "512", 8, 65536, NULL,
     "Connections at a time, of each listener."},
    {"http", "idle_timeout", SG_OPT_DURATION, AT(idle_timeout), "30s", 1000, 3600000, NULL,
     "How long a connection may lie idle, or a client take to go on."},
    {"http", "stop_timeout", SG_OPT_DURATION, AT(stop_timeout), "10s", 0, 600000, NULL,
     "How long requests in flight are waited for at the end."},
    {"http", "body_limit", SG_OPT_SIZE, AT(body_limit), "256k", 1024, 16777216, NULL,
     "The largest body of a request."},
    {"http", "rates", SG_OPT_LIST, AT(rates),
     "*=50/500 provider-admin=200/4000 provisioning=200/4000 anonymous=20/200", 0, 0, NULL,
     "How often callers may ask: CLASS=RATE/BURST, requests a second and at once. A class is a "
     "role; "
     "* is any other, anonymous who has shown no right, by address. Each process counts for "
     "itself."},
    {"http", "idempotency_ttl", SG_OPT_DURATION, AT(idempotency_ttl), "24h", 60000, 2592000000,
     NULL, "How long the answer to a request with an Idempotency-Key is kept for repeats."},
    {"http", "idempotency_wait", SG_OPT_DURATION, AT(idempotency_wait), "2s", 1, 60000, NULL,
     "How long a copy of a request that is still at work waits for its answer, before 409."},
    {"tls", "certificate_file", SG_OPT_STRING, AT(tls_certificate_file), "", 0, 0, NULL,
     "Certificate of the tls: listeners and its intermediates, in PEM. Read at the start and at "
     "SIGHUP, for new connections; of bad files an error is logged, and the old ones go on."},
    {"tls", "key_file", SG_OPT_STRING, AT(tls_key_file), "", 0, 0, NULL,
     "Its private key, in PEM; others may not read the file."},
    {"tls", "client_ca_file", SG_OPT_STRING, AT(tls_client_ca_file), "", 0, 0, NULL,
     "CA certificates that client certificates must come from; empty: no client is asked for one. "
     "Which certificate is whose is set through the API."},
    {"database", "conninfo", SG_OPT_STRING, AT(conninfo), "host=/run/postgresql dbname=sealgate", 0,
     0, NULL, "libpq's connection string, without user and password."},
    {"database", "api_password_file", SG_OPT_STRING, AT(api_password_file), "", 0, 0, NULL,
     "Password of sg_api, or credential:NAME; empty: none is sent."},
    {"database", "provider_password_file", SG_OPT_STRING, AT(provider_password_file), "", 0, 0,
     NULL, "Password of sg_provider."},
    {"database", "auth_password_file", SG_OPT_STRING, AT(auth_password_file), "", 0, 0, NULL,
     "Password of sg_auth."},
    {"database", "connections", SG_OPT_INT, AT(connections), "4", 1, 256, NULL,
     "Connections at a time, of each of the three roles."},
    {"database", "wait", SG_OPT_DURATION, AT(wait), "3s", 100, 60000, NULL,
     "How long a request waits for a connection."},
    {"database", "statement_timeout", SG_OPT_DURATION, AT(statement_timeout), "10s", 100, 600000,
     NULL, "How long a statement may take."},
    SG_MONITOR_OPTION(AT(ops_listen)),
    SG_CONFINE_OPTION(AT(confine)),
    {"log", "level", SG_OPT_ENUM, AT(log_level), "info", 0, 0, log_levels,
     "The least level that is logged."},
    {"export", "dir", SG_OPT_STRING, AT(export_dir), "", 0, 0, NULL,
     "Directory of tenants' exports, which tenantd writes; empty: none can be asked for."},
    {"simulation", "socket", SG_OPT_STRING, AT(simulation), "", 0, 0, NULL,
     "Where gatewayd makes dry runs: unix:PATH; empty: there are none."},
    {"simulation", "timeout", SG_OPT_DURATION, AT(simulation_timeout), "30s", 100, 600000, NULL,
     "How long one may take."},
    {"usage", "table_time", SG_OPT_DURATION, AT(usage_table_time), "20s", 100, 3600000, NULL,
     "How long the table of all tenants' usage may take: no further portion of it is counted after "
     "it. Less than [http] idle_timeout, after which the client's connection is cut."},
    {"certificates", "crl_bypass_max", SG_OPT_DURATION, AT(crl_bypass_max), "30d", 0, 366 * DAY_MS,
     NULL,
     "How far ahead a bypass of the checking of revocation may end (REQ-59); 0: there is none."},
    {"clock", "file", SG_OPT_STRING, AT(clock_file), "", 0, 0, NULL,
     "For tests: a file with an offset in seconds (see the build option SG_SETTABLE_CLOCK)."},
};
const size_t api_option_count = sizeof api_options / sizeof api_options[0];

mode_t api_socket_mode(const struct api_settings *settings)
{
    static const mode_t modes[] = {0600, 0660, 0666};
    return modes[settings->socket_mode];
}

bool api_listen_next(const char **at, char *out, size_t size)
{
    *at += strspn(*at, " ");
    size_t n = strcspn(*at, " ");
    if (n == 0)
        return false;
    snprintf(out, size, "%.*s", (int)n, *at);
    *at += n;
    return true;
}

/* "127.0.0.1:8080" or "[::1]:8080". */
static bool numeric(const char *from, bool *loopback_r)
{
    struct in6_addr six;
    struct in_addr four;
    char host[ADDRESS_MAX];
    const char *colon = strrchr(from, ':');
    bool brackets = *from == '[';
    if (!colon || (brackets && colon[-1] != ']'))
        return false;
    snprintf(host, sizeof host, "%.*s", (int)(colon - from) - 2 * brackets, from + brackets);
    if (brackets) {
        bool ok = inet_pton(AF_INET6, host, &six) == 1;
        *loopback_r = ok && IN6_IS_ADDR_LOOPBACK(&six);
        return ok;
    }
    bool ok = inet_pton(AF_INET, host, &four) == 1;
    *loopback_r = ok && (ntohl(four.s_addr) >> 24) == 127;
    return ok;
}

static bool address_check(const struct api_settings *s, const char *address, struct sg_error *err)
{
    bool loopback = false;
    if (strncmp(address, "unix:/", 6) == 0)
        return true;
    if (strncmp(address, "inet:", 5) == 0)
        return (numeric(address + 5, &loopback) && loopback) ||
               sg_fail(err, SG_E_CONFIG, "listen: %s is not a loopback address and port", address);
    if (strncmp(address, "tls:", 4) != 0)
        return sg_fail(err, SG_E_CONFIG,
                       "listen: neither inet:ADDRESS:PORT, tls:ADDRESS:PORT nor unix:/PATH: %s",
                       address);
    if (!numeric(address + 4, &loopback))
        return sg_fail(err, SG_E_CONFIG, "listen: %s is not an address and port", address);
    return (*s->tls_certificate_file && *s->tls_key_file) ||
           sg_fail(err, SG_E_CONFIG, "listen: %s needs [tls] certificate_file and key_file",
                   address);
}

bool api_settings_check(void *settings, struct sg_error *err)
{
    const struct api_settings *s = settings;
    char address[ADDRESS_MAX];
    int count = 0;
    for (const char *at = s->listen; api_listen_next(&at, address, sizeof address); count++) {
        if (!address_check(s, address, err))
            return false;
    }
    if (count == 0 || count > API_LISTENERS_MAX)
        return sg_fail(err, SG_E_CONFIG, "listen: from 1 to %d addresses", API_LISTENERS_MAX);
    if (s->usage_table_time >= s->idle_timeout)
        return sg_fail(err, SG_E_CONFIG,
                       "table_time in [usage] is no less than [http] idle_timeout");
    struct api_rate *rate;
    if (!api_rate_new(s->rates, &rate, err))
        return false;
    api_rate_free(&rate);
    return sg_monitor_address_check(s->ops_listen, err) &&
           (*s->clock_file == 0 || sg_clock_set_file(s->clock_file, err));
}
