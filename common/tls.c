#include "common/tls.h"

#include "common/certificate.h"

#include <stdlib.h>

#define MAX_CHAIN_BYTES ((long)32 * 1024)

/* OpenSSL looks at the extensions only here, and of servers that are not verified too. */
static int verify(X509_STORE_CTX *store, void *unused)
{
    (void)unused;
    STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store);
    for (int i = 0; i < sk_X509_num(sent); i++)
        if (!sg_certificate_bearable(sk_X509_value(sent, i))) {
            X509_STORE_CTX_set_error(store, X509_V_ERR_INVALID_EXTENSION);
            return 0;
        }
    return X509_verify_cert(store);
}

void sg_tls_bound(SSL_CTX *ctx)
{
    /* RFC 9325 §4.1; the group is the server's choice, and of 10,000 bits takes most of a second.
     */
    if (SSL_CTX_set_cipher_list(ctx, "DEFAULT:!DHE") != 1)
        abort();
    SSL_CTX_set_max_cert_list(ctx, MAX_CHAIN_BYTES);
    SSL_CTX_set_cert_verify_callback(ctx, verify, NULL);
}
