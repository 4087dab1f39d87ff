#include "ldapclient/client.h"

#include <ldap.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SYSTEM_CAS "/etc/ssl/certs/ca-certificates.crt"

struct sg_ldap {
    char *url, *ca_pem;
    size_t max_bytes;
    LDAP *handle; /* NULL: not open */
    bool used;    /* a search succeeded on it */
};

/* libldap initialises itself at its first call, which threads must not race for. */
static void init_once(void)
{
    int version;
    ldap_get_option(NULL, LDAP_OPT_PROTOCOL_VERSION, &version);
}

struct sg_ldap *sg_ldap_new(const char *url, const char *ca_pem, size_t max_bytes)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_once);
    struct sg_ldap *ldap = calloc(1, sizeof *ldap);
    if (!ldap || !(ldap->url = strdup(url)) ||
        (ca_pem && ca_pem[0] && !(ldap->ca_pem = strdup(ca_pem))))
        abort();
    ldap->max_bytes = max_bytes;
    return ldap;
}

static void disconnect(struct sg_ldap *ldap)
{
    if (ldap->handle)
        ldap_unbind_ext(ldap->handle, NULL, NULL);
    ldap->handle = NULL;
    ldap->used = false;
}

void sg_ldap_free(struct sg_ldap **ldap)
{
    if (!*ldap)
        return;
    disconnect(*ldap);
    free((*ldap)->url);
    free((*ldap)->ca_pem);
    free(*ldap);
    *ldap = NULL;
}

/* libldap takes a file of CA certificates and no memory: a file without a name. */
static bool tls_trust(LDAP *handle, const char *ca_pem)
{
    char path[64] = SYSTEM_CAS;
    int fd = -1;
    if (ca_pem) {
        fd = memfd_create("ldap-ca", MFD_CLOEXEC);
        size_t len = strlen(ca_pem);
        if (fd < 0 || write(fd, ca_pem, len) != (ssize_t)len) {
            if (fd >= 0)
                close(fd);
            return false;
        }
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    int demand = LDAP_OPT_X_TLS_DEMAND, version = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2, client = 0;
    bool ok = ldap_set_option(handle, LDAP_OPT_X_TLS_CACERTFILE, path) == LDAP_OPT_SUCCESS &&
              ldap_set_option(handle, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand) == LDAP_OPT_SUCCESS &&
              ldap_set_option(handle, LDAP_OPT_X_TLS_PROTOCOL_MIN, &version) == LDAP_OPT_SUCCESS &&
              ldap_set_option(handle, LDAP_OPT_X_TLS_NEWCTX, &client) == LDAP_OPT_SUCCESS;
    if (fd >= 0)
        close(fd); /* the context has read it */
    return ok;
}

static bool connect_options(struct sg_ldap *ldap)
{
    LDAP *h = ldap->handle;
    int version = LDAP_VERSION3;
    ber_len_t most = ldap->max_bytes + 65536;
    Sockbuf *sockbuf = NULL;
    if (ldap_get_option(h, LDAP_OPT_SOCKBUF, &sockbuf) == LDAP_OPT_SUCCESS && sockbuf)
        ber_sockbuf_ctrl(sockbuf, LBER_SB_OPT_SET_MAX_INCOMING, &most);
    return ldap_set_option(h, LDAP_OPT_PROTOCOL_VERSION, &version) == LDAP_OPT_SUCCESS &&
           ldap_set_option(h, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) == LDAP_OPT_SUCCESS &&
           ldap_set_option(h, LDAP_OPT_CONNECT_ASYNC, LDAP_OPT_ON) == LDAP_OPT_SUCCESS &&
           (strncasecmp(ldap->url, "ldaps:", 6) != 0 || tls_trust(h, ldap->ca_pem));
}

static bool connection_open(struct sg_ldap *ldap, sg_deadline deadline, struct sg_error *err)
{
    if (!ldap->handle) {
        int rc = ldap_initialize(&ldap->handle, ldap->url);
        if (rc != LDAP_SUCCESS)
            return sg_fail_lib(err, SG_E_DIRECTORY, SG_LIB_LDAP, rc, "%.120s: %s", ldap->url,
                               ldap_err2string(rc));
        if (!connect_options(ldap)) {
            disconnect(ldap);
            return sg_fail(err, SG_E_DIRECTORY,
                           "%.120s: its options (the CA certificate?) are not accepted", ldap->url);
        }
    }
    int left = sg_deadline_left(deadline);
    struct timeval tv = {left / 1000, left % 1000 * 1000 + 1};
    ldap_set_option(ldap->handle, LDAP_OPT_NETWORK_TIMEOUT, &tv);
    ldap_set_option(ldap->handle, LDAP_OPT_TIMEOUT, &tv);
    return true;
}

static bool failed(struct sg_ldap *ldap, int rc, struct sg_error *err)
{
    char *diagnostic = NULL;
    ldap_get_option(ldap->handle, LDAP_OPT_DIAGNOSTIC_MESSAGE, &diagnostic);
    sg_fail_lib(err, rc == LDAP_TIMEOUT ? SG_E_TIMEOUT : SG_E_DIRECTORY, SG_LIB_LDAP, rc,
                "%.120s: %s%s%.80s", ldap->url, ldap_err2string(rc),
                diagnostic && diagnostic[0] ? ": " : "", diagnostic ? diagnostic : "");
    ldap_memfree(diagnostic);
    disconnect(ldap);
    return false;
}

/* Sends the search; while the connection is still being made, waits for its descriptor. */
static int send_search(struct sg_ldap *ldap, const struct sg_ldap_query *query,
                       LDAPControl **controls, sg_deadline deadline, int *id_r)
{
    for (;;) {
        int left = sg_deadline_left(deadline);
        if (left == 0)
            return LDAP_TIMEOUT;
        struct timeval tv = {left / 1000 + 1, 0}; /* the server's own limit, in whole seconds */
        int rc = ldap_search_ext(ldap->handle, query->base_dn, query->scope, query->filter,
                                 (char **)(uintptr_t)query->attributes, 0, controls, NULL, &tv,
                                 query->max_entries, id_r);
        if (rc != LDAP_X_CONNECTING)
            return rc;
        int fd = -1;
        ldap_get_option(ldap->handle, LDAP_OPT_DESC, &fd);
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        poll(&p, fd >= 0, fd >= 0 ? left : 1);
    }
}

/* The place of an attribute among those wanted, -1 for none. userCertificate matches
 * userCertificate;binary and the other way round. */
static int attribute_place(const char *name, const char *const *wanted)
{
    size_t len = strcspn(name, ";");
    for (int i = 0; wanted[i]; i++)
        if (strcspn(wanted[i], ";") == len && strncasecmp(name, wanted[i], len) == 0)
            return i;
    return -1;
}

static void values_add(LDAP *handle, LDAPMessage *entry, const char *attribute, int place,
                       size_t max, struct sg_arena *arena, struct sg_ldap_values *values)
{
    struct berval **list = ldap_get_values_len(handle, entry, attribute);
    for (size_t i = 0; list && list[i]; i++) {
        if (values->count == max) {
            values->truncated = true;
            break;
        }
        values->attributes[values->count] = (uint8_t)place;
        values->items[values->count++] =
            sg_arena_copy(arena, sg_bytes_of(list[i]->bv_val, list[i]->bv_len));
    }
    if (list)
        ldap_value_free_len(list);
}

static void result_read(LDAP *handle, LDAPMessage *result, const struct sg_ldap_query *query,
                        struct sg_arena *arena, struct sg_ldap_values *values)
{
    for (LDAPMessage *entry = ldap_first_entry(handle, result); entry;
         entry = ldap_next_entry(handle, entry)) {
        BerElement *ber = NULL;
        values->entries++;
        for (char *name = ldap_first_attribute(handle, entry, &ber); name;
             name = ldap_next_attribute(handle, entry, ber)) {
            int place = attribute_place(name, query->attributes);
            if (place >= 0)
                values_add(handle, entry, name, place, query->max_values, arena, values);
            ldap_memfree(name);
        }
        ber_free(ber, 0);
    }
}

/* What a page ended with: the server's result code and the cookie for the next. */
static int page_end(LDAP *handle, LDAPMessage *result, struct berval *cookie)
{
    int rc = LDAP_OTHER;
    LDAPControl **controls = NULL;
    ldap_parse_result(handle, result, &rc, NULL, NULL, NULL, &controls, 0);
    ber_memfree(cookie->bv_val);
    *cookie = (struct berval){0};
    LDAPControl *page = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, controls, NULL);
    ber_int_t estimate;
    if (page && ldap_parse_pageresponse_control(handle, page, &estimate, cookie) != LDAP_SUCCESS &&
        rc == LDAP_SUCCESS)
        rc = LDAP_DECODING_ERROR;
    ldap_controls_free(controls);
    return rc;
}

/* One page, or all where none are wanted. cookie: of the last page, afterwards of the next. */
static int search_page(struct sg_ldap *ldap, const struct sg_ldap_query *query,
                       sg_deadline deadline, struct berval *cookie, struct sg_arena *arena,
                       struct sg_ldap_values *values)
{
    LDAPControl *page = NULL;
    if (query->page_size > 0) {
        int rc = ldap_create_page_control(ldap->handle, query->page_size, cookie, 0, &page);
        if (rc != LDAP_SUCCESS)
            return rc;
    }
    LDAPControl *controls[] = {page, NULL};
    int id = -1, rc = send_search(ldap, query, page ? controls : NULL, deadline, &id);
    if (page)
        ldap_control_free(page);
    if (rc != LDAP_SUCCESS)
        return rc;
    int left = sg_deadline_left(deadline);
    struct timeval tv = {left / 1000, left % 1000 * 1000};
    LDAPMessage *result = NULL;
    int type = ldap_result(ldap->handle, id, LDAP_MSG_ALL, &tv, &result);
    if (type <= 0) {
        rc = LDAP_TIMEOUT;
        if (type < 0)
            ldap_get_option(ldap->handle, LDAP_OPT_RESULT_CODE, &rc);
        ldap_msgfree(result);
        return rc;
    }
    rc = page_end(ldap->handle, result, cookie);
    if (rc == LDAP_SUCCESS || rc == LDAP_SIZELIMIT_EXCEEDED)
        result_read(ldap->handle, result, query, arena, values);
    ldap_msgfree(result);
    return rc;
}

static bool search_once(struct sg_ldap *ldap, const struct sg_ldap_query *query,
                        sg_deadline deadline, struct sg_arena *arena,
                        struct sg_ldap_values *values_r, struct sg_error *err)
{
    if (!connection_open(ldap, deadline, err))
        return false;
    *values_r = (struct sg_ldap_values){
        .items = SG_ARENA_ARRAY(arena, struct sg_bytes, query->max_values),
        .attributes = SG_ARENA_ARRAY(arena, uint8_t, query->max_values),
    };
    struct berval cookie = {0};
    int rc;
    do
        rc = search_page(ldap, query, deadline, &cookie, arena, values_r);
    while (rc == LDAP_SUCCESS && cookie.bv_len > 0);
    ber_memfree(cookie.bv_val);
    if (rc == LDAP_SIZELIMIT_EXCEEDED)
        values_r->truncated = true;
    else if (rc != LDAP_SUCCESS && rc != LDAP_NO_SUCH_OBJECT)
        return failed(ldap, rc, err);
    ldap->used = true;
    return true;
}

bool sg_ldap_search(struct sg_ldap *ldap, const struct sg_ldap_query *query, sg_deadline deadline,
                    struct sg_arena *arena, struct sg_ldap_values *values_r, struct sg_error *err)
{
    bool again = ldap->used; /* then the server may have closed it since */
    struct sg_error first;
    sg_error_reset(&first);
    if (search_once(ldap, query, deadline, arena, values_r, &first))
        return true;
    if (again && first.code != SG_E_TIMEOUT && sg_deadline_left(deadline) > 0)
        return search_once(ldap, query, deadline, arena, values_r, err);
    if (err)
        *err = first;
    return false;
}

void sg_ldap_escape(struct sg_buf *out, struct sg_bytes value)
{
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.data[i];
        if (c == '*' || c == '(' || c == ')' || c == '\\' || c < ' ' || c >= 0x7f)
            sg_buf_addf(out, "\\%02x", c);
        else
            sg_buf_add(out, &value.data[i], 1);
    }
}
