/*
 * Dry runs: what would become of a mail, by gatewayd's own rules and certificates. gatewayd is
 * asked on its socket after the tenant was found, outside of any transaction; nothing is stored.
 */
#include "api/check.h"
#include "api/handlers.h"
#include "api/service.h"

#include <curl/curl.h>
#include <openssl/evp.h>
#include <pthread.h>

#define RECIPIENTS_MAX 100
#define ANSWER_MAX     ((size_t)4 << 20)

struct simulation {
    const char *direction, *sender, *message;
    struct api_strings recipients;
};

static const struct api_field fields[] = {
    {.name = "direction",
     .type = API_STRING,
     .offset = offsetof(struct simulation, direction),
     .choices = api_directions},
    {.name = "sender",
     .type = API_STRING,
     .offset = offsetof(struct simulation, sender),
     .max = 320,
     .check = api_check_address},
    {.name = "recipients",
     .type = API_STRINGS,
     .offset = offsetof(struct simulation, recipients),
     .min = 3,
     .max = 320,
     .check = api_check_mailbox,
     .items_min = 1,
     .items_max = RECIPIENTS_MAX},
    {.name = "message",
     .type = API_TEXT,
     .offset = offsetof(struct simulation, message),
     .min = 4,
     .max = 16777216},
};
const struct api_spec api_simulation_body = {fields, sizeof fields / sizeof fields[0],
                                             sizeof(struct simulation), NULL};

/* Base64 of RFC 4648 with or without line ends. */
static bool decode(struct sg_arena *arena, const char *text, struct sg_buf *out,
                   struct sg_error *err)
{
    size_t len = strlen(text);
    uint8_t *to = sg_arena_alloc(arena, len + 4);
    EVP_ENCODE_CTX *ctx = EVP_ENCODE_CTX_new();
    int n = 0, last = 0;
    if (!ctx)
        return sg_fail(err, SG_E_NO_MEMORY, "no memory for base64");
    EVP_DecodeInit(ctx);
    bool ok = EVP_DecodeUpdate(ctx, to, &n, (const unsigned char *)text, (int)len) >= 0 &&
              EVP_DecodeFinal(ctx, to + n, &last) > 0;
    EVP_ENCODE_CTX_free(ctx);
    if (!ok || n + last == 0)
        return api_invalid(err, "message", "must be a message in base64");
    return sg_buf_add(out, to, (size_t)(n + last)) ||
           sg_fail(err, SG_E_NO_MEMORY, "no memory for the message");
}

/* What gatewayd takes: a line of JSON, and the message. */
static bool request_write(struct api_request *r, const struct simulation *s, struct sg_buf *out,
                          struct sg_error *err)
{
    json_t *recipients = json_array();
    for (size_t i = 0; i < s->recipients.count; i++)
        json_array_append_new(recipients, json_string(s->recipients.items[i]));
    json_t *envelope = json_pack("{s:s, s:s, s:s, s:o}", "direction", s->direction, "tenant",
                                 r->tenant.key.id, "sender", s->sender, "recipients", recipients);
    char *line = envelope ? json_dumps(envelope, JSON_COMPACT) : NULL;
    json_decref(envelope);
    bool ok = line && sg_buf_addf(out, "%s\n", line);
    free(line);
    return (ok || sg_fail(err, SG_E_INTERNAL, "the envelope could not be written")) &&
           decode(r->arena, s->message, out, err);
}

static void curl_init(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t take(char *data, size_t size, size_t count, void *ctx)
{
    return sg_buf_add(ctx, data, size * count) ? size * count : 0;
}

static bool ask(const struct api_service *service, const struct sg_buf *request,
                struct sg_buf *answer, long *status_r, struct sg_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char text[CURL_ERROR_SIZE] = "";
    pthread_once(&once, curl_init);
    CURL *curl = curl_easy_init();
    if (!curl)
        return sg_fail(err, SG_E_NO_MEMORY, "no memory for libcurl");
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/octet-stream");
    headers = headers ? curl_slist_append(headers, "Expect:") : NULL;
    curl_easy_setopt(curl, CURLOPT_URL, "http://gatewayd/simulate");
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, service->simulation + strlen("unix:"));
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)request->data);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->len);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)service->simulation_timeout_ms);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, text);
    CURLcode rc = headers ? curl_easy_perform(curl) : CURLE_OUT_OF_MEMORY;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status_r);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return rc == CURLE_OK ||
           sg_fail_lib(err, rc == CURLE_OPERATION_TIMEDOUT ? SG_E_TIMEOUT : SG_E_GATEWAY,
                       SG_LIB_CURL, rc, "%.120s", *text ? text : curl_easy_strerror(rc));
}

/* What gatewayd said as the reply: the plans, or what is wrong with the mail. */
static bool answer_take(struct api_request *r, const struct sg_buf *answer, long status,
                        struct sg_error *err)
{
    json_t *o = json_loadb((const char *)answer->data, answer->len, 0, NULL);
    if (status == 200 && json_is_object(o))
        return api_reply_ok(r, o);
    const char *detail = json_string_value(json_object_get(o, "detail"));
    const char *error = json_string_value(json_object_get(o, "error"));
    if (status != 400 || !detail || !error)
        sg_fail(err, SG_E_GATEWAY, "gatewayd could not make the dry run: %.150s",
                detail ? detail : "no reason given");
    else if (strcmp(error, sg_error_name(SG_E_INVALID)) == 0)
        api_invalid(err, "recipients", "%.150s", detail);
    else
        api_invalid(err, "message", "%.150s", detail);
    json_decref(o);
    return false;
}

bool api_simulation_create(struct api_request *r, struct sg_error *err)
{
    SG_AUTO_BUF request = {0};
    SG_AUTO_BUF answer;
    long status = 0;
    sg_buf_init(&answer, ANSWER_MAX);
    if (!api_service_simulation_begin(r, err))
        return false;
    if (!*r->service->simulation)
        return sg_fail(err, SG_E_GATEWAY, "no gatewayd is configured for dry runs");
    return request_write(r, r->fields, &request, err) &&
           ask(r->service, &request, &answer, &status, err) && answer_take(r, &answer, status, err);
}
