#include "smtp/tls.h"

#include "common/certificate.h"
#include "common/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <string.h>

/* Every certificate of a PEM text becomes a trusted one; a text without any is refused. */
static bool trust(SSL_CTX *ctx, const char *pem, struct sg_error *err)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    BIO *in = BIO_new_mem_buf(pem, -1);
    int count = 0;
    for (X509 *cert; in && (cert = PEM_read_bio_X509(in, NULL, sg_pem_no_password, NULL));) {
        if (X509_STORE_add_cert(store, cert) == 1)
            count++;
        X509_free(cert);
    }
    BIO_free(in);
    unsigned long last = ERR_peek_last_error();
    if (count == 0 ||
        (ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) != PEM_R_NO_START_LINE))
        return sg_fail_openssl(err, SG_E_SMTP_TLS, "the destination's CA certificates");
    ERR_clear_error(); /* the end of the text shows as an error */
    return true;
}

bool smtp_tls_context(const struct sg_smtp_destination *destination, SSL_CTX **ctx_r,
                      struct sg_error *err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) {
        SSL_CTX_free(ctx);
        return sg_fail_openssl(err, SG_E_SMTP_TLS, "TLS context");
    }
    sg_tls_bound(ctx);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY); /* what is no data comes back to wait_for() */
    if (destination->tls == SG_SMTP_TLS_VERIFIED) {
        bool given = destination->ca_pem && *destination->ca_pem;
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
        bool ok = given ? trust(ctx, destination->ca_pem, err)
                        : SSL_CTX_set_default_verify_paths(ctx) == 1 ||
                              sg_fail_openssl(err, SG_E_SMTP_TLS, "the system's CA certificates");
        if (!ok) {
            SSL_CTX_free(ctx);
            return false;
        }
    }
    *ctx_r = ctx;
    return true;
}

static bool expect_name(SSL *ssl, const struct sg_smtp_destination *d)
{
    struct in6_addr any;
    bool ip = inet_pton(AF_INET, d->host, &any) == 1 || inet_pton(AF_INET6, d->host, &any) == 1;
    if (!ip && SSL_set_tlsext_host_name(ssl, d->host) != 1)
        return false;
    if (d->tls != SG_SMTP_TLS_VERIFIED)
        return true;
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return (ip ? X509_VERIFY_PARAM_set1_ip_asc(param, d->host)
               : X509_VERIFY_PARAM_set1_host(param, d->host, 0)) == 1;
}

/* After a call that did not get through: waits if that is what it needs. */
static bool wait_for(SSL *ssl, int fd, int rc, sg_deadline deadline, const char *what,
                     struct sg_error *err)
{
    int why = SSL_get_error(ssl, rc);
    bool wants = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
    if (wants &&
        sg_deadline_left(deadline) == 0) /* there may always be something that is no data */
        return sg_fail(err, SG_E_TIMEOUT, "%s: not in time", what);
    if (why == SSL_ERROR_WANT_READ)
        return sg_io_wait(fd, POLLIN, deadline, err);
    if (why == SSL_ERROR_WANT_WRITE)
        return sg_io_wait(fd, POLLOUT, deadline, err);
    long verdict = SSL_get_verify_result(ssl);
    if (verdict != X509_V_OK && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE) {
        ERR_clear_error();
        return sg_fail_lib(err, SG_E_SMTP_TLS, SG_LIB_X509, verdict, "server certificate: %s",
                           X509_verify_cert_error_string(verdict));
    }
    if (why == SSL_ERROR_SYSCALL && ERR_peek_error() == 0)
        return sg_fail_errno(err, SG_E_IO, "%s", what);
    return sg_fail_openssl(err, SG_E_SMTP_TLS, "%s", what);
}

bool smtp_tls_connect(SSL_CTX *ctx, const struct sg_smtp_destination *destination, int fd,
                      SSL **ssl_r, sg_deadline deadline, struct sg_error *err)
{
    ERR_clear_error();
    SSL *ssl = SSL_new(ctx);
    if (!ssl || SSL_set_fd(ssl, fd) != 1 || !expect_name(ssl, destination)) {
        SSL_free(ssl);
        return sg_fail_openssl(err, SG_E_SMTP_TLS, "TLS set-up");
    }
    for (;;) {
        int rc = SSL_connect(ssl);
        if (rc == 1)
            break;
        if (!wait_for(ssl, fd, rc, deadline, "TLS handshake", err)) {
            SSL_free(ssl);
            return false;
        }
    }
    *ssl_r = ssl;
    return true;
}

bool smtp_tls_read(SSL *ssl, int fd, void *data, size_t len, size_t *n_r, sg_deadline deadline,
                   struct sg_error *err)
{
    for (;;) {
        ERR_clear_error();
        int rc = SSL_read_ex(ssl, data, len, n_r);
        if (rc == 1)
            return true;
        if (SSL_get_error(ssl, rc) == SSL_ERROR_ZERO_RETURN) {
            *n_r = 0;
            return true;
        }
        if (!wait_for(ssl, fd, rc, deadline, "TLS read", err))
            return false;
    }
}

bool smtp_tls_write(SSL *ssl, int fd, const void *data, size_t len, sg_deadline deadline,
                    struct sg_error *err)
{
    for (;;) {
        size_t n;
        ERR_clear_error();
        int rc = SSL_write_ex(ssl, data, len, &n);
        if (rc == 1)
            return true; /* all of it: partial writes are not enabled */
        if (!wait_for(ssl, fd, rc, deadline, "TLS write", err))
            return false;
    }
}
