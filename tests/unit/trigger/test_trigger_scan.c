/* Messages: gatewayd/trigger. What the corpus in tests/vectors/mime does not show as well. REQ-29
 * REQ-32 REQ-33 REQ-34 */
#include "scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#define S   SG_TRIGGER_SECRET
#define N   SG_TRIGGER_SENSITIVE
#define MIX "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"

static const struct {
    const char *name, *message;
    unsigned words;
    bool undecodable;
} cases[] = {
    {"subject", "Subject: [SECRET]\r\n\r\nx\r\n", S, false},
    {"lower case", "Subject: [secret]\r\n\r\n[Sensitive] SECRET\r\n", 0, false},
    {"body", "Subject: x\r\n\r\n[SECRET]\r\n", S, false},
    {"both", "Subject: [SENSITIVE]\r\n\r\n[SECRET]\r\n", N | S, false},
    {"second subject", "Subject: x\r\nSubject: [SECRET]\r\n\r\nx\r\n", S, false},
    {"folded subject", "Subject: [SEC\r\n RET]\r\n\r\nx\r\n", S, false},
    {"encoded word", "Subject: =?utf-8?B?W1NFQ1JFVF0=?=\r\n\r\nx\r\n", S, false},
    {"encoded words", "Subject: =?utf-8?Q?=5BSEC?= =?iso-8859-1?q?RET=5D?=\r\n\r\nx\r\n", S, false},
    {"other field", "X-Note: [SECRET]\r\n\r\nx\r\n", 0, false},
    {"quoted-printable", "Content-Transfer-Encoding: quoted-printable\r\n\r\n=5BSE=\r\nCRET=5d\r\n",
     S, false},
    {"base64", "Content-Transfer-Encoding: base64\r\n\r\nW1NFQ1JF\r\nVF0=\r\n", S, false},
    {"html", "Content-Type: text/html\r\n\r\n<p>[SE<b>CR</b>ET]</p>\r\n", S, false},
    {"not html", "Content-Type: text/plain\r\n\r\n<p>[SE<b>CR</b>ET]</p>\r\n", 0, false},
    {"utf-7", "Content-Type: text/plain; charset=utf-7\r\n\r\n+AFs-SECRET+AF0-\r\n", S, false},
    {"attachment",
     MIX "--b\r\n\r\nx\r\n--b\r\nContent-Type: text/plain\r\n"
         "Content-Disposition: attachment\r\n\r\n[SECRET]\r\n--b--\r\n",
     0, false},
    {"inline",
     MIX "--b\r\n\r\nx\r\n--b\r\nContent-Type: text/plain\r\n"
         "Content-Disposition: inline\r\n\r\n[SECRET]\r\n--b--\r\n",
     S, false},
    {"no closing delimiter", MIX "--b\r\n\r\n[SECRET]\r\n", S, false},
    {"preamble", MIX "[SECRET]\r\n--b\r\n\r\nx\r\n--b--\r\n", S, false},
    {"epilogue", MIX "--b\r\n\r\nx\r\n--b--\r\n[SECRET]\r\n", S, false},
    {"unknown charset", "Content-Type: text/plain; charset=x-klingon\r\n\r\n[SECRET]\r\n", S, true},
    {"unknown transfer encoding", "Content-Transfer-Encoding: rot13\r\n\r\n[SECRET]\r\n", S, true},
    {"broken base64", "Content-Transfer-Encoding: base64\r\n\r\nW1NF*Q1JFVF0=\r\n", S, true},
};

static void test_cases(void **state)
{
    (void)state;
    struct sg_trigger_options options = test_options();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        struct sg_trigger_found found;
        test_scan(arena, cases[i].message, strlen(cases[i].message), &options, &found);
        if (found.words != cases[i].words || found.undecodable != cases[i].undecodable)
            fail_msg("%s: words %x undecodable %d (%s)", cases[i].name, found.words,
                     found.undecodable, found.undecodable ? found.undecodable_why : "");
    }
}

/* The places that a hit names. */
static void test_places(void **state)
{
    (void)state;
    static const char mail[] =
        "Subject: [RSVPDR]\r\n" MIX "--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n"
        "--c\r\n\r\n[SECRET]\r\n--c\r\nContent-Type: text/html\r\n\r\n[SENSITIVE]\r\n--c--\r\n"
        "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: [RESTRICTED]\r\n\r\nx\r\n--b--\r\n"
        "[CONFIDENTIAL]\r\n";
    static const struct sg_trigger_hit expected[] = {
        {SG_TRIGGER_RSVPDR, "subject"},
        {SG_TRIGGER_SECRET, "text/plain part 1.1"},
        {SG_TRIGGER_SENSITIVE, "text/html part 1.2"},
        {SG_TRIGGER_RESTRICTED, "subject in part 2"},
        {SG_TRIGGER_CONFIDENTIAL, "outside of part 2"},
    };
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_trigger_options options = test_options();
    struct sg_trigger_found found;
    test_scan(arena, mail, sizeof mail - 1, &options, &found);
    assert_int_equal(found.hit_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(found.hits[i].word, expected[i].word);
        assert_string_equal(found.hits[i].where, expected[i].where);
    }
}

/* A message that is repeated text around a middle part. */
static void mail_make(struct sg_buf *mail, const char *head, const char *each, int times,
                      const char *tail)
{
    sg_buf_init(mail, 0);
    sg_buf_adds(mail, head);
    for (int i = 0; i < times; i++)
        for (const char *p = each; *p; p++) /* '%' is the number of the repetition */
            if (*p == '%')
                sg_buf_addf(mail, "%d", i);
            else
                sg_buf_add(mail, p, 1);
    sg_buf_adds(mail, tail);
}

/* Each limit at its edge: within it all is well; beyond it the message is undecodable, and what is
 * behind is read all the same where it can be. */
static void test_limits(void **state)
{
    (void)state;
    static const struct {
        const char *name, *head, *each, *tail;
        int within; /* repetitions */
        unsigned beyond;
    } limited[] = {
        {"too many parts", MIX, "--b\r\n\r\nx\r\n", "--b\r\n\r\n[SECRET]\r\n--b--\r\n", 8, S},
        {"nests too deeply", "MIME-Version: 1.0\r\n",
         "Content-Type: multipart/mixed; boundary=a%z\r\n\r\n--a%z\r\n", "\r\n[SECRET]\r\n", 5, S},
        {"nests too deeply", "", "Content-Type: message/rfc822\r\n\r\n", "\r\n[SECRET]\r\n", 5, S},
        {"larger than the limit", MIX "--b\r\nX: ", "123456789 ", "\r\n\r\n[SECRET]\r\n--b--\r\n",
         99, S},
        {"more text than is read", "Subject: x\r\n\r\n", "123456789\n", "[SECRET]", 99, 0},
        {"larger than the limit", "Content-Type: application/pkcs7-mime\r\n\r\n", "123456789\n", "",
         1000, 0},
    };
    struct sg_trigger_options options = test_options();
    options.limits.max_parts = 10; /* the multipart itself and the last one count too */
    options.limits.max_depth = 6;
    options.limits.max_header_bytes = 1000;
    options.limits.max_text_bytes = 998;
    options.limits.spool.max_bytes = 10000;
    for (size_t i = 0; i < sizeof limited / sizeof *limited; i++)
        for (int more = 0; more < 2; more++) {
            SG_AUTO_ARENA arena = sg_arena_new();
            SG_AUTO_BUF mail;
            mail_make(&mail, limited[i].head, limited[i].each, limited[i].within + more,
                      limited[i].tail);
            struct sg_trigger_found found;
            test_scan(arena, mail.data, mail.len, &options, &found);
            bool passed = found.undecodable && strcmp(found.undecodable_why, limited[i].name) == 0;
            if (passed != (more == 1))
                fail_msg("case %zu, %d beyond: %s", i, more,
                         found.undecodable ? found.undecodable_why : "all is well");
            if (i != 5 || more)
                assert_int_equal(found.words, more ? limited[i].beyond : S);
        }
}

/* Messages within each other, each with three transfer encodings and three types: what is read at
 * the same time is bounded, and it is said so. */
static void test_ways(void **state)
{
    (void)state;
    static const char each[] = "Content-Transfer-Encoding: quoted-printable\r\n"
                               "Content-Transfer-Encoding: 7bit\r\n"
                               "Content-Transfer-Encoding: base64\r\n"
                               "Content-Type: message/rfc822\r\nContent-Type: message/global\r\n"
                               "Content-Type: message/news\r\n\r\n";
    struct sg_trigger_options options = test_options();
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_BUF mail;
    mail_make(&mail, "", each, 20, "\r\n[SECRET]\r\n");
    struct sg_trigger_found found;
    test_scan(arena, mail.data, mail.len, &options, &found);
    assert_true(found.undecodable);
    assert_int_equal(found.words, S);
}

/* The header of an entity that says the same in three ways, or two different things. */
#define TRIPLE(field) field "\r\n" field "\r\n" field "\r\n"
static const char same_header[] = "X: x\r\n" TRIPLE(
    "Content-Type: application/pkcs7-mime") "Content-Transfer-Encoding: "
                                            "binary\r\nContent-Transfer-Encoding: 8bit\r\n"
                                            "Content-Transfer-Encoding: 7bit\r\n\r\n";
static const char other_header[] = "X: x\r\nContent-Type: application/pkcs7-mime\r\n"
                                   "Content-Type: message/rfc822\r\n"
                                   "Content-Transfer-Encoding: binary\r\n\r\n";

/* A header, and SignedData without signers that holds what the entity was before. */
static void signed_around(struct sg_buf *entity, const char *header)
{
#define OID_CMS  "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07"
#define IN(a, b) a "\x80" OID_CMS b "\xa0\x80"
    static const char before[] =
        IN("\x30", "\x02") "\x30\x80\x02\x01\x01\x31\x00" IN("\x30", "\x01");
    static const char behind[] = "\0\0\0\0\x31\0\0\0\0\0\0";
    SG_AUTO_BUF inner = *entity;
    const uint8_t length[] = {0x04, 0x83, (uint8_t)(inner.len >> 16), (uint8_t)(inner.len >> 8),
                              (uint8_t)inner.len};
    sg_buf_init(entity, 0);
    sg_buf_adds(entity, header);
    sg_buf_add(entity, before, sizeof before - 1);
    sg_buf_add(entity, length, sizeof length);
    sg_buf_add(entity, inner.data, inner.len);
    sg_buf_add(entity, behind, sizeof behind); /* with its own 0 the last of them */
}

/* Signatures within each other, each readable in several ways, around a text; and a text behind. */
static void nested_scan(const char *header, int depth, uint64_t max_text_bytes,
                        struct sg_arena *arena, struct sg_trigger_found *found_r)
{
    struct sg_trigger_options options = test_options();
    options.limits.max_text_bytes = max_text_bytes;
    options.limits.max_parts = 1000000;
    SG_AUTO_BUF entity = {0}, mail = {0};
    sg_buf_adds(&entity, "X: x\r\n\r\n[SECRET] of about a hundred octets, which are counted each "
                         "time that they are read: not often..........\r\n");
    for (int i = 0; i < depth; i++)
        signed_around(&entity, header);
    sg_buf_adds(&mail, MIX "--b\r\n");
    sg_buf_add(&mail, entity.data, entity.len);
    sg_buf_adds(&mail, "\r\n--b\r\n\r\n[SENSITIVE]\r\n--b--\r\n");
    test_scan(arena, mail.data, mail.len, &options, found_r);
}

/* What says the same thing again is read once, and takes no way from what is in it. */
static void test_ways_that_are_one(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_trigger_found found;
    nested_scan(same_header, 7, 1000, arena, &found);
    assert_int_equal(found.words, S | N);
    assert_false(found.undecodable);
}

/* What is read at its end alone is within the way that led to it: the ways do not multiply. */
static void test_ways_of_objects(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_trigger_found found;
    nested_scan(other_header, 14, 4000, arena, &found);
    assert_true(found.undecodable);
    assert_true(found.words & N);
}

/* Signatures within each other are not held as often as there are of them. */
static void test_objects_together(void **state)
{
    (void)state;
    static const uint8_t zeros[100000];
    struct sg_spool_sum together = {.max_bytes = UINT64_MAX};
    struct sg_trigger_options options = test_options();
    options.taken_out = &together;
    SG_AUTO_BUF entity = {0};
    sg_buf_adds(&entity, "X: x\r\nContent-Type: application/octet-stream\r\n\r\n");
    sg_buf_add(&entity, zeros, sizeof zeros);
    for (int i = 0; i < 6; i++)
        signed_around(&entity, same_header);
    for (int few = 0; few < 2; few++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        struct sg_trigger_found found;
        together.max_bytes = few ? 300000 : 700000;
        test_scan(arena, entity.data, entity.len, &options, &found);
        assert_int_equal(found.undecodable, few);
        if (few)
            assert_string_equal(found.undecodable_why, "larger than the limit");
        assert_int_equal(together.bytes, 0);
    }
}

/* Wherever a part's header passes the limit, and however the octets come, the word in it is found,
 * in one line or folded. */
static void test_header_cut(void **state)
{
    (void)state;
    struct sg_trigger_options options = test_options();
    options.limits.max_header_bytes = 300;
    for (int n = 0; n < 120; n++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        SG_AUTO_BUF mail = {0};
        sg_buf_addf(&mail, MIX "--b\r\nX: %*d\r\nSubject: x [SEC%sRET] xx\r\n\r\ny\r\n--b--\r\n",
                    240 + n / 2, 1, n % 2 ? "\r\n " : "");
        struct sg_trigger_found whole, octets;
        test_scan(arena, mail.data, mail.len, &options, &whole);
        test_scan_octets(arena, sg_buf_bytes(&mail), &options, &octets);
        assert_int_equal(whole.words, S);
        assert_int_equal(octets.words, S);
        assert_int_equal(whole.undecodable, octets.undecodable);
    }
}

/* Whatever is read first, when the time is over the rest is not, and it is said so. */
static void test_budget(void **state)
{
    (void)state;
    static const char *const heads[] = {"\r\n",
                                        "Content-Type: text/html\r\n\r\n",
                                        "Content-Type: text/rtf\r\n\r\n",
                                        MIX,
                                        MIX "--b\r\nContent-Transfer-Encoding: x\r\n\r\n",
                                        "Content-Type: message/rfc822\r\n\r\n\r\n"};
    struct sg_budget budget;
    struct sg_trigger_options options = test_options();
    options.budget = &budget;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        for (int much = 0; much < 2; much++) {
            SG_AUTO_ARENA arena = sg_arena_new();
            SG_AUTO_BUF mail;
            struct sg_trigger_found found;
            sg_budget_begin(&budget, much ? 3600000 : 0);
            mail_make(&mail, "Subject: [SENSITIVE]\r\n", heads[i], 1, "");
            for (int line = 0; line < 10000; line++)
                sg_buf_adds(&mail, "a line of which there are many\r\n");
            sg_buf_adds(&mail, "[SECRET]\r\n");
            test_scan(arena, mail.data, mail.len, &options, &found);
            assert_int_equal(found.words, much ? N | S : N);
            if (!much)
                assert_string_equal(found.undecodable_why, "takes more time to read than there is");
        }
}

/* Scans a mail with a winmail.dat that this program reads, which is not the one for it; or with
 * several, under a budget (NULL: any). */
static bool scan_with(const char *helper, const char *stream, int times, struct sg_budget *budget,
                      struct sg_trigger_found *found_r, struct sg_arena *arena,
                      struct sg_error *err)
{
    const struct sg_tnef_options tnef_options = {
        .helper = helper,
        .processes = 1,
        .request_bytes = 1 << 20,
        .answer_bytes = 1 << 20,
        .memory_bytes = 32 << 20,
        .cpu_ms = 1000,
        .timeout_ms = 20000,
        .max_parts = 2000,
        .max_depth = 8,
    };
    const struct sg_spool_limits limits = {1 << 20, 1 << 20, "/tmp"};
    const struct sg_header_limits header_limits = {.max_bytes = 1 << 20, .max_fields = 2000};
    SG_AUTO_SPOOL spool = sg_spool_new(&limits);
    SG_AUTO_BUF mail = {0};
    struct sg_header_block block;
    struct sg_trigger_options options = test_options();
    options.budget = budget;
    struct sg_tnef *tnef = options.tnef = sg_tnef_new(&tnef_options);
    sg_buf_adds(&mail, MIX);
    for (int i = 0; i < times; i++)
        sg_buf_addf(&mail, "--b\r\nContent-Type: application/ms-tnef\r\n\r\n%s\r\n", stream);
    assert_true(sg_spool_write(spool, mail.data, mail.len, err));
    assert_true(sg_header_read(arena, spool, 0, UINT64_MAX, &header_limits, &block, err));
    bool ok = sg_trigger_scan(arena, &block, spool, block.body_offset,
                              sg_spool_size(spool) - block.body_offset, &options, found_r, err);
    sg_tnef_free(&tnef);
    return ok;
}

/* What a stream does to its reader is a fact of the message; that there is no reader is none. */
static void test_tnef_reader_fails(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_trigger_found found;
    struct sg_error err;
    assert_false(scan_with("/nonexistent/sealgate-tnef", "x", 1, NULL, &found, arena, &err));
    assert_int_equal(err.code, SG_E_IO);
    /* crash, loop, an end without an answer, nonsense, a forbidden call, a flood */
    for (const char *how = "!LXGoB"; *how; how++) {
        const char stream[] = {*how, 0};
        assert_true(scan_with(SG_TNEF_HOSTILE, stream, 1, NULL, &found, arena, &err));
        assert_true(found.undecodable);
    }
}

static int64_t helpers_asked(void)
{
    int64_t n = 0;
    for (size_t outcome = 0; outcome < sg_tnef_metrics[0]->cell_count; outcome++)
        n += sg_metric_get(sg_tnef_metrics[0], outcome, 0);
    return n;
}

/* What helpers take for a message is its own: each of these ends after a second. */
static void test_tnef_budget(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_trigger_found found;
    struct sg_error err;
    struct sg_budget budget;
    int64_t before = helpers_asked();
    sg_budget_begin(&budget, 1500);
    assert_true(scan_with(SG_TNEF_HOSTILE, "L", 5, &budget, &found, arena, &err));
    assert_int_equal(helpers_asked() - before, 2);
    assert_true(found.undecodable);
}

#define HEADERS      6
#define HEADER_BYTES 65000 /* of the 65536 that are allowed */

/* CPU time to scan a mail; the least of three. */
static int64_t mail_ns(struct sg_bytes mail)
{
    struct sg_trigger_options options = test_options();
    options.attachments = true;
    int64_t least = INT64_MAX;
    for (int i = 0; i < 3; i++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        struct sg_trigger_found found;
        struct timespec from, to;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        test_scan(arena, mail.data, mail.len, &options, &found);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        int64_t took = (to.tv_sec - from.tv_sec) * 1000000000 + to.tv_nsec - from.tv_nsec;
        least = took < least ? took : least;
    }
    return least;
}

/* … a multipart whose headers are full of that field. */
static int64_t scan_ns(const char *field)
{
    SG_AUTO_BUF mail = {0};
    sg_buf_adds(&mail, "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n");
    for (int i = 0; i < HEADERS; i++) {
        sg_buf_adds(&mail, "--b\r\n");
        for (size_t n = 0; n < HEADER_BYTES; n += strlen(field) + 3)
            sg_buf_addf(&mail, "%s:\r\n", field);
        sg_buf_adds(&mail, "\r\n\r\n");
    }
    return mail_ns(sg_buf_bytes(&mail));
}

/* The time for a header grows in a straight line with its fields, whichever they are: those that
 * are read cost little more than others of the same length. */
static void test_time_for_fields(void **state)
{
    (void)state;
    static const struct {
        const char *read, *other;
    } fields[] = {{"Subject", "X-Other"},
                  {"Content-Description", "Content-X-Other-One"},
                  {"Content-Type", "Content-Else"},
                  {"Content-Transfer-Encoding", "Content-Transfer-Other-One"},
                  {"Content-Disposition", "Content-Other-Thing"}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        int64_t read = scan_ns(fields[i].read), other = scan_ns(fields[i].other);
        if (read > 10 * other)
            fail_msg("%s: %lld us, another: %lld us", fields[i].read, (long long)read / 1000,
                     (long long)other / 1000);
    }
}

/* CPU time to scan HTML of so many octets that are this, again and again. */
static int64_t html_ns(const char *unit)
{
    SG_AUTO_BUF mail = {0};
    sg_buf_adds(&mail, "Content-Type: text/html\r\n\r\n");
    while (mail.len < 300000)
        sg_buf_adds(&mail, unit);
    return mail_ns(sg_buf_bytes(&mail));
}

/* References by name cost a few times what those by number do, not a walk over all names. */
static void test_time_for_references(void **state)
{
    (void)state;
    static const char *const named[] = {"&a;", "&aa ", "&zz;", "&NN;", "&hyphen;"};
    int64_t numbered = html_ns("&#91;");
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        int64_t took = html_ns(named[i]);
        if (took > 6 * numbered)
            fail_msg("%s: %lld us, by number: %lld us", named[i], (long long)took / 1000,
                     (long long)numbered / 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_header_cut),
        cmocka_unit_test(test_ways),
        cmocka_unit_test(test_ways_that_are_one),
        cmocka_unit_test(test_ways_of_objects),
        cmocka_unit_test(test_objects_together),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_time_for_fields),
        cmocka_unit_test(test_time_for_references),
        cmocka_unit_test(test_tnef_reader_fails),
        cmocka_unit_test(test_tnef_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
