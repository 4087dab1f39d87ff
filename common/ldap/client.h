/*
 * One LDAP v3 connection (REQ-52, 191, RFC 4511), anonymous unless an account is given, used by one
 * thread at a time. It is opened when it is first needed, kept, and opened once more when the
 * server has closed it meanwhile.
 *
 * Deadlines: the connection is asynchronous, because libldap's TLS handshake over GnuTLS otherwise
 * waits for ever on a server that hangs. Resolving a host name is the one thing that may take
 * longer.
 */
#ifndef SG_LDAP_CLIENT_H
#define SG_LDAP_CLIENT_H

#include "common/arena.h"
#include "common/buf.h"
#include "common/bytes.h"
#include "common/deadline.h"

struct sg_ldap;
struct sg_networks;

struct sg_ldap_query {
    const char *base_dn, *filter;
    int scope; /* LDAP_SCOPE_… */
    /* At most 255, ended by NULL; options such as ;binary are no part of the match. */
    const char *const *attributes;
    int max_entries;
    size_t max_values;
    int page_size; /* entries a page (RFC 2696); 0: all at once */
};

/* Values land in the arena. */
struct sg_ldap_values {
    struct sg_bytes *items;
    uint8_t *attributes; /* of each: its place in the query's attributes */
    size_t count;
    size_t entries; /* that were found */
    size_t bytes;   /* of all values */
    bool truncated; /* there were more: a limit of ours or of the server's */
};

/* ca_pem NULL or "": the system's certificates. max_bytes: of one answer, all its entries
 * together; what is beyond is not taken, and the answer is truncated. */
struct sg_ldap *sg_ldap_new(const char *url, const char *ca_pem, size_t max_bytes);
void sg_ldap_free(struct sg_ldap **ldap);
/*
 * From now on as bind_dn, by the password in the file CREDENTIAL.ldap in credentials_dir (NULL or
 * "": systemd's credentials); bind_dn NULL or "": anonymous. The password is read for each
 * connection and wiped, and is sent over TLS alone: an ldap:// server has to do StartTLS.
 */
void sg_ldap_account(struct sg_ldap *ldap, const char *bind_dn, const char *credentials_dir,
                     const char *credential);
/* Nothing is sent to an address in one of these, whatever the name of the server stands for. */
void sg_ldap_avoid(struct sg_ldap *ldap, const struct sg_networks *networks);
/* The code with which the server refused the last bind, 0: it did not. The same one will be refused
 * again. */
int sg_ldap_refused(const struct sg_ldap *ldap);
/* SG_E_DIRECTORY or SG_E_TIMEOUT when it is away; nothing found is success. */
SG_MUST_USE bool sg_ldap_search(struct sg_ldap *ldap, const struct sg_ldap_query *query,
                                sg_deadline deadline, struct sg_arena *arena,
                                struct sg_ldap_values *values_r, struct sg_error *err);
/* RFC 4515 section 3. */
void sg_ldap_escape(struct sg_buf *out, struct sg_bytes value);

#endif
