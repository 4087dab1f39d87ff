/* Splitting multipart/signed: gatewayd/smime/parts.c. */
#include "smime/smime_internal.h"
#include "testkit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static const struct sg_header_block *header_of(struct sg_arena *arena, const char *text)
{
    static const struct sg_header_limits limits = {.max_bytes = 65536, .max_fields = 500};
    struct sg_header_block *block = SG_ARENA_NEW(arena, struct sg_header_block);
    struct sg_error err;
    SG_AUTO_SPOOL spool = kit_spool_of(text, strlen(text));
    assert_true(sg_header_read(arena, spool, 0, UINT64_MAX, &limits, block, &err));
    return block;
}

/* content and signature parts as text; NULL: refused. */
static void check(const char *text, const char *content, const char *signature)
{
    SG_AUTO_SPOOL spool = kit_spool_of(text, strlen(text));
    struct sg_smime_parts p;
    struct sg_error err;
    bool ok = sg_smime_parts_find(spool, 0, strlen(text), "B", &p, &err);
    if (!content) {
        if (ok)
            fail_msg("taken: %s", text);
        assert_int_equal(err.code, SG_E_MIME);
        return;
    }
    if (!ok)
        fail_msg("refused: %s", text);
    assert_int_equal(p.content_end - p.content, strlen(content));
    assert_memory_equal(text + p.content, content, strlen(content));
    assert_int_equal(p.signature_end - p.signature, strlen(signature));
    assert_memory_equal(text + p.signature, signature, strlen(signature));
}

static void test_shapes(void **state)
{
    (void)state;
    check("--B\r\none\r\n--B\r\ntwo\r\n--B--\r\n", "one", "two");
    check("--B\none\n--B\ntwo\n--B--", "one", "two");
    check("preamble\r\n--B \t\r\none\r\n\r\n--B\r\ntwo\r\n--B-- \r\nepilogue --B\r\n", "one\r\n",
          "two");
    check("--B\r\none\n--B\r\ntwo\r\n--B--\r\n", "one", "two");
    check("--B\r\n--B\r\n--B--\r\n", "", "");
    check("--B\r\n\r\n--B\r\n\r\n--B--\r\n", "", "");
    check("--B\r\n--Bx\r\nx--B\r\n--B x\r\n --B\r\n--\r\n--B-\r\n\r\n--B\r\ntwo\r\n--B--\r\n",
          "--Bx\r\nx--B\r\n--B x\r\n --B\r\n--\r\n--B-\r\n", "two");
    check("", NULL, NULL);
    check("--B\r\none\r\n--B--\r\n", NULL, NULL);
    check("--B\r\none\r\n--B\r\ntwo\r\n", NULL, NULL);
    check("--B\r\none\r\n--B\r\ntwo\r\n--B\r\nthree\r\n--B--\r\n", NULL, NULL);
    check("--B--\r\none\r\n--B\r\ntwo\r\n--B--\r\n", NULL, NULL);
    check("x--B\r\none\r\n--B\r\ntwo\r\n--B--\r\n", NULL, NULL);
}

/* Delimiters at every place around the edge of the window. */
static void test_window(void **state)
{
    (void)state;
    static char text[140000];
    for (size_t first = 65536 - 24; first < 65536 + 24; first++)
        for (size_t gap = 0; gap < 40000; gap += 32760) {
            size_t n = 0;
            memset(text, 'x', sizeof text);
            memcpy(text, "--B\r\n", 5);
            n = first;
            memcpy(text + n, "\r\n--B\r\n", 7);
            n += 7 + gap;
            memcpy(text + n, "\r\n--B--\r\n", 9);
            n += 9;
            SG_AUTO_SPOOL spool = kit_spool_of(text, n);
            struct sg_smime_parts p;
            struct sg_error err;
            assert_true(sg_smime_parts_find(spool, 0, n, "B", &p, &err));
            assert_int_equal(p.content, 5);
            assert_int_equal(p.content_end, first);
            assert_int_equal(p.signature, first + 7);
            assert_int_equal(p.signature_end, n - 9);
        }
}

static void test_boundaries(void **state)
{
    (void)state;
    char longer[300];
    memset(longer, 'b', sizeof longer);
    longer[201] = 0;
    SG_AUTO_SPOOL spool = kit_spool_of("x", 1);
    struct sg_smime_parts p;
    struct sg_error err;
    assert_false(sg_smime_parts_find(spool, 0, 1, NULL, &p, &err));
    assert_false(sg_smime_parts_find(spool, 0, 1, "", &p, &err));
    assert_false(sg_smime_parts_find(spool, 0, 1, longer, &p, &err));
}

/* "AAAA" stands for the signature: octets that end a structure, which has been read. */
#define PART             "Content-Type: application/pkcs7-signature; name=smime.p7s\r\n"
#define BASE64           "Content-Transfer-Encoding: base64\r\n\r\n"
#define BEFORE           "--B\r\none\r\n--B\r\n"
#define MAIL(head, body) BEFORE head BASE64 body "\r\n--B--\r\n"

static bool is_alone(const char *text)
{
    static struct sg_source source;
    static const struct sg_header_limits limits = {.max_bytes = 65536, .max_fields = 500};
    size_t len = strlen(text);
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_SPOOL spool = kit_spool_of(text, len);
    struct sg_smime_parts p;
    struct sg_header_block headers;
    struct sg_error err;
    bool alone;
    assert_true(sg_smime_parts_find(spool, 0, len, "B", &p, &err));
    assert_true(
        sg_header_read(arena, spool, p.signature, p.signature_end, &limits, &headers, &err));
    assert_true(sg_source_open(&source, arena, &headers, spool, headers.body_offset,
                               p.signature_end - headers.body_offset, &err));
    assert_true(sg_smime_parts_alone(arena, &source, 0, len, &p, &headers, &alone, &err));
    return alone;
}

/* Beside the content of a multipart/signed nothing that anybody would render. */
static void test_alone(void **state)
{
    (void)state;
    static const char *const alone[] = {
        MAIL(PART, "AAAA"),
        MAIL(PART, "AA\r\n \r\nAA\r\n\r\n"),
        MAIL(PART, "AAA="),
        MAIL(PART, "AA==\r\n\t\r\n") " \r\n\r\n",
        "This is an S/MIME signed message\r\n\r\n" MAIL(PART, "AAAA"),
        "\r\nThis is - a message.\n" MAIL(PART, "AAAA"),
        /* as some mailers say it, in more than one line */
        "This message is in MIME format.  The first part is text,\r\n  and what is behind it\r\n"
        "is for programs.\r\n\r\n" MAIL(PART, "AAAA"),
        "1\r\n2\r\n3\r\n4\r\n5\r\n" MAIL(PART, "AAAA"),
        MAIL("Content-Type: application/x-pkcs7-signature\r\n", "AAAA"),
        MAIL("Content-Type: application/octet-stream; name=a.P7S\r\n", "AAAA"),
        MAIL("Content-Type: application/octet-stream\r\n"
             "Content-Disposition: attachment; filename=\"smime.p7s\"\r\n",
             "AAAA"),
    };
    static const char *const beside[] = {
        MAIL("", "AAAA"),
        MAIL("Content-Type: text/html\r\n", "AAAA"),
        MAIL("Content-Type: application/octet-stream\r\n", "AAAA"),
        MAIL("Content-Type: application/octet-stream; name=a.html\r\n", "AAAA"),
        MAIL("Content-Type: application/pkcs7-signature; name=a.html\r\n", "AAAA"),
        MAIL(PART "Content-Disposition: inline; filename=a.html\r\n", "AAAA"),
        MAIL(PART PART, "AAAA"),
        MAIL(PART "Content-Transfer-Encoding: 7bit\r\n", "AAAA"),
        MAIL("Content-Type: application/pkcs7-signature (c)\r\n", "AAAA"),
        MAIL("A: b\rContent-Type: text/html\r\n" PART, "AAAA"),
        BEFORE PART "Content-Transfer-Encoding: base64\r\nno field\r\n\r\nAAAA\r\n--B--\r\n",
        BEFORE PART "Content-Transfer-Encoding: 8bit\r\n\r\n\r\n--B--\r\n",
        MAIL(PART, "AAAB"),
        MAIL(PART, "AAA=B"),
        MAIL(PART, "AAA=\r\n<b>"),
        MAIL(PART, "AAA<"),
        MAIL(PART, "AAAA\r\n-- \r\nA footer\r\n"),
        MAIL(PART, "AAAA") "x",
        MAIL(PART, "AAAA") "\r\n=\r\n",
        "<b>\r\n" MAIL(PART, "AAAA"),
        "a\rb\r\n" MAIL(PART, "AAAA"),
        "1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n" MAIL(PART, "AAAA"),
        "one\r\n<two\r\n" MAIL(PART, "AAAA"),
        "one\r\n-- two\r\n" MAIL(PART, "AAAA"),
        "--Bx\r\n" MAIL(PART, "AAAA"),
        "caf\xc3\xa9\r\n" MAIL(PART, "AAAA"),
    };
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++)
        if (!is_alone(alone[i]))
            fail_msg("%zu, not alone: %s", i, alone[i]);
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++)
        if (is_alone(beside[i]))
            fail_msg("%zu, alone: %s", i, beside[i]);
    char words[500];
    memset(words, 'w', sizeof words);
    for (int n = 399; n <= 401; n++) {
        char text[800];
        snprintf(text, sizeof text, "%.*s\n%s", n - 1, words, MAIL(PART, "AAAA"));
        assert_int_equal(is_alone(text), n <= 400);
    }
}

/* What all readers see alike in a header, and what not. */
static void test_ambiguous(void **state)
{
    (void)state;
#define SIGNED "Content-Type: multipart/signed; boundary=b\r\n"
    static const char *const plain[] = {
        SIGNED,
        SIGNED "Content-Transfer-Encoding: 7bit\r\n",
        SIGNED "Content-Transfer-Encoding:  8BIT \r\n",
        SIGNED "Content-Transfer-Encoding: binary\r\n",
        "Content-Type: multipart/signed; boundary=\"b c\"\r\n",
        "Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n",
        "A: b\r\n",
    };
    static const char *const ambiguous[] = {
        SIGNED "Content-Type: text/html\r\n",
        SIGNED "Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: 7bit\r\n",
        SIGNED "Content-Transfer-Encoding: quoted-printable\r\n",
        SIGNED "Content-Transfer-Encoding: base64\r\n",
        SIGNED "Content-Transfer-Encoding: 7bit (base64)\r\n",
        SIGNED "Content-Transfer-Encoding: x-other\r\n",
        SIGNED "Content-Transfer-Encoding:\r\n",
        "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64\r\n",
        "Content-Type: multipart/signed; boundary=\"b \"\r\n",
        "Content-Type: multipart/signed; boundary=\"b\t\"\r\n",
        "Content-Type: multipart/signed; boundary=b; boundary=c\r\n",
    };
    SG_AUTO_ARENA arena = sg_arena_new();
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (sg_smime_is_ambiguous(arena, header_of(arena, plain[i])))
            fail_msg("ambiguous: %s", plain[i]);
    for (size_t i = 0; i < sizeof ambiguous / sizeof *ambiguous; i++)
        if (!sg_smime_is_ambiguous(arena, header_of(arena, ambiguous[i])))
            fail_msg("not ambiguous: %s", ambiguous[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shapes), cmocka_unit_test(test_window),
                                       cmocka_unit_test(test_boundaries),
                                       cmocka_unit_test(test_ambiguous),
                                       cmocka_unit_test(test_alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
