/* Whom the HTTP client believes. libcurl finds our two functions in place of OpenSSL's. */
#include "bombs.h"
#include "certlife/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int dirs, files;

int X509_STORE_load_path(X509_STORE *store, const char *dir)
{
    (void)store;
    dirs += dir != NULL;
    return 1;
}

int X509_STORE_load_file(X509_STORE *store, const char *file)
{
    (void)store;
    files += file != NULL;
    return 1;
}

/* A root that nobody has; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256. */
static const char root[] = "-----BEGIN CERTIFICATE-----\n"
                           "MIIBbjCCARWgAwIBAgIUQgiTnq8MdL0KaogmiSV1jGbD5nowCgYIKoZIzj0EAwIw\n"
                           "DDEKMAgGA1UEAwwBcjAgFw0yNjExMjkxMDE0NDBaGA8yMTI2MTEwNTEwMTQ0MFow\n"
                           "DDEKMAgGA1UEAwwBcjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJ04LVXxQuQm\n"
                           "S28pKaiYBJEdjIOWbIB5VJi8l45eFZTGJe2u9K/tuPZqv0N5izi1/VI7bVHOrAaz\n"
                           "3uV2ROpU2PWjUzBRMB0GA1UdDgQWBBRPeYH2V7EZXcXSYBlMVWYKGr69fzAfBgNV\n"
                           "HSMEGDAWgBRPeYH2V7EZXcXSYBlMVWYKGr69fzAPBgNVHRMBAf8EBTADAQH/MAoG\n"
                           "CCqGSM49BAMCA0cAMEQCIBQq23JcGAcdtHSoANVEOiWKJwpHltwtWWrPOeZLavV+\n"
                           "AiAtu3vNxpFrL2Tg6QfyMGtDoK+HDQjP2ERLycP/oWdjAg==\n"
                           "-----END CERTIFICATE-----\n";

/* Where somebody listens, and never says anything. */
static int listening(char url[64])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&at, len) == 0 && listen(fd, 4) == 0 &&
                getsockname(fd, (struct sockaddr *)&at, &len) == 0);
    snprintf(url, 64, "https://127.0.0.1:%d/", ntohs(at.sin_port));
    return fd;
}

static void ask(const char *ca_pem)
{
    char url[64];
    int fd = listening(url);
    SG_AUTO_HTTP_ANSWER answer = {0};
    struct sg_error err = {0};
    const struct sg_http_access access = {.ca_pem = ca_pem, .timeout_ms = 300};
    const struct sg_http_request request = {.url = url, .max_bytes = 100};
    dirs = files = 0;
    assert_false(sg_http_ask(&access, &request, &answer, &err));
    assert_int_equal(err.code, SG_E_TIMEOUT);
    close(fd);
}

/* REQ-178: a server is believed by the roots that were given for it, and by no other's. */
static void test_the_roots_given_alone(void **state)
{
    (void)state;
    ask("");
    assert_true(dirs + files > 0); /* the system's */
    ask(root);
    assert_int_equal(dirs + files, 0);
}

/* One handshake of a server whose certificates are count times this one. */
static void serve(int fd, struct sg_bytes der, int count)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    BIO *text = BIO_new_mem_buf(bomb_key, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(text, NULL, NULL, NULL);
    const unsigned char *p = der.data;
    X509 *x = d2i_X509(NULL, &p, (long)der.len);
    SSL_CTX_use_certificate(ctx, x);
    SSL_CTX_use_PrivateKey(ctx, key);
    for (int i = 1; i < count; i++)
        SSL_CTX_add1_chain_cert(ctx, x);
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, accept(fd, NULL, NULL));
    SSL_accept(ssl);
    _exit(0);
}

/* What libcurl says of such a server. */
static void ask_server(size_t issuer_octets, size_t points, int count, const char *why)
{
    char url[64];
    int fd = listening(url);
    struct sg_bytes der = bomb_relative(issuer_octets, points);
    SG_AUTO_HTTP_ANSWER answer = {0};
    struct sg_error err = {0};
    const struct sg_http_access access = {.ca_pem = root, .timeout_ms = 10000};
    const struct sg_http_request request = {.url = url, .max_bytes = 100};
    pid_t pid = fork();
    if (pid == 0)
        serve(fd, der, count);
    close(fd);
    assert_false(sg_http_ask(&access, &request, &answer, &err));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_non_null(strstr(err.detail, why));
    free((void *)der.data);
}

/* Of certificates that OpenSSL takes long over none is looked at, and no more are taken than an
 * ordinary server has several times. */
static void test_certificates_of_a_server(void **state)
{
    (void)state;
    ask_server(4000, 0, 7, "unable to get local issuer certificate");
    ask_server(4000, 0, 8, "excessive message size");
    ask_server(100, 2, 1, "unable to get local issuer certificate");
    long before = bomb_peak_kib();
    ask_server(12000, 3000, 1, "invalid or inconsistent certificate extension");
    assert_true(bomb_peak_kib() - before < BOMB_GROWN_KIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_roots_given_alone),
                                       cmocka_unit_test(test_certificates_of_a_server)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
