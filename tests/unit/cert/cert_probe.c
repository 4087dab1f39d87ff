/*
 * Drives the certificate library for tests/system/test_cert.py: commands on standard input, for
 * each a JSON line on standard output.
 *
 *     cert_probe FOLDER [NAME=NUMBER ...]      limits, by their names in struct sg_cert_limits
 *
 *     relying DOMAIN_ID                        whose further roots count from now on; "-": nobody's
 *     ours DOMAIN_ID                           whose choices count from now on; "-": nobody's
 *     weak 0|1                                 1: weak ones will do from now on
 *     check sign|encrypt DOMAIN NOW FILE [HELPERS [LISTS]]
 *                                              NOW in seconds, "-" for the clock; a DER file,
 *                                              a PEM file, lists that came along (DER)
 *     checks THREADS sign|encrypt …            as check, by so many threads at once
 *     names FILE DOMAIN
 *     discover DOMAIN NOW [THREADS]            by so many threads at once: as many lines
 *     harvest DOMAIN NOW FILE [HELPERS]        as of a message that verified
 *     flush
 *     state                                    figures of the lists, and of what is kept
 */
#include "cert/cert_internal.h"
#include "files.h"

#include "common/buf.h"
#include "common/log.h"

#include <inttypes.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_THREADS 64

static struct sg_certs *certs;
static char relying[64], ours[64];
static bool weak;
static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;

static void put_string(struct sg_buf *out, const char *name, const char *value)
{
    sg_buf_addf(out, "%s\"%s\": ", out->len > 1 && out->data[out->len - 1] != '{' ? ", " : "",
                name);
    if (value)
        sg_buf_add_json_string(out, sg_bytes_str(value));
    else
        sg_buf_adds(out, "null");
}

static void put_number(struct sg_buf *out, const char *name, int64_t value)
{
    sg_buf_addf(out, ", \"%s\": %" PRId64, name, value);
}

static void put_facts(struct sg_buf *out, const struct sg_cert_facts *facts)
{
    put_string(out, "status", sg_cert_status_name(facts->status));
    put_string(out, "detail", facts->detail);
    put_string(out, "subject", facts->subject);
    put_string(out, "issuer", facts->issuer);
    put_string(out, "serial", facts->serial);
    put_string(out, "sha256", facts->sha256);
    put_string(out, "address", facts->address);
    put_number(out, "bypassed", facts->bypassed);
}

static void finish(struct sg_buf *out, const struct sg_error *err, int64_t started)
{
    if (err->code != SG_OK) {
        put_string(out, "error", sg_error_name(err->code));
        put_string(out, "detail", err->detail);
    }
    put_number(out, "ms", sg_clock_monotonic_ms() - started);
    sg_buf_adds(out, "}\n");
    pthread_mutex_lock(&output);
    fwrite(out->data, 1, out->len, stdout);
    fflush(stdout);
    pthread_mutex_unlock(&output);
}

static X509 *read_certificate(struct sg_arena *arena, const char *path)
{
    struct sg_bytes der;
    if (!files_read(arena, path, &der))
        return NULL;
    const uint8_t *p = der.data;
    return d2i_X509(NULL, &p, (long)der.len);
}

static STACK_OF(X509) *read_helpers(const char *path)
{
    STACK_OF(X509) *stack = sk_X509_new_null();
    FILE *in = path ? fopen(path, "re") : NULL;
    for (X509 *x; in && (x = PEM_read_X509(in, NULL, NULL, NULL));)
        sk_X509_push(stack, x);
    if (in)
        fclose(in);
    return stack;
}

/* Revocation lists in DER, one behind the other. */
static size_t read_lists(struct sg_arena *arena, const char *path, struct sg_bytes *lists,
                         size_t room)
{
    struct sg_bytes der;
    size_t count = 0;
    if (!path || !files_read(arena, path, &der))
        return 0;
    const uint8_t *p = der.data, *end = der.data + der.len;
    while (p < end && count < room) {
        const uint8_t *start = p;
        X509_CRL *crl = d2i_X509_CRL(NULL, &p, end - p);
        if (!crl)
            break;
        X509_CRL_free(crl);
        lists[count++] = sg_bytes_of(start, (size_t)(p - start));
    }
    return count;
}

static sg_time parse_now(const char *text)
{
    return strcmp(text, "-") == 0 ? sg_clock_now() : (sg_time)strtoll(text, NULL, 10) * SG_SECOND;
}

static const char *relying_get(void)
{
    return *relying ? relying : NULL;
}

static void do_check(char **words, int count)
{
    if (count < 5)
        exit(2);
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_BUF out;
    sg_buf_init(&out, 0);
    sg_buf_adds(&out, "{");
    struct sg_error err;
    sg_error_reset(&err);
    struct sg_cert_facts facts;
    int64_t started = sg_clock_monotonic_ms();
    X509 *x = read_certificate(arena, words[4]);
    STACK_OF(X509) *helpers = read_helpers(count > 5 ? words[5] : NULL);
    struct sg_bytes lists[16];
    size_t list_count = read_lists(arena, count > 6 ? words[6] : NULL, lists, 16);
    struct sg_cert_question question = {.certificate = x,
                                        .untrusted = helpers,
                                        .use = strcmp(words[1], "sign") == 0 ? SG_CERT_SIGN
                                               : weak                        ? SG_CERT_ENCRYPT_WEAK
                                                                             : SG_CERT_ENCRYPT,
                                        .domain = strcmp(words[2], "-") == 0 ? NULL : words[2],
                                        .relying = relying_get(),
                                        .lists = lists,
                                        .list_count = list_count,
                                        .ours = *ours ? ours : NULL,
                                        .now = parse_now(words[3])};
    if (!x)
        put_string(&out, "status", "unreadable");
    else if (sg_cert_check(certs, arena, &question, &facts, &err))
        put_facts(&out, &facts);
    sk_X509_pop_free(helpers, X509_free);
    X509_free(x);
    finish(&out, &err, started);
}

struct checks {
    char **words;
    int count;
};

static void *check(void *ctx)
{
    const struct checks *checks = ctx;
    do_check(checks->words, checks->count);
    return NULL;
}

static void do_checks(char **words, int count)
{
    if (count < 6)
        exit(2);
    struct checks checks = {words + 1, count - 1};
    long threads = strtol(words[1], NULL, 10);
    pthread_t ids[MAX_THREADS];
    for (long i = 0; i < threads && i < MAX_THREADS; i++)
        pthread_create(&ids[i], NULL, check, &checks);
    for (long i = 0; i < threads && i < MAX_THREADS; i++)
        pthread_join(ids[i], NULL);
}

static void do_names(char **words, int count)
{
    if (count < 3)
        exit(2);
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_BUF out;
    sg_buf_init(&out, 0);
    struct sg_error err;
    sg_error_reset(&err);
    X509 *x = read_certificate(arena, words[1]);
    if (!x)
        exit(2);
    sg_buf_addf(&out, "{\"authority\": %s, \"names\": %s",
                sg_cert_is_domain_authority(x) ? "true" : "false",
                sg_cert_names_domain(x, words[2]) ? "true" : "false");
    X509_free(x);
    finish(&out, &err, sg_clock_monotonic_ms());
}

static void do_state(void)
{
    struct sg_certs_state state;
    sg_certs_state(certs, sg_clock_now(), &state);
    printf("{\"lists\": %zu, \"expired\": %zu, \"failing\": %zu, \"bytes\": %zu, "
           "\"fetches\": %zu, \"directories\": %zu, \"flushes\": %" PRIu64
           ", \"anchors_read\": %zu}\n",
           state.crls, state.crls_expired, state.crls_failing, state.crl_bytes, state.crl_fetches,
           state.directories, sg_verdicts_generation(certs->verdicts), files_anchors_read());
    fflush(stdout);
}

struct discovery {
    const char *domain;
    sg_time now;
};

static void *discover(void *ctx)
{
    const struct discovery *discovery = ctx;
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_BUF out;
    sg_buf_init(&out, 0);
    sg_buf_adds(&out, "{");
    struct sg_error err;
    sg_error_reset(&err);
    struct sg_cert_found found;
    int64_t started = sg_clock_monotonic_ms();
    struct sg_cert_wanted wanted = {
        .domain = discovery->domain, .relying = relying_get(), .now = discovery->now, .weak = weak};
    if (sg_cert_discover(certs, arena, &wanted, &found, &err)) {
        put_string(&out, "status", sg_cert_status_name(found.status));
        put_string(&out, "detail", found.detail);
        put_number(&out, "any", found.any);
        put_number(&out, "found", found.certificate != NULL);
        sg_buf_adds(&out, ", \"candidates\": [");
        for (size_t i = 0; i < found.candidate_count; i++) {
            sg_buf_adds(&out, i ? ", {" : "{");
            put_string(&out, "source", found.candidates[i].source);
            put_facts(&out, &found.candidates[i].facts);
            sg_buf_adds(&out, "}");
        }
        sg_buf_adds(&out, "]");
        if (found.certificate) {
            BIGNUM *serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(found.certificate), NULL);
            char *hex = BN_bn2hex(serial);
            put_string(&out, "chosen", hex);
            OPENSSL_free(hex);
            BN_free(serial);
        }
        X509_free(found.certificate);
    }
    finish(&out, &err, started);
    return NULL;
}

static void do_discover(char **words, int count)
{
    if (count < 3)
        exit(2);
    struct discovery discovery = {words[1], parse_now(words[2])};
    long threads = count > 3 ? strtol(words[3], NULL, 10) : 1;
    pthread_t ids[MAX_THREADS];
    for (long i = 0; i < threads && i < MAX_THREADS; i++)
        pthread_create(&ids[i], NULL, discover, &discovery);
    for (long i = 0; i < threads && i < MAX_THREADS; i++)
        pthread_join(ids[i], NULL);
}

static void do_harvest(char **words, int count)
{
    if (count < 4)
        exit(2);
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_BUF out;
    sg_buf_init(&out, 0);
    sg_buf_adds(&out, "{");
    struct sg_error err;
    sg_error_reset(&err);
    struct sg_cert_harvested harvested = {0};
    int64_t started = sg_clock_monotonic_ms();
    X509 *x = read_certificate(arena, words[3]);
    STACK_OF(X509) *helpers = read_helpers(count > 4 ? words[4] : NULL);
    struct sg_cert_wanted wanted = {
        .domain = words[1], .relying = relying_get(), .now = parse_now(words[2])};
    if (x && sg_cert_harvest(certs, arena, x, helpers, &wanted, "test", &harvested, &err)) {
        put_string(&out, "domain", words[1]);
        put_number(&out, "good", harvested.good);
        put_number(&out, "kept", harvested.kept);
    }
    finish(&out, &err, started);
    X509_free(x);
    sk_X509_pop_free(helpers, X509_free);
}

static void limit_set(struct sg_cert_limits *limits, const char *word)
{
    const char *equals = strchr(word, '=');
    if (!equals)
        exit(2);
    size_t len = (size_t)(equals - word);
    int64_t value = strtoll(equals + 1, NULL, 10);
#define LIMIT(name)                                                                                \
    if (strlen(#name) == len && strncmp(word, #name, len) == 0) {                                  \
        limits->name = (__typeof__(limits->name))value;                                            \
        return;                                                                                    \
    }
    LIMIT(max_certificates)
    LIMIT(max_crl_bytes)
    LIMIT(crl_timeout_ms)
    LIMIT(crl_total_ms)
    LIMIT(crl_grace_ms)
    LIMIT(ldap_timeout_ms)
    LIMIT(clock_tolerance_ms)
    LIMIT(crl_refresh_ms)
    LIMIT(max_crl_memory)
    LIMIT(further_private)
    LIMIT(verdicts)
    LIMIT(harvested)
    LIMIT(verdict_ttl_ms)
    LIMIT(kept_ms)
    LIMIT(max_points)
    LIMIT(max_redirections)
    LIMIT(max_further_fetches)
    LIMIT(max_directory_values)
    LIMIT(max_directory_bytes)
    LIMIT(directory_slots)
    LIMIT(directory_waiting)
    LIMIT(directory_pause_ms)
    LIMIT(directory_refused_ms)
    LIMIT(directory_more_ms)
    LIMIT(max_lists)
    LIMIT(crl_retry_ms)
    exit(2);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    sg_log_init("cert_probe", SG_LOG_INFO);
    struct sg_cert_limits limits = {.max_certificates = 32,
                                    .max_crl_bytes = 1 << 20,
                                    .crl_timeout_ms = 2000,
                                    .crl_grace_ms = 7 * 86400 * 1000LL,
                                    .ldap_timeout_ms = 3000,
                                    .clock_tolerance_ms = 60000,
                                    .verdicts = 100,
                                    .harvested = 100,
                                    .verdict_ttl_ms = 60000,
                                    .kept_ms = 30000,
                                    .max_redirections = 3,
                                    .directory_slots = 4,
                                    .directory_waiting = 256,
                                    .directory_pause_ms = 5000,
                                    .directory_refused_ms = 60000,
                                    .directory_more_ms = 250,
                                    .max_lists = 1024,
                                    .crl_retry_ms = 30000,
                                    .credentials_dir = argv[1]};
    for (int i = 2; i < argc; i++)
        limit_set(&limits, argv[i]);
    struct sg_cert_storage storage = files_storage(argv[1]);
    certs = sg_certs_new(&limits, &storage);
    char line[8192];
    while (fgets(line, sizeof line, stdin)) {
        char *words[8], *rest = line;
        int count = 0;
        for (char *word; count < 8 && (word = strsep(&rest, " \n"));)
            if (*word)
                words[count++] = word;
        if (count > 0 && strcmp(words[0], "check") == 0) {
            do_check(words, count);
        } else if (count > 0 && strcmp(words[0], "checks") == 0) {
            do_checks(words, count);
        } else if (count > 0 && strcmp(words[0], "names") == 0) {
            do_names(words, count);
        } else if (count > 0 && strcmp(words[0], "discover") == 0) {
            do_discover(words, count);
        } else if (count > 0 && strcmp(words[0], "harvest") == 0) {
            do_harvest(words, count);
        } else if (count > 1 && strcmp(words[0], "relying") == 0) {
            snprintf(relying, sizeof relying, "%s", strcmp(words[1], "-") == 0 ? "" : words[1]);
            puts("{}");
            fflush(stdout);
        } else if (count > 1 && strcmp(words[0], "weak") == 0) {
            weak = strcmp(words[1], "1") == 0;
            puts("{}");
            fflush(stdout);
        } else if (count > 1 && strcmp(words[0], "ours") == 0) {
            snprintf(ours, sizeof ours, "%s", strcmp(words[1], "-") == 0 ? "" : words[1]);
            puts("{}");
            fflush(stdout);
        } else if (count > 0 && strcmp(words[0], "state") == 0) {
            do_state();
        } else if (count > 0 && strcmp(words[0], "flush") == 0) {
            sg_certs_flush(certs);
            puts("{}");
            fflush(stdout);
        } else {
            return 2;
        }
    }
    sg_certs_free(&certs);
    return 0;
}
