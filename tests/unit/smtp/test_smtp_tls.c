/* client.h: STARTTLS in its four modes; certificates made by the openssl command. */
#include "bombs.h"
#include "common/tls.h"
#include "script.h"
#include "smtp/tls.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#define OPEN  "A", "S 220 hi", "C EHLO gw.test", "S 250-mx", "S 250 STARTTLS"
#define BEGIN OPEN, "C STARTTLS", "S 220 go"
#define AGAIN "C EHLO gw.test", "S 250 mx"
#define MESSAGE                                                                                    \
    "C* MAIL", "S 250 ok", "C* RCPT", "S 250 ok", "C DATA", "S 354", "D*", "S 250 2.0.0 ok"

static char dir[] = "/tmp/sg-tls-XXXXXX";
static char good[64], good_key[64], other[64], other_key[64], old[64], old_key[64];
static char ca[8192], other_ca[8192];

static const char make[] =
    "cd %s && exec 2>/dev/null &&"
    "new() { openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key"
    " -subj /CN=$1 -out $1.csr; } &&"
    "ca() { new $1 && openssl x509 -req -in $1.csr -signkey $1.key -days 30 -out $1.pem"
    " -extfile /etc/ssl/openssl.cnf -extensions v3_ca; } &&"
    "leaf() { new $1 && printf 'subjectAltName=%%s\\n' \"$2\" >$1.ext &&"
    " openssl x509 -req -in $1.csr -CA $3.pem -CAkey $3.key -CAcreateserial -days $4"
    " -extfile $1.ext -out $1.pem; } &&"
    "ca root && ca stranger && leaf good DNS:localhost,IP:127.0.0.1 root 30 &&"
    "leaf other DNS:elsewhere.test root 30 && leaf old DNS:localhost,IP:127.0.0.1 root -1";

static void load(const char *name, char *out, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    out[fread(out, 1, size - 1, f)] = 0;
    fclose(f);
}

static int setup(void **state)
{
    (void)state;
    char command[2000];
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(dir))
        return -1;
    snprintf(command, sizeof command, make, dir);
    if (system(command) != 0)
        return -1;
    load("root.pem", ca, sizeof ca);
    load("stranger.pem", other_ca, sizeof other_ca);
    char *const files[] = {good, good_key, other, other_key, old, old_key};
    static const char *const names[] = {"good.pem",  "good.key", "other.pem",
                                        "other.key", "old.pem",  "old.key"};
    for (size_t i = 0; i < 6; i++)
        snprintf(files[i], sizeof good, "%s/%s", dir, names[i]);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

static int64_t command_ms = 5000;

/* One message; the reply's code, or minus the error's. */
static int play(const char *const *steps, const char *host, enum sg_smtp_tls tls,
                const char *ca_pem, struct sg_error *err)
{
    struct sg_smtp_client_options o = {.hostname = "gw.test",
                                       .slots = 2,
                                       .slot_wait_ms = 5000,
                                       .connect_timeout_ms = 5000,
                                       .command_timeout_ms = command_ms,
                                       .data_timeout_ms = 5000,
                                       .idle_ms = 60000};
    struct script *s = script_begin(steps);
    struct sg_smtp_client *c = sg_smtp_client_new(&o);
    struct sg_smtp_destination d = {
        .host = host, .port = script_port(s), .tls = tls, .ca_pem = ca_pem};
    struct sg_smtp_reply reply;
    memset(err, 0, sizeof *err);
    bool ok = script_send(c, &d, &reply, err);
    sg_smtp_client_free(&c);
    script_end(&s);
    return ok ? reply.code : -(int)err->code;
}

static const char *const through[] = {BEGIN, "T", AGAIN, MESSAGE, "E", NULL};
static const char *const stopped[] = {BEGIN, "T-", NULL};
static const char *const not_offered[] = {"A", "S 220 hi", "C EHLO gw.test", "S 250 mx", MESSAGE,
                                          "E", NULL};
static const char *const not_offered_stop[] = {"A",        "S 220 hi", "C EHLO gw.test",
                                               "S 250 mx", "E",        NULL};

static void modes(void **state)
{
    (void)state;
    struct sg_error err;
    script_tls(other, other_key); /* of another name, from a CA nobody knows */
    assert_int_equal(play(through, "127.0.0.1", SG_SMTP_TLS_OPPORTUNISTIC, "", &err), 250);
    assert_int_equal(play(through, "127.0.0.1", SG_SMTP_TLS_REQUIRED, "", &err), 250);
    assert_int_equal(play(not_offered, "127.0.0.1", SG_SMTP_TLS_OPPORTUNISTIC, "", &err), 250);
    assert_int_equal(play(not_offered_stop, "127.0.0.1", SG_SMTP_TLS_REQUIRED, "", &err),
                     -SG_E_SMTP_TLS);
    assert_int_equal(play(not_offered_stop, "127.0.0.1", SG_SMTP_TLS_VERIFIED, ca, &err),
                     -SG_E_SMTP_TLS);
    static const char *const unused[] = {OPEN, MESSAGE, "E", NULL};
    assert_int_equal(play(unused, "127.0.0.1", SG_SMTP_TLS_NONE, NULL, &err), 250);
    static const char *const later[] = {OPEN,    "C STARTTLS", "S 454 4.7.0 not now",
                                        MESSAGE, "E",          NULL};
    static const char *const later_stop[] = {OPEN, "C STARTTLS", "S 454 4.7.0 not now", "E", NULL};
    assert_int_equal(play(later, "127.0.0.1", SG_SMTP_TLS_OPPORTUNISTIC, "", &err), 250);
    assert_int_equal(play(later_stop, "127.0.0.1", SG_SMTP_TLS_REQUIRED, "", &err), -SG_E_SMTP_TLS);
}

/* dir/name in PEM: count times such a certificate, whose key is bomb_key. */
static void bombs_save(const char *name, char *path, size_t issuer_octets, size_t points, int count)
{
    struct sg_bytes der = bomb_relative(issuer_octets, points);
    snprintf(path, 64, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < count; i++)
        assert_true(
            PEM_write(f, PEM_STRING_X509, "", (unsigned char *)(uintptr_t)der.data, (long)der.len));
    fclose(f);
    free((void *)der.data);
}

/* Anybody's server may send us any certificates; those of ordinary ones are a few KiB. */
static void certificates_of_a_server(void **state)
{
    (void)state;
    char chain[64], key[64];
    struct sg_error err;
    snprintf(key, sizeof key, "%s/bomb.key", dir);
    FILE *f = fopen(key, "w");
    assert_non_null(f);
    fputs(bomb_key, f);
    fclose(f);
    bombs_save("chain.pem", chain, 4000, 0, 7);
    script_tls(chain, key);
    assert_int_equal(play(through, "localhost", SG_SMTP_TLS_OPPORTUNISTIC, "", &err), 250);
    bombs_save("chain.pem", chain, 4000, 0, 8);
    assert_int_equal(play(stopped, "localhost", SG_SMTP_TLS_OPPORTUNISTIC, "", &err),
                     -SG_E_SMTP_TLS);
    assert_non_null(strstr(err.detail, "excessive message size"));
    /* What OpenSSL would take gigabytes for is not looked at. */
    bombs_save("chain.pem", chain, 100, 3, 1);
    assert_int_equal(play(through, "localhost", SG_SMTP_TLS_OPPORTUNISTIC, "", &err), 250);
    assert_int_equal(play(stopped, "localhost", SG_SMTP_TLS_VERIFIED, ca, &err), -SG_E_SMTP_TLS);
    assert_string_equal(err.detail,
                        "server certificate: invalid or inconsistent certificate extension");
    bombs_save("chain.pem", chain, 100, 2, 1);
    assert_int_equal(play(stopped, "localhost", SG_SMTP_TLS_VERIFIED, ca, &err), -SG_E_SMTP_TLS);
    assert_string_equal(err.detail, "server certificate: unable to get local issuer certificate");
}

/* Behind the server's own: a certificate whose key is on P-256, which is named or told. */
static void curve_append(const char *path, int encoding)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
    X509 *x = X509_new();
    assert_true(
        EVP_PKEY_keygen_init(ctx) == 1 &&
        EVP_PKEY_CTX_set_ec_paramgen_curve_nid(ctx, NID_X9_62_prime256v1) == 1 &&
        EVP_PKEY_CTX_set_ec_param_enc(ctx, encoding) == 1 && EVP_PKEY_keygen(ctx, &key) == 1 &&
        X509_set_pubkey(x, key) == 1 && X509_gmtime_adj(X509_getm_notBefore(x), 0) &&
        X509_gmtime_adj(X509_getm_notAfter(x), 3600) && X509_sign(x, key, EVP_sha256()) > 0);
    FILE *f = fopen(path, "a");
    assert_non_null(f);
    assert_int_equal(PEM_write_X509(f, x), 1);
    fclose(f);
    X509_free(x);
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(ctx);
}

/* OpenSSL decodes a chain before anybody can look at it: with 47 such it took 5.5 s, of a server
 * that is not verified too. */
static void curves_of_a_server(void **state)
{
    (void)state;
    char chain[64], key[64];
    struct sg_error err;
    snprintf(key, sizeof key, "%s/bomb.key", dir);
    bombs_save("chain.pem", chain, 100, 0, 1);
    curve_append(chain, OPENSSL_EC_NAMED_CURVE);
    script_tls(chain, key);
    assert_int_equal(play(through, "localhost", SG_SMTP_TLS_OPPORTUNISTIC, "", &err), 250);
    bombs_save("chain.pem", chain, 100, 0, 1);
    curve_append(chain, OPENSSL_EC_EXPLICIT_CURVE);
    assert_int_equal(play(stopped, "localhost", SG_SMTP_TLS_OPPORTUNISTIC, "", &err),
                     -SG_E_SMTP_TLS);
}

/* A server that chooses the group chooses how long we compute. RFC 9325 §4.1 */
static void no_group_of_the_servers(void **state)
{
    (void)state;
    struct sg_smtp_destination d = {.host = "localhost", .tls = SG_SMTP_TLS_OPPORTUNISTIC};
    struct sg_error err;
    SSL_CTX *ctx;
    assert_true(smtp_tls_context(&d, &ctx, &err));
    STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(ctx);
    assert_true(sk_SSL_CIPHER_num(ciphers) > 10);
    for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++)
        assert_int_not_equal(SSL_CIPHER_get_kx_nid(sk_SSL_CIPHER_value(ciphers, i)), NID_kx_dhe);
    SSL_CTX_free(ctx);
}

/* What the machine's administrator does not want is not wanted here. */
static void what_the_machine_allows(void **state)
{
    (void)state;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    assert_int_equal(
        SSL_CTX_set_cipher_list(ctx, "ECDHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES256-GCM-SHA384"), 1);
    sg_tls_bound(ctx);
    STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(ctx);
    int of_1_2 = 0;
    for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++)
        of_1_2 += SSL_CIPHER_get_kx_nid(sk_SSL_CIPHER_value(ciphers, i)) != NID_kx_any;
    assert_int_equal(of_1_2, 1);
    SSL_CTX_free(ctx);
    /* Nothing that is offered is left of TLS 1.2. */
    ctx = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_set_cipher_list(ctx, "DHE-RSA-AES256-GCM-SHA384"), 1);
    sg_tls_bound(ctx);
    SSL *ssl = SSL_new(ctx);
    STACK_OF(SSL_CIPHER) *offered = SSL_get1_supported_ciphers(ssl);
    assert_true(sk_SSL_CIPHER_num(offered) > 0);
    for (int i = 0; i < sk_SSL_CIPHER_num(offered); i++)
        assert_int_equal(SSL_CIPHER_get_kx_nid(sk_SSL_CIPHER_value(offered, i)), NID_kx_any);
    sk_SSL_CIPHER_free(offered);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

/* Records that are no data keep nobody beyond its time. */
static void tickets_without_end(void **state)
{
    (void)state;
    struct sg_error err;
    static const char *const flooded[] = {BEGIN, "T", AGAIN, "N", NULL};
    script_tls(other, other_key);
    command_ms = 500;
    assert_int_equal(play(flooded, "127.0.0.1", SG_SMTP_TLS_REQUIRED, "", &err),
                     -SG_E_SMTP_CONNECT);
    command_ms = 5000;
}

static void verified(void **state)
{
    (void)state;
    struct sg_error err;
    script_tls(good, good_key);
    assert_int_equal(play(through, "localhost", SG_SMTP_TLS_VERIFIED, ca, &err), 250);
    assert_int_equal(play(through, "127.0.0.1", SG_SMTP_TLS_VERIFIED, ca, &err), 250);
    /* Two CAs in one text. */
    static char both[2 * sizeof ca];
    snprintf(both, sizeof both, "%s%s", other_ca, ca);
    assert_int_equal(play(through, "localhost", SG_SMTP_TLS_VERIFIED, both, &err), 250);
    static const struct {
        const char *certificate, *key, *ca;
        long verdict;
    } rows[] = {
        {good, good_key, other_ca, 20}, /* unable to get local issuer certificate */
        {good, good_key, "", 20},       /* the system's CAs do not know it either */
        {other, other_key, ca, 62},     /* hostname mismatch */
        {old, old_key, ca, 10},         /* certificate has expired */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        script_tls(rows[i].certificate, rows[i].key);
        assert_int_equal(play(stopped, "localhost", SG_SMTP_TLS_VERIFIED, rows[i].ca, &err),
                         -SG_E_SMTP_TLS);
        assert_int_equal(err.lib, SG_LIB_X509);
        assert_int_equal(err.lib_code, rows[i].verdict);
    }
    script_tls(other, other_key);
    assert_int_equal(play(stopped, "127.0.0.1", SG_SMTP_TLS_VERIFIED, ca, &err), -SG_E_SMTP_TLS);
    assert_int_equal(err.lib_code, 64); /* IP address mismatch */
    static const char *const none[] = {NULL};
    assert_int_equal(play(none, "localhost", SG_SMTP_TLS_VERIFIED, "no PEM", &err), -SG_E_SMTP_TLS);
}

/* Clear text behind the 220 would be taken for the server's first words under TLS. */
static void injection(void **state)
{
    (void)state;
    struct sg_error err;
    script_tls(good, good_key);
    static const char *const steps[] = {OPEN, "C STARTTLS", "S 220 go\r\n250 evil", "E", NULL};
    assert_int_equal(play(steps, "localhost", SG_SMTP_TLS_OPPORTUNISTIC, "", &err), -SG_E_SMTP_TLS);
}

/* What was begun under TLS does not go on in clear. */
static void broken_handshake(void **state)
{
    (void)state;
    struct sg_error err;
    static const char *const steps[] = {BEGIN, "S this is no handshake", "E", NULL};
    static const char *const cut[] = {BEGIN, "X", NULL};
    assert_int_equal(play(steps, "localhost", SG_SMTP_TLS_OPPORTUNISTIC, "", &err), -SG_E_SMTP_TLS);
    assert_true(play(cut, "localhost", SG_SMTP_TLS_OPPORTUNISTIC, "", &err) < 0);
}

/* Kept under TLS, and a peer that goes without close_notify. */
static void kept(void **state)
{
    (void)state;
    script_tls(good, good_key);
    static const char *const steps[] = {BEGIN, "T", AGAIN, MESSAGE, MESSAGE, "X", "W",
                                        BEGIN, "T", AGAIN, MESSAGE, "E",     NULL};
    struct sg_smtp_client_options o = {.hostname = "gw.test",
                                       .slots = 1,
                                       .slot_wait_ms = 5000,
                                       .connect_timeout_ms = 5000,
                                       .command_timeout_ms = 5000,
                                       .data_timeout_ms = 5000,
                                       .idle_ms = 60000};
    struct script *s = script_begin(steps);
    struct sg_smtp_client *c = sg_smtp_client_new(&o);
    struct sg_smtp_destination d = {
        .host = "localhost", .port = script_port(s), .tls = SG_SMTP_TLS_VERIFIED, .ca_pem = ca};
    for (int i = 0; i < 3; i++) {
        struct sg_smtp_reply reply;
        struct sg_error err;
        assert_true(script_send(c, &d, &reply, &err));
        if (i == 1)
            script_go(s);
    }
    sg_smtp_client_free(&c);
    script_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modes),
        cmocka_unit_test(verified),
        cmocka_unit_test(certificates_of_a_server),
        cmocka_unit_test(curves_of_a_server),
        cmocka_unit_test(no_group_of_the_servers),
        cmocka_unit_test(what_the_machine_allows),
        cmocka_unit_test(tickets_without_end),
        cmocka_unit_test(injection),
        cmocka_unit_test(broken_handshake),
        cmocka_unit_test(kept),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
