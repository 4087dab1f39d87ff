#include "common/tls.h"

#include "common/buf.h"
#include "common/certificate.h"

#include <stdlib.h>

#define MAX_CHAIN_BYTES ((long)32 * 1024)

/*
 * OpenSSL decodes all that a server sends before it asks whether to go on, and a key on a curve of
 * its own is dear to decode (common/certificate.c): seconds of a handshake. Such a curve says what
 * its field is (X9.62: prime or of characteristic two, ansi-X9-62 1 and 2), as nothing else in a
 * certificate does; this sees the message before it is decoded, can refuse nothing, and so makes
 * it one that is none.
 */
static void look(int out, int version, int type, const void *octets, size_t len, SSL *ssl,
                 void *unused)
{
    static const uint8_t fields[2][7] = {{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x01, 0x01},
                                         {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x01, 0x02}};
    const uint8_t *message = octets;
    (void)version, (void)ssl, (void)unused;
    if (out || type != SSL3_RT_HANDSHAKE || len < SSL3_HM_HEADER_LENGTH ||
        message[0] != SSL3_MT_CERTIFICATE)
        return;
    for (size_t i = 0; i < 2; i++)
        if (memmem(octets, len, fields[i], sizeof fields[i]))
            memset((uint8_t *)message + SSL3_HM_HEADER_LENGTH, 0xff, len - SSL3_HM_HEADER_LENGTH);
}

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

/* RFC 9325 §4.1; the group is the server's choice, and of 10,000 bits takes most of a second. All
 * else stays as the machine's configuration has it; who has nothing else speaks TLS 1.3, whose
 * groups have names. */
static void without_dhe(SSL_CTX *ctx)
{
    SG_AUTO_BUF names = {0};
    STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(ctx);
    for (int i = 0; i < sk_SSL_CIPHER_num(all); i++) {
        const SSL_CIPHER *c = sk_SSL_CIPHER_value(all, i);
        int exchange = SSL_CIPHER_get_kx_nid(c);
        if (exchange != NID_kx_dhe && exchange != NID_kx_dhe_psk && exchange != NID_kx_any)
            sg_buf_addf(&names, "%s%s", names.len ? ":" : "", SSL_CIPHER_get_name(c));
    }
    if (names.len == 0)
        SSL_CTX_set_options(ctx, SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 |
                                     SSL_OP_NO_TLSv1_2);
    else if (SSL_CTX_set_cipher_list(ctx, (const char *)names.data) != 1)
        abort();
}

void sg_tls_bound(SSL_CTX *ctx)
{
    without_dhe(ctx);
    SSL_CTX_set_max_cert_list(ctx, MAX_CHAIN_BYTES);
    SSL_CTX_set_msg_callback(ctx, look);
    SSL_CTX_set_cert_verify_callback(ctx, verify, NULL);
}
