/* Memory does not grow with the message, whatever it is made of: gatewayd/trigger. */
#include "trigger/trigger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "common/buf.h"

#define MIB       (1 << 20)
#define MAIL_MIB  8
#define ALLOWED   4096 /* KiB */
#define SAME      256  /* KiB */
#define MULTIPART "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"

static long peak_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static void repeat_write(struct sg_spool *spool, const char *head, const char *each, int mib)
{
    static char piece[65536 + 64];
    size_t n = 0, len = strlen(each);
    struct sg_error err;
    assert_true(sg_spool_write(spool, head, strlen(head), &err));
    while (n < 65536) {
        memcpy(piece + n, each, len);
        n += len;
    }
    while (sg_spool_size(spool) < (uint64_t)mib * MIB)
        assert_true(sg_spool_write(spool, piece, n, &err));
}

static void test_memory(void **state)
{
    (void)state;
    static const struct {
        const char *head, *each;
    } mails[] = {
        {"Subject: x\r\n\r\n", "A line of text.\r\n"},
        {"Content-Type: text/html\r\n\r\n", "<p title=\"x\">text &amp; more<!-- c --></p>\r\n"},
        {"Content-Type: text/html\r\n\r\n<", "a"},
        {"Content-Type: text/plain; charset=utf-7\r\n\r\n", "+AFsAUw-"},
        {"Content-Type: text/rtf\r\n\r\n{\\rtf1 ", "{\\b a}"},
        {"Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n",
         "MIAGCSqGSIb3DQEHAqCAMIACAQEx\r\n"},
        {"Content-Transfer-Encoding: base64\r\n\r\n", "QUJDREVGR0hJSktMTU5PUFFSU1RVVldY\r\n"},
        {MULTIPART, "--b\r\n\r\nx\r\n"},
        {MULTIPART, "--b\r\nContent-Type: message/rfc822\r\n\r\n"},
        {MULTIPART, "--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"},
        {MULTIPART "--b\r\n", "X: y\r\n"},
        {MULTIPART "--b\r\nX: ", "yyyyyyyy"},
        {MULTIPART, "text before any part\r\n"},
        {"Content-Type: multipart/mixed\r\n\r\n", "no boundary at all\r\n"},
    };
    struct sg_spool_limits limits = {65536, (uint64_t)64 * MIB, "/tmp"};
    struct sg_trigger_options options = {.attachments = true,
                                         .limits = sg_trigger_limits_default()};
    options.limits.spool = limits;
    for (size_t i = 0; i < sizeof mails / sizeof *mails; i++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        SG_AUTO_SPOOL spool = sg_spool_new(&limits);
        struct sg_header_limits hl = {65536, 2000};
        struct sg_header_block block;
        struct sg_trigger_found found;
        struct sg_error err;
        repeat_write(spool, mails[i].head, mails[i].each, MAIL_MIB);
        assert_true(sg_header_read(arena, spool, 0, UINT64_MAX, &hl, &block, &err));
        long before = peak_kib();
        assert_true(sg_trigger_scan(arena, &block, spool, block.body_offset, sg_spool_size(spool),
                                    &options, &found, &err));
#ifndef SG_SANITIZED
        if (peak_kib() - before > ALLOWED)
            fail_msg("mail %zu took %ld KiB", i, peak_kib() - before);
#endif
        (void)before;
    }
}

#define DEPTH 30
#define EMPTY 60

/* Multiparts within each other, with as many parts as are allowed. */
static void deep_begin(struct sg_buf *head)
{
    sg_buf_adds(head, "MIME-Version: 1.0\r\n");
    for (int depth = 0; depth < DEPTH; depth++) {
        sg_buf_addf(head, "Content-Type: multipart/mixed; boundary=b%02d\r\n\r\n", depth);
        for (int i = 0; i <= EMPTY; i++)
            sg_buf_addf(head, "--b%02d\r\n%s", depth, i < EMPTY ? "\r\n" : "");
    }
    sg_buf_adds(head, "\r\n");
}

/* The same multipart ends again and again, with something behind it each time. */
static void test_ends_without_end(void **state)
{
    (void)state;
    struct sg_spool_limits limits = {65536, (uint64_t)64 * MIB, "/tmp"};
    struct sg_trigger_options options = {.limits = sg_trigger_limits_default()};
    options.limits.spool = limits;
    SG_AUTO_BUF head = {0};
    deep_begin(&head);
    sg_buf_add(&head, "", 1);
    const char *each = "--b29--\r\n\r\n";
    long peaks[2];
    for (int i = 0; i < 2; i++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        SG_AUTO_SPOOL spool = sg_spool_new(&limits);
        struct sg_header_limits hl = {65536, 2000};
        struct sg_header_block block;
        struct sg_trigger_found found;
        struct sg_error err;
        repeat_write(spool, (const char *)head.data, each, i ? 4 * MAIL_MIB : MAIL_MIB);
        assert_true(sg_header_read(arena, spool, 0, UINT64_MAX, &hl, &block, &err));
        assert_true(sg_trigger_scan(arena, &block, spool, block.body_offset, sg_spool_size(spool),
                                    &options, &found, &err));
        peaks[i] = peak_kib();
        assert_true(found.undecodable);
        assert_string_equal(found.undecodable_why, "too many parts");
    }
#ifndef SG_SANITIZED
    if (peaks[1] - peaks[0] > SAME)
        fail_msg("four times the message took %ld KiB more", peaks[1] - peaks[0]);
#endif
    (void)peaks;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_memory),
                                       cmocka_unit_test(test_ends_without_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
