/*
 * Enrolment over Secure Transport (RFC 7030): cacerts, simpleenroll, simplereenroll. What went
 * wrong is an outcome with words, for the order's state depends on it; nothing of what comes back
 * is trusted here (check.h does).
 */
#ifndef SG_CERTLIFE_EST_H
#define SG_CERTLIFE_EST_H

#include "certlife/http.h"

#include <openssl/x509.h>

#define SG_EST_CERTIFICATES_MAX 10
#define SG_EST_BYTES_MAX        ((size_t)256 * 1024)

enum sg_est_outcome {
    SG_EST_ISSUED,       /* certificates */
    SG_EST_PENDING,      /* 202: later, not before retry_after_s */
    SG_EST_UNREACHABLE,  /* not reached, TLS failed, too slow, 5xx, 429: to be tried again */
    SG_EST_UNAUTHORIZED, /* 401, 403 */
    SG_EST_REFUSED,      /* another 4xx; a redirection; what EST has no use for */
    SG_EST_GARBAGE       /* an answer that is not what it says it is */
};

struct sg_est_answer {
    enum sg_est_outcome outcome;
    STACK_OF(X509) *certificates; /* ISSUED: as they came; else NULL */
    int64_t retry_after_s;        /* -1: it did not say */
    char words[256];              /* "" when ISSUED */
};
void sg_est_answer_free(struct sg_est_answer *answer);
#define SG_AUTO_EST_ANSWER __attribute__((cleanup(sg_est_answer_free))) struct sg_est_answer

/* url is that of /.well-known/est, perhaps with a label, without a slash at its end. */
void sg_est_cacerts(const char *url, const struct sg_http_access *access,
                    struct sg_est_answer *answer_r);
/* csr in DER. renewal: simplereenroll. */
void sg_est_enrol(const char *url, const struct sg_http_access *access, bool renewal,
                  struct sg_bytes csr, struct sg_est_answer *answer_r);

/* The body of an answer: base64 of a certs-only PKCS #7 (RFC 5272), 1 to SG_EST_CERTIFICATES_MAX
 * certificates. SG_E_MALFORMED. */
SG_MUST_USE bool sg_est_certificates(struct sg_bytes body, STACK_OF(X509) **certificates_r,
                                     struct sg_error *err);

#endif
