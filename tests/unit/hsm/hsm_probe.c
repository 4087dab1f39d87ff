/*
 * The client library on a command line, for the system tests:
 *
 *     hsm-probe unix:SOCKET CONNECTIONS TIMEOUT_MS
 *
 * reads a request a line from standard input, words apart by blanks, "-" for an empty one, octets
 * in hexadecimal; answers "ok WORD WORD" or "error NAME LIB_CODE DETAIL". KEY is five words: class
 * kind id tenant domain, and a sixth, blob, but for generate.
 *
 *   health | generate KEY bits | public KEY | destroy KEY | csr KEY info
 *   sign KEY scheme digest hash | decrypt KEY octets input [oaep digest mask |
 *      ecdh digest wrap point info]
 *   make class binding | open class binding wrapped
 *   load threads count KEY scheme digest hash      signs at once: "ok GOOD BAD FIRST-ERROR"
 *   time count KEY octets input input              decrypts in turn: "ok MEDIAN MEDIAN" in ns
 */
#include "hsmclient/client.h"
#include "hsmclient/protocol.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define WORDS_MAX   16
#define LINE_MAX    65536
#define THREADS_MAX 64
#define TIMES_MAX   4096

struct word {
    const char *text;
    struct sg_bytes octets; /* of the text read as hexadecimal */
    uint8_t store[SG_HSM_INPUT_MAX];
};

static struct sg_hsm *hsm;
static struct word words[WORDS_MAX];
static int count;

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void word_set(struct word *w, const char *text)
{
    w->text = strcmp(text, "-") == 0 ? "" : text;
    size_t n = strlen(w->text) / 2;
    w->octets = sg_bytes_of(w->store, 0);
    for (size_t i = 0; i < n && i < sizeof w->store; i++) {
        int high = digit(w->text[2 * i]), low = digit(w->text[2 * i + 1]);
        if (high < 0 || low < 0)
            return;
        w->store[i] = (uint8_t)(high << 4 | low);
    }
    w->octets.len = n < sizeof w->store ? n : sizeof w->store;
}

static int number(int i)
{
    return (int)strtol(words[i].text, NULL, 10);
}

static void octets_print(struct sg_bytes b)
{
    printf(b.len ? " " : " -");
    for (size_t i = 0; i < b.len; i++)
        printf("%02x", b.data[i]);
}

static void answer(bool ok, struct sg_bytes first, struct sg_bytes second,
                   const struct sg_error *err)
{
    if (ok) {
        printf("ok");
        octets_print(first);
        octets_print(second);
        printf("\n");
    } else {
        printf("error %s %ld %s\n", sg_error_name(err->code), err->lib_code, err->detail);
    }
    fflush(stdout);
}

/* From word i on; *next_r is behind it. */
static struct sg_hsm_key key_at(int i, bool with_blob, int *next_r)
{
    struct sg_hsm_key key = {.kind = strcmp(words[i + 1].text, "token") == 0 ? SG_HSM_TOKEN
                                                                             : SG_HSM_WRAPPED,
                             .id = words[i + 2].text,
                             .tenant = words[i + 3].text,
                             .domain = words[i + 4].text};
    if (!sg_hsm_class_parse(sg_bytes_str(words[i].text), &key.class))
        key.class = (enum sg_hsm_class)0;
    if (with_blob)
        key.blob = words[i + 5].octets;
    *next_r = i + 5 + with_blob;
    return key;
}

static enum sg_hsm_scheme scheme_at(int i)
{
    static const char *const names[] = {"", "pkcs1", "pss", "ecdsa", "oaep", "ecdh"};
    for (int s = 1; s < 6; s++)
        if (strcmp(words[i].text, names[s]) == 0)
            return (enum sg_hsm_scheme)s;
    return (enum sg_hsm_scheme)0;
}

static enum sg_hsm_digest digest_at(int i)
{
    static const char *const names[] = {"", "sha1", "sha256", "sha384", "sha512"};
    for (int d = 1; d < 5; d++)
        if (strcmp(words[i].text, names[d]) == 0)
            return (enum sg_hsm_digest)d;
    return (enum sg_hsm_digest)0;
}

static enum sg_hsm_wrap wrap_at(int i)
{
    static const char *const names[] = {"", "aes128", "aes192", "aes256", "3des"};
    for (int w = 1; w < 5; w++)
        if (strcmp(words[i].text, names[w]) == 0)
            return (enum sg_hsm_wrap)w;
    return (enum sg_hsm_wrap)0;
}

/* octets input | octets input scheme digest mask | octets input ecdh digest wrap point info */
static struct sg_hsm_cek cek_at(int i)
{
    struct sg_hsm_cek cek = {
        .scheme = SG_HSM_PKCS1, .key_bytes = (size_t)number(i), .encrypted = words[i + 1].octets};
    if (count > i + 2) {
        cek.scheme = scheme_at(i + 2);
        cek.digest = digest_at(i + 3);
        cek.mask = digest_at(i + 4);
        cek.wrap = wrap_at(i + 4);
        cek.point = words[i + 5].octets;
        cek.info = words[i + 6].octets;
    }
    return cek;
}

/* load ----------------------------------------------------------------------------------------- */

struct load {
    struct sg_hsm_key key;
    enum sg_hsm_scheme scheme;
    enum sg_hsm_digest digest;
    struct sg_bytes hash;
    int times, good, bad;
    struct sg_error first;
};

static void *load_thread(void *arg)
{
    struct load *l = arg;
    struct sg_buf signature;
    sg_buf_init(&signature, SG_HSM_FIRST_MAX);
    for (int i = 0; i < l->times; i++) {
        struct sg_error err = {0};
        if (sg_hsm_sign(hsm, &l->key, l->scheme, l->digest, l->hash, &signature, &err))
            l->good++;
        else if (l->bad++ == 0)
            l->first = err;
    }
    sg_buf_free(&signature);
    return NULL;
}

static void load_run(void)
{
    pthread_t threads[THREADS_MAX];
    static struct load loads[THREADS_MAX];
    int n = number(1) < THREADS_MAX ? number(1) : THREADS_MAX, next, good = 0, bad = 0;
    struct load load = {.key = key_at(3, true, &next), .times = number(2)};
    load.scheme = scheme_at(next);
    load.digest = digest_at(next + 1);
    load.hash = words[next + 2].octets;
    for (int i = 0; i < n; i++) {
        loads[i] = load;
        pthread_create(&threads[i], NULL, load_thread, &loads[i]);
    }
    const struct sg_error *first = NULL;
    for (int i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
        good += loads[i].good;
        bad += loads[i].bad;
        if (loads[i].bad && !first)
            first = &loads[i].first;
    }
    printf("ok %d %d %s\n", good, bad, first ? sg_error_name(first->code) : "-");
    fflush(stdout);
}

/* time ----------------------------------------------------------------------------------------- */

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void time_run(void)
{
    static int64_t times[2][TIMES_MAX];
    int next, n = number(1) < TIMES_MAX ? number(1) : TIMES_MAX;
    struct sg_hsm_key key = key_at(2, true, &next);
    struct sg_secret cek;
    struct sg_error err = {0};
    for (int i = 0; i < n; i++) {
        for (int which = 0; which < 2; which++) {
            int64_t began = now_ns();
            const struct sg_hsm_cek asked = {.scheme = SG_HSM_PKCS1,
                                             .key_bytes = (size_t)number(next),
                                             .encrypted = words[next + 1 + which].octets};
            if (!sg_hsm_decrypt_cek(hsm, &key, &asked, &cek, &err)) {
                answer(false, sg_bytes_of(NULL, 0), sg_bytes_of(NULL, 0), &err);
                return;
            }
            times[which][i] = now_ns() - began;
        }
    }
    qsort(times[0], (size_t)n, sizeof times[0][0], by_value);
    qsort(times[1], (size_t)n, sizeof times[1][0], by_value);
    printf("ok %lld %lld\n", (long long)times[0][n / 2], (long long)times[1][n / 2]);
    fflush(stdout);
}

/* ---------------------------------------------------------------------------------------------- */

static bool with_key(const char *verb, struct sg_buf *first, struct sg_buf *second,
                     struct sg_secret *secret, struct sg_error *err)
{
    int n;
    bool makes = strcmp(verb, "generate") == 0;
    struct sg_hsm_key key = key_at(1, !makes, &n);
    if (makes)
        return sg_hsm_generate(hsm, &key, number(n), first, second, err);
    if (strcmp(verb, "public") == 0)
        return sg_hsm_public_key(hsm, &key, first, err);
    if (strcmp(verb, "destroy") == 0)
        return sg_hsm_destroy(hsm, &key, err);
    if (strcmp(verb, "csr") == 0)
        return sg_hsm_sign_csr(hsm, &key, words[n].octets, first, err);
    if (strcmp(verb, "sign") == 0)
        return sg_hsm_sign(hsm, &key, scheme_at(n), digest_at(n + 1), words[n + 2].octets, first,
                           err);
    if (strcmp(verb, "decrypt") == 0) {
        const struct sg_hsm_cek cek = cek_at(n);
        return sg_hsm_decrypt_cek(hsm, &key, &cek, secret, err);
    }
    return sg_fail(err, SG_E_USAGE, "no such command");
}

static void line_run(void)
{
    const char *verb = words[0].text;
    struct sg_buf first, second;
    struct sg_secret secret = {0};
    struct sg_error err = {0};
    bool ok;
    enum sg_hsm_class class = (enum sg_hsm_class)0;
    sg_buf_init(&first, SG_HSM_FIRST_MAX);
    sg_buf_init(&second, SG_HSM_SECOND_MAX);
    if (strcmp(verb, "make") == 0 || strcmp(verb, "open") == 0)
        (void)!sg_hsm_class_parse(sg_bytes_str(words[1].text), &class);
    if (strcmp(verb, "health") == 0)
        ok = sg_hsm_health(hsm, &err);
    else if (strcmp(verb, "make") == 0)
        ok = sg_hsm_data_key_make(hsm, class, words[2].text, &secret, &second, &err);
    else if (strcmp(verb, "open") == 0)
        ok = sg_hsm_data_key_open(hsm, class, words[2].text, words[3].octets, &secret, &err);
    else
        ok = with_key(verb, &first, &second, &secret, &err);
    answer(ok, secret.len ? sg_bytes_of(secret.data, secret.len) : sg_buf_bytes(&first),
           sg_buf_bytes(&second), &err);
    sg_secret_wipe(&secret);
    sg_buf_free(&first);
    sg_buf_free(&second);
}

int main(int argc, char **argv)
{
    static char line[LINE_MAX];
    if (argc != 4) {
        fputs("usage: hsm-probe unix:SOCKET CONNECTIONS TIMEOUT_MS\n", stderr);
        return 2;
    }
    struct sg_hsm_options options = {.socket = argv[1],
                                     .connections = (int)strtol(argv[2], NULL, 10),
                                     .timeout_ms = strtol(argv[3], NULL, 10)};
    hsm = sg_hsm_new(&options);
    while (fgets(line, sizeof line, stdin)) {
        char *save = NULL;
        count = 0;
        for (char *w = strtok_r(line, " \n", &save); w && count < WORDS_MAX;
             w = strtok_r(NULL, " \n", &save))
            word_set(&words[count++], w);
        for (int i = count; i < WORDS_MAX; i++)
            word_set(&words[i], "");
        if (count && strcmp(words[0].text, "load") == 0)
            load_run();
        else if (count && strcmp(words[0].text, "time") == 0)
            time_run();
        else if (count)
            line_run();
    }
    sg_hsm_free(&hsm);
    return 0;
}
