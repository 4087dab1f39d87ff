#include "mail/mail_internal.h"

#include "common/id.h"
#include "common/tls.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define SUBJECT_MAX 960 /* bytes: a tenant's name of 200 characters, and words around it */

/* What one transfer needs; everything is freed at its end. */
struct transfer {
    CURL *curl;
    curl_mime *mime;
    struct curl_slist *headers, *recipients;
    struct sg_arena *arena;
    char text[CURL_ERROR_SIZE];
    char reply[200]; /* the last refusal of the server's */
    bool full;       /* out of memory on the way */
};

/* curl hands on each line of the server's; a refusal is not followed by another but that to QUIT.
 */
static size_t line_keep(char *data, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    size_t n = size * count;
    while (n > 0 && (data[n - 1] == '\n' || data[n - 1] == '\r'))
        n--;
    if (n > 0 && (data[0] == '4' || data[0] == '5'))
        snprintf(t->reply, sizeof t->reply, "%.*s",
                 (int)(n < sizeof t->reply ? n : sizeof t->reply), data);
    return size * count;
}

static void init_once(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool is_mail(const struct sg_mail *mail, struct sg_error *err)
{
    size_t bytes = strlen(mail->text);
    if (mail->to_count < 1 || mail->to_count > SG_MAIL_TO_MAX)
        return sg_fail(err, SG_E_INVALID, "a mail to %zu recipients", mail->to_count);
    for (size_t i = 0; i < mail->to_count; i++)
        if (!sg_mail_is_address(mail->to[i]))
            return sg_fail(err, SG_E_INVALID, "recipient %zu of a mail is no address", i + 1);
    if (!mail_is_line(mail->subject) || strlen(mail->subject) > SUBJECT_MAX)
        return sg_fail(err, SG_E_INVALID, "the subject of a mail is not one short line");
    for (size_t i = 0; i < mail->attachment_count; i++) {
        bytes += mail->attachments[i].data.len;
        if (!mail_is_line(mail->attachments[i].name) || !mail_is_line(mail->attachments[i].type))
            return sg_fail(err, SG_E_INVALID, "attachment %zu of a mail has a bad name", i + 1);
    }
    return bytes <= SG_MAIL_BYTES_MAX ||
           sg_fail(err, SG_E_LIMIT, "a mail of %zu bytes, at most %d", bytes, SG_MAIL_BYTES_MAX);
}

static void add(struct transfer *t, struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    t->full = t->full || !longer;
    if (longer)
        *list = longer;
}

static void headers_add(struct transfer *t, const struct sg_mail_server *server,
                        const struct sg_mail *mail)
{
    char date[40];
    struct sg_id id = sg_id_new("mid");
    const char *at = strrchr(server->sender, '@'), *to = "";
    sg_time_rfc5322(sg_clock_now(), date);
    for (size_t i = 0; i < mail->to_count; i++) {
        to = sg_arena_printf(t->arena, "%s%s%s", to, i ? ",\r\n " : "", mail->to[i]);
        add(t, &t->recipients, sg_arena_printf(t->arena, "<%s>", mail->to[i]));
    }
    add(t, &t->headers, sg_arena_printf(t->arena, "Date: %s", date));
    add(t, &t->headers, sg_arena_printf(t->arena, "From: Sealgate <%s>", server->sender));
    add(t, &t->headers, sg_arena_printf(t->arena, "To: %s", to));
    add(t, &t->headers,
        sg_arena_printf(t->arena, "Subject: %s", mail_words(t->arena, mail->subject)));
    add(t, &t->headers,
        sg_arena_printf(t->arena, "Message-ID: <%s%s>",
                        mail->message_id ? mail->message_id : id.text, at));
    add(t, &t->headers, "Auto-Submitted: auto-generated"); /* RFC 3834 §5 */
}

static void part_add(struct transfer *t, const char *type, const char *name, const char *encoder,
                     struct sg_bytes data)
{
    curl_mimepart *part = curl_mime_addpart(t->mime);
    t->full =
        t->full || !part || curl_mime_data(part, (const char *)data.data, data.len) != CURLE_OK ||
        curl_mime_type(part, type) != CURLE_OK || curl_mime_encoder(part, encoder) != CURLE_OK ||
        (name && curl_mime_filename(part, name) != CURLE_OK);
}

static void parts_add(struct transfer *t, const struct sg_mail *mail)
{
    part_add(t, "text/plain; charset=utf-8", NULL, "quoted-printable",
             sg_bytes_str(mail_crlf(t->arena, mail->text)));
    for (size_t i = 0; i < mail->attachment_count; i++)
        part_add(t, mail->attachments[i].type, mail->attachments[i].name, "base64",
                 mail->attachments[i].data);
}

static CURLcode tls_bound(CURL *curl, void *ctx, void *unused)
{
    (void)curl, (void)unused;
    sg_tls_bound(ctx);
    return CURLE_OK;
}

static void tls_set(CURL *curl, const struct sg_mail_server *s)
{
    bool verified = s->tls == SG_MAIL_TLS_VERIFIED;
    curl_easy_setopt(curl, CURLOPT_USE_SSL,
                     s->tls == SG_MAIL_TLS_NONE            ? CURLUSESSL_NONE
                     : s->tls == SG_MAIL_TLS_OPPORTUNISTIC ? CURLUSESSL_TRY
                                                           : CURLUSESSL_ALL);
    curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, tls_bound);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, verified ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, verified ? 2L : 0L);
    if (*s->ca_file) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, s->ca_file);
        curl_easy_setopt(curl, CURLOPT_CAPATH, NULL); /* these CAs, not the system's as well */
    }
    if (*s->certificate_file) {
        curl_easy_setopt(curl, CURLOPT_SSLCERT, s->certificate_file);
        curl_easy_setopt(curl, CURLOPT_SSLKEY, s->key_file);
    }
}

static void options_set(struct transfer *t, const struct sg_mail_server *s)
{
    CURL *curl = t->curl;
    bool v6 = strchr(s->host, ':') != NULL;
    const char *name = strrchr(s->sender, '@') + 1; /* after EHLO */
    curl_easy_setopt(curl, CURLOPT_URL,
                     sg_arena_printf(t->arena, "smtp://%s%s%s:%d/%s", v6 ? "[" : "", s->host,
                                     v6 ? "]" : "", s->port, name));
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp");
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* never by the environment */
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)s->timeout_ms);
    /* Of the answer to QUIT too, which the time above does not bound. */
    curl_easy_setopt(curl, CURLOPT_SERVER_RESPONSE_TIMEOUT,
                     s->timeout_ms < 1000 ? 1L : (long)(s->timeout_ms / 1000));
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, t->text);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, line_keep);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(curl, CURLOPT_MAIL_FROM, sg_arena_printf(t->arena, "<%s>", s->sender));
    curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, t->recipients);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(curl, CURLOPT_MIMEPOST, t->mime);
    if (*s->source_address)
        curl_easy_setopt(curl, CURLOPT_INTERFACE,
                         sg_arena_printf(t->arena, "host!%s", s->source_address));
    tls_set(curl, s);
}

/* What went wrong, with the code of SMTP where the server gave one. */
static bool failed(const struct transfer *t, const struct sg_mail_server *s, CURLcode rc,
                   struct sg_error *err)
{
    const char *words = t->text[0] ? t->text : curl_easy_strerror(rc);
    long reply = 0;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &reply);
    enum sg_error_code code = SG_E_SMTP_CONNECT;
    switch (rc) {
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_PEER_FAILED_VERIFICATION:
        return sg_fail_lib(err, SG_E_SMTP_TLS, SG_LIB_CURL, rc, "TLS with %.80s:%d: %.120s",
                           s->host, s->port, words);
    case CURLE_OPERATION_TIMEDOUT:
        code = SG_E_TIMEOUT;
        break;
    default:
        if (reply >= 500 && reply < 600)
            code = SG_E_SMTP_REJECTED;
        else if (reply >= 400)
            code = SG_E_SMTP_DEFERRED;
    }
    if (code == SG_E_SMTP_REJECTED || code == SG_E_SMTP_DEFERRED)
        return sg_fail_lib(err, code, SG_LIB_SMTP, reply, "%.80s:%d refused the mail: %.120s",
                           s->host, s->port, t->reply[0] ? t->reply : words);
    return sg_fail_lib(err, code, SG_LIB_CURL, rc, "mail to %.80s:%d: %.120s", s->host, s->port,
                       words);
}

bool sg_mail_send(const struct sg_mail_server *server, const struct sg_mail *mail,
                  struct sg_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_once);
    if (!*server->host || !sg_mail_is_address(server->sender))
        return sg_fail(err, SG_E_CONFIG, "no mail can be sent: set server and sender in [mail]");
    if (!is_mail(mail, err))
        return false;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct transfer t = {.arena = arena, .curl = curl_easy_init()};
    t.mime = t.curl ? curl_mime_init(t.curl) : NULL;
    bool ok = t.mime || sg_fail(err, SG_E_NO_MEMORY, "curl_easy_init");
    if (ok) {
        headers_add(&t, server, mail);
        parts_add(&t, mail);
        ok = !t.full || sg_fail(err, SG_E_NO_MEMORY, "a mail could not be built");
    }
    if (ok) {
        options_set(&t, server);
        CURLcode rc = curl_easy_perform(t.curl);
        ok = rc == CURLE_OK || failed(&t, server, rc, err);
    }
    curl_mime_free(t.mime);
    curl_slist_free_all(t.headers);
    curl_slist_free_all(t.recipients);
    curl_easy_cleanup(t.curl);
    return ok;
}
