/*
 * Fetching revocation lists, by HTTP and by LDAP. The address comes from a certificate whose chain
 * is accredited already, and still nothing but these protocols, few redirections within a host, a
 * size and a time are allowed: whoever sits on the way of plain HTTP must not make us ask others.
 */
#include "cert/cert_internal.h"
#include "common/networks.h"
#include "common/tls.h"

#include <curl/curl.h>
#include <ldap.h>
#include <netdb.h>
#include <string.h>

#define NOT_PUBLIC "not asked: its address is in a private network, and no accredited CA names it"

static bool starts(const char *url, const char *scheme)
{
    return strncasecmp(url, scheme, strlen(scheme)) == 0;
}

static bool is_ldap(const char *url)
{
    return starts(url, "ldap://") || starts(url, "ldaps://");
}

bool sg_fetch_url_allowed(const char *url)
{
    if (is_ldap(url)) /* without a host it would mean any directory */
        return strstr(url, "://")[3] != '/' && strstr(url, "://")[3] != 0;
    return starts(url, "http://") || starts(url, "https://");
}

/* What lies beside a host or in networks of its own (RFC 6890), and no single host. IPv4 is
 * compared as ::ffff:0:0/96: no network here may hold all of that. */
static struct sg_networks *private_networks;

static void init_once(void)
{
    static const char *const texts[] = {
        "0.0.0.0/8",     "10.0.0.0/8",      "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24",    "192.168.0.0/16", "198.18.0.0/15",  "224.0.0.0/3",
        "::/96",         "::ffff:0:0:0/96", "64:ff9b::/96",   "64:ff9b:1::/48", "100::/64",
        "2001::/32",     "2002::/16",       "fc00::/7",       "fe80::/10",      "fec0::/10",
        "ff00::/8"};
    struct sg_error err;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (!sg_networks_new(texts, sizeof texts / sizeof texts[0], 0, &private_networks, &err))
        abort();
}

void sg_fetch_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_once);
}

static size_t receive(char *data, size_t size, size_t count, void *ctx)
{
    return sg_buf_add(ctx, data, size * count) ? size * count : 0; /* short: curl stops */
}

/* Not 0: the transfer is broken off. */
static int progress(void *stop, curl_off_t total, curl_off_t now, curl_off_t up_total,
                    curl_off_t up_now)
{
    (void)total, (void)now, (void)up_total, (void)up_now;
    return atomic_load((const atomic_bool *)stop);
}

struct transfer {
    CURL *curl;
    const struct sg_fetch_limits *limits;
    struct sg_buf *body;
    char text[CURL_ERROR_SIZE];
    bool refused; /* an address that is not to be asked */
};

/* Asked for each address before it is connected to: what a name stands for may change meanwhile. */
static curl_socket_t open_public(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *transfer = ctx;
    (void)purpose;
    transfer->refused = sg_networks_have(private_networks, &address->addr);
    return transfer->refused
               ? CURL_SOCKET_BAD
               : socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static CURLcode tls_bound(CURL *curl, void *ctx, void *unused)
{
    (void)curl, (void)unused;
    sg_tls_bound(ctx);
    return CURLE_OK;
}

static bool http_open(struct transfer *transfer)
{
    CURL *curl = transfer->curl = curl_easy_init();
    if (!curl)
        return false;
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, tls_bound);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* never by the environment */
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "sealgate/" SG_VERSION);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, transfer->text);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer->body);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transfer->limits->stop);
    if (transfer->limits->public_only) {
        curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_public);
        curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, transfer);
    }
    return true;
}

static bool http_fail(const struct transfer *transfer, CURLcode rc, struct sg_error *err)
{
    long number = 0;
    char reason[100];
    if (transfer->body->overflown)
        return sg_fail(err, SG_E_CRL, "larger than %zu bytes", transfer->body->limit);
    if (transfer->refused)
        return sg_fail(err, SG_E_CRL, "%s", NOT_PUBLIC);
    if (rc == CURLE_COULDNT_CONNECT &&
        curl_easy_getinfo(transfer->curl, CURLINFO_OS_ERRNO, &number) == CURLE_OK && number)
        return sg_fail_lib(err, SG_E_CRL, SG_LIB_CURL, rc, "%s",
                           strerror_r((int)number, reason, sizeof reason));
    return sg_fail_lib(err, SG_E_CRL, SG_LIB_CURL, rc, "%.150s",
                       transfer->text[0] ? transfer->text : curl_easy_strerror(rc));
}

static bool same_host(const char *a, const char *b)
{
    CURLU *x = curl_url(), *y = curl_url();
    char *host_a = NULL, *host_b = NULL;
    bool same = x && y && curl_url_set(x, CURLUPART_URL, a, 0) == CURLUE_OK &&
                curl_url_set(y, CURLUPART_URL, b, 0) == CURLUE_OK &&
                curl_url_get(x, CURLUPART_HOST, &host_a, 0) == CURLUE_OK &&
                curl_url_get(y, CURLUPART_HOST, &host_b, 0) == CURLUE_OK &&
                strcasecmp(host_a, host_b) == 0;
    curl_free(host_a);
    curl_free(host_b);
    curl_url_cleanup(x);
    curl_url_cleanup(y);
    return same;
}

/* *to_r: where it was sent on to, in curl's memory; NULL: nowhere. */
static bool http_get(struct transfer *transfer, const char *url, char **to_r, struct sg_error *err)
{
    long left = sg_deadline_left(transfer->limits->deadline);
    *to_r = NULL;
    sg_buf_clear(transfer->body);
    curl_easy_setopt(transfer->curl, CURLOPT_URL, url);
    curl_easy_setopt(transfer->curl, CURLOPT_TIMEOUT_MS, left > 0 ? left : 1L);
    CURLcode rc = curl_easy_perform(transfer->curl);
    if (rc != CURLE_OK)
        return http_fail(transfer, rc, err);
    curl_easy_getinfo(transfer->curl, CURLINFO_REDIRECT_URL, to_r);
    if (*to_r && !same_host(url, *to_r))
        return sg_fail(err, SG_E_CRL, "sent on to another host, %.120s", *to_r);
    return true;
}

static bool http_fetch(const char *url, const struct sg_fetch_limits *limits, struct sg_buf *body,
                       struct sg_error *err)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct transfer transfer = {.limits = limits, .body = body};
    if (!http_open(&transfer))
        return sg_fail(err, SG_E_NO_MEMORY, "curl_easy_init");
    char *to = NULL;
    bool ok = http_get(&transfer, url, &to, err);
    for (size_t i = 0; ok && to && i < limits->max_redirections; i++) {
        url = sg_arena_strdup(arena, to);
        ok = http_get(&transfer, url, &to, err);
    }
    ok = ok &&
         (!to || sg_fail(err, SG_E_CRL, "sent on more than %zu times", limits->max_redirections));
    curl_easy_cleanup(transfer.curl);
    return ok;
}

static bool host_public(const char *host)
{
    struct addrinfo *found = NULL, hints = {.ai_socktype = SOCK_STREAM};
    bool ok = getaddrinfo(host, NULL, &hints, &found) == 0;
    for (const struct addrinfo *a = found; a && ok; a = a->ai_next)
        ok = !sg_networks_have(private_networks, a->ai_addr);
    if (found)
        freeaddrinfo(found);
    return ok;
}

/* RFC 4516: ldap://host:port/dn?attribute?scope?filter */
static bool ldap_fetch(const char *url, const struct sg_fetch_limits *limits, struct sg_buf *body,
                       struct sg_error *err)
{
    LDAPURLDesc *parts = NULL;
    if (ldap_url_parse(url, &parts) != LDAP_URL_SUCCESS || !parts->lud_host || !*parts->lud_host ||
        !parts->lud_dn || !parts->lud_attrs || !parts->lud_attrs[0] || parts->lud_exts) {
        ldap_free_urldesc(parts);
        return sg_fail(err, SG_E_CRL, "not the address of one attribute in a directory");
    }
    if (limits->public_only && !host_public(parts->lud_host)) {
        ldap_free_urldesc(parts);
        return sg_fail(err, SG_E_CRL, "%s", NOT_PUBLIC);
    }
    char server[300];
    bool v6 = strchr(parts->lud_host, ':') != NULL;
    snprintf(server, sizeof server, "%s://%s%.255s%s:%d", parts->lud_scheme, v6 ? "[" : "",
             parts->lud_host, v6 ? "]" : "", parts->lud_port);
    struct sg_ldap_query query = {
        .base_dn = parts->lud_dn,
        .filter = parts->lud_filter ? parts->lud_filter : "(objectClass=*)",
        .scope = parts->lud_scope == LDAP_SCOPE_DEFAULT ? LDAP_SCOPE_BASE : parts->lud_scope,
        .attributes = (const char *const *)parts->lud_attrs,
        .max_entries = 2,
        .max_values = 1};
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_ldap *ldap = sg_ldap_new(server, NULL, body->limit);
    if (limits->public_only) /* the name may stand for something else by now */
        sg_ldap_avoid(ldap, private_networks);
    struct sg_ldap_values values = {0};
    bool ok = sg_ldap_search(ldap, &query, limits->deadline, arena, &values, err);
    sg_ldap_free(&ldap);
    ldap_free_urldesc(parts);
    if (ok && values.count == 0 && !values.truncated)
        return sg_fail(err, SG_E_CRL, "nothing is there");
    if (ok && (values.count == 0 || !sg_buf_add(body, values.items[0].data, values.items[0].len)))
        return sg_fail(err, SG_E_CRL, "larger than %zu bytes", body->limit);
    return ok;
}

bool sg_fetch_now(const char *url, const struct sg_fetch_limits *limits, struct sg_buf *body,
                  struct sg_error *err)
{
    sg_buf_init(body, limits->max_bytes);
    if (!sg_fetch_url_allowed(url))
        return sg_fail(err, SG_E_CRL, "protocol not supported");
    return is_ldap(url) ? ldap_fetch(url, limits, body, err) : http_fetch(url, limits, body, err);
}
