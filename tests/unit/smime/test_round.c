/*
 * Sealed and opened again: byte for byte, whatever the entity; and what happens when something was
 * changed on the way. gatewayd/smime/. REQ-22 REQ-38 REQ-70 REQ-71 REQ-80 REQ-87 REQ-88
 */
#include "smime/base64.h"
#include "smime/ber.h"
#include "testkit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static struct kit_key alice, bob, other;

static bool buf_write(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    (void)err;
    return sg_buf_add(ctx, data, len);
}

/* Sealed from alice to bob: headers, empty line, base64. */
static void seal(struct sg_bytes headers, struct sg_bytes body, enum sg_smime_cipher cipher,
                 struct sg_buf *out)
{
    /* The body is a range in the middle of its spool. */
    SG_AUTO_SPOOL spool = kit_spool_of("before", 6);
    struct sg_error err;
    assert_true(sg_spool_write(spool, body.data, body.len, &err));
    assert_true(sg_spool_write(spool, "behind", 6, &err));
    struct sg_smime_entity entity = {headers, spool, 6, body.len};
    struct sg_smime_signer signer = {alice.certificate, NULL, kit_sign, &alice};
    SG_AUTO_BUF sig;
    sg_buf_init(&sig, 0);
    assert_true(sg_smime_sign(&entity, &signer, sg_clock_now(), &sig, &err));
    const struct sg_smime_recipient to[] = {{.certificate = other.certificate, .oaep = true},
                                            {.certificate = bob.certificate}};
    SG_AUTO_BUF text;
    sg_buf_init(&text, 0);
    struct sg_sink sink = {buf_write, &text};
    assert_true(sg_smime_envelop(&entity, sg_buf_bytes(&sig), to, 2, cipher, out, &sink, &err));
    sg_buf_adds(out, "\r\n");
    sg_buf_add(out, text.data, text.len);
}

static bool open_as(struct sg_arena *arena, struct sg_spool *spool,
                    const struct sg_smime_options *options, struct sg_smime_opened *opened,
                    struct sg_error *err)
{
    struct sg_header_block block;
    assert_true(sg_header_read(arena, spool, 0, UINT64_MAX, &options->headers, &block, err));
    return sg_smime_open(arena, &block, spool, block.body_offset, UINT64_MAX, options, opened, err);
}

static void check_body(const struct sg_smime_opened *o, struct sg_bytes headers,
                       struct sg_bytes body)
{
    SG_AUTO_BUF got;
    sg_buf_init(&got, 0);
    struct sg_sink sink = {buf_write, &got};
    struct sg_error err;
    assert_true(sg_bytes_equal(o->headers.raw, headers));
    assert_int_equal(o->len, body.len);
    assert_true(sg_spool_copy(o->body, o->offset, o->len, &sink, &err));
    assert_int_equal(got.len, body.len);
    if (body.len)
        assert_memory_equal(got.data, body.data, body.len);
}

static void round_trip(struct sg_bytes headers, struct sg_bytes body, enum sg_smime_cipher cipher)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_BUF sealed;
    sg_buf_init(&sealed, 0);
    seal(headers, body, cipher, &sealed);
    for (size_t i = 0, line = 0; i < sealed.len; i++) { /* lines end in CRLF and are short */
        line = sealed.data[i] == '\n' ? 0 : line + 1;
        assert_true(line <= 77 && sealed.data[i] < 0x80);
        assert_int_equal(sealed.data[i] == '\n', i && sealed.data[i - 1] == '\r');
    }
    SG_AUTO_SPOOL spool = kit_spool_of(sealed.data, sealed.len);
    struct sg_smime_own_key own[] = {{alice.certificate, &alice}, {bob.certificate, &bob}};
    struct sg_smime_options options = kit_options(own, 2);
    struct sg_smime_opened o;
    struct sg_error err;
    assert_true(open_as(arena, spool, &options, &o, &err));
    assert_int_equal(o.layer_count, 2);
    assert_int_equal(o.layers[0].result, SG_SMIME_OK);
    assert_int_equal(o.layers[0].own_key, 1);
    assert_int_equal(o.layers[1].result, SG_SMIME_OK);
    assert_true(o.layers[0].stripped && o.layers[1].stripped && o.changed);
    assert_int_equal(o.layers[1].signer_count, 1);
    bool gcm = cipher == SG_SMIME_AES128_GCM || cipher == SG_SMIME_AES256_GCM;
    assert_int_equal(o.layers[0].authenticated, gcm);
    assert_string_equal(o.layers[1].signers[0].digest, "sha256");
    assert_string_equal(o.layers[1].signers[0].signature, "rsaEncryption");
    assert_true(sg_clock_now() - o.layers[1].signers[0].signing_time < 60 * SG_SECOND);
    assert_int_equal(X509_cmp(o.layers[1].signers[0].certificate, alice.certificate), 0);
    check_body(&o, headers, body);
    sg_smime_opened_free(&o);
}

static const char plain_headers[] = "Content-Type: text/plain;\r\n\tcharset=utf-8\r\n"
                                    "Content-Transfer-Encoding: 8bit\r\n";

static void test_shapes(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "x",
        "\r\n",
        "no line end",
        "one\r\ntwo\r\n",
        "one\r\n\r\n\r\n",
        ".\r\n..\r\n.\r\n",
        "--=_sealgate_00112233445566778899aabbccddeeff\r\n--\r\n--x--\r\n",
        "caf\xc3\xa9 \xff\xfe\r\n",
        "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nbody\r\n--b--\r\n",
        "From here\r\n>From there\r\n",
    };
    struct sg_bytes h = sg_bytes_str(plain_headers);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        round_trip(h, sg_bytes_str(bodies[i]), (enum sg_smime_cipher)(i % 5));
        round_trip(sg_bytes_of("", 0), sg_bytes_str(bodies[i]), SG_SMIME_AES256_CBC);
    }
    round_trip(h, sg_bytes_of("a\0b\0\r\n\0", 7), SG_SMIME_AES128_CBC);
    char line[5000];
    memset(line, 'l', sizeof line);
    for (size_t n = 0; n < 70; n++) { /* every place within a block and a line of base64 */
        round_trip(h, sg_bytes_of(line, n), SG_SMIME_AES256_CBC);
        round_trip(h, sg_bytes_of(line, n), SG_SMIME_AES128_GCM);
    }
    round_trip(h, sg_bytes_of(line, sizeof line), SG_SMIME_AES256_CBC);
    round_trip(sg_bytes_str("Content-Type: message/rfc822\r\n"),
               sg_bytes_str("From: x@y.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
                            "--b\r\n\r\none\r\n--b--\r\n"),
               SG_SMIME_AES256_CBC);
}

static void test_large(void **state)
{
    (void)state;
    size_t len = 20 << 20;
    uint8_t *big = malloc(len);
    for (size_t i = 0; i < len; i++)
        big[i] = (uint8_t)(i * 2654435761u >> 24);
    for (size_t i = 0; i < len; i++) /* line ends stay pairs */
        if (big[i] == '\r' || big[i] == '\n')
            big[i] = '.';
    for (size_t i = 76; i + 2 < len; i += 78)
        memcpy(big + i, "\r\n", 2);
    round_trip(sg_bytes_str(plain_headers), sg_bytes_of(big, len), SG_SMIME_AES256_CBC);
    round_trip(sg_bytes_str(plain_headers), sg_bytes_of(big, len), SG_SMIME_AES256_GCM);
    free(big);
}

static void test_line_ends(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_BUF sealed;
    sg_buf_init(&sealed, 0);
    seal(sg_bytes_str("A: 1\n"), sg_bytes_str("a\nb\rc\r\nd\r"), SG_SMIME_AES256_CBC, &sealed);
    SG_AUTO_SPOOL spool = kit_spool_of(sealed.data, sealed.len);
    struct sg_smime_own_key own = {bob.certificate, &bob};
    struct sg_smime_options options = kit_options(&own, 1);
    struct sg_smime_opened o;
    struct sg_error err;
    assert_true(open_as(arena, spool, &options, &o, &err));
    assert_int_equal(o.layers[1].result, SG_SMIME_OK);
    check_body(&o, sg_bytes_str("A: 1\r\n"), sg_bytes_str("a\r\nb\r\nc\r\nd\r\n"));
    sg_smime_opened_free(&o);
}

/* Only alice's certificate is a domain's. */
static bool is_alice(void *ctx, const X509 *certificate)
{
    (void)ctx;
    return X509_cmp(certificate, alice.certificate) == 0;
}

static void open_for_bob(struct sg_arena *arena, struct sg_bytes headers, struct sg_bytes body,
                         struct sg_smime_opened *o)
{
    static struct sg_smime_own_key own;
    SG_AUTO_BUF sealed;
    sg_buf_init(&sealed, 0);
    seal(headers, body, SG_SMIME_AES256_CBC, &sealed);
    SG_AUTO_SPOOL spool = kit_spool_of(sealed.data, sealed.len);
    own = (struct sg_smime_own_key){bob.certificate, &bob};
    struct sg_smime_options options = kit_options(&own, 1);
    options.is_domain_signer = is_alice;
    struct sg_error err;
    assert_true(open_as(arena, spool, &options, o, &err));
}

/* The body that was opened, with CRLF at the end of lines that are short. */
static void body_read(const struct sg_smime_opened *o, struct sg_buf *out)
{
    struct sg_sink sink = {buf_write, out};
    struct sg_error err;
    assert_true(sg_spool_copy(o->body, o->offset, o->len, &sink, &err));
    for (size_t i = 0, line = 0; i < out->len; i++) {
        uint8_t c = out->data[i];
        assert_int_equal(c == '\n', i && out->data[i - 1] == '\r');
        assert_true(c != '\r' || (i + 1 < out->len && out->data[i + 1] == '\n'));
        line = c == '\n' ? 0 : line + 1;
        assert_true(c && line <= 999);
    }
}

#define BINARY(eol)                                                                                \
    "Content-Type: application/octet-stream" eol "content-transfer-encoding:" eol "\tBinary " eol  \
    "X-A: 1" eol

/* RFC 8551 §3.1.2: within an envelope anything may stand as it is. What SMTP does not carry goes on
 * in base64, with no octet changed. */
static void check_binary(const char *headers, struct sg_bytes body)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_BUF text, octets;
    sg_buf_init(&text, 0);
    sg_buf_init(&octets, 0);
    struct sg_smime_opened o;
    open_for_bob(arena, sg_bytes_str(headers), body, &o);
    assert_int_equal(o.layers[0].result, SG_SMIME_OK);
    assert_int_equal(o.layers[1].result, SG_SMIME_OK);
    assert_true(sg_bytes_equal(o.headers.raw,
                               sg_bytes_str("Content-Type: application/octet-stream\r\n"
                                            "Content-Transfer-Encoding: base64\r\nX-A: 1\r\n")));
    body_read(&o, &text);
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] != '\r' && text.data[i] != '\n')
            text.data[n++] = text.data[i];
    sg_buf_add(&octets, text.data, n);
    assert_int_equal(n % 4, 0);
    size_t len = (size_t)EVP_DecodeBlock(octets.data, text.data, (int)n);
    for (size_t i = n; i && text.data[i - 1] == '='; i--)
        len--;
    assert_int_equal(len, body.len);
    assert_memory_equal(octets.data, body.data, body.len);
    sg_smime_opened_free(&o);
}

static void test_binary(void **state)
{
    (void)state;
    uint8_t all[256], line[1004];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)i;
    memset(line, 'l', sizeof line);
    memcpy(line + 1000, "\r\nb", 3);
    check_binary(BINARY("\r\n"), sg_bytes_of(all, sizeof all));
    check_binary(BINARY("\n"), sg_bytes_of(all, sizeof all));
    check_binary(BINARY("\r\n"), sg_bytes_str("\n"));
    check_binary(BINARY("\r\n"), sg_bytes_str("a\r"));
    check_binary(BINARY("\r\n"), sg_bytes_of("\0", 1));
    check_binary(BINARY("\r\n"), sg_bytes_of(line, 999));
    check_binary(BINARY("\r\n"), sg_bytes_of(line + 1, 1003));
}

/* What SMTP carries as it is, and what is no octets but a text: as they were. */
static void test_not_binary(void **state)
{
    (void)state;
    char line[1002];
    memset(line, 'l', sizeof line);
    memcpy(line + 998, "\r\nb", 3);
    round_trip(sg_bytes_str(BINARY("\r\n")), sg_bytes_of(line, 1001), SG_SMIME_AES256_CBC);
    round_trip(sg_bytes_str(BINARY("\r\n")), sg_bytes_str("a\r\nb"), SG_SMIME_AES256_CBC);
    round_trip(sg_bytes_str("Content-Transfer-Encoding: 8bit\r\n"), sg_bytes_of("a\0\r\n", 4),
               SG_SMIME_AES256_CBC);
}

#define TEN(x)    x x x x x x x x x x
#define LONG_LINE TEN(TEN(TEN("l"))) /* longer than SMTP's, which changes nothing: it goes on */

/* A part in binary cannot be encoded by itself: where its line ends would have to be others, the
 * message goes on as it came. */
static void test_binary_part(void **state)
{
    (void)state;
    static const char multipart[] = "Content-Type: multipart/mixed; boundary=b\r\n"
                                    "Content-Transfer-Encoding: binary\r\n";
    static const struct {
        const char *headers, *body;
        bool carried;
    } cases[] = {
        {multipart, "--b\r\nContent-Transfer-Encoding: binary\r\n\r\na\nb\r\n--b--\r\n", false},
        {multipart, "--b\nContent-Transfer-ENCODING :\n binary\n\na\r\n--b--\r\n", false},
        {"Content-Type: message/rfc822\r\n", "A: b\nContent-Transfer-Encoding: binary\n\na", false},
        {multipart, "--b\r\nContent-Transfer-Encoding: binary\r\n\r\nab\r\n--b--\r\n", true},
        {multipart, "--b\r\nContent-Transfer-Encoding: binary\r\n\r\n" LONG_LINE "\r\n--b--\r\n",
         true},
        {multipart, LONG_LINE "\r\n--b\r\n\r\nContent-Transfer-Encoding: binary\r\n--b--\r\n",
         true},
        {multipart, "--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\na\nb\r\n--b--\r\n", true},
        {multipart, "--b\nX-Content-Transfer-Encoding: binary\n\nbinary\n--b--\n", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        struct sg_smime_opened o;
        open_for_bob(arena, sg_bytes_str(cases[i].headers), sg_bytes_str(cases[i].body), &o);
        if (o.layers[0].result != (cases[i].carried ? SG_SMIME_OK : SG_SMIME_UNSUPPORTED))
            fail_msg("%zu: %d, %s", i, o.layers[0].result, o.layers[0].detail);
        assert_true(o.layers[0].for_us);
        assert_int_equal(o.changed, cases[i].carried);
        assert_int_equal(o.layer_count, cases[i].carried ? 2 : 1);
        if (cases[i].carried && !strstr(cases[i].body, LONG_LINE)) {
            SG_AUTO_BUF body;
            sg_buf_init(&body, 0);
            body_read(&o, &body);
        }
        sg_smime_opened_free(&o);
    }
}

/* A person's signature in DER, left on: what is delivered of it is still good. */
static void test_object_in_der(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_BUF der, mail;
    sg_buf_init(&der, 0);
    sg_buf_init(&mail, 0);
    struct sg_sink to_der = {buf_write, &der}, to_mail = {buf_write, &mail};
    struct sg_smime_options options = kit_options(NULL, 0);
    struct sg_smime_opened o, again;
    struct sg_error err;
    kit_run("printf 'A: 1\\r\\n\\r\\na\\nb\\rc' | openssl cms -sign -nodetach -binary -outform DER "
            "-signer other.pem -inkey other.key >der");
    SG_AUTO_SPOOL file = kit_spool_of_file(kit_path(arena, "der"));
    assert_true(sg_spool_copy(file, 0, UINT64_MAX, &to_der, &err));
    open_for_bob(arena,
                 sg_bytes_str("Content-Type: application/pkcs7-mime\r\n"
                              "Content-Transfer-Encoding: binary\r\n"),
                 sg_buf_bytes(&der), &o);
    assert_int_equal(o.layer_count, 3);
    assert_int_equal(o.layers[2].result, SG_SMIME_OK);
    assert_false(o.layers[2].stripped);
    sg_buf_add(&mail, o.headers.raw.data, o.headers.raw.len);
    sg_buf_adds(&mail, "\r\n");
    assert_true(sg_spool_copy(o.body, o.offset, o.len, &to_mail, &err));
    SG_AUTO_SPOOL spool = kit_spool_of(mail.data, mail.len);
    options.is_domain_signer = kit_no_signer;
    assert_true(open_as(arena, spool, &options, &again, &err));
    assert_int_equal(again.layers[0].result, SG_SMIME_OK);
    sg_smime_opened_free(&again);
    sg_smime_opened_free(&o);
}

/* What was within the limit is delivered, however much its line ends add to it; what is beyond is
 * the message's own doing, and no reason to try again. */
static void test_size_limit(void **state)
{
    (void)state;
    enum { LINES = 30000 };
    static char body[LINES];
    SG_AUTO_BUF sealed;
    sg_buf_init(&sealed, 0);
    memset(body, '\n', sizeof body);
    seal(sg_bytes_str("A: 1\n"), sg_bytes_of(body, sizeof body), SG_SMIME_AES256_CBC, &sealed);
    SG_AUTO_SPOOL spool = kit_spool_of(sealed.data, sealed.len);
    struct sg_smime_own_key own = {bob.certificate, &bob};
    uint64_t refused = LINES, taken = 2 * LINES;
    while (taken - refused > 1) {
        SG_AUTO_ARENA arena = sg_arena_new();
        struct sg_smime_options options = kit_options(&own, 1);
        struct sg_smime_opened o;
        struct sg_error err;
        options.spool.max_bytes = (taken + refused) / 2;
        assert_true(open_as(arena, spool, &options, &o, &err));
        if (o.layers[0].result == SG_SMIME_OK) {
            taken = options.spool.max_bytes;
            assert_int_equal(o.layer_count, 2);
            assert_int_equal(o.layers[1].result, SG_SMIME_OK);
            assert_int_equal(o.len, 2 * LINES);
        } else {
            refused = options.spool.max_bytes;
            assert_int_equal(o.layers[0].result, SG_SMIME_UNSUPPORTED);
            assert_false(o.changed);
        }
        sg_smime_opened_free(&o);
    }
    assert_true(taken > LINES + 1000 && taken < LINES + 10000); /* the signature's size */
}

static void sealed_simple(struct sg_buf *sealed)
{
    seal(sg_bytes_str(plain_headers), sg_bytes_str("a short body\r\n"), SG_SMIME_AES256_CBC,
         sealed);
}

static void test_individual_is_left_on(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_BUF sealed;
    sg_buf_init(&sealed, 0);
    sealed_simple(&sealed);
    SG_AUTO_SPOOL spool = kit_spool_of(sealed.data, sealed.len);
    struct sg_smime_own_key own = {bob.certificate, &bob};
    struct sg_smime_options options = kit_options(&own, 1);
    options.is_domain_signer = kit_no_signer;
    struct sg_smime_opened o;
    struct sg_error err;
    assert_true(open_as(arena, spool, &options, &o, &err));
    assert_int_equal(o.layer_count, 2);
    assert_int_equal(o.layers[1].result, SG_SMIME_OK);
    assert_false(o.layers[1].stripped);
    struct sg_content_type type;
    sg_content_type_parse(arena, sg_header_find(&o.headers, "Content-Type", 0), &type);
    assert_string_equal(type.type, "multipart/signed");
    sg_smime_opened_free(&o);
}

static void test_not_for_us(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_BUF sealed;
    sg_buf_init(&sealed, 0);
    sealed_simple(&sealed);
    SG_AUTO_SPOOL spool = kit_spool_of(sealed.data, sealed.len);
    struct sg_smime_own_key own = {alice.certificate, &alice};
    struct sg_smime_options options = kit_options(&own, 1);
    struct sg_smime_opened o;
    struct sg_error err;
    assert_true(open_as(arena, spool, &options, &o, &err));
    assert_int_equal(o.layer_count, 1);
    assert_int_equal(o.layers[0].result, SG_SMIME_NOT_FOR_US);
    assert_false(o.changed);
    assert_ptr_equal(o.body, spool);
    sg_smime_opened_free(&o);
}

/* A wrong key gives the right padding one time in 256: no such message may look opened. */
static void test_wrong_key(void **state)
{
    (void)state;
    SG_AUTO_BUF sealed;
    sg_buf_init(&sealed, 0);
    sealed_simple(&sealed);
    SG_AUTO_SPOOL spool = kit_spool_of(sealed.data, sealed.len);
    struct kit_key wrong = {bob.certificate, alice.key};
    struct sg_smime_own_key own = {bob.certificate, &wrong};
    struct sg_smime_options options = kit_options(&own, 1);
    const char *detail = NULL;
    /* Padding that fits, before octets that begin as a header does: about once in 100,000. */
    int passable = 0;
    for (int i = 0; i < 1500; i++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        struct sg_smime_opened o;
        struct sg_error err;
        assert_true(open_as(arena, spool, &options, &o, &err));
        assert_int_equal(o.layer_count, 1);
        if (o.layers[0].result == SG_SMIME_OK) {
            assert_int_equal(++passable, 1);
            sg_smime_opened_free(&o);
            continue;
        }
        assert_int_equal(o.layers[0].result, SG_SMIME_UNDECRYPTABLE);
        assert_false(o.changed);
        if (!detail)
            detail = "the message could not be decrypted";
        assert_string_equal(o.layers[0].detail, detail);
        sg_smime_opened_free(&o);
    }
}

static bool hsm_away(void *ctx, void *key, const struct sg_smime_cek *cek, struct sg_secret *cek_r,
                     struct sg_error *err)
{
    (void)ctx, (void)key, (void)cek, (void)cek_r;
    return sg_fail(err, SG_E_HSM_UNAVAILABLE, "away");
}

static void test_hsm_away(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_BUF sealed;
    sg_buf_init(&sealed, 0);
    sealed_simple(&sealed);
    SG_AUTO_SPOOL spool = kit_spool_of(sealed.data, sealed.len);
    struct sg_smime_own_key own = {bob.certificate, &bob};
    struct sg_smime_options options = kit_options(&own, 1);
    options.decrypt_cek = hsm_away;
    struct sg_smime_opened o;
    struct sg_error err;
    assert_false(open_as(arena, spool, &options, &o, &err));
    assert_int_equal(err.code, SG_E_HSM_UNAVAILABLE);
}

/* The CMS object in the body of a message, decoded; the caller frees. */
static uint8_t *cms_of(const struct sg_buf *message, size_t *len_r)
{
    char *text = strstr((char *)message->data, "\r\n\r\n") + 4;
    size_t text_len = message->len - (size_t)(text - (char *)message->data);
    uint8_t *der = malloc(text_len);
    struct sg_base64_decoder d = {0};
    assert_non_null(der);
    *len_r = sg_base64_decode(&d, (uint8_t *)text, text_len, der);
    return der;
}

/* One octet changed anywhere in the CMS: no layer inside passes with other content. */
static void test_altered(void **state)
{
    (void)state;
    SG_AUTO_BUF sealed;
    sg_buf_init(&sealed, 0);
    sealed_simple(&sealed);
    size_t len;
    uint8_t *der = cms_of(&sealed, &len);
    struct sg_smime_own_key own = {bob.certificate, &bob};
    struct sg_smime_options options = kit_options(&own, 1);
    for (size_t i = 0; i < len; i++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        SG_AUTO_BUF message;
        sg_buf_init(&message, 0);
        sg_buf_adds(&message, "Content-Type: application/pkcs7-mime\r\n\r\n");
        der[i] ^= (uint8_t)(1 << (i % 8));
        sg_buf_add(&message, der, len);
        der[i] ^= (uint8_t)(1 << (i % 8));
        SG_AUTO_SPOOL spool = kit_spool_of(message.data, message.len);
        struct sg_smime_opened o;
        struct sg_error err;
        assert_true(open_as(arena, spool, &options, &o, &err));
        bool good = o.layer_count == 2 && o.layers[0].result == SG_SMIME_OK &&
                    o.layers[1].result == SG_SMIME_OK && o.layers[1].stripped;
        if (good)
            check_body(&o, sg_bytes_str(plain_headers), sg_bytes_str("a short body\r\n"));
        assert_true(good || o.layers[o.layer_count - 1].result != SG_SMIME_OK ||
                    !sg_smime_is(arena, &o.headers));
        sg_smime_opened_free(&o);
    }
    free(der);
}

/* Cut off anywhere: never opened. */
static void test_truncated(void **state)
{
    (void)state;
    SG_AUTO_BUF sealed;
    sg_buf_init(&sealed, 0);
    sealed_simple(&sealed);
    size_t from = (size_t)(strstr((char *)sealed.data, "\r\n\r\n") - (char *)sealed.data) + 4;
    size_t end = sealed.len;
    while (strchr("=\r\n", sealed.data[end - 1]))
        end--; /* padding and its line end may be missing */
    struct sg_smime_own_key own = {bob.certificate, &bob};
    struct sg_smime_options options = kit_options(&own, 1);
    for (size_t n = from; n < end; n += 7) {
        SG_AUTO_ARENA arena = sg_arena_new();
        SG_AUTO_SPOOL spool = kit_spool_of(sealed.data, n);
        struct sg_smime_opened o;
        struct sg_error err;
        assert_true(open_as(arena, spool, &options, &o, &err));
        assert_int_equal(o.layer_count, 1);
        assert_int_not_equal(o.layers[0].result, SG_SMIME_OK);
        assert_false(o.changed);
        sg_smime_opened_free(&o);
    }
}

/* What an envelope has beside its content and the heads of what that stands in. */
static size_t envelope_structure(struct sg_bytes der)
{
    struct sg_ber in = sg_ber_of(der);
    struct sg_tlv tlv;
    size_t octets = 0;
    const int into[] = {SG_BER_SEQUENCE, SG_BER_EXPLICIT(0), SG_BER_SEQUENCE, SG_BER_SEQUENCE};
    for (size_t i = 0; i < sizeof into / sizeof *into; i++) {
        while (sg_ber_next(&in, &tlv) && tlv.tag != into[i])
            octets += tlv.whole.len;
        assert_int_equal(tlv.tag, into[i]);
        in = sg_ber_of(tlv.content);
    }
    while (sg_ber_next(&in, &tlv) && (tlv.tag & SG_BER_CONTEXT) == 0)
        octets += tlv.whole.len;
    return octets;
}

/* As many layers as may be are opened; of one more, those that may be, and the rest is left. */
static void test_limit_of_layers(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_BUF sealed;
    sg_buf_init(&sealed, 0);
    sealed_simple(&sealed); /* two */
    SG_AUTO_SPOOL spool = kit_spool_of(sealed.data, sealed.len);
    struct sg_smime_own_key own = {bob.certificate, &bob};
    struct sg_smime_options options = kit_options(&own, 1);
    for (int most = 1; most <= 3; most++) {
        struct sg_smime_opened o;
        struct sg_error err;
        options.max_layers = most;
        assert_true(open_as(arena, spool, &options, &o, &err));
        assert_int_equal(o.layer_count, 2);
        assert_int_equal(o.layers[0].result, SG_SMIME_OK);
        assert_int_equal(o.layers[1].result, most < 2 ? SG_SMIME_UNSUPPORTED : SG_SMIME_OK);
        assert_int_equal(o.layers[1].beyond, most < 2);
        assert_int_equal(o.layers[1].stripped, most >= 2);
        sg_smime_opened_free(&o);
    }
}

/* As much structure as may be is read, and one octet more is not; the content does not count. */
static void test_limit_of_structure(void **state)
{
    (void)state;
    SG_AUTO_BUF body;
    sg_buf_init(&body, 0);
    for (int large = 0; large < 2; large++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        SG_AUTO_BUF sealed;
        sg_buf_init(&sealed, 0);
        seal(sg_bytes_str(plain_headers), sg_buf_bytes(&body), SG_SMIME_AES256_CBC, &sealed);
        size_t len;
        uint8_t *der = cms_of(&sealed, &len);
        size_t structure = envelope_structure(sg_bytes_of(der, len));
        free(der);
        assert_in_range(structure, 500, 2000);
        SG_AUTO_SPOOL spool = kit_spool_of(sealed.data, sealed.len);
        struct sg_smime_own_key own = {bob.certificate, &bob};
        struct sg_smime_options options = kit_options(&own, 1);
        for (size_t less = 0; less < 2; less++) {
            struct sg_smime_opened o;
            struct sg_error err;
            options.max_cms_bytes = structure - less;
            assert_true(open_as(arena, spool, &options, &o, &err));
            assert_int_equal(o.layers[0].result, less ? SG_SMIME_UNSUPPORTED : SG_SMIME_OK);
            assert_int_equal(o.layers[0].stripped, !less);
            sg_smime_opened_free(&o);
        }
        for (int i = 0; i < 1000; i++)
            sg_buf_adds(&body, "more than all of the structure\r\n");
    }
}

/* What is taken out of one message is bounded over all its layers: it stays as it came. */
static void test_limit_of_all_layers(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_BUF sealed;
    sg_buf_init(&sealed, 0);
    sealed_simple(&sealed);
    SG_AUTO_SPOOL spool = kit_spool_of(sealed.data, sealed.len);
    struct sg_smime_own_key own = {bob.certificate, &bob};
    struct sg_smime_options options = kit_options(&own, 1);
    struct sg_smime_opened o;
    struct sg_error err;
    struct sg_spool_sum together = {.max_bytes = UINT64_MAX};
    options.taken_out = &together;
    assert_true(open_as(arena, spool, &options, &o, &err));
    assert_int_equal(o.layers[0].result, SG_SMIME_OK);
    uint64_t needed = together.bytes;
    assert_true(needed > 0);
    sg_smime_opened_free(&o);
    assert_int_equal(together.bytes, 0);
    together.max_bytes = needed - 1;
    assert_true(open_as(arena, spool, &options, &o, &err));
    assert_int_equal(o.layers[0].result, SG_SMIME_UNSUPPORTED);
    assert_false(o.changed);
    sg_smime_opened_free(&o);
    assert_int_equal(together.bytes, 0);
}

/* What takes more CPU time than there is is not opened, and it is said so. */
static void test_budget(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_BUF sealed;
    sg_buf_init(&sealed, 0);
    sealed_simple(&sealed);
    SG_AUTO_SPOOL spool = kit_spool_of(sealed.data, sealed.len);
    struct sg_smime_own_key own = {bob.certificate, &bob};
    struct sg_smime_options options = kit_options(&own, 1);
    struct sg_budget budget;
    options.budget = &budget;
    for (int much = 0; much < 2; much++) {
        struct sg_smime_opened o;
        struct sg_error err;
        sg_budget_begin(&budget, much ? 3600000 : 0);
        assert_true(open_as(arena, spool, &options, &o, &err));
        assert_int_equal(o.layers[0].result, much ? SG_SMIME_OK : SG_SMIME_UNSUPPORTED);
        assert_int_equal(o.changed, much);
        sg_smime_opened_free(&o);
    }
}

static int verifications;
int __real_EVP_PKEY_verify(EVP_PKEY_CTX *ctx, const uint8_t *sig, size_t sig_len,
                           const uint8_t *tbs, size_t tbs_len);
int __wrap_EVP_PKEY_verify(EVP_PKEY_CTX *ctx, const uint8_t *sig, size_t sig_len,
                           const uint8_t *tbs, size_t tbs_len);

int __wrap_EVP_PKEY_verify(EVP_PKEY_CTX *ctx, const uint8_t *sig, size_t sig_len,
                           const uint8_t *tbs, size_t tbs_len)
{
    verifications++;
    return __real_EVP_PKEY_verify(ctx, sig, sig_len, tbs, tbs_len);
}

/* In two places there is somebody else's certificate, in the third the one that is looked for. */
static bool third_place(void *ctx, unsigned round, STACK_OF(X509) **found_r, struct sg_error *err)
{
    STACK_OF(X509) **places = ctx;
    (void)err;
    *found_r = round < 3 ? places[round == 2] : NULL;
    return true;
}

/* REQ-82: while a signer's certificate is looked for, the others are not checked again. */
static void test_signers_are_checked_once(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    kit_run("printf 'A: 1\\r\\n\\r\\nx\\r\\n' | openssl cms -sign -nodetach -binary -outform DER "
            "-nocerts -certfile alice.pem -signer alice.pem -inkey alice.key -signer other.pem "
            "-inkey other.key >two.der");
    SG_AUTO_BUF mail;
    sg_buf_init(&mail, 0);
    sg_buf_adds(&mail, "Content-Type: application/pkcs7-mime\r\n"
                       "Content-Transfer-Encoding: binary\r\n\r\n");
    SG_AUTO_SPOOL file = kit_spool_of_file(kit_path(arena, "two.der"));
    struct sg_sink to_mail = {buf_write, &mail};
    struct sg_error err;
    assert_true(sg_spool_copy(file, 0, UINT64_MAX, &to_mail, &err));
    SG_AUTO_SPOOL spool = kit_spool_of(mail.data, mail.len);
    STACK_OF(X509) *places[] = {sk_X509_new_null(), sk_X509_new_null()};
    assert_true(sk_X509_push(places[0], bob.certificate) > 0);
    assert_true(sk_X509_push(places[1], other.certificate) > 0);
    struct sg_smime_options options = kit_options(NULL, 0);
    options.certificates_elsewhere = third_place;
    options.ctx = places;
    struct sg_smime_opened o;
    verifications = 0;
    assert_true(open_as(arena, spool, &options, &o, &err));
    assert_int_equal(o.layers[0].signer_count, 2);
    assert_int_equal(o.layers[0].signers[0].result, SG_SMIME_OK);
    assert_int_equal(o.layers[0].signers[1].result, SG_SMIME_OK);
    assert_int_equal(o.layers[0].result, SG_SMIME_OK);
    assert_int_equal(verifications, 2);
    sg_smime_opened_free(&o);
    sk_X509_free(places[0]);
    sk_X509_free(places[1]);
}

static void test_key_does_not_fit(void **state)
{
    (void)state;
    SG_AUTO_SPOOL spool = kit_spool_of("x", 1);
    struct sg_smime_entity entity = {sg_bytes_str(plain_headers), spool, 0, 1};
    struct sg_smime_signer signer = {alice.certificate, NULL, kit_sign, &bob};
    SG_AUTO_BUF sig;
    sg_buf_init(&sig, 0);
    struct sg_error err;
    assert_false(sg_smime_sign(&entity, &signer, sg_clock_now(), &sig, &err));
    assert_int_equal(err.code, SG_E_HSM_KEY);
    assert_int_equal(sig.len, 0);
}

int main(void)
{
    static const char *const names[] = {"alice", "bob", "other"};
    SG_AUTO_ARENA arena = sg_arena_new();
    kit_pki(names, 3);
    alice = kit_key_load(kit_path(arena, "alice.pem"), kit_path(arena, "alice.key"));
    bob = kit_key_load(kit_path(arena, "bob.pem"), kit_path(arena, "bob.key"));
    other = kit_key_load(kit_path(arena, "other.pem"), kit_path(arena, "other.key"));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_line_ends),
        cmocka_unit_test(test_individual_is_left_on),
        cmocka_unit_test(test_not_for_us),
        cmocka_unit_test(test_wrong_key),
        cmocka_unit_test(test_hsm_away),
        cmocka_unit_test(test_altered),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_limit_of_layers),
        cmocka_unit_test(test_limit_of_structure),
        cmocka_unit_test(test_limit_of_all_layers),
        cmocka_unit_test(test_signers_are_checked_once),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_key_does_not_fit),
        cmocka_unit_test(test_binary),
        cmocka_unit_test(test_not_binary),
        cmocka_unit_test(test_binary_part),
        cmocka_unit_test(test_object_in_der),
        cmocka_unit_test(test_size_limit),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kit_key_free(&alice);
    kit_key_free(&bob);
    kit_key_free(&other);
    return failed;
}
