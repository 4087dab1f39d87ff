#include "availability/probe.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define PROBES_MAX 64

static bool probe_parse(struct sg_arena *arena, struct sg_bytes word, struct sg_probe *probe,
                        struct sg_error *err)
{
    static const char *const kinds[] = {"smtp", "inet", "unix"};
    char *text = sg_arena_str(arena, word), *kind = strchr(text, '='),
         *node = kind ? strchr(kind, ':') : NULL;
    if (!node || kind == text || !node[1])
        return sg_fail(err, SG_E_CONFIG, "a probe is NAME=smtp:HOST:PORT and such, not %.80s",
                       text);
    *kind++ = 0;
    *node++ = 0;
    if (strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(text))
        return sg_fail(err, SG_E_CONFIG, "a probe's name is of small letters, not %.80s", text);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i], kind) == 0)
            probe->kind = kinds[i];
    *probe = (struct sg_probe){.component = text, .kind = probe->kind, .node = node};
    return probe->kind ||
           sg_fail(err, SG_E_CONFIG, "a probe is smtp, inet or unix, not %.80s", kind);
}

bool sg_probes_parse(struct sg_arena *arena, const char *text, struct sg_probe **probes_r,
                     size_t *count_r, struct sg_error *err)
{
    *probes_r = SG_ARENA_ARRAY(arena, struct sg_probe, PROBES_MAX);
    *count_r = 0;
    for (const char *p = text + strspn(text, " "); *p; p += strspn(p, " ")) {
        size_t n = strcspn(p, " ");
        if (*count_r == PROBES_MAX)
            return sg_fail(err, SG_E_CONFIG, "more than %d probes", PROBES_MAX);
        if (!probe_parse(arena, sg_bytes_of(p, n), &(*probes_r)[(*count_r)++], err))
            return false;
        p += n;
    }
    return true;
}

static size_t ignore(char *data, size_t size, size_t count, void *arg)
{
    (void)data, (void)arg;
    return size * count;
}

static void init_once(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void target_set(CURL *curl, const struct sg_probe *probe)
{
    char url[400];
    bool local = strcmp(probe->kind, "unix") == 0;
    if (strcmp(probe->kind, "smtp") == 0) {
        snprintf(url, sizeof url, "smtp://%s", probe->node);
        /* The greeting and EHLO: no mail. */
        curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
    } else {
        snprintf(url, sizeof url, "http://%s/readyz", local ? "localhost" : probe->node);
    }
    if (local)
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, probe->node);
    curl_easy_setopt(curl, CURLOPT_URL, url);
}

bool sg_probe_look(const struct sg_probe *probe, int64_t timeout_ms, char *why, size_t size)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_once);
    char text[CURL_ERROR_SIZE] = "";
    long status = 0;
    CURL *curl = curl_easy_init();
    *why = 0;
    if (!curl) {
        snprintf(why, size, "out of memory");
        return false;
    }
    target_set(curl, probe);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,smtp");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, text);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    if (code != CURLE_OK)
        snprintf(why, size, "%s", *text ? text : curl_easy_strerror(code));
    else if (strcmp(probe->kind, "smtp") != 0 && status != 200)
        snprintf(why, size, "answers %ld", status);
    return !*why;
}
