/* What is looked up of a domain and of a message, and written of one. */
#include "aggregates.h"

#include "schema/archive.h"
#include "schema/certificate.h"
#include "schema/directory_source.h"
#include "schema/domain.h"
#include "schema/member_domain.h"
#include "schema/message.h"
#include "schema/next_hop.h"
#include "schema/submitter.h"
#include "schema/trust_anchor.h"

static void test_domain(void **state)
{
    (void)state;
    struct sg_domain_row row;
    bool found;
    OK(sg_domain_find_by_name(db, arena, "a.test", &row, &found, &err));
    assert_true(found);
    assert_string_equal(row.id, domain);
    assert_string_equal(row.tenant_id, tenant);
    assert_string_equal(row.environment, "seemail");
    assert_true(sg_domain_active(&row));
    OK(sg_domain_find(db, arena, domain, &row, &found, &err));
    assert_true(found);
    assert_string_equal(row.name, "a.test");
    OK(sg_domain_find_by_name(db, arena, "suspended.test", &row, &found, &err));
    assert_true(found);
    assert_false(sg_domain_active(&row));
    OK(sg_domain_find_by_name(db, arena, "pending.test", &row, &found, &err));
    assert_false(found);
    OK(sg_domain_find_by_name(db, arena, "A.test", &row, &found, &err));
    assert_false(found);
}

static void test_submitter(void **state)
{
    (void)state;
    static const char print[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    static const struct {
        const char *address, *fingerprint, *kind; /* kind NULL: none */
    } rows[] = {
        {"192.0.2.7", "", "network"},
        {"::ffff:192.0.2.7", "", "network"},
        {"IPv6:2001:db8:1::25", "", "network"},
        {"192.0.2.7", print, "client_certificate"},
        {"198.51.100.1", print, "client_certificate"},
        {"198.51.100.1", "", NULL},
        {"unknown", "", NULL},
        {"", "", NULL},
        {"203.0.113.9", "", "network"}, /* of a tenant that is suspended */
        {"192.0.2.7'; DROP TABLE tenant; --", "", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sg_submitter_row row;
        bool found;
        OK(sg_submitter_match(db, arena, rows[i].address, rows[i].fingerprint, &row, &found, &err));
        assert_int_equal(found, rows[i].kind != NULL);
        if (found) {
            assert_string_equal(row.kind, rows[i].kind);
            bool active = strcmp(rows[i].address, "203.0.113.9") != 0;
            assert_string_equal(row.tenant_state, active ? "active" : "suspended");
            assert_true((strcmp(row.tenant_id, tenant) == 0) == active);
        }
    }
}

static void test_lookups(void **state)
{
    (void)state;
    struct sg_next_hop_row hop;
    struct sg_certificate_row *certificates;
    struct sg_directory_source_row *sources;
    struct sg_bytes *anchors;
    const char *environment;
    size_t count;
    bool found;
    OK(sg_next_hop_find(db, arena, domain, &hop, &found, &err));
    assert_true(found);
    assert_string_equal(hop.host, "mail.a.test");
    assert_int_equal(hop.port, 25);
    OK(sg_next_hop_find(db, arena, getenv("SG_SUSPENDED_DOMAIN"), &hop, &found, &err));
    assert_false(found);

    OK(sg_certificate_list(db, arena, domain, &certificates, &count, &err));
    assert_int_equal(count, 3); /* the revoked one too (REQ-174), not the destroyed key's */
    assert_string_equal(certificates[0].state, "revoked");
    certificates++;
    assert_string_equal(certificates[0].state, "active");
    assert_string_equal(certificates[1].state, "superseded");
    assert_true(certificates[0].not_before > certificates[1].not_before);
    assert_int_equal(certificates[0].chain_count, 2);
    assert_true(sg_bytes_equal(certificates[0].chain[1], text("second")));
    assert_string_equal(certificates[0].key_kind, "wrapped");
    assert_true(sg_bytes_equal(certificates[0].key_blob, text("blob")));

    OK(sg_trust_anchor_list(db, arena, &anchors, &count, &err));
    assert_int_equal(count, 1);
    assert_true(sg_bytes_equal(anchors[0], text("anchor")));
    OK(sg_directory_source_list(db, arena, &sources, &count, &err));
    assert_int_equal(count, 2);
    assert_string_equal(sources[0].url, "ldap://first.test");

    OK(sg_member_domain_find(db, arena, "member.test", &environment, &found, &err));
    assert_true(found);
    assert_string_equal(environment, "seemail"); /* in both lists */
    OK(sg_member_domain_find(db, arena, "b.test", &environment, &found, &err));
    assert_true(found); /* hosted here; the list says otherwise */
    assert_string_equal(environment, "securemail");
    OK(sg_member_domain_find(db, arena, "outside.test", &environment, &found, &err));
    assert_false(found);
    /* A list server takes no part in Secure Email (REQ-108). */
    struct sg_member_lists lists;
    OK(sg_member_domain_find(db, arena, "list.test", &environment, &found, &err));
    assert_false(found);
    OK(sg_member_domain_lists(db, arena, "list.test", &lists, &err));
    assert_true(lists.workspace && lists.seemail_test && !lists.seemail && !lists.securemail_test);
    OK(sg_member_domain_lists(db, arena, "member.test", &lists, &err));
    assert_true(lists.seemail && lists.securemail && !lists.workspace);
}

static void test_archive(void **state)
{
    (void)state;
    struct sg_archive_key_row key;
    bool found;
    OK(sg_archive_key_current(db, arena, now, &key, &found, &err));
    assert_true(found);
    assert_string_equal(key.id, getenv("SG_ARCHIVE_KEY"));
    OK(sg_archive_key_current(db, arena, now - 800 * SG_DAY, &key, &found, &err));
    assert_false(found);
    struct sg_id id = sg_id_new("adk");
    struct sg_archive_data_key row = {id.text,      getenv("SG_ARCHIVE_KEY"), "node1", tenant,
                                      now / SG_DAY, text("wrapped"),          now};
    OK(sg_archive_data_key_insert(db, &row, &err));
    OK(sg_archive_data_key_insert(db, &row, &err));
    row.archive_key_id = id.text;
    row.id = sg_arena_strdup(arena, sg_id_new("adk").text);
    FAILS(sg_archive_data_key_insert(db, &row, &err), SG_E_INVALID);
}

static struct sg_recipient_row recipient(const char *msg, const char *address, const char *outcome,
                                         sg_time at)
{
    return (struct sg_recipient_row){.msg_id = msg,
                                     .received_at = now,
                                     .tenant_id = tenant,
                                     .recipient = address,
                                     .recipient_domain = "p.test",
                                     .outcome = outcome,
                                     .verdict = "sealed",
                                     .codes = strcmp(outcome, "held") == 0 ? "201,202" : "",
                                     .reply = "250 ok",
                                     .outcome_at = at};
}

static void test_message(void **state)
{
    (void)state;
    char msg[SG_ID_TEXT];
    memcpy(msg, sg_id_new("msg").text, sizeof msg);
    char *long_address = sg_arena_alloc(arena, 1001);
    memset(long_address, 'x', 1000);
    struct sg_message_row message = {.id = msg,
                                     .received_at = now,
                                     .tenant_id = tenant,
                                     .direction = "outbound",
                                     .node = "node1",
                                     .queue_id = "4XyQueue",
                                     .sender = "s@a.test",
                                     .sender_domain = "a.test",
                                     .header_from = long_address,
                                     .message_id = "latin\xe9@a.test",
                                     .client_address = "192.0.2.7",
                                     .size_bytes = 12345678901,
                                     .body_sha256 = text("hash"),
                                     .archive_ref = "node1/1@0"};
    struct sg_recipient_row outcomes[] = {recipient(msg, "a@p.test", "received", now),
                                          recipient(msg, "b@p.test", "received", now),
                                          recipient(msg, "a@p.test", "delivered", now + 1),
                                          recipient(msg, "b@p.test", "held", now + 1),
                                          recipient(msg, "a@p.test", "deferred", now + 2)};
    struct sg_trace_row traces[] = {
        {text("0123456789abcdef"), msg, now, tenant, now, 0, "received", "", "{}"},
        {text("0123456789abcdef"), msg, now, tenant, now, 1, "sealed", "REQ-47",
         "{\"subject\": \"a\\u0000b\"}"}};
    struct sg_message_batch batch = {&message, 1, outcomes, 5, traces, 2};
    OK(sg_message_feed(db, &batch, &err));
    OK(sg_message_feed(db, &batch, &err)); /* replayed after a crash */
    struct sg_recipient_row late[] = {recipient(msg, "a@p.test", "expired", now + 9),
                                      recipient(msg, "b@p.test", "received", now)};
    batch = (struct sg_message_batch){.recipients = late, .recipient_count = 2};
    OK(sg_message_feed(db, &batch, &err));

    struct sg_message_row got;
    struct sg_recipient_row *recipients;
    size_t count;
    bool found;
    OK(sg_message_find_by_queue(db, arena, "4XyQueue", "outbound", tenant, &got, &recipients,
                                &count, &found, &err));
    assert_true(found);
    assert_string_equal(got.id, msg);
    assert_true(got.size_bytes == message.size_bytes);
    assert_int_equal(strlen(got.header_from), 512);
    assert_string_equal(got.message_id, "latin\xef\xbf\xbd@a.test");
    assert_true(got.received_at == now);
    assert_int_equal(count, 2);
    assert_string_equal(recipients[0].outcome, "delivered"); /* final, whatever comes later */
    assert_string_equal(recipients[1].outcome, "held");      /* an older one changes nothing */
    assert_string_equal(recipients[1].codes, "201,202");
    assert_string_equal(recipients[0].codes, "");
    /* What is final comes of no other, though the clock has been put back since. */
    struct sg_recipient_row released[] = {recipient(msg, "b@p.test", "delivered", now - 20)};
    batch = (struct sg_message_batch){.recipients = released, .recipient_count = 1};
    OK(sg_message_feed(db, &batch, &err));
    OK(sg_message_find_by_queue(db, arena, "4XyQueue", "outbound", tenant, &got, &recipients,
                                &count, &found, &err));
    assert_string_equal(recipients[1].outcome, "delivered");
    OK(sg_message_find_by_queue(db, arena, "4XyQueue", "inbound", tenant, &got, &recipients, &count,
                                &found, &err));
    assert_false(found);
}

/* What says more counts, though the clock has been put back since; what says less never did. */
static void test_message_by_a_clock_put_back(void **state)
{
    (void)state;
    static const char *const told[][2] = {/* what is fed, and what is known then */
                                          {"deferred", "deferred"}, {"received", "deferred"},
                                          {"held", "held"},         {"deferred", "held"},
                                          {"expired", "expired"},   {"held", "expired"},
                                          {"refused", "refused"},   {"expired", "refused"}};
    char msg[SG_ID_TEXT];
    memcpy(msg, sg_id_new("msg").text, sizeof msg);
    struct sg_message_row message = {.id = msg,
                                     .received_at = now,
                                     .tenant_id = tenant,
                                     .direction = "outbound",
                                     .node = "node1",
                                     .queue_id = "4XyBack",
                                     .sender = "s@a.test",
                                     .sender_domain = "a.test",
                                     .archive_ref = "node1/1@0"};
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        struct sg_recipient_row outcome =
            recipient(msg, "a@p.test", told[i][0], now + 3600 * SG_SECOND - (sg_time)i);
        struct sg_message_batch batch = {&message, i == 0, &outcome, 1, NULL, 0};
        struct sg_message_row got;
        struct sg_recipient_row *recipients;
        size_t count;
        bool found;
        OK(sg_message_feed(db, &batch, &err));
        OK(sg_message_find_by_queue(db, arena, "4XyBack", "outbound", tenant, &got, &recipients,
                                    &count, &found, &err));
        assert_int_equal(count, 1);
        assert_string_equal(recipients[0].outcome, told[i][1]);
    }
}

/* In the order in which they are fed; each as a batch of its own, or all in one. */
static void outcomes_feed(const char *queue_id, struct sg_recipient_row *outcomes, size_t count,
                          bool together, const char *expected)
{
    struct sg_message_row message = {.id = outcomes[0].msg_id,
                                     .received_at = now,
                                     .tenant_id = tenant,
                                     .direction = "outbound",
                                     .node = "node1",
                                     .queue_id = queue_id,
                                     .sender = "s@a.test",
                                     .sender_domain = "a.test",
                                     .archive_ref = "node1/1@0"};
    struct sg_message_row got;
    struct sg_recipient_row *recipients;
    size_t found_count;
    bool found;
    for (size_t i = 0; i < count; i += together ? count : 1) {
        struct sg_message_batch batch = {&message, i == 0, &outcomes[i], together ? count : 1,
                                         NULL,     0};
        OK(sg_message_feed(db, &batch, &err));
    }
    OK(sg_message_find_by_queue(db, arena, queue_id, "outbound", tenant, &got, &recipients,
                                &found_count, &found, &err));
    assert_int_equal(found_count, 1);
    assert_string_equal(recipients[0].outcome, expected);
}

/*
 * Held mail that was refused, did not end with that, and was sent by the next attempt: who has it
 * has it, in whatever order its records are fed, by two nodes or after a crash, and whatever the
 * clocks say. Nothing else replaces an end.
 */
static void test_message_refused_and_delivered(void **state)
{
    (void)state;
    static const struct {
        const char *queue_id, *fed[4], *known;
    } cases[] = {
        {"4XyEnd0", {"held", "refused", "delivered"}, "delivered"},
        {"4XyEnd1", {"held", "delivered", "refused"}, "delivered"},
        {"4XyEnd2", {"refused", "delivered", "refused", "held"}, "delivered"},
        {"4XyEnd3", {"expired", "delivered", "expired"}, "delivered"},
        {"4XyEnd4", {"refused", "expired", "held", "deferred"}, "refused"},
        {"4XyEnd5", {"discarded", "refused", "held"}, "discarded"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int together = 0; together < 2; together++) {
            for (int step = -1; step <= 1; step += 2) { /* a clock that goes on, or is put back */
                char msg[SG_ID_TEXT];
                struct sg_recipient_row outcomes[4];
                size_t count = 0;
                memcpy(msg, sg_id_new("msg").text, sizeof msg);
                for (; count < 4 && cases[i].fed[count]; count++)
                    outcomes[count] = recipient(msg, "a@p.test", cases[i].fed[count],
                                                now + step * (int)count * SG_SECOND);
                outcomes_feed(sg_arena_printf(arena, "%s%d%d", cases[i].queue_id, together, step),
                              outcomes, count, together, cases[i].known);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_domain),
        cmocka_unit_test(test_submitter),
        cmocka_unit_test(test_lookups),
        cmocka_unit_test(test_archive),
        cmocka_unit_test(test_message),
        cmocka_unit_test(test_message_by_a_clock_put_back),
        cmocka_unit_test(test_message_refused_and_delivered),
    };
    return cmocka_run_group_tests(tests, aggregates_open, aggregates_close);
}
