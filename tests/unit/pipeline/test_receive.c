/*
 * What was sent is not sent again, and is not answered for before it is journaled: a message whose
 * journal fails at any point. PostgreSQL and the journal are this file's. REQ-117
 */
#include "pipeline/receive.h"

#include "schema/message.h"
#include "smtp/address.h"

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
    struct sg_journal_record record; /* the last one; its payload is in last */
    uint8_t last[SG_JOURNAL_RECORD_MAX];
} journal;
static bool db_away;
static struct sg_recipient_row known[2]; /* of the message, in PostgreSQL */
static size_t known_count;
static struct sg_courier_sent *unsaid;

bool sg_journal_begin(struct sg_journal *j, struct sg_journal_record *record, const char *tenant,
                      const struct sg_spool *original, struct journal_append **append_r,
                      struct sg_error *err)
{
    (void)j, (void)tenant, (void)original;
    if (journal.fail_from && ++journal.appends >= journal.fail_from)
        return sg_fail(err, SG_E_JOURNAL, "the disk is full");
    if (record->payload.len > SG_JOURNAL_RECORD_MAX)
        return sg_fail(err, SG_E_LIMIT, "too large");
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
    memcpy(journal.last, record->payload.data, record->payload.len);
    journal.record = *record;
    journal.record.payload.data = journal.last;
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
    *found_r = known_count > 0;
    if (*found_r) {
        row_r->id = "msg_00000000000000000000000001";
        *recipients_r = known;
        *recipient_count_r = known_count;
    }
    return !db_away || sg_fail(err, SG_E_DB_UNAVAILABLE, "away");
}

static void (*look)(const struct sg_message_batch *batch);

/* What is fed is looked at while it is there. */
bool sg_message_feed(struct sg_db *db, const struct sg_message_batch *batch, struct sg_error *err)
{
    (void)db, (void)err;
    look(batch);
    return true;
}

static bool last_says(const char *text)
{
    return memmem(journal.last, journal.record.payload.len, text, strlen(text)) != NULL;
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
    known_count = 0;
    f.arena = sg_arena_new();
    f.spool = sg_spool_new(&limits);
    assert_true(sg_spool_write(f.spool, mail, sizeof mail - 1, &err));
    f.gw.headers = (struct sg_header_limits){65536, 100};
    f.gw.max_from = 100;
    static const struct sg_registry_options registry = {.messages = 2, .recipients = 8};
    f.gw.registry = sg_registry_new(NULL, &registry);
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
    sg_registry_free(&f->gw.registry, &unsaid);
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
    assert_true(last_says("ann@b.test"));
    assert_false(last_says("bob@b.test"));
    deliver(&f->m.rcpts[1]);
    assert_true(sg_receive_checkpoint(&f->m, &err)); /* the last is finish's */
    assert_int_equal(journal.outcomes, 1);
    end(f);
    assert_int_equal(journal.outcomes, 2);
    assert_false(last_says("ann@b.test"));
    assert_false(last_says("first")); /* a step stands in one record */
    assert_true(begin(f));
    assert_true(f->m.rcpts[0].settled && f->m.rcpts[1].settled);
    assert_int_equal(f->m.rcpts[0].reply.code, 250);
    end(f);
    assert_int_equal(journal.received, 1);
    assert_int_equal(journal.outcomes, 2);
}

static void refuse(struct sg_rcpt *r)
{
    sg_rcpt_decide(r, "refused", "", "");
    r->remote = "bob is not for you";
    sg_smtp_reply_set(&r->reply, 550, "5.7.1", "bob is not for you");
}

static void assert_refused(const struct sg_rcpt *r)
{
    assert_true(r->settled);
    assert_int_equal(r->reply.code, 550);
    assert_non_null(strstr(r->reply.text, "bob is not for you"));
}

/* Postfix did not hear the answer, which alone tells the sender: it is the same one again. */
static void what_is_refused_is_refused_again(void **state)
{
    struct fixture *f = *state;
    struct sg_error err = {0};
    assert_true(begin(f));
    refuse(&f->m.rcpts[1]);
    assert_true(sg_receive_checkpoint(&f->m, &err));
    deliver(&f->m.rcpts[0]);
    end(f);
    assert_true(begin(f));
    assert_int_equal(f->m.rcpts[0].reply.code, 250);
    assert_refused(&f->m.rcpts[1]);
    end(f);
    assert_int_equal(f->m.rcpts[1].reply.code, 550);

    f->t.xforward.ident = "4Owed"; /* its outcome did not come to the disk */
    assert_true(begin(f));
    refuse(&f->m.rcpts[1]);
    deliver(&f->m.rcpts[0]);
    journal.fail_from = 1;
    end(f);
    assert_int_equal(f->m.rcpts[1].reply.code, 451);
    journal.fail_from = 0;
    assert_true(begin(f));
    assert_int_equal(f->m.rcpts[0].reply.code, 250);
    assert_refused(&f->m.rcpts[1]);
    end(f);
}

/* … also by a gatewayd that has started since. Whom we told ourselves Postfix need not tell. */
static void what_was_refused_before_the_start(void **state)
{
    struct fixture *f = *state;
    known_count = 2;
    known[0] = (struct sg_recipient_row){
        .recipient = "ann@b.test", .outcome = "refused", .codes = "001", .reply = "a trigger word"};
    known[1] = (struct sg_recipient_row){.recipient = "bob@b.test",
                                         .outcome = "refused",
                                         .codes = "",
                                         .reply = "bob is not for you"};
    assert_true(begin(f));
    assert_true(f->m.rcpts[0].settled);
    assert_int_equal(f->m.rcpts[0].reply.code, 250);
    assert_refused(&f->m.rcpts[1]);
    end(f);
    struct sg_error err = {0};
    assert_true(sg_receive_begin(&f->m, &f->gw, "inbound", &f->t, &err));
    f->m.tenant = "ten_x";
    assert_true(sg_receive_register(&f->m, &err));
    assert_int_equal(f->m.rcpts[1].reply.code, 250); /* by the next hop, and its sender was told */
    end(f);
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

static void look_at_received(const struct sg_message_batch *batch)
{
    assert_int_equal(batch->message_count, 1);
    assert_int_equal(batch->recipient_count, 2);
    assert_int_equal(batch->trace_count, 0);
    assert_string_equal(batch->messages->queue_id, "4Queue");
    assert_string_equal(batch->messages->direction, "outbound");
    assert_string_equal(batch->messages->sender_domain, "a.test");
    assert_string_equal(batch->messages->node, "node-1");
    assert_string_equal(batch->messages->header_from, "joe@a.test");
    assert_int_equal(batch->messages->size_bytes, 26);
    assert_string_equal(batch->recipients[1].recipient, "bob@b.test");
    assert_string_equal(batch->recipients[1].outcome, "received");
}

static void look_at_outcome(const struct sg_message_batch *batch)
{
    assert_int_equal(batch->message_count, 0);
    assert_int_equal(batch->recipient_count, 1);
    assert_string_equal(batch->recipients->recipient, "ann@b.test");
    assert_string_equal(batch->recipients->reply,
                        "451 \"no\"\x01 \xff"); /* cleaned with the rows */
    assert_int_equal(batch->trace_count, 2);
    assert_string_equal(batch->traces->requirement, "rule");
    assert_string_equal(batch->traces->tenant_id, "ten_x");
    json_t *detail = json_loads(batch->traces->detail, 0, NULL);
    assert_int_equal(json_object_size(detail), 2);
    assert_string_equal(json_string_value(json_object_get(detail, "a")), "x\"y\\\n\xef\xbf\xbd");
    assert_string_equal(json_string_value(json_object_get(detail, "b")), "");
    json_decref(detail);
    assert_int_equal(batch->traces[1].seq, 1);
    assert_string_equal(batch->traces[1].requirement, "");
    assert_string_equal(batch->traces[1].detail, "{}");
}

static bool feed_last(struct fixture *f, struct sg_error *err)
{
    f->gw.node = "node-1";
    return sg_message_feed_records(&f->gw, &journal.record, 1, err);
}

/* Whatever a peer or a partner wrote. */
static void a_record_is_fed_as_it_was_written(void **state)
{
    struct fixture *f = *state;
    struct sg_error err = {0};
    assert_true(begin(f));
    assert_true(sg_message_on_disk(&f->m, &err));
    look = look_at_received;
    assert_true(feed_last(f, &err));
    sg_rcpt_decide(&f->m.rcpts[0], "deferred", "", "");
    f->m.rcpts[0].remote = "451 \"no\"\x01 \xff";
    sg_trace_add(&f->m.trace, "one", "rule", "a", "x\"y\\\n\xff", "none", NULL, "b", "", NULL);
    sg_trace_add(&f->m.trace, "two", NULL, NULL);
    json_t *steps = sg_trace_json(&f->m.trace);
    assert_int_equal(json_array_size(steps), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(steps, 1), "step")),
                        "two");
    assert_true(json_is_object(json_object_get(json_array_get(steps, 0), "detail")));
    json_decref(steps);
    assert_true(sg_receive_checkpoint(&f->m, &err));
    look = look_at_outcome;
    assert_true(feed_last(f, &err));
    end(f);
}

static void look_at_nothing(const struct sg_message_batch *batch)
{
    (void)batch;
    fail();
}

static void a_record_that_ends_early_is_not_fed(void **state)
{
    struct fixture *f = *state;
    struct sg_error err = {0};
    assert_true(begin(f));
    assert_true(sg_message_on_disk(&f->m, &err));
    size_t whole = journal.record.payload.len;
    look = look_at_nothing;
    for (size_t n = 0; n < whole; n++) {
        journal.record.payload.data = n ? memcpy(malloc(n), journal.last, n) : NULL;
        journal.record.payload.len = n; /* of its own, so that a sanitizer sees its end */
        assert_false(feed_last(f, &err));
        free((void *)journal.record.payload.data);
    }
    journal.record.payload = sg_bytes_of(journal.last, whole);
    for (size_t i = 1; i < 17; i++) { /* as many recipients and steps as there cannot be */
        journal.last[i] ^= 0x80;
        assert_false(feed_last(f, &err));
        journal.last[i] ^= 0x80;
    }
    end(f);
}

static void look_at_json_received(const struct sg_message_batch *batch)
{
    assert_int_equal(batch->message_count, 1);
    assert_string_equal(batch->messages->id, "msg_1");
    assert_string_equal(batch->messages->sender_domain, "a.test");
    assert_int_equal(batch->messages->sent_at, 7);
    assert_int_equal(batch->recipient_count, 1);
    assert_string_equal(batch->recipients->outcome, "received");
}

static void look_at_json_outcome(const struct sg_message_batch *batch)
{
    assert_int_equal(batch->message_count, 0);
    assert_int_equal(batch->trace_count, 2);
    assert_string_equal(batch->traces[0].detail, "{\"a\":\"b\"}");
    assert_string_equal(batch->traces[1].detail, "{\"a\":\"c\"}");
    assert_int_equal(batch->recipients->outcome_at, 6);
}

/* An upgrade finds what the version before it could not feed. */
static void records_of_earlier_versions_are_fed(void **state)
{
    struct fixture *f = *state;
    struct sg_error err = {0};
    static const char received[] =
        "{\"msg_id\":\"msg_1\",\"tenant\":\"ten_x\",\"received_at\":5,\"at\":6,\"recipients\":"
        "[{\"recipient\":\"ann@b.test\",\"domain\":\"b.test\",\"outcome\":\"received\",\"verdict\":"
        "\"\",\"code\":\"\",\"reply\":\"\"}],\"direction\":\"inbound\",\"queue_id\":\"4Q\","
        "\"sender\":"
        "\"joe@a.test\",\"header_from\":\"\",\"message_id\":\"\",\"client\":\"192.0.2.1\",\"size\":"
        "9,"
        "\"sent_at\":7}";
    static const char outcome[] =
        "{\"msg_id\":\"msg_1\",\"tenant\":\"ten_x\",\"received_at\":5,\"at\":6,\"recipients\":"
        "[{\"recipient\":\"ann@b.test\",\"outcome\":\"delivered\"}],\"trace\":[{\"at\":6,\"step\":"
        "\"s\",\"requirement\":\"\",\"detail\":\"{\\\"a\\\":\\\"b\\\"}\"},{\"at\":6,\"step\":\"s\","
        "\"requirement\":\"\",\"detail\":{\"a\":\"c\"}}]}";
    journal.record =
        (struct sg_journal_record){.type = SG_JOURNAL_RECEIVED, .payload = sg_bytes_str(received)};
    look = look_at_json_received;
    assert_true(feed_last(f, &err));
    journal.record =
        (struct sg_journal_record){.type = SG_JOURNAL_OUTCOME, .payload = sg_bytes_str(outcome)};
    look = look_at_json_outcome;
    assert_true(feed_last(f, &err));
    journal.record.payload = sg_bytes_str("[1]");
    look = look_at_nothing;
    assert_false(feed_last(f, &err));
    assert_int_equal(err.code, SG_E_MALFORMED);
}

static char *of_one(size_t len, char c)
{
    char *text = test_malloc(len + 1);
    memset(text, c, len);
    text[len] = 0;
    return text;
}

/* A stranger chooses what stands in it, and would never be answered if it did not fit. */
static void the_largest_outcome_fits(void **state)
{
    struct fixture *f = *state;
    static struct sg_smtp_recipient many[SG_MESSAGE_RECIPIENTS_MAX];
    static char addresses[SG_MESSAGE_RECIPIENTS_MAX][SG_ADDRESS_MAX + 1];
    char *long_text = of_one(6 << 20, 1), *reply = of_one(300, 'r');
    for (size_t i = 0; i < SG_MESSAGE_RECIPIENTS_MAX; i++) {
        memset(addresses[i], 'd', SG_ADDRESS_MAX);
        addresses[i][snprintf(addresses[i], 64, "%zu@", i)] = 'd';
        many[i].address = addresses[i];
    }
    f->t.recipients = many;
    f->t.recipient_count = SG_MESSAGE_RECIPIENTS_MAX;
    assert_true(begin(f));
    for (int i = 0; i < 1000; i++)
        sg_trace_add(&f->m.trace, "signature", "rule", "serial", long_text, "subject", long_text,
                     "issuer", long_text, "address", long_text, NULL);
    for (size_t i = 0; i < f->m.rcpt_count; i++) {
        deliver(&f->m.rcpts[i]);
        f->m.rcpts[i].remote = reply;
    }
    end(f);
    assert_int_equal(journal.outcomes, 1);
    assert_int_equal(f->m.rcpts[0].reply.code, 250);
    assert_true(last_says("trace-full"));
    test_free(long_text);
    test_free(reply);
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
        cmocka_unit_test_setup_teardown(what_is_refused_is_refused_again, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_refused_before_the_start, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_journal_would_not_take_is_owed, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_on_disk_is_not_acted_on, setup, teardown),
        cmocka_unit_test_setup_teardown(debts_outlive_the_registrys_capacity, setup, teardown),
        cmocka_unit_test_setup_teardown(a_record_is_fed_as_it_was_written, setup, teardown),
        cmocka_unit_test_setup_teardown(a_record_that_ends_early_is_not_fed, setup, teardown),
        cmocka_unit_test_setup_teardown(records_of_earlier_versions_are_fed, setup, teardown),
        cmocka_unit_test_setup_teardown(the_largest_outcome_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_decided_is_deferred, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_queue_id_each_is_new, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_history_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(an_announced_one_has_no_history, setup, teardown),
        cmocka_unit_test_setup_teardown(replies_for_all, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
