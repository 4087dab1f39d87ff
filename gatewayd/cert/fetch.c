/*
 * Fetching revocation lists, by HTTP and by LDAP. The address comes from a certificate whose chain
 * is accredited already, and still nothing but these protocols, few redirections, a size and a
 * time are allowed.
 */
#include "cert/cert_internal.h"

#include <curl/curl.h>
#include <ldap.h>
#include <string.h>

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

static void init_once(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
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

static bool http_fetch(const char *url, sg_deadline deadline, struct sg_buf *body,
                       struct sg_error *err)
{
    CURL *curl = curl_easy_init();
    if (!curl)
        return sg_fail(err, SG_E_NO_MEMORY, "curl_easy_init");
    char text[CURL_ERROR_SIZE] = "";
    long left = sg_deadline_left(deadline);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 3L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, left > 0 ? left : 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* never by the environment */
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "sealgate/" SG_VERSION);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, text);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    CURLcode rc = curl_easy_perform(curl);
    curl_easy_cleanup(curl);
    if (rc == CURLE_OK)
        return true;
    if (body->overflown)
        return sg_fail(err, SG_E_CRL, "%.120s: larger than %zu bytes", url, body->limit);
    return sg_fail_lib(err, SG_E_CRL, SG_LIB_CURL, rc, "%.120s: %.100s", url,
                       text[0] ? text : curl_easy_strerror(rc));
}

/* RFC 4516: ldap://host:port/dn?attribute?scope?filter */
static bool ldap_fetch(const char *url, sg_deadline deadline, struct sg_buf *body,
                       struct sg_error *err)
{
    LDAPURLDesc *parts = NULL;
    if (ldap_url_parse(url, &parts) != LDAP_URL_SUCCESS || !parts->lud_dn || !parts->lud_attrs ||
        !parts->lud_attrs[0] || parts->lud_exts) {
        ldap_free_urldesc(parts);
        return sg_fail(err, SG_E_CRL, "%.150s: not an address of one LDAP attribute", url);
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
    struct sg_ldap_values values = {0};
    bool ok = sg_ldap_search(ldap, &query, deadline, arena, &values, err);
    sg_ldap_free(&ldap);
    ldap_free_urldesc(parts);
    if (ok && values.count == 0)
        return sg_fail(err, SG_E_CRL, "%.150s: nothing is there", url);
    if (ok && !sg_buf_add(body, values.items[0].data, values.items[0].len))
        return sg_fail(err, SG_E_CRL, "%.120s: larger than %zu bytes", url, body->limit);
    return ok;
}

bool sg_fetch(const char *url, size_t max_bytes, sg_deadline deadline, struct sg_buf *body,
              struct sg_error *err)
{
    sg_buf_init(body, max_bytes);
    if (!sg_fetch_url_allowed(url))
        return sg_fail(err, SG_E_CRL, "%.150s: protocol not supported", url);
    return is_ldap(url) ? ldap_fetch(url, deadline, body, err)
                        : http_fetch(url, deadline, body, err);
}
