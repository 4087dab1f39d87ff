#include "certlife/http.h"

#include "common/clock.h"
#include "common/tls.h"

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void init_once(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t receive(char *data, size_t size, size_t count, void *ctx)
{
    return sg_buf_add(ctx, data, size * count) ? size * count : 0; /* short: curl stops */
}

int64_t sg_http_retry_after(const char *value, int64_t now_s)
{
    char *end;
    if (*value >= '0' && *value <= '9') {
        long long seconds = strtoll(value, &end, 10);
        while (*end == ' ' || *end == '\t' || *end == '\r' || *end == '\n')
            end++;
        return *end == 0 ? seconds : -1;
    }
    time_t at = curl_getdate(value, NULL);
    if (at < 0)
        return -1;
    return at > now_s ? at - now_s : 0;
}

/* What is printable of it: it is repeated in words. */
static void type_keep(const char *type, char out[], size_t size)
{
    size_t n = 0;
    for (; *type && n + 1 < size; type++)
        out[n++] = (char)(*type >= 0x20 && *type < 0x7f ? *type : '?');
    out[n] = 0;
}

/* Of the headers, Retry-After is what curl would clamp: its own text is read. */
static size_t header(char *line, size_t size, size_t count, void *ctx)
{
    static const char name[] = "retry-after:";
    struct sg_http_answer *answer = ctx;
    size_t len = size * count, skip = sizeof name - 1;
    char value[64];
    if (len > skip && strncasecmp(line, name, skip) == 0) {
        while (skip < len && (line[skip] == ' ' || line[skip] == '\t'))
            skip++;
        snprintf(value, sizeof value, "%.*s", (int)(len - skip), line + skip);
        answer->retry_after_s = sg_http_retry_after(value, sg_time_seconds(sg_clock_now()));
    }
    return len;
}

static CURLcode tls_bound(CURL *curl, void *ctx, void *unused)
{
    (void)curl, (void)unused;
    sg_tls_bound(ctx);
    return CURLE_OK;
}

static void access_set(CURL *curl, const struct sg_http_access *access, char password[])
{
    curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, tls_bound);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    if (access->ca_pem && *access->ca_pem) {
        struct curl_blob ca = {(void *)(uintptr_t)access->ca_pem, strlen(access->ca_pem),
                               CURL_BLOB_COPY};
        curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &ca);
        curl_easy_setopt(curl, CURLOPT_CAPATH, NULL); /* these CAs, not the system's as well */
    }
    if (access->account) {
        memcpy(password, access->password->data, access->password->len);
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(curl, CURLOPT_USERNAME, access->account);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, password);
    }
    if (access->certificate_file) {
        curl_easy_setopt(curl, CURLOPT_SSLCERT, access->certificate_file);
        curl_easy_setopt(curl, CURLOPT_SSLKEY, access->key_file);
    }
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)access->timeout_ms);
}

static struct curl_slist *request_set(CURL *curl, const struct sg_http_request *request)
{
    char line[200];
    struct curl_slist *headers = NULL;
    const char *protocols = request->plain_allowed ? "http,https" : "https";
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, protocols);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* never by the environment */
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "sealgate/" SG_VERSION);
    if (request->accept) {
        snprintf(line, sizeof line, "Accept: %s", request->accept);
        headers = curl_slist_append(headers, line);
    }
    if (request->body.data) {
        snprintf(line, sizeof line, "Content-Type: %s", request->content_type);
        headers = curl_slist_append(headers, line);
        headers = curl_slist_append(headers, "Content-Transfer-Encoding: base64");
        headers = curl_slist_append(headers, "Expect:");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)request->body.data);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)request->body.len);
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    return headers;
}

static bool failed(CURLcode rc, const char *text, const struct sg_http_request *request,
                   const struct sg_http_answer *answer, struct sg_error *err)
{
    if (answer->body.overflown)
        return sg_fail(err, SG_E_LIMIT, "%.120s: it sent more than %zu bytes", request->url,
                       request->max_bytes);
    return sg_fail_lib(err, rc == CURLE_OPERATION_TIMEDOUT ? SG_E_TIMEOUT : SG_E_AUTHORITY,
                       SG_LIB_CURL, rc, "%.100s: %.120s", request->url,
                       *text ? text : curl_easy_strerror(rc));
}

bool sg_http_ask(const struct sg_http_access *access, const struct sg_http_request *request,
                 struct sg_http_answer *answer_r, struct sg_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_once);
    char text[CURL_ERROR_SIZE] = "", password[SG_SECRET_MAX + 1] = "";
    *answer_r = (struct sg_http_answer){.retry_after_s = -1};
    sg_buf_init(&answer_r->body, request->max_bytes);
    CURL *curl = curl_easy_init();
    if (!curl)
        return sg_fail(err, SG_E_NO_MEMORY, "curl_easy_init");
    access_set(curl, access, password);
    struct curl_slist *headers = request_set(curl, request);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, text);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer_r->body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, answer_r);
    CURLcode rc = curl_easy_perform(curl);
    const char *type = NULL;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer_r->status);
    curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    type_keep(type ? type : "", answer_r->content_type, sizeof answer_r->content_type);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    OPENSSL_cleanse(password, sizeof password);
    return rc == CURLE_OK || failed(rc, text, request, answer_r, err);
}

void sg_http_answer_free(struct sg_http_answer *answer)
{
    sg_buf_free(&answer->body);
}
