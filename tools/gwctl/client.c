#include "gwctl.h"

#include "common/buf.h"
#include "common/clock.h"
#include "common/id.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX   (64 << 20)
#define RAW_BYTES_MAX      ((size_t)1 << 30)
#define CONNECT_TIMEOUT_MS 10000L
#define CALL_TIMEOUT_MS    60000L
#define WAIT_SECONDS       120
#define POLL_FIRST_MS      50
#define POLL_MAX_MS        1000
#define TRIES              3
#define TRY_AGAIN_MS       500

static bool loopback(const char *host)
{
    struct in_addr four;
    return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (inet_pton(AF_INET, host, &four) == 1 && ntohl(four.s_addr) >> 24 == 127);
}

/* The token goes in clear over loopback alone. */
static bool url_check(const char *url, struct sg_error *err)
{
    char *scheme = NULL, *host = NULL, *user = NULL;
    CURLU *parts = curl_url();
    bool ok = parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_USER, &user, 0) == CURLUE_NO_USER &&
              (strcmp(scheme, "https") == 0 || (strcmp(scheme, "http") == 0 && loopback(host)));
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_url_cleanup(parts);
    return ok ||
           sg_fail(err, SG_E_USAGE,
                   "the URL must be https://…, unix:PATH, or http:// on this host: %.80s", url);
}

bool gw_client_open(struct gw *gw, struct sg_error *err)
{
    const char *url = gw_option(gw, "--url"), *file = gw_option(gw, "--token-file");
    url = url ? url : getenv("SEALGATE_URL");
    file = file ? file : getenv("SEALGATE_TOKEN_FILE");
    if (!url || !*url)
        return sg_fail(err, SG_E_USAGE, "where is the API? Set SEALGATE_URL or give --url");
    if (!file || !*file)
        return sg_fail(err, SG_E_USAGE,
                       "where is the token? Set SEALGATE_TOKEN_FILE or give "
                       "--token-file");
    if (strncmp(url, "unix:", 5) == 0) {
        gw->socket = url + 5;
        gw->url = "http://localhost";
    } else {
        size_t n = strlen(url);
        if (!url_check(url, err))
            return false;
        gw->url = sg_arena_str(gw->arena, sg_bytes_of(url, n && url[n - 1] == '/' ? n - 1 : n));
    }
    if (!sg_secret_read(&gw->token, file, err))
        return false;
    const char *key = gw_option(gw, "--idempotency-key");
    gw->idempotency_key = key ? key : sg_arena_strdup(gw->arena, sg_id_new("key").text);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    gw->curl = curl_easy_init();
    return gw->curl || sg_fail(err, SG_E_NO_MEMORY, "no memory for libcurl");
}

void gw_client_close(struct gw *gw)
{
    if (gw->curl) {
        curl_easy_cleanup(gw->curl);
        curl_global_cleanup();
    }
    gw->curl = NULL;
    sg_secret_wipe(&gw->token);
}

static size_t take(char *data, size_t size, size_t count, void *ctx)
{
    return sg_buf_add(ctx, data, size * count) ? size * count : 0;
}

/* A change carries a key, so that it can be sent again when its answer was lost, and is made once.
 */
static bool key_add(const struct gw *gw, struct curl_slist *headers, const char *method)
{
    char line[300];
    if (strcmp(method, "GET") == 0)
        return true;
    int n = snprintf(line, sizeof line, "Idempotency-Key: %s-%u", gw->idempotency_key, gw->changes);
    return n > 0 && (size_t)n < sizeof line && curl_slist_append(headers, line);
}

static struct curl_slist *headers_make(const struct gw *gw, const char *method)
{
    char line[SG_SECRET_MAX + 32];
    int n = snprintf(line, sizeof line, "Authorization: Bearer %.*s", (int)gw->token.len,
                     (const char *)gw->token.data);
    struct curl_slist *headers = NULL;
    if (n > 0 && (size_t)n < sizeof line && !strpbrk(line, "\r\n"))
        headers = curl_slist_append(NULL, line);
    explicit_bzero(line, sizeof line);
    if (headers && (!curl_slist_append(headers, "Content-Type: application/json") ||
                    !key_add(gw, headers, method))) {
        curl_slist_free_all(headers);
        headers = NULL;
    }
    return headers;
}

/* One request; the status, 0 after an error. */
static long request(struct gw *gw, const char *method, const char *path, const char *body,
                    struct sg_buf *answer, struct sg_error *err)
{
    CURL *curl = gw->curl;
    long status = 0;
    struct curl_slist *headers = headers_make(gw, method);
    if (!headers) {
        sg_fail(err, SG_E_USAGE, "the token file does not hold a token");
        return 0;
    }
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, sg_arena_printf(gw->arena, "%s%s", gw->url, path));
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, CALL_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "gwctl/" SG_VERSION);
    if (gw->socket)
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, gw->socket);
    if (body || strcmp(method, "POST") == 0)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body ? body : "");
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    else
        sg_fail_lib(err, SG_E_IO, SG_LIB_CURL, (long)code, "%s: %s",
                    gw->socket ? gw->socket : gw->url, curl_easy_strerror(code));
    curl_slist_free_all(headers);
    return status;
}

static const char *member(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s ? s : "";
}

/* What the API said (RFC 9457), in one line. */
static void problem_say(const json_t *problem, long status, struct sg_error *err)
{
    const char *where = member(problem, "pointer"), *why = member(problem, "detail");
    if (!*where)
        where = member(problem, "parameter");
    if (!json_is_object(problem))
        sg_fail(err, SG_E_IO, "the API answered %ld, without saying why", status);
    else
        sg_fail(err, SG_E_INVALID, "%s%s%s%s%s (%ld, %s)", member(problem, "title"),
                *where ? ": " : "", where, *why ? ": " : "", why, status,
                member(problem, "request_id"));
}

/* No answer, or one that says to come again: nothing is lost by asking again, for what changes has
 * its key. A server that is not there is not worth it. */
static bool worth_again(long status, const struct sg_error *err)
{
    if (status == 0)
        return err->lib == SG_LIB_CURL && err->lib_code != CURLE_COULDNT_CONNECT;
    return status == 429 || status == 502 || status == 503 || status == 504;
}

static long request_repeat(struct gw *gw, const char *method, const char *path, const char *body,
                           size_t max, struct sg_buf *answer, struct sg_error *err)
{
    gw->changes += strcmp(method, "GET") != 0;
    for (int attempt = 1;; attempt++) {
        sg_buf_init(answer, max);
        long status = request(gw, method, path, body, answer, err);
        if (attempt == TRIES || !worth_again(status, err))
            return status;
        sg_buf_free(answer);
        sg_error_reset(err);
        struct timespec pause = {0, TRY_AGAIN_MS * attempt * 1000000L};
        nanosleep(&pause, NULL);
    }
}

bool gw_call_raw(struct gw *gw, const char *path, struct sg_bytes *answer_r, struct sg_error *err)
{
    SG_AUTO_BUF answer;
    long status = request_repeat(gw, "GET", path, NULL, RAW_BYTES_MAX, &answer, err);
    if (status == 0)
        return false;
    if (status == 200) {
        *answer_r = sg_arena_copy(gw->arena, sg_buf_bytes(&answer));
        return true;
    }
    GW_AUTO_JSON problem = json_loadb((const char *)answer.data, answer.len, 0, NULL);
    problem_say(problem, status, err);
    return false;
}

json_t *gw_call(struct gw *gw, const char *method, const char *path, json_t *body,
                struct sg_error *err)
{
    SG_AUTO_BUF answer;
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    long status = request_repeat(gw, method, path, text, ANSWER_BYTES_MAX, &answer, err);
    free(text);
    if (status == 0)
        return NULL;
    if (status == 204)
        return json_null();
    json_t *json = json_loadb((const char *)answer.data, answer.len, JSON_DECODE_ANY, NULL);
    if (status >= 200 && status < 300 && json)
        return json;
    problem_say(json, status, err);
    json_decref(json);
    return NULL;
}

const char *gw_query(struct gw *gw, const char *path, const char *name, const char *value)
{
    if (!value)
        return path;
    char *escaped = curl_easy_escape(gw->curl, value, 0);
    const char *out = sg_arena_printf(gw->arena, "%s%c%s=%s", path, strchr(path, '?') ? '&' : '?',
                                      name, escaped ? escaped : "");
    curl_free(escaped);
    return out;
}

/* A line for people whenever the state is another. */
static void progress_say(const json_t *job, const char *job_id, const char **said)
{
    static const char *const states[] = {"queued", "running", "done", "dead", "cancelled", NULL};
    for (int i = 0; states[i] && isatty(STDERR_FILENO); i++)
        if (strcmp(states[i], member(job, "state")) == 0 && strcmp(states[i], *said) != 0) {
            fprintf(stderr, "gwctl: %s %s: %s\n", job_id, member(job, "kind"), states[i]);
            *said = states[i];
        }
}

json_t *gw_job_wait(struct gw *gw, const char *tenant, const char *job_id, struct sg_error *err)
{
    const char *path = tenant ? sg_arena_printf(gw->arena, "/v1/tenants/%s/jobs/%s", tenant, job_id)
                              : sg_arena_printf(gw->arena, "/v1/jobs/%s", job_id);
    const char *option = gw_option(gw, "--timeout");
    long seconds = WAIT_SECONDS, pause_ms = POLL_FIRST_MS;
    if (option && !gw_number(option, "--timeout", 1, 86400, &seconds, err))
        return NULL;
    const char *said = "";
    for (int64_t end = sg_clock_monotonic_ms() + seconds * 1000;;) {
        GW_AUTO_JSON job = gw_call(gw, "GET", path, NULL, err);
        if (!job)
            return NULL;
        const char *state = member(job, "state");
        progress_say(job, job_id, &said);
        if (strcmp(state, "done") == 0)
            return json_incref(job);
        if (strcmp(state, "dead") == 0 || strcmp(state, "cancelled") == 0) {
            sg_fail(err, SG_E_INVALID, "%s failed: %s (%s)", member(job, "kind"),
                    member(job, "last_error"), job_id);
            return NULL;
        }
        if (sg_clock_monotonic_ms() >= end) {
            sg_fail(err, SG_E_TIMEOUT, "%s is not done after %ld s: %s", job_id, seconds, state);
            return NULL;
        }
        struct timespec pause = {pause_ms / 1000, pause_ms % 1000 * 1000000};
        nanosleep(&pause, NULL);
        pause_ms = pause_ms * 2 < POLL_MAX_MS ? pause_ms * 2 : POLL_MAX_MS;
    }
}
