/* Notices: one of a message, and a summary of a storm. */
#include "aggregates.h"

#include "schema/notice.h"

/* One message to one person: what is said of further recipients comes to the same notice, once. */
static void test_notice(void **state)
{
    (void)state;
    char id[SG_ID_TEXT], msg[SG_ID_TEXT];
    memcpy(id, sg_id_new("ntc").text, sizeof id);
    memcpy(msg, sg_id_new("msg").text, sizeof msg);
    struct sg_notice_row row = {.id = id,
                                .msg_id = msg,
                                .tenant_id = tenant,
                                .domain_id = domain,
                                .kind = "failure",
                                .recipient = "s@a.test",
                                .original = text("sealed"),
                                .wrapped_key = text("wrapped"),
                                .sealed_as = id,
                                .created_at = now,
                                .next_try_at = now + SG_SECOND,
                                .received_at = now};
    struct sg_notice_item first[] = {{"x@p.test", "X@p.test", "202", "5.7.5", "", "p.test", 0, 0}};
    struct sg_notice_item both[] = {{"x@p.test", "X@p.test", "202", "5.7.5", "", "p.test", 0, 0},
                                    {"y@q.test", "y@q.test", "201", "5.7.5", "w", "q.test", 0, 0}};
    struct sg_notice_closed closed;
    struct sg_notice_item *items;
    struct sg_notice_row *rows;
    size_t count;
    OK(sg_notice_add(db, &row, first, 1, &err));
    row.id = sg_arena_strdup(arena, sg_id_new("ntc").text);
    OK(sg_notice_add(db, &row, both, 2, &err));
    OK(sg_notice_close_due(db, now, 100, 10, &closed, &err));
    OK(sg_notice_claim_due(db, arena, now, &claim, &rows, &count, &err));
    assert_int_equal(count, 0); /* it is open for a second */
    OK(sg_notice_close_due(db, now + SG_SECOND, 100, 10, &closed, &err));
    assert_int_equal(closed.singly, 1);
    OK(sg_notice_claim_due(db, arena, now + SG_SECOND, &claim, &rows, &count, &err));
    assert_int_equal(count, 1);
    assert_string_equal(rows[0].id, id);
    assert_string_equal(rows[0].sealed_as, id);
    assert_string_equal(rows[0].codes, "201, 202");
    assert_true(sg_bytes_equal(rows[0].original, text("sealed")));
    OK(sg_notice_items(db, arena, id, &items, &count, &err));
    assert_int_equal(count, 2);
    assert_string_equal(items[0].address, "X@p.test");
    assert_string_equal(items[1].words, "w");
    OK(sg_notice_claim_due(db, arena, now + SG_SECOND, &claim, &rows, &count, &err));
    assert_int_equal(count, 0);
    sg_time others = now + 61 * SG_SECOND + OTHERS_MS * (SG_SECOND / 1000);
    OK(sg_notice_claim_due(db, arena, others - 1, &of_another, &rows, &count, &err));
    assert_int_equal(count, 0);
    OK(sg_notice_claim_due(db, arena, now + 61 * SG_SECOND, &claim, &rows, &count, &err));
    assert_int_equal(count, 1);
    OK(sg_notice_reschedule(db, id, now + 2 * SG_SECOND, "450", &err));
    OK(sg_notice_claim_due(db, arena, now + 2 * SG_SECOND, &of_another, &rows, &count, &err));
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].attempts, 3); /* the one whose lease ran out included */
    OK(sg_notice_finish(db, id, "sent", "", now, &err));
    OK(sg_notice_add(db, &row, both, 2, &err)); /* told before */
    OK(sg_notice_close_due(db, now + SG_DAY, 100, 10, &closed, &err));
    assert_int_equal(closed.singly + closed.folded, 0);
}

static const char *notice_to(const char *recipient, sg_time at)
{
    struct sg_notice_row row = {.id = sg_arena_strdup(arena, sg_id_new("ntc").text),
                                .msg_id = sg_arena_strdup(arena, sg_id_new("msg").text),
                                .tenant_id = tenant,
                                .domain_id = domain,
                                .kind = "delayed",
                                .recipient = recipient,
                                .original = text("sealed"),
                                .wrapped_key = text("wrapped"),
                                .sealed_as = "ntc_00000000000000000000000000",
                                .created_at = at,
                                .next_try_at = at,
                                .received_at = at};
    struct sg_notice_item item = {"x@p.test", "x@p.test", "211", "4.7.5", "", "", 0, 0};
    struct sg_notice_closed closed;
    OK(sg_notice_add(db, &row, &item, 1, &err));
    OK(sg_notice_close_due(db, at, 100, 10, &closed, &err));
    assert_int_equal(closed.singly, 1);
    return row.id;
}

/* Those to a server that hangs are put off together, and who was tried least has the next turn. */
static void test_notice_put_off(void **state)
{
    (void)state;
    const struct sg_claim one = {"node1", 60000, OTHERS_MS, 1};
    struct sg_notice_row *rows;
    size_t count;
    sg_time later = now + 10 * SG_SECOND;
    const char *tried = notice_to("joe@hang.test", now);
    const char *due = notice_to("\"a@b\"@Hang.Test", now + 1);
    const char *elsewhere = notice_to("joe@b.hang.test", now + 2);
    const char *new = notice_to("ann@hang.test", now + 3);
    OK(sg_notice_claim_due(db, arena, now + 2, &one, &rows, &count, &err));
    assert_int_equal(count, 1);
    assert_string_equal(rows[0].id, tried);
    OK(sg_notice_put_off(db, domain, "hang.test", now + 2, later, &err));
    OK(sg_notice_reschedule(db, tried, later, "timed out", &err));
    OK(sg_notice_claim_due(db, arena, now + 3, &one, &rows, &count, &err));
    assert_string_equal(rows[0].id, elsewhere);
    OK(sg_notice_claim_due(db, arena, now + 3, &one, &rows, &count, &err));
    assert_string_equal(rows[0].id, new); /* was not due */
    OK(sg_notice_claim_due(db, arena, later - 1, &one, &rows, &count, &err));
    assert_int_equal(count, 0);
    OK(sg_notice_claim_due(db, arena, later, &one, &rows, &count, &err));
    assert_int_equal(count, 1);
    assert_string_equal(rows[0].id, due);
    assert_int_equal(rows[0].attempts, 1); /* this one */
    const char *all[] = {tried, due, elsewhere, new};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        OK(sg_notice_finish(db, all[i], "sent", "", now, &err));
}

static void notice_of_storm(const char *kind, sg_time at)
{
    struct sg_notice_row row = {.id = sg_arena_strdup(arena, sg_id_new("ntc").text),
                                .msg_id = sg_arena_strdup(arena, sg_id_new("msg").text),
                                .tenant_id = tenant,
                                .domain_id = domain,
                                .kind = kind,
                                .recipient = "storm@a.test",
                                .original = text("sealed"),
                                .wrapped_key = text("wrapped"),
                                .sealed_as = "ntc_00000000000000000000000000",
                                .created_at = at,
                                .next_try_at = at,
                                .received_at = at};
    struct sg_notice_item item = {"x@p.test", "x@p.test", "201",       "4.7.5",
                                  "",         "p.test",   at + SG_DAY, 0};
    OK(sg_notice_add(db, &row, &item, 1, &err));
}

/* By the defaults ten go singly, and a summary tells of the others after 24 hours; it goes on while
 * the storm does, and a period with nothing folded ends it. REQ-94 */
static void test_notice_fold(void **state)
{
    (void)state;
    struct sg_notice_closed closed;
    struct sg_notice_folded *list;
    struct sg_notice_row *rows;
    size_t count, summaries;
    sg_time day = now + SG_DAY;
    for (int i = 0; i < 25; i++)
        notice_of_storm("delayed", now);
    OK(sg_notice_close_due(db, now, 100, 4, &closed, &err));
    assert_int_equal(closed.singly, 10);
    assert_int_equal(closed.folded, 15);
    OK(sg_notice_periods_end(db, now, 10, &summaries, &err));
    assert_int_equal(summaries, 0);
    OK(sg_notice_claim_due(db, arena, now, &claim_many, &rows, &count, &err));
    assert_int_equal(count, 10);
    OK(sg_notice_periods_end(db, day, 10, &summaries, &err));
    assert_int_equal(summaries, 1);
    for (size_t i = 0; i < 10; i++)
        OK(sg_notice_finish(db, rows[i].id, "sent", "", now, &err));
    OK(sg_notice_claim_due(db, arena, day, &claim_many, &rows, &count, &err));
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].stands_for, 15);
    assert_string_equal(rows[0].msg_id, "");
    assert_string_equal(rows[0].codes, "201");
    OK(sg_notice_folded_list(db, arena, rows[0].id, 100, &list, &count, &err));
    assert_int_equal(count, 4); /* the originals of the others are gone */
    assert_string_equal(list[0].addresses, "x@p.test");
    OK(sg_notice_finish(db, rows[0].id, "sent", "", day, &err));
    OK(sg_notice_folded_list(db, arena, rows[0].id, 100, &list, &count, &err));
    assert_int_equal(count, 0);
    notice_of_storm("delayed", day); /* the storm goes on: the next summary's */
    OK(sg_notice_close_due(db, day, 100, 4, &closed, &err));
    assert_int_equal(closed.folded, 1);
    OK(sg_notice_periods_end(db, day + SG_DAY, 10, &summaries, &err));
    assert_int_equal(summaries, 1);
    OK(sg_notice_periods_end(db, day + 2 * SG_DAY, 10, &summaries, &err));
    assert_int_equal(summaries, 0);
    notice_of_storm("delayed", day + 2 * SG_DAY); /* it is over */
    OK(sg_notice_close_due(db, day + 2 * SG_DAY, 100, 4, &closed, &err));
    assert_int_equal(closed.singly, 1);
    OK(sg_notice_claim_due(db, arena, day + 2 * SG_DAY, &claim_many, &rows, &count, &err));
    assert_int_equal(count, 2); /* the second summary, and this one */
    for (size_t i = 0; i < count; i++)
        OK(sg_notice_finish(db, rows[i].id, "failed", "", now, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notice),
        cmocka_unit_test(test_notice_put_off),
        cmocka_unit_test(test_notice_fold),
    };
    return cmocka_run_group_tests(tests, aggregates_open, aggregates_close);
}
