/*
 * One request to an authority's server over libcurl: https with verified TLS 1.2 or later, no
 * redirection, no proxy of the environment, a limit on time and size.
 */
#ifndef SG_CERTLIFE_HTTP_H
#define SG_CERTLIFE_HTTP_H

#include "common/buf.h"
#include "common/secret.h"

/* How to reach a server and who we are there. Views are borrowed. */
struct sg_http_access {
    const char *ca_pem;                      /* that vouch for the server; "": the system's */
    const char *account;                     /* HTTP Basic; NULL: none */
    const struct sg_secret *password;        /* with account */
    const char *certificate_file, *key_file; /* of a TLS client, PEM; NULL: none */
    int64_t timeout_ms;
};

struct sg_http_request {
    const char *url;
    bool plain_allowed; /* http:// too: for what is signed itself, a revocation list */
    const char *accept, *content_type;
    struct sg_bytes body; /* data NULL: GET, else POST */
    size_t max_bytes;     /* of the answer */
};

struct sg_http_answer {
    long status;
    char content_type[128];
    int64_t retry_after_s; /* -1: it did not say */
    struct sg_buf body;
};

/*
 * SG_E_TIMEOUT, SG_E_AUTHORITY (not reached, TLS: the CURLcode in lib_code), SG_E_LIMIT (too much).
 * An answer of any status is success. answer_r->body is to be freed in either case.
 */
SG_MUST_USE bool sg_http_ask(const struct sg_http_access *access,
                             const struct sg_http_request *request, struct sg_http_answer *answer_r,
                             struct sg_error *err);
void sg_http_answer_free(struct sg_http_answer *answer);
#define SG_AUTO_HTTP_ANSWER __attribute__((cleanup(sg_http_answer_free))) struct sg_http_answer

/* Retry-After (RFC 9110 §10.2.3): seconds, or a date against now (Unix time). -1: neither. */
int64_t sg_http_retry_after(const char *value, int64_t now_s);

#endif
