/*
 * What was sent is not sent again, and is not answered for before it is journaled: a message whose
 * journal fails at any point. PostgreSQL and the journal are this file's. REQ-117
 */
#include "pipeline/receive.h"

#include "schema/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

static struct {
    int appends, fail_from; /* appends from this one on fail; 0: none */
    bool sync_fails;
    int received, outcomes;
    char last[4096];
} journal;
static bool db_away;

bool sg_journal_begin(struct sg_journal *j, struct sg_journal_record *record, const char *tenant,
                      const struct sg_spool *original, struct journal_append **append_r,
                      struct sg_error *err)
{
    (void)j, (void)tenant, (void)original;
    if (journal.fail_from && ++journal.appends >= journal.fail_from)
        return sg_fail(err, SG_E_JOURNAL, "the disk is full");
    *append_r = (struct journal_append *)record;
    return true;
}

bool sg_journal_finish(struct sg_journal *j, struct journal_append **append, struct sg_error *err)
{
    struct sg_journal_record *record = (struct sg_journal_record *)*append;
    (void)j;
    *append = NULL;
    if (journal.sync_fails)
        return sg_fail(err, SG_E_JOURNAL, "it would not sync");
    *(record->type == SG_JOURNAL_RECEIVED ? &journal.received : &journal.outcomes) += 1;
    snprintf(journal.last, sizeof journal.last, "%.*s", (int)record->payload.len,
             (const char *)record->payload.data);
    return true;
}

bool sg_journal_append(struct sg_journal *j, struct sg_journal_record *record, const char *tenant,
                       const struct sg_spool *original, struct sg_error *err)
{
    struct journal_append *a;
    return sg_journal_begin(j, record, tenant, original, &a, err) && sg_journal_finish(j, &a, err);
}

bool sg_message_find_by_queue(struct sg_db *db, struct sg_arena *arena, const char *queue_id,
                              const char *direction, const char *tenant_id,
                              struct sg_message_row *row_r, struct sg_recipient_row **recipients_r,
                              size_t *recipient_count_r, bool *found_r, struct sg_error *err)
{
    (void)db, (void)arena, (void)queue_id, (void)direction, (void)tenant_id;
    (void)row_r, (void)recipients_r, (void)recipient_count_r;
    *found_r = false;
    return !db_away || sg_fail(err, SG_E_DB_UNAVAILABLE, "away");
}

bool sg_message_feed(struct sg_db *db, const struct sg_message_batch *batch, struct sg_error *err)
{
    (void)db, (void)batch;
    return sg_fail(err, SG_E_DB_UNAVAILABLE, "away");
}

struct fixture {
    struct sg_gateway gw;
    struct sg_arena *arena;
    struct sg_spool *spool;
    struct sg_smtp_transaction t;
    struct sg_message m;
};

static struct sg_smtp_recipient recipients[] = {{"Ann@B.test"}, {"bob@b.test"}};

static int setup(void **state)
{
    static struct fixture f;
    static const struct sg_spool_limits limits = {65536, 65536, "/tmp"};
    static const char mail[] = "From: joe@a.test\r\n\r\nbody\r\n";
    struct sg_error err = {0};
    memset(&f, 0, sizeof f);
    memset(&journal, 0, sizeof journal);
    db_away = false;
    f.arena = sg_arena_new();
    f.spool = sg_spool_new(&limits);
    assert_true(sg_spool_write(f.spool, mail, sizeof mail - 1, &err));
    f.gw.headers = (struct sg_header_limits){65536, 100};
    f.gw.registry = sg_registry_new(NULL, 2);
    atomic_init(&f.gw.replayed, true);
    f.t = (struct sg_smtp_transaction){.arena = f.arena,
                                       .sender = "Joe+Tok3n@A.test",
                                       .recipients = recipients,
                                       .recipient_count = 2,
                                       .body = f.spool,
                                       .xforward = {"", "", "", "", "", "4Queue", ""}};
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    sg_registry_free(&f->gw.registry);
    sg_spool_free(&f->spool);
    sg_arena_free(&f->arena);
    return 0;
}

static bool begin(struct fixture *f)
{
    struct sg_error err = {0};
    assert_true(sg_receive_begin(&f->m, &f->gw, "outbound", &f->t, &err));
    f->m.tenant = "ten_x";
    return sg_receive_register(&f->m, &err);
}

static void deliver(struct sg_rcpt *r)
{
    sg_rcpt_decide(r, "delivered", "sealed", "");
    sg_smtp_reply_set(&r->reply, 250, "2.0.0", "sent");
}

static void end(struct fixture *f)
{
    sg_receive_finish(&f->m);
    sg_receive_end(&f->m);
}

static void each_delivery_is_journaled_once(void **state)
{
    struct fixture *f = *state;
    struct sg_error err = {0};
    assert_true(begin(f));
    assert_string_equal(f->m.return_path, "Joe+Tok3n@A.test");
    assert_string_equal(f->m.sender, "joe+tok3n@a.test");
    deliver(&f->m.rcpts[0]);
    sg_trace_add(&f->m.trace, "first", "", NULL);
    assert_true(sg_receive_checkpoint(&f->m, &err));
    assert_int_equal(journal.outcomes, 1);
    assert_non_null(strstr(journal.last, "ann@b.test"));
    assert_null(strstr(journal.last, "bob@b.test"));
    deliver(&f->m.rcpts[1]);
    assert_true(sg_receive_checkpoint(&f->m, &err)); /* the last is finish's */
    assert_int_equal(journal.outcomes, 1);
    end(f);
    assert_int_equal(journal.outcomes, 2);
    assert_null(strstr(journal.last, "ann@b.test"));
    assert_null(strstr(journal.last, "first")); /* a step stands in one record */
    assert_true(begin(f));
    assert_true(f->m.rcpts[0].settled && f->m.rcpts[1].settled);
    assert_int_equal(f->m.rcpts[0].reply.code, 250);
    end(f);
    assert_int_equal(journal.received, 1);
    assert_int_equal(journal.outcomes, 2);
}

/* The journal fails behind the first delivery: nobody is answered for, and nobody gets it twice. */
static void what_the_journal_would_not_take_is_owed(void **state)
{
    struct fixture *f = *state;
    struct sg_error err = {0};
    assert_true(begin(f));
    deliver(&f->m.rcpts[0]);
    journal.fail_from = 1;
    assert_false(sg_receive_checkpoint(&f->m, &err));
    end(f); /* bob was never tried */
    assert_int_equal(f->m.rcpts[0].reply.code, 451);
    assert_int_equal(f->m.rcpts[1].reply.code, 451);
    assert_int_equal(journal.outcomes, 0);

    assert_false(begin(f)); /* still full: nothing may happen */
    sg_receive_end(&f->m);
    journal.fail_from = 0;
    assert_true(begin(f));
    assert_int_equal(journal.outcomes, 2); /* ann's delivery, bob's deferral */
    assert_true(f->m.rcpts[0].settled);
    assert_false(f->m.rcpts[1].settled);
    deliver(&f->m.rcpts[1]);
    end(f);
    assert_int_equal(f->m.rcpts[0].reply.code, 250);
    assert_int_equal(f->m.rcpts[1].reply.code, 250);
    assert_int_equal(journal.outcomes, 3);
}

/* `received` is begun, and does not get to the disk: nothing is sent, nothing owed, and it is
 * received anew. */
static void what_is_not_on_disk_is_not_acted_on(void **state)
{
    struct fixture *f = *state;
    struct sg_error err = {0};
    assert_true(begin(f));
    assert_int_equal(journal.received, 0); /* deciding may have begun */
    journal.sync_fails = true;
    assert_false(sg_message_on_disk(&f->m, &err));
    assert_int_equal(err.code, SG_E_JOURNAL);
    journal.sync_fails = false;
    assert_false(sg_message_on_disk(&f->m, &err)); /* a later yes of others is none for this one */
    sg_rcpt_defer(&f->m.rcpts[0], &err);
    assert_false(sg_receive_checkpoint(&f->m, &err));
    end(f);
    assert_int_equal(f->m.rcpts[0].reply.code, 451);
    assert_int_equal(f->m.rcpts[1].reply.code, 451);
    assert_int_equal(journal.received + journal.outcomes, 0);
    assert_true(begin(f));
    assert_true(sg_message_on_disk(&f->m, &err));
    assert_int_equal(journal.received, 1);
    deliver(&f->m.rcpts[0]);
    deliver(&f->m.rcpts[1]);
    end(f);
    assert_int_equal(f->m.rcpts[0].reply.code, 250);
    assert_int_equal(journal.outcomes, 1);
}

/* Many other messages pass: who owes is not forgotten. */
static void debts_outlive_the_registrys_capacity(void **state)
{
    struct fixture *f = *state;
    assert_true(begin(f));
    deliver(&f->m.rcpts[0]);
    deliver(&f->m.rcpts[1]);
    journal.fail_from = 1;
    end(f);
    journal.fail_from = 0;
    for (int i = 0; i < 10; i++) {
        char id[32];
        snprintf(id, sizeof id, "4Other%d", i);
        f->t.xforward.ident = id;
        assert_true(begin(f));
        end(f);
    }
    f->t.xforward.ident = "4Queue";
    assert_true(begin(f));
    assert_true(f->m.rcpts[0].settled && f->m.rcpts[1].settled);
    end(f);
}

/* Whatever a peer or a partner wrote. */
static void a_record_is_json(void **state)
{
    struct fixture *f = *state;
    struct sg_error err = {0};
    assert_true(begin(f));
    assert_true(sg_message_on_disk(&f->m, &err));
    json_t *o = json_loads(journal.last, JSON_REJECT_DUPLICATES, NULL);
    assert_string_equal(json_string_value(json_object_get(o, "queue_id")), "4Queue");
    assert_int_equal(json_integer_value(json_object_get(o, "received_at")), f->m.received_at);
    assert_int_equal(json_array_size(json_object_get(o, "recipients")), 2);
    json_decref(o);
    sg_rcpt_decide(&f->m.rcpts[0], "deferred", "", "");
    f->m.rcpts[0].remote = "451 \"no\"\x01 \xff";
    sg_trace_add(&f->m.trace, "one", "rule", "a", "x\"y\\\n\xff", "none", NULL, "b", "", NULL);
    sg_trace_add(&f->m.trace, "two", NULL, NULL);
    assert_true(sg_receive_checkpoint(&f->m, &err));
    o = json_loads(journal.last, JSON_REJECT_DUPLICATES, NULL);
    json_t *rcpt = json_array_get(json_object_get(o, "recipients"), 0);
    assert_int_equal(json_array_size(json_object_get(o, "recipients")), 1);
    assert_string_equal(json_string_value(json_object_get(rcpt, "reply")),
                        "451 \"no\"\x01 \xef\xbf\xbd");
    json_t *steps = json_object_get(o, "trace"), *step = json_array_get(steps, 0);
    assert_int_equal(json_array_size(steps), 2);
    assert_string_equal(json_string_value(json_object_get(step, "requirement")), "rule");
    json_t *detail = json_loads(json_string_value(json_object_get(step, "detail")), 0, NULL);
    assert_int_equal(json_object_size(detail), 2);
    assert_string_equal(json_string_value(json_object_get(detail, "a")), "x\"y\\\n\xef\xbf\xbd");
    assert_string_equal(json_string_value(json_object_get(detail, "b")), "");
    json_decref(detail);
    assert_string_equal(json_string_value(json_object_get(json_array_get(steps, 1), "detail")),
                        "{}");
    json_decref(o);
    end(f);
}

static void nothing_decided_is_deferred(void **state)
{
    struct fixture *f = *state;
    assert_true(begin(f));
    end(f);
    assert_int_equal(f->m.rcpts[0].reply.code, 451);
    assert_true(begin(f));
    assert_false(f->m.rcpts[0].settled);
    end(f);
}

static void without_a_queue_id_each_is_new(void **state)
{
    struct fixture *f = *state;
    f->t.xforward.ident = "";
    for (int i = 0; i < 2; i++) {
        assert_true(begin(f));
        assert_false(f->m.rcpts[0].settled);
        deliver(&f->m.rcpts[0]);
        deliver(&f->m.rcpts[1]);
        end(f);
    }
    assert_int_equal(journal.received, 2);
}

static void unknown_history_waits(void **state)
{
    struct fixture *f = *state;
    db_away = true;
    assert_false(begin(f));
    sg_receive_end(&f->m);
    assert_int_equal(journal.received, 0);
    db_away = false;
    assert_true(begin(f));
    end(f);
}

/* Under a queue id that Postfix has just given out nothing can have been handed in. */
static void an_announced_one_has_no_history(void **state)
{
    struct fixture *f = *state;
    db_away = true;
    sg_registry_announce(f->gw.registry, "outbound", "4Queue", "ten_y");
    sg_registry_announce(f->gw.registry, "inbound", "4Queue", "ten_x");
    assert_false(begin(f));
    sg_receive_end(&f->m);
    sg_registry_announce(f->gw.registry, "outbound", "4Other", "ten_x");
    f->t.xforward.ident = "4Other";
    sg_time before = sg_clock_now();
    assert_true(begin(f));
    assert_true(f->m.received_at >= before); /* not when it was announced */
    deliver(&f->m.rcpts[0]);
    end(f);
    sg_registry_announce(f->gw.registry, "outbound", "4Other", "ten_x"); /* it has one now */
    assert_true(begin(f));
    assert_true(f->m.rcpts[0].settled);
    end(f);
}

/* 5xx is for what never was a message for us: our own limits and faults are no reason. */
static void replies_for_all(void **state)
{
    struct fixture *f = *state;
    static const enum sg_error_code ours[] = {SG_E_LIMIT,    SG_E_MIME,   SG_E_CONFIG,
                                              SG_E_CONFLICT, SG_E_SCHEMA, SG_E_BUSY,
                                              SG_E_INVALID,  SG_E_CERT,   SG_E_INTERNAL};
    struct sg_smtp_reply replies[2];
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        struct sg_error err = {.code = ours[i]};
        sg_reply_all(&f->t, replies, &err, false);
        assert_int_equal(replies[0].code / 100, 4);
        assert_int_equal(replies[1].code / 100, 4);
        assert_int_equal(replies[1].enhanced[0], '4');
    }
    struct sg_error err = {.code = SG_E_SUBMISSION};
    sg_reply_all(&f->t, replies, &err, true);
    assert_int_equal(replies[1].code, 550);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_delivery_is_journaled_once, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_journal_would_not_take_is_owed, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_on_disk_is_not_acted_on, setup, teardown),
        cmocka_unit_test_setup_teardown(debts_outlive_the_registrys_capacity, setup, teardown),
        cmocka_unit_test_setup_teardown(a_record_is_json, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_decided_is_deferred, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_queue_id_each_is_new, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_history_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(an_announced_one_has_no_history, setup, teardown),
        cmocka_unit_test_setup_teardown(replies_for_all, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
