/*
 * smime-probe: seals and opens files with keys from files, for tests against other software.
 *
 *   smime-probe seal CERT KEY CIPHER IN OUT [TO...] [--oaep TO...]
 *      CIPHER aes128, aes256, 3des, aes128-gcm or aes256-gcm
 *   smime-probe open IN OUT [--individual] [CERT KEY]...
 *
 * Files hold MIME entities. open writes what it reached and prints a line of key=value a layer and
 * a signer; --individual takes no signer for a domain's.
 */
#include "testkit.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_KEYS 16

static const struct sg_header_limits headers_limits = {.max_bytes = 1 << 20, .max_fields = 1000};

static bool file_write(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    return fwrite(data, 1, len, ctx) == len || sg_fail(err, SG_E_IO, "output");
}

static int failed(const struct sg_error *err)
{
    fprintf(stderr, "smime-probe: %s: %s\n", sg_error_name(err->code), err->detail);
    return 1;
}

static FILE *output_open(const char *path)
{
    FILE *f = fopen(path, "w");
    if (!f) {
        perror(path);
        exit(1);
    }
    return f;
}

static enum sg_smime_cipher cipher_of(const char *name)
{
    return strcmp(name, "3des") == 0         ? SG_SMIME_3DES_CBC
           : strcmp(name, "aes128") == 0     ? SG_SMIME_AES128_CBC
           : strcmp(name, "aes128-gcm") == 0 ? SG_SMIME_AES128_GCM
           : strcmp(name, "aes256-gcm") == 0 ? SG_SMIME_AES256_GCM
                                             : SG_SMIME_AES256_CBC;
}

static int seal(int argc, char **argv)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_error err = {0};
    struct kit_key key = kit_key_load(argv[0], argv[1]);
    SG_AUTO_SPOOL spool = kit_spool_of_file(argv[3]);
    struct sg_header_block block;
    if (!sg_header_read(arena, spool, 0, UINT64_MAX, &headers_limits, &block, &err))
        return failed(&err);
    struct sg_smime_recipient to[MAX_KEYS];
    size_t count = 0;
    bool oaep = false;
    for (int i = 5; i < argc && count < MAX_KEYS; i++) {
        if (strcmp(argv[i], "--oaep") == 0)
            oaep = true;
        else
            to[count++] = (struct sg_smime_recipient){kit_certificate(argv[i]), oaep};
    }

    struct sg_smime_entity entity = {.headers = block.raw,
                                     .body = spool,
                                     .offset = block.body_offset,
                                     .len = sg_spool_size(spool) - block.body_offset};
    struct sg_smime_signer signer = {.certificate = key.certificate, .sign = kit_sign, .ctx = &key};
    SG_AUTO_BUF signature;
    sg_buf_init(&signature, 0);
    SG_AUTO_BUF headers;
    sg_buf_init(&headers, 0);
    FILE *body = tmpfile(), *out = output_open(argv[4]);
    struct sg_sink sink = {file_write, body};
    if (!sg_smime_sign(&entity, &signer, sg_clock_now(), &signature, &err) ||
        !sg_smime_envelop(&entity, sg_buf_bytes(&signature), to, count, cipher_of(argv[2]),
                          &headers, &sink, &err))
        return failed(&err);
    fprintf(out, "%s\r\n", (const char *)headers.data);
    rewind(body);
    char piece[16384];
    for (size_t n; (n = fread(piece, 1, sizeof piece, body)) > 0;)
        fwrite(piece, 1, n, out);
    fclose(body);
    fclose(out);
    for (size_t i = 0; i < count; i++)
        X509_free(to[i].certificate);
    kit_key_free(&key);
    fprintf(stderr, "peak_kib=%ld\n", kit_peak_kib());
    return 0;
}

static const char *result_name(enum sg_smime_result result)
{
    static const char *const names[] = {
        "ok",          "altered",   "not-for-us",    "undecryptable",
        "unsupported", "malformed", "no-certificate"};
    return names[result];
}

/* SHA-256 of a signer's certificate, for tests that go on to judge it. */
static const char *fingerprint(const X509 *certificate, char text[2 * EVP_MAX_MD_SIZE + 1])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (!certificate || !X509_digest(certificate, EVP_sha256(), digest, &len))
        return "-";
    for (unsigned i = 0; i < len; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return text;
}

static void layers_print(const struct sg_smime_opened *opened)
{
    for (size_t i = 0; i < opened->layer_count; i++) {
        const struct sg_smime_layer *l = &opened->layers[i];
        printf("layer=%s result=%s stripped=%d cipher=%s transport=%s authenticated=%d detached=%d "
               "detail=%s\n",
               l->kind == SG_SMIME_SIGNED ? "signed" : "enveloped", result_name(l->result),
               l->stripped, l->cipher ? l->cipher : "-", l->transport ? l->transport : "-",
               l->authenticated, l->detached, l->detail);
        for (size_t k = 0; k < l->signer_count; k++) {
            const struct sg_smime_signer_info *s = &l->signers[k];
            char text[2 * EVP_MAX_MD_SIZE + 1];
            printf("signer=%zu result=%s digest=%s signature=%s time=%lld certificate=%s"
                   " detail=%s\n",
                   k, result_name(s->result), s->digest ? s->digest : "-",
                   s->signature ? s->signature : "-", (long long)sg_time_seconds(s->signing_time),
                   fingerprint(s->certificate, text), s->detail);
        }
    }
}

static int open_file(int argc, char **argv)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_error err = {0};
    struct kit_key keys[MAX_KEYS];
    struct sg_smime_own_key own[MAX_KEYS];
    size_t count = 0;
    bool individual = false;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--individual") == 0) {
            individual = true;
        } else if (i + 1 < argc && count < MAX_KEYS) {
            keys[count] = kit_key_load(argv[i], argv[i + 1]);
            own[count] = (struct sg_smime_own_key){keys[count].certificate, &keys[count]};
            count++;
            i++;
        }
    }
    SG_AUTO_SPOOL spool = kit_spool_of_file(argv[0]);
    struct sg_header_block block;
    struct sg_smime_opened opened;
    struct sg_smime_options options = kit_options(own, count);
    if (individual)
        options.is_domain_signer = kit_no_signer;
    if (!sg_header_read(arena, spool, 0, UINT64_MAX, &headers_limits, &block, &err) ||
        !sg_smime_open(arena, &block, spool, block.body_offset, UINT64_MAX, &options, &opened,
                       &err))
        return failed(&err);
    layers_print(&opened);
    FILE *out = output_open(argv[1]);
    struct sg_sink sink = {file_write, out};
    if (!sg_sink_write(&sink, opened.headers.raw.data, opened.headers.raw.len, &err) ||
        !sg_sink_write(&sink, "\r\n", 2, &err) ||
        !sg_spool_copy(opened.body, opened.offset, opened.len, &sink, &err))
        return failed(&err);
    fclose(out);
    sg_smime_opened_free(&opened);
    for (size_t i = 0; i < count; i++)
        kit_key_free(&keys[i]);
    fprintf(stderr, "peak_kib=%ld\n", kit_peak_kib());
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 8 && strcmp(argv[1], "seal") == 0)
        return seal(argc - 2, argv + 2);
    if (argc >= 4 && strcmp(argv[1], "open") == 0)
        return open_file(argc - 2, argv + 2);
    fprintf(stderr, "usage: smime-probe seal CERT KEY CIPHER IN OUT TO... |\n"
                    "       smime-probe open IN OUT [--individual] [CERT KEY]...\n");
    return 2;
}
