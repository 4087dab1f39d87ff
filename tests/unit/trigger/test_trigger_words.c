/* The matcher, gatewayd/trigger/words.c. REQ-30 REQ-31 REQ-35 REQ-109 REQ-114 */
#include "trigger/trigger.h"
#include "trigger/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static unsigned found_in(const char *text, size_t piece)
{
    struct sg_words w = {0};
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i += piece)
        sg_words_push(&w, text + i, len - i < piece ? len - i : piece);
    return w.found;
}

static const struct {
    const char *text;
    unsigned words;
} cases[] = {
    {"[IN-CONFIDENCE]", SG_TRIGGER_IN_CONFIDENCE},
    {"x [SENSITIVE] y", SG_TRIGGER_SENSITIVE},
    {"[RESTRICTED]", SG_TRIGGER_RESTRICTED},
    {"[CONFIDENTIAL]", SG_TRIGGER_CONFIDENTIAL},
    {"[SECRET]", SG_TRIGGER_SECRET},
    {"[TOP SECRET]", SG_TRIGGER_TOP_SECRET},
    {"[TOP-SECRET] [TOPSECRET]", SG_TRIGGER_TOP_SECRET},
    {"[RSVPDR]", SG_TRIGGER_RSVPDR},
    {"[IN CONFIDENCE]", SG_TRIGGER_IN_CONFIDENCE},
    {"[INCONFIDENCE]", SG_TRIGGER_IN_CONFIDENCE},
    {"[IN\xe2\x80\x91"
     "CONFIDENCE]",
     SG_TRIGGER_IN_CONFIDENCE},
    {"[IN \xe2\x80\x93 CONFIDENCE]", SG_TRIGGER_IN_CONFIDENCE},
    {"[SENSITIVE][SECRET]", SG_TRIGGER_SENSITIVE | SG_TRIGGER_SECRET},
    {"[[SECRET]]", SG_TRIGGER_SECRET},
    {"[SECRET [SECRET]", SG_TRIGGER_SECRET},
    /* white space, breaks, what nobody sees */
    {"[ SECRET ]", SG_TRIGGER_SECRET},
    {"[SEC\r\nRET]", SG_TRIGGER_SECRET},
    {"[SEC\r\n\t RET]", SG_TRIGGER_SECRET},
    {"[TOP\r\n SECRET]", SG_TRIGGER_TOP_SECRET},
    {"> [SEC\r\n> > RET]", SG_TRIGGER_SECRET},
    {"[SEC\xc2\xa0RET]", SG_TRIGGER_SECRET},
    {"[SEC\xc2\xadRET\xe2\x80\x8b]", SG_TRIGGER_SECRET},
    {"[\xef\xbb\xbfSECRET]", SG_TRIGGER_SECRET},
    {"[SEC\xe2\x80\xa8RET]", SG_TRIGGER_SECRET},
    {"[SEC\xe3\x80\x80RET]", SG_TRIGGER_SECRET},
    {"[SEC\xf3\xa0\x80\xa0RET]", SG_TRIGGER_SECRET},
    {"[SEC\xff\x80RET]", SG_TRIGGER_SECRET},
    {"[SEC\x01\x1bRET]", SG_TRIGGER_SECRET},
    /* full-width */
    {"\xef\xbc\xbbSECRET\xef\xbc\xbd", SG_TRIGGER_SECRET},
    {"[\xef\xbc\xb3"
     "ECRET]",
     SG_TRIGGER_SECRET},
    {"\xef\xbc\xbc\xef\xbc\xbbSECRET]", SG_TRIGGER_SECRET},
    /* none */
    {"[Secret]", 0},
    {"[secret]", 0},
    {"[SECREt]", 0},
    {"[\xef\xbd\x93"
     "ECRET]",
     0},
    {"SECRET", 0},
    {"(SECRET)", 0},
    {"{SECRET}", 0},
    {"[SECRET", 0},
    {"SECRET]", 0},
    {"[SECRET)", 0},
    {"[SECRETS]", 0},
    {"[SECRETSECRET]", 0},
    {"[ECRET]", 0},
    {"[SEC-RET]", 0},
    {"[S>ECRET]", 0},
    {"[SECR\xc3\x89T]", 0},
    {"[\xd0\x85"
     "ECRET]",
     0},
    {"[SECRET: no]", 0},
    {"[SECRET,RSVPDR]", 0},
    {"[I-NCONFIDENCE]", 0},
    {"[IN_CONFIDENCE]", 0},
    {"[]", 0},
    {"[ ]", 0},
    {"\xe3\x80\x90SECRET\xe3\x80\x91", 0},
};

static void test_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t piece = 1; piece < 5; piece++) {
            unsigned got = found_in(cases[i].text, piece == 4 ? 1000 : piece);
            if (got != cases[i].words)
                fail_msg("%s in pieces of %zu: %x, not %x", cases[i].text, piece, got,
                         cases[i].words);
        }
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(sg_trigger_word_name(SG_TRIGGER_TOP_SECRET), "TOP SECRET");
    assert_string_equal(sg_trigger_word_name(SG_TRIGGER_IN_CONFIDENCE), "IN-CONFIDENCE");
    assert_string_equal(sg_trigger_word_name(SG_TRIGGER_RSVPDR), "RSVPDR");
}

/* A character that is no word's parts one. */
static void test_interrupt(void **state)
{
    (void)state;
    struct sg_words w = {0};
    sg_words_push(&w, "[SEC", 4);
    sg_words_interrupt(&w);
    sg_words_push(&w, "RET]", 4);
    assert_int_equal(w.found, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_interrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
