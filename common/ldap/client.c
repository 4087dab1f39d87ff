#include "ldapclient/client.h"

#include "common/log.h"
#include "common/networks.h"
#include "common/secret.h"

#include <lber.h>
#include <ldap.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SYSTEM_CAS "/etc/ssl/certs/ca-certificates.crt"
/* A directory is sent nothing but what was laid out for directories, whatever its row names. */
#define CREDENTIAL_SUFFIX ".ldap"
#define SLACK             65536   /* for what is around the values */
#define MAX_OTHERS        64      /* messages of a page that bring nothing: references … */
#define TOO_MUCH          (-1000) /* none of libldap's codes: the answer is beyond our limits */

struct sg_ldap {
    char *url, *ca_pem;
    char *bind_dn, *credentials_dir, *credential; /* NULL: anonymous */
    const struct sg_networks *avoid;              /* NULL: any */
    ldap_conncb watch;
    size_t max_bytes;
    LDAP *handle; /* NULL: not open */
    bool used;    /* a search succeeded on it */
    int refused;  /* the last bind: by this code */
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

void sg_ldap_account(struct sg_ldap *ldap, const char *bind_dn, const char *credentials_dir,
                     const char *credential)
{
    if (!bind_dn || !*bind_dn)
        return;
    ldap->bind_dn = strdup(bind_dn);
    ldap->credentials_dir = strdup(credentials_dir ? credentials_dir : "");
    ldap->credential = strdup(credential ? credential : "");
    if (!ldap->bind_dn || !ldap->credentials_dir || !ldap->credential)
        abort();
}

void sg_ldap_avoid(struct sg_ldap *ldap, const struct sg_networks *networks)
{
    ldap->avoid = networks;
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
    free((*ldap)->bind_dn);
    free((*ldap)->credentials_dir);
    free((*ldap)->credential);
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

/* Called with each address that is connected to, before anything is sent there. */
static int connected(LDAP *handle, Sockbuf *sockbuf, LDAPURLDesc *server, struct sockaddr *address,
                     struct ldap_conncb *watch)
{
    const struct sg_ldap *ldap = watch->lc_arg;
    (void)handle, (void)sockbuf, (void)server;
    return sg_networks_have(ldap->avoid, address) ? -1 : 0;
}

static void disconnected(LDAP *handle, Sockbuf *sockbuf, struct ldap_conncb *watch)
{
    (void)handle, (void)sockbuf, (void)watch;
}

static bool is_ldaps(const struct sg_ldap *ldap)
{
    return strncasecmp(ldap->url, "ldaps:", 6) == 0;
}

static bool connect_options(struct sg_ldap *ldap)
{
    LDAP *h = ldap->handle;
    int version = LDAP_VERSION3;
    ber_len_t most = ldap->max_bytes + SLACK;
    Sockbuf *sockbuf = NULL;
    if (ldap_get_option(h, LDAP_OPT_SOCKBUF, &sockbuf) == LDAP_OPT_SUCCESS && sockbuf)
        ber_sockbuf_ctrl(sockbuf, LBER_SB_OPT_SET_MAX_INCOMING, &most);
    ldap->watch = (ldap_conncb){connected, disconnected, ldap};
    if (ldap->avoid && ldap_set_option(h, LDAP_OPT_CONNECT_CB, &ldap->watch) != LDAP_OPT_SUCCESS)
        return false;
    return ldap_set_option(h, LDAP_OPT_PROTOCOL_VERSION, &version) == LDAP_OPT_SUCCESS &&
           ldap_set_option(h, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) == LDAP_OPT_SUCCESS &&
           ldap_set_option(h, LDAP_OPT_CONNECT_ASYNC, LDAP_OPT_ON) == LDAP_OPT_SUCCESS &&
           ((!is_ldaps(ldap) && !ldap->bind_dn) || tls_trust(h, ldap->ca_pem));
}

static void times_set(struct sg_ldap *ldap, sg_deadline deadline)
{
    int left = sg_deadline_left(deadline);
    struct timeval tv = {left / 1000, left % 1000 * 1000 + 1};
    ldap_set_option(ldap->handle, LDAP_OPT_NETWORK_TIMEOUT, &tv);
    ldap_set_option(ldap->handle, LDAP_OPT_TIMEOUT, &tv);
}

static bool failed(struct sg_ldap *ldap, const char *what, int rc, struct sg_error *err)
{
    char *diagnostic = NULL;
    ldap_get_option(ldap->handle, LDAP_OPT_DIAGNOSTIC_MESSAGE, &diagnostic);
    sg_fail_lib(err, rc == LDAP_TIMEOUT ? SG_E_TIMEOUT : SG_E_DIRECTORY, SG_LIB_LDAP, rc,
                "%.120s: %s%s%s%.80s", ldap->url, what, ldap_err2string(rc),
                diagnostic && diagnostic[0] ? ": " : "", diagnostic ? diagnostic : "");
    ldap_memfree(diagnostic);
    disconnect(ldap);
    return false;
}

/* Is an operation to be tried again, because the connection was still being made? Waits for that.
 */
static bool connecting(struct sg_ldap *ldap, sg_deadline deadline, int *rc)
{
    if (*rc != LDAP_X_CONNECTING)
        return false;
    int left = sg_deadline_left(deadline);
    if (left == 0) {
        *rc = LDAP_TIMEOUT;
        return false;
    }
    int fd = -1;
    ldap_get_option(ldap->handle, LDAP_OPT_DESC, &fd);
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    poll(&p, fd >= 0, fd >= 0 ? left : 1);
    return true;
}

/* The next message of an answer. *message_r is the caller's with LDAP_SUCCESS alone. */
static int message_get(struct sg_ldap *ldap, int id, sg_deadline deadline, int *type_r,
                       LDAPMessage **message_r)
{
    int left = sg_deadline_left(deadline), rc = LDAP_TIMEOUT;
    struct timeval tv = {left / 1000, left % 1000 * 1000};
    *message_r = NULL;
    *type_r = ldap_result(ldap->handle, id, LDAP_MSG_ONE, &tv, message_r);
    if (*type_r > 0)
        return LDAP_SUCCESS;
    if (*type_r < 0)
        ldap_get_option(ldap->handle, LDAP_OPT_RESULT_CODE, &rc);
    ldap_msgfree(*message_r);
    return rc;
}

/* What an operation other than a search came to. */
static int outcome(struct sg_ldap *ldap, int id, sg_deadline deadline)
{
    LDAPMessage *message;
    int type, code = LDAP_OTHER, rc = message_get(ldap, id, deadline, &type, &message);
    if (rc == LDAP_SUCCESS)
        rc = ldap_parse_result(ldap->handle, message, &code, NULL, NULL, NULL, NULL, 1);
    return rc == LDAP_SUCCESS ? code : rc;
}

static int start_tls(struct sg_ldap *ldap, sg_deadline deadline)
{
    int id = -1, rc;
    do
        rc = ldap_extended_operation(ldap->handle, LDAP_EXOP_START_TLS, NULL, NULL, NULL, &id);
    while (connecting(ldap, deadline, &rc));
    if (rc == LDAP_SUCCESS)
        rc = outcome(ldap, id, deadline);
    if (rc != LDAP_SUCCESS)
        return rc;
    times_set(ldap, deadline); /* of the handshake */
    return ldap_install_tls(ldap->handle);
}

static int bind_simple(struct sg_ldap *ldap, struct sg_secret *password, sg_deadline deadline)
{
    struct berval value = {password->len, (char *)password->data};
    int id = -1, rc;
    do
        rc = ldap_sasl_bind(ldap->handle, ldap->bind_dn, LDAP_SASL_SIMPLE, &value, NULL, NULL, &id);
    while (connecting(ldap, deadline, &rc));
    return rc == LDAP_SUCCESS ? outcome(ldap, id, deadline) : rc;
}

/* The error is told to whoever asks why, the path of a secret to the log alone. */
static bool password_read(const struct sg_ldap *ldap, struct sg_secret *password,
                          struct sg_error *err)
{
    char path[SG_CREDENTIAL_PATH];
    struct sg_error why = {0};
    if (sg_credential_path(ldap->credentials_dir, ldap->credential, CREDENTIAL_SUFFIX, path,
                           &why) &&
        sg_secret_read(password, path, &why))
        return true;
    sg_log_error(SG_LOG_ERROR, "ldap.credential", &why, "url", ldap->url, NULL);
    return sg_fail(
        err, SG_E_DIRECTORY,
        "%.120s: not asked: the password to bind with (credential %.64s" CREDENTIAL_SUFFIX
        ") cannot be read",
        ldap->url, ldap->credential);
}

int sg_ldap_refused(const struct sg_ldap *ldap)
{
    return ldap->refused;
}

/* A code of the server's own, and none that goes by itself. */
static bool is_refusal(int rc)
{
    return rc > 0 && rc != LDAP_BUSY && rc != LDAP_UNAVAILABLE;
}

/* Of a connection that has just been made. */
static bool sign_on(struct sg_ldap *ldap, sg_deadline deadline, struct sg_error *err)
{
    SG_AUTO_SECRET password = {0};
    ldap->refused = 0;
    if (!password_read(ldap, &password, err))
        return false;
    int rc = is_ldaps(ldap) ? LDAP_SUCCESS : start_tls(ldap, deadline);
    if (rc != LDAP_SUCCESS)
        return failed(ldap, "no StartTLS, and no password without it: ", rc, err);
    rc = bind_simple(ldap, &password, deadline);
    if (rc == LDAP_SUCCESS)
        return true;
    char what[64];
    ldap->refused = is_refusal(rc) ? rc : 0;
    snprintf(what, sizeof what, "%s (%d): ", ldap->refused ? "refused the bind" : "bind", rc);
    return failed(ldap, what, rc, err);
}

static bool connection_open(struct sg_ldap *ldap, sg_deadline deadline, struct sg_error *err)
{
    if (ldap->handle) {
        times_set(ldap, deadline);
        return true;
    }
    int rc = ldap_initialize(&ldap->handle, ldap->url);
    if (rc != LDAP_SUCCESS)
        return sg_fail_lib(err, SG_E_DIRECTORY, SG_LIB_LDAP, rc, "%.120s: %s", ldap->url,
                           ldap_err2string(rc));
    if (!connect_options(ldap)) {
        disconnect(ldap);
        return sg_fail(err, SG_E_DIRECTORY,
                       "%.120s: its options (the CA certificate?) are not accepted", ldap->url);
    }
    times_set(ldap, deadline);
    if (!ldap->bind_dn || sign_on(ldap, deadline, err))
        return true;
    disconnect(ldap);
    return false;
}

/* Sends the search; while the connection is still being made, waits for its descriptor. */
static int send_search(struct sg_ldap *ldap, const struct sg_ldap_query *query,
                       LDAPControl **controls, sg_deadline deadline, int *id_r)
{
    int rc;
    do {
        int left = sg_deadline_left(deadline);
        struct timeval tv = {left / 1000 + 1, 0}; /* the server's own limit, in whole seconds */
        rc = left == 0 ? LDAP_TIMEOUT
                       : ldap_search_ext(ldap->handle, query->base_dn, query->scope, query->filter,
                                         (char **)(uintptr_t)query->attributes, 0, controls, NULL,
                                         &tv, query->max_entries, id_r);
    } while (connecting(ldap, deadline, &rc));
    return rc;
}

/* The place of an attribute among those wanted, -1 for none. userCertificate matches
 * userCertificate;binary and the other way round. */
static int attribute_place(const struct berval *name, const char *const *wanted)
{
    const char *options = memchr(name->bv_val, ';', name->bv_len);
    size_t len = options ? (size_t)(options - name->bv_val) : name->bv_len;
    for (int i = 0; wanted[i]; i++)
        if (strcspn(wanted[i], ";") == len && strncasecmp(name->bv_val, wanted[i], len) == 0)
            return i;
    return -1;
}

/* One by one, where the message lies: libldap would make a list of all of them, and an empty value
 * takes two octets there and seventy in it. false: no more may come. */
static bool values_add(BerElement *ber, int place, size_t max, struct sg_arena *arena,
                       struct sg_ldap_values *values)
{
    ber_len_t len;
    char *end;
    struct berval value;
    for (ber_tag_t tag = ber_first_element(ber, &len, &end); tag != LBER_DEFAULT;
         tag = ber_next_element(ber, &len, end)) {
        if (place >= 0 && values->count == max) {
            values->truncated = true;
            return false;
        }
        if (ber_scanf(ber, "m", &value) == LBER_ERROR)
            return false;
        if (place < 0)
            continue;
        values->bytes += value.bv_len;
        values->attributes[values->count] = (uint8_t)place;
        values->items[values->count++] =
            sg_arena_copy(arena, sg_bytes_of(value.bv_val, value.bv_len));
    }
    return true;
}

static void entry_read(LDAP *handle, LDAPMessage *entry, const struct sg_ldap_query *query,
                       struct sg_arena *arena, struct sg_ldap_values *values)
{
    BerElement *ber = NULL;
    struct berval name;
    values->entries++;
    if (ldap_get_dn_ber(handle, entry, &ber, &name) != LDAP_SUCCESS)
        return;
    bool more = true;
    while (more && ber_scanf(ber, "{m", &name) != LBER_ERROR)
        more = values_add(ber, attribute_place(&name, query->attributes), query->max_values, arena,
                          values);
    ber_free(ber, 0);
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

/* Message by message, as they come: a server that sends more than it was asked for, or without an
 * end, does not fill our memory, nor keep us: what has come already libldap gives without asking
 * what the time is. */
static int page_read(struct sg_ldap *ldap, const struct sg_ldap_query *query, int id,
                     sg_deadline deadline, struct berval *cookie, struct sg_arena *arena,
                     struct sg_ldap_values *values)
{
    for (size_t others = 0;;) {
        LDAPMessage *message;
        if (sg_deadline_left(deadline) == 0)
            return LDAP_TIMEOUT;
        int type, rc = message_get(ldap, id, deadline, &type, &message);
        if (rc != LDAP_SUCCESS)
            return rc;
        bool more = values->bytes > ldap->max_bytes ||
                    (query->max_entries > 0 && values->entries >= (size_t)query->max_entries);
        if (type == LDAP_RES_SEARCH_RESULT)
            rc = page_end(ldap->handle, message, cookie);
        else if (more && type == LDAP_RES_SEARCH_ENTRY)
            rc = TOO_MUCH;
        else if (type == LDAP_RES_SEARCH_ENTRY)
            entry_read(ldap->handle, message, query, arena, values);
        else if (others++ == MAX_OTHERS)
            rc = TOO_MUCH;
        ldap_msgfree(message);
        if (type == LDAP_RES_SEARCH_RESULT || rc != LDAP_SUCCESS)
            return rc;
    }
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
    return rc == LDAP_SUCCESS ? page_read(ldap, query, id, deadline, cookie, arena, values) : rc;
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
    while (rc == LDAP_SUCCESS && cookie.bv_len > 0 && query->page_size > 0);
    ber_memfree(cookie.bv_val);
    values_r->truncated |= rc == LDAP_SIZELIMIT_EXCEEDED || rc == TOO_MUCH;
    if (rc != LDAP_SUCCESS && rc != LDAP_NO_SUCH_OBJECT && !values_r->truncated)
        return failed(ldap, "", rc, err);
    ldap->used = true;
    if (rc == TOO_MUCH)
        disconnect(ldap); /* the rest of it would come all the same */
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
