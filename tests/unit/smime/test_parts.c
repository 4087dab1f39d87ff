/* Splitting multipart/signed: gatewayd/smime/parts.c. */
#include "smime/smime_internal.h"
#include "testkit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shapes), cmocka_unit_test(test_window),
                                       cmocka_unit_test(test_boundaries)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
