/* Whom a notice answers, so that no notice answers a notice. REQ-93 */
#include "notice/notice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct sg_header_block block_of(struct sg_arena *arena, struct sg_spool *spool,
                                       const char *head)
{
    struct sg_header_limits most = {4096, 50};
    struct sg_header_block block;
    assert_true(sg_spool_write(spool, head, strlen(head), NULL));
    assert_true(sg_header_read(arena, spool, 0, strlen(head), &most, &block, NULL));
    return block;
}

static bool answered(const char *sender, const char *head)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_spool_limits limits = {4096, 65536, "/tmp"};
    SG_AUTO_SPOOL spool = sg_spool_new(&limits);
    struct sg_header_block block = block_of(arena, spool, head);
    return sg_notice_no_answer(arena, sender, &block) == NULL;
}

static void people_are_answered(void **state)
{
    (void)state;
    assert_true(answered("joe@a.test", "From: joe@a.test\r\n"));
    assert_true(answered("joe@a.test", "From: joe@a.test\r\nAuto-Submitted: no\r\n"));
    assert_true(answered("joe@a.test", "From: joe@a.test\r\nAuto-Submitted: No (really)\r\n"));
    assert_true(answered("joe@a.test", "From: joe@a.test\r\nAuto-Submitted: no; x=1\r\n"));
    assert_true(answered("postmasters@a.test", "From: postmasters@a.test\r\n"));
    assert_true(answered("joe@postmaster.test", "From: joe@postmaster.test\r\n"));
    assert_true(answered("joe@a.test", "From: joe@a.test\r\nPrecedence: bulk\r\n"));
    assert_true(answered("joe@a.test", "Subject: no From\r\n"));
}

static void machines_are_not(void **state)
{
    (void)state;
    assert_false(answered("", "From: joe@a.test\r\n"));
    static const char *const postmasters[] = {
        "postmaster@a.test",     "POSTMASTER@a.test",       "postmaster+x@a.test",
        "\"postmaster\"@a.test", "\"post\\master\"@a.test", "PostMaster+loop@a.test",
        "mailer-daemon@a.test",  "MAILER-DAEMON@a.test",    "postmaster"};
    for (size_t i = 0; i < sizeof postmasters / sizeof postmasters[0]; i++)
        assert_false(answered(postmasters[i], "From: joe@a.test\r\n"));
    static const char *const heads[] = {
        "From: Postmaster <postmaster@a.test>\r\n",
        "From: joe@a.test, \"postmaster\"@a.test\r\n",
        "From: joe@a.test\r\nFrom: PostMaster+1@a.test\r\n",
        "From: joe@a.test\r\nAuto-Submitted: auto-replied\r\n",
        "From: joe@a.test\r\nAuto-Submitted: auto-generated\r\n",
        "From: joe@a.test\r\nAuto-Submitted:\r\n",
        "From: joe@a.test\r\nAuto-Submitted: nobody\r\n",
        "From: joe@a.test\r\nAuto-Submitted: no\r\nAuto-Submitted: auto-replied\r\n",
        "From: joe@a.test\r\nContent-Type: multipart/report; boundary=x\r\n",
    };
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        assert_false(answered("joe@a.test", heads[i]));
}

static bool bulk(const char *head)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_spool_limits limits = {4096, 65536, "/tmp"};
    SG_AUTO_SPOOL spool = sg_spool_new(&limits);
    struct sg_header_block block = block_of(arena, spool, head);
    return sg_notice_is_bulk(arena, &block);
}

static void lists(void **state)
{
    (void)state;
    assert_true(bulk("Precedence: Bulk\r\n"));
    assert_true(bulk("Precedence: list\r\n"));
    assert_true(bulk("Precedence: junk\r\n"));
    assert_true(bulk("List-Id: <l.x.test>\r\n"));
    assert_false(bulk("Precedence: first-class\r\n"));
    assert_false(bulk("Subject: bulk\r\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(people_are_answered),
                                       cmocka_unit_test(machines_are_not), cmocka_unit_test(lists)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
