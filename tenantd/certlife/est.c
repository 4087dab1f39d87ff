#include "certlife/est.h"

#include "common/certificate.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pkcs7.h>
#include <stdio.h>
#include <stdlib.h>

#define WORDS_OF_SERVER 120 /* octets of what a server says that we repeat */

void sg_est_answer_free(struct sg_est_answer *answer)
{
    sk_X509_pop_free(answer->certificates, X509_free);
    answer->certificates = NULL;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* base64 with any line breaks (RFC 8951 §3.1); decoded in place into a buffer of body.len. */
static bool decode(struct sg_bytes body, uint8_t *out, size_t *len_r)
{
    size_t n = 0;
    for (size_t i = 0; i < body.len; i++)
        if (!is_space(body.data[i]))
            out[n++] = body.data[i];
    if (n == 0 || n % 4 != 0)
        return false;
    size_t padding = (out[n - 1] == '=') + (out[n - 2] == '=');
    if (memchr(out, '=', n - padding))
        return false;
    /* Whole quanta only become shorter, so that the block may be decoded where it stands. */
    int got = EVP_DecodeBlock(out, out, (int)n);
    if (got < 0 || (size_t)got < padding)
        return false;
    *len_r = (size_t)got - padding;
    return true;
}

static bool take(PKCS7 *p7, STACK_OF(X509) *list, struct sg_error *err)
{
    STACK_OF(X509) *certs = PKCS7_type_is_signed(p7) && p7->d.sign ? p7->d.sign->cert : NULL;
    int count = sk_X509_num(certs);
    if (count < 1 || count > SG_EST_CERTIFICATES_MAX)
        return sg_fail(err, SG_E_MALFORMED, "it holds %d certificates, not 1 to %d",
                       count < 0 ? 0 : count, SG_EST_CERTIFICATES_MAX);
    for (int i = 0; i < count; i++) {
        X509 *x = sk_X509_value(certs, i);
        if (!sg_certificate_bearable(x))
            return sg_fail(err, SG_E_MALFORMED,
                           "certificate %d has too many distribution points that are named "
                           "relative to its issuer",
                           i + 1);
        if (!X509_up_ref(x) || sk_X509_push(list, x) <= 0)
            abort();
    }
    return true;
}

bool sg_est_certificates(struct sg_bytes body, STACK_OF(X509) **certificates_r,
                         struct sg_error *err)
{
    *certificates_r = NULL;
    if (body.len == 0 || body.len > SG_EST_BYTES_MAX)
        return sg_fail(err, SG_E_MALFORMED, "%zu bytes, not 1 to %zu", body.len, SG_EST_BYTES_MAX);
    uint8_t *der = malloc(body.len);
    if (!der)
        abort();
    size_t len = 0;
    const unsigned char *p = der;
    bool ok = decode(body, der, &len);
    if (!ok)
        sg_fail(err, SG_E_MALFORMED, "it is not base64");
    PKCS7 *p7 = ok ? d2i_PKCS7(NULL, &p, (long)len) : NULL;
    if (ok && (!p7 || p != der + len))
        ok = sg_fail(err, SG_E_MALFORMED, "it is not PKCS #7");
    STACK_OF(X509) *list = sk_X509_new_null();
    if (!list)
        abort();
    ok = ok && take(p7, list, err);
    if (ok)
        *certificates_r = list;
    else
        sk_X509_pop_free(list, X509_free);
    PKCS7_free(p7);
    ERR_clear_error();
    free(der);
    return ok;
}

static void say(struct sg_est_answer *a, enum sg_est_outcome outcome, const char *before,
                const char *words)
{
    a->outcome = outcome;
    snprintf(a->words, sizeof a->words, "%s%.*s", before, (int)(sizeof a->words - 60), words);
}

/* What the server says of its refusal, if it is text: one printable line. */
static void say_status(struct sg_est_answer *a, enum sg_est_outcome outcome,
                       const struct sg_http_answer *http)
{
    char text[WORDS_OF_SERVER + 1] = "";
    size_t n = 0;
    bool plain = strncasecmp(http->content_type, "text/", 5) == 0 ||
                 strstr(http->content_type, "json") != NULL;
    for (size_t i = 0; plain && i < http->body.len && n < WORDS_OF_SERVER; i++) {
        uint8_t c = http->body.data[i];
        text[n++] = c >= 0x20 && c < 0x7f ? (char)c : ' ';
    }
    text[n] = 0;
    a->outcome = outcome;
    snprintf(a->words, sizeof a->words, "the authority answered %ld%s%s", http->status,
             n ? ": " : "", text);
}

static bool is_pkcs7(const char *content_type)
{
    static const char name[] = "application/pkcs7-mime";
    size_t n = sizeof name - 1;
    return strncasecmp(content_type, name, n) == 0 &&
           (content_type[n] == 0 || content_type[n] == ';' || content_type[n] == ' ');
}

static void read_answer(const struct sg_http_answer *http, struct sg_est_answer *a)
{
    struct sg_error err = {0};
    a->retry_after_s = http->retry_after_s;
    if (http->status == 202) {
        say(a, SG_EST_PENDING, "", "the authority considers the request");
    } else if (http->status == 401 || http->status == 403) {
        say_status(a, SG_EST_UNAUTHORIZED, http);
    } else if (http->status == 429 || http->status >= 500) {
        say_status(a, SG_EST_UNREACHABLE, http);
    } else if (http->status != 200) {
        say_status(a, SG_EST_REFUSED, http);
    } else if (!is_pkcs7(http->content_type)) {
        say(a, SG_EST_GARBAGE, "the authority's answer is no PKCS #7 but ",
            *http->content_type ? http->content_type : "without a type");
    } else if (!sg_est_certificates(sg_buf_bytes(&http->body), &a->certificates, &err)) {
        say(a, SG_EST_GARBAGE, "the authority's answer cannot be read: ", err.detail);
    } else {
        a->outcome = SG_EST_ISSUED;
    }
}

static void ask(const char *url, const char *operation, const struct sg_http_access *access,
                struct sg_http_request *request, struct sg_est_answer *a)
{
    char full[700];
    struct sg_error err = {0};
    SG_AUTO_HTTP_ANSWER http = {0};
    *a = (struct sg_est_answer){.retry_after_s = -1};
    snprintf(full, sizeof full, "%s/%s", url, operation);
    request->url = full;
    request->max_bytes = SG_EST_BYTES_MAX;
    request->accept = "application/pkcs7-mime";
    if (sg_http_ask(access, request, &http, &err))
        read_answer(&http, a);
    else
        say(a, err.code == SG_E_LIMIT ? SG_EST_GARBAGE : SG_EST_UNREACHABLE, "", err.detail);
}

void sg_est_cacerts(const char *url, const struct sg_http_access *access,
                    struct sg_est_answer *answer_r)
{
    struct sg_http_request request = {0};
    ask(url, "cacerts", access, &request, answer_r);
}

void sg_est_enrol(const char *url, const struct sg_http_access *access, bool renewal,
                  struct sg_bytes csr, struct sg_est_answer *answer_r)
{
    size_t size = (csr.len + 2) / 3 * 4;
    uint8_t *text = malloc(size + 1);
    if (!text)
        abort();
    int len = EVP_EncodeBlock(text, csr.data, (int)csr.len);
    struct sg_http_request request = {.content_type = "application/pkcs10",
                                      .body = sg_bytes_of(text, (size_t)len)};
    ask(url, renewal ? "simplereenroll" : "simpleenroll", access, &request, answer_r);
    free(text);
}
