/* Held mail: what is kept of it, when it is due and for whom. */
#include "aggregates.h"

#include "schema/held.h"
#include "schema/partner_certificate.h"

#define CHUNKS 81 /* of 256 KiB: a 20 MB mail */

static bool give(void *ctx, int seq, struct sg_bytes *data_r, bool *end_r, struct sg_error *err)
{
    static uint8_t chunk[SG_HELD_CHUNK_MAX];
    (void)err;
    *end_r = seq == *(int *)ctx;
    memset(chunk, seq, sizeof chunk);
    *data_r = sg_bytes_of(chunk, sizeof chunk);
    return true;
}

static bool give_fails(void *ctx, int seq, struct sg_bytes *data_r, bool *end_r,
                       struct sg_error *err)
{
    return seq < 2 ? give(ctx, seq, data_r, end_r, err) : sg_fail(err, SG_E_IO, "spool gone");
}

static bool take(void *ctx, int seq, struct sg_bytes data, struct sg_error *err)
{
    (void)err;
    int *next = ctx;
    assert_int_equal(seq, *next);
    assert_int_equal(data.len, SG_HELD_CHUNK_MAX);
    assert_int_equal(data.data[data.len - 1], (uint8_t)seq);
    (*next)++;
    return true;
}

/* What is held of that message: of the parts, oldest first, the state of each. */
static void assert_parts(const char *msg_id, const char *first, const char *second)
{
    struct sg_held_part *parts = NULL;
    size_t count;
    OK(sg_held_of_message(db, arena, msg_id, &parts, &count, &err));
    assert_int_equal(count, (first != NULL) + (second != NULL));
    if (first)
        assert_string_equal(parts[0].state, first);
    if (second)
        assert_string_equal(parts[1].state, second);
}

/* How many recipients the notice tells of; 0: there is none. */
static size_t told_of(const char *notice_id)
{
    struct sg_notice_item *items;
    size_t count;
    OK(sg_notice_items(db, arena, notice_id, &items, &count, &err));
    return count;
}

static void test_held(void **state)
{
    (void)state;
    static const char *const recipients[] = {"x@p.test", "\"a b\\\"\"@p.test"};
    char id[SG_ID_TEXT], msg[SG_ID_TEXT];
    memcpy(id, sg_id_new("hld").text, sizeof id);
    memcpy(msg, sg_id_new("msg").text, sizeof msg);
    struct sg_held_row row = {.id = id,
                              .msg_id = msg,
                              .tenant_id = tenant,
                              .domain_id = domain,
                              .direction = "outbound",
                              .reason = "201",
                              .explanation = "no certificate",
                              .sender = "s@a.test",
                              .recipients = recipients,
                              .recipient_count = 2,
                              .recipient_domain = "p.test",
                              .queue_id = "4Xy",
                              .size_bytes = (int64_t)CHUNKS * 262144,
                              .wrapped_key = text("wrapped"),
                              .received_at = now,
                              .held_at = now,
                              .next_try_at = now + SG_SECOND,
                              .expires_at = now + 4 * SG_DAY};
    int chunks = CHUNKS, next = 0;
    bool inserted, finished;
    struct sg_held_row *rows;
    size_t count;
    sg_time due;
    /* What fails half way leaves nothing. */
    FAILS(sg_held_insert(db, &row, give_fails, &chunks, &inserted, &err), SG_E_IO);
    FAILS(sg_held_chunks(db, id, take, &next, &err), SG_E_NOT_FOUND);
    OK(sg_held_insert(db, &row, give, &chunks, &inserted, &err));
    assert_true(inserted);
    assert_parts(msg, "held", NULL);
    assert_parts(id, NULL, NULL);
    struct sg_held_row again = row;
    /* A further transaction of the same message: its new recipients are added, none twice. */
    static const char *const more[] = {"y@p.test", "x@p.test", "z@p.test"};
    again.id = sg_arena_strdup(arena, sg_id_new("hld").text);
    again.recipients = more;
    again.held_at = now + SG_SECOND;
    again.recipient_count = 3;
    OK(sg_held_insert(db, &again, give, &chunks, &inserted, &err));
    assert_false(inserted);

    OK(sg_held_claim_due(db, arena, now, &claim, &rows, &count, &err));
    assert_int_equal(count, 0);
    OK(sg_held_next_due(db, &due, &err));
    assert_true(due == now + SG_SECOND);
    OK(sg_held_claim_due(db, arena, now + 2 * SG_SECOND, &claim, &rows, &count, &err));
    assert_int_equal(count, 1);
    assert_string_equal(rows[0].id, id);
    assert_int_equal(rows[0].recipient_count, 4);
    assert_string_equal(rows[0].recipients[1], recipients[1]);
    assert_string_equal(rows[0].recipients[2], "y@p.test");
    assert_string_equal(rows[0].recipients[3], "z@p.test");
    assert_true(rows[0].next_try_at == now + SG_SECOND);
    OK(sg_held_next_due(db, &due, &err));
    assert_true(due == now + 62 * SG_SECOND); /* when the lease ends */
    assert_true(sg_bytes_equal(rows[0].wrapped_key, text("wrapped")));
    OK(sg_held_claim_due(db, arena, now + 3 * SG_SECOND, &claim, &rows, &count, &err));
    assert_int_equal(count, 0); /* leased */
    /* What was sent meanwhile the one node knows, and the other does not. */
    sg_time late = now + 62 * SG_SECOND, others = late + OTHERS_MS * (SG_SECOND / 1000);
    OK(sg_held_claim_due(db, arena, others - 1, &of_another, &rows, &count, &err));
    assert_int_equal(count, 0);
    OK(sg_held_claim_due(db, arena, others, &after_outage, &rows, &count, &err));
    assert_int_equal(count, 0);
    OK(sg_held_claim_due(db, arena, others, &of_another, &rows, &count, &err));
    assert_int_equal(count, 1);
    OK(sg_held_claim_due(db, arena, others + 61 * SG_SECOND, &claim, &rows, &count, &err));
    assert_int_equal(count, 0);
    OK(sg_held_claim_due(db, arena, others + 60 * SG_SECOND, &of_another, &rows, &count, &err));
    assert_int_equal(count, 1);

    OK(sg_held_chunks(db, id, take, &next, &err));
    assert_int_equal(next, CHUNKS);
    /* A next try beyond the end is the end itself. (The clock of the transaction is real here.) */
    OK(sg_held_reschedule(db, rows, now + 50 * SG_DAY, "202", "no CRL", "timed out", &err));
    OK(sg_held_next_due(db, &due, &err));
    assert_true(due == row.expires_at);
    OK(sg_held_claim_due(db, arena, row.expires_at, &claim_short, &rows, &count, &err));
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].attempts, 1);
    assert_string_equal(rows[0].reason, "202");

    /* It went to some, then to the others. */
    bool held = false;
    OK(sg_held_done(db, id, "sent", more, 2, NULL, now, &finished, &err));
    assert_false(finished);
    OK(sg_held_claim_due(db, arena, row.expires_at + SG_DAY, &claim_short, &rows, &count, &err));
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].recipient_count, 2);
    assert_string_equal(rows[0].recipients[0], recipients[1]);
    assert_string_equal(rows[0].recipients[1], "z@p.test");
    OK(sg_held_is(db, id, &held, &err));
    assert_true(held);
    static const char *const rest[] = {"z@p.test", "\"a b\\\"\"@p.test", "x@p.test"};
    OK(sg_held_done(db, id, "sent", rest, 3, NULL, now, &finished, &err));
    assert_true(finished);
    OK(sg_held_is(db, id, &held, &err));
    assert_false(held);
    OK(sg_held_done(db, id, "sent", rest, 3, NULL, now, &finished, &err));
    assert_false(finished);
    FAILS(sg_held_chunks(db, id, take, &next, &err), SG_E_NOT_FOUND);
    OK(sg_held_insert(db, &again, give, &chunks, &inserted, &err)); /* it may be held anew */
    assert_true(inserted);
    OK(sg_held_done(db, again.id, "expired", more, 2, NULL, now, &finished, &err));
    assert_false(finished); /* the third came meanwhile */
    OK(sg_held_is(db, again.id, &held, &err));
    assert_true(held);
    /* That it has ended and that its sender is told of it is one. */
    struct sg_id notice = sg_id_new("ntc");
    const struct sg_notice_item item = {"x@p.test", "x@p.test", "201", "5.7.5", "", "", 0, 0};
    const struct sg_notice_post post = {{.id = notice.text,
                                         .msg_id = msg,
                                         .tenant_id = tenant,
                                         .domain_id = domain,
                                         .kind = "failure",
                                         .recipient = "s@a.test",
                                         .original = text("sealed"),
                                         .wrapped_key = text("wrapped"),
                                         .sealed_as = notice.text,
                                         .created_at = now,
                                         .next_try_at = now,
                                         .received_at = now},
                                        &item,
                                        1,
                                        NULL};
    OK(sg_held_done(db, id, "expired", more, 3, &post, now, &finished, &err));
    assert_int_equal(told_of(notice.text), 0); /* it had been sent */
    OK(sg_held_done(db, again.id, "expired", more, 3, &post, now, &finished, &err));
    assert_true(finished);
    assert_int_equal(told_of(notice.text), 1);
    assert_parts(msg, "sent", "expired");
    struct sg_notice_closed closed; /* out of the way of other tests */
    OK(sg_notice_close_due(db, now, 100, 10, &closed, &err));
    assert_int_equal(closed.singly, 1);
    OK(sg_notice_finish(db, notice.text, "sent", "", now, &err));
}

static size_t due_now(void)
{
    struct sg_held_row *rows;
    size_t count;
    const struct sg_claim one = {"node1", 0, 0, 100}; /* leased for no time: nothing is changed */
    OK(sg_held_claim_due(db, arena, now, &one, &rows, &count, &err));
    return count;
}

/* Three that wait for a certificate of wake.test. */
static void hold_three(char ids[3][SG_ID_TEXT])
{
    static const char *const recipients[] = {"x@wake.test"};
    for (int i = 0; i < 3; i++) {
        int chunks = 0;
        bool inserted;
        memcpy(ids[i], sg_id_new("hld").text, SG_ID_TEXT);
        struct sg_held_row row = {.id = ids[i],
                                  .msg_id = sg_arena_strdup(arena, sg_id_new("msg").text),
                                  .tenant_id = tenant,
                                  .domain_id = domain,
                                  .direction = "outbound",
                                  .reason = "201",
                                  .explanation = "no certificate",
                                  .sender = "s@a.test",
                                  .recipients = recipients,
                                  .recipient_count = 1,
                                  .recipient_domain = "wake.test",
                                  .queue_id = "4Xy",
                                  .wrapped_key = text("wrapped"),
                                  .received_at = now,
                                  .held_at = now,
                                  .next_try_at = now + SG_DAY,
                                  .expires_at = now + 4 * SG_DAY};
        OK(sg_held_insert(db, &row, give, &chunks, &inserted, &err));
        assert_true(inserted);
    }
}

static void postpone(char ids[3][SG_ID_TEXT], const char *last_error)
{
    for (int i = 0; i < 3; i++)
        OK(sg_held_reschedule(db, &(struct sg_held_row){.id = ids[i]}, now + SG_DAY, "201",
                              "no certificate", last_error, &err));
    assert_int_equal(due_now(), 0);
}

/* REQ-51: a certificate makes what waits for it due, in portions; discovery, which finds the same
 * one each minute, only what waits for nothing else. */
static void test_held_wake(void **state)
{
    (void)state;
    char ids[3][SG_ID_TEXT];
    bool more, finished;
    struct sg_held_wanting *wanting;
    size_t count;
    hold_three(ids);
    const struct sg_partner_certificate partner = {.domain = "wake.test",
                                                   .der = text("wake"),
                                                   .source = "ldap",
                                                   .origin = "",
                                                   .not_before = now,
                                                   .not_after = now + SG_DAY,
                                                   .fetched_at = now};
    bool usable, waits;
    OK(sg_held_wake_next(db, 2, now, &more, &err));
    assert_false(more);
    OK(sg_partner_certificate_store(db, &partner, &usable, &waits, &err));
    assert_int_equal(due_now(), 0);
    postpone(ids, "the next hop is away");
    OK(sg_held_wake_next(db, 2, now, &more, &err));
    assert_true(more);
    assert_int_equal(due_now(), 2);
    OK(sg_held_wake_next(db, 2, now, &more, &err));
    assert_true(more);
    assert_int_equal(due_now(), 3);
    OK(sg_held_wake_next(db, 2, now, &more, &err));
    assert_false(more);

    OK(sg_held_wanting(db, arena, NULL, 10, &wanting, &count, &err));
    assert_int_equal(count, 1);
    assert_string_equal(wanting->name, "wake.test");
    assert_int_equal(wanting->domain_count, 1);
    assert_string_equal(wanting->domain_ids[0], domain);
    postpone(ids, "the next hop is away");
    OK(sg_held_wake(db, wanting, 2, now, &err));
    assert_int_equal(due_now(), 0);
    postpone(ids, "no certificate");
    OK(sg_held_wake(db, wanting, 2, now, &err));
    assert_int_equal(due_now(), 3);
    struct sg_held_wanting last = *wanting;
    OK(sg_held_wanting(db, arena, &last, 10, &wanting, &count, &err));
    assert_int_equal(count, 0);

    for (int i = 0; i < 3; i++) /* REQ-67: our own revocation list was away */
        OK(sg_held_reschedule(db, &(struct sg_held_row){.id = ids[i]}, now + SG_DAY, "212",
                              "no list", i ? "no list" : "the next hop is away", &err));
    OK(sg_held_wanting_own(db, arena, NULL, 10, &wanting, &count, &err));
    assert_int_equal(count, 1);
    OK(sg_held_wake_own(db, wanting, 1, now, &err));
    assert_int_equal(due_now(), 2);
    static const char *const all[] = {"x@wake.test"};
    for (int i = 0; i < 3; i++)
        OK(sg_held_done(db, ids[i], "sent", all, 1, NULL, now, &finished, &err));
}

/* A transaction that meets another is run again; what a query refuses comes out as what it is. */
static void test_errors(void **state)
{
    (void)state;
    struct sg_held_row row = {.id = "not an id",
                              .msg_id = "msg",
                              .tenant_id = tenant,
                              .domain_id = domain,
                              .direction = "outbound",
                              .reason = "201",
                              .explanation = "",
                              .sender = "",
                              .recipient_domain = "p.test",
                              .queue_id = "",
                              .wrapped_key = text("w")};
    struct sg_error err = {0};
    bool inserted;
    int none = 0;
    assert_false(sg_held_insert(db, &row, give, &none, &inserted, &err));
    assert_int_equal(err.code, SG_E_INVALID);
    assert_int_equal(err.lib, SG_LIB_SQL);
    assert_string_equal(err.sqlstate, "23514");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_held_wake),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, aggregates_open, aggregates_close);
}
