/*
 * The aggregates of the message path against a real server. tests/system/test_schema.py starts it
 * and makes the tenants; the environment names them: SG_CONNINFO, SG_PASSWORD_FILE, SG_TENANT,
 * SG_DOMAIN, SG_SUSPENDED_DOMAIN, SG_ARCHIVE_KEY, SG_NOW (seconds).
 */
#include "common/id.h"
#include "schema/archive.h"
#include "schema/certificate.h"
#include "schema/crl.h"
#include "schema/directory_source.h"
#include "schema/domain.h"
#include "schema/held.h"
#include "schema/member_domain.h"
#include "schema/message.h"
#include "schema/next_hop.h"
#include "schema/notice.h"
#include "schema/partner_capability.h"
#include "schema/partner_certificate.h"
#include "schema/submitter.h"
#include "schema/trust_anchor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define CHUNKS 81 /* of 256 KiB: a 20 MB mail */

static struct sg_db *db;
static struct sg_arena *arena;
static const char *tenant, *domain;
static sg_time now;

#define OK(call)                                                                                   \
    do {                                                                                           \
        struct sg_error err = {0};                                                                 \
        if (!(call))                                                                               \
            fail_msg("%s: %s %s", #call, sg_error_name(err.code), err.detail);                     \
    } while (0)
#define FAILS(call, expected)                                                                      \
    do {                                                                                           \
        struct sg_error err = {0};                                                                 \
        assert_false(call);                                                                        \
        assert_string_equal(sg_error_name(err.code), #expected);                                   \
    } while (0)

static struct sg_bytes text(const char *s)
{
    return sg_bytes_str(s);
}

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

/* How many may be used; the first of them. */
static size_t partners(const struct sg_partner_query *of, const char *first)
{
    struct sg_bytes *ders;
    bool *waits;
    size_t count, usable = 0;
    OK(sg_partner_certificate_find(db, arena, of, &ders, &waits, &count, &err));
    for (size_t i = 0; i < count; i++)
        if (!waits[i] && usable++ == 0)
            assert_true(sg_bytes_equal(ders[i], text(first)));
    return usable;
}

static void test_caches(void **state)
{
    (void)state;
    struct sg_partner_certificate old = {.domain = "p.test",
                                         .der = text("old"),
                                         .source = "ldap",
                                         .origin = "ldap://first.test",
                                         .not_before = now - 10 * SG_DAY,
                                         .not_after = now + SG_DAY,
                                         .fetched_at = now};
    struct sg_partner_certificate new = old;
    bool usable, waits;
    struct sg_partner_query of = {.domain = "p.test", .now = now};
    new.der = text("new");
    new.not_before = now - SG_DAY;
    OK(sg_partner_certificate_store(db, &old, &usable, &waits, &err));
    OK(sg_partner_certificate_store(db, &new, &usable, &waits, &err));
    assert_true(usable);
    new.approval = true; /* it is known: that stays as it is */
    OK(sg_partner_certificate_store(db, &new, &usable, &waits, &err));
    assert_true(usable);
    new.domain = "q.test"; /* one certificate for two domains; REQ-54: of this one unknown */
    OK(sg_partner_certificate_store(db, &new, &usable, &waits, &err));
    assert_true(!usable && waits);
    of = (struct sg_partner_query){.domain = "q.test", .approval = true, .now = now};
    assert_int_equal(partners(&of, ""), 0);
    of.approval = false;
    assert_int_equal(partners(&of, "new"),
                     1); /* who does not want to approve is kept waiting by nobody else */
    of.domain = "p.test";
    of.correspondent = true;
    assert_int_equal(partners(&of, ""),
                     0); /* REQ-72: of the directory alone; it never wrote to us */
    of.correspondent = false;
    assert_int_equal(partners(&of, "new"), 2);

    struct sg_crl_row crl = {text("one"), now - SG_DAY, now + SG_DAY, now}, got;
    bool found;
    OK(sg_crl_find(db, arena, "http://ca.test/crl", &got, &found, &err));
    assert_false(found);
    OK(sg_crl_store(db, "http://ca.test/crl", &crl, &err));
    crl.der = text("older");
    crl.this_update -= SG_DAY;
    OK(sg_crl_store(db, "http://ca.test/crl", &crl, &err));
    OK(sg_crl_find(db, arena, "http://ca.test/crl", &got, &found, &err));
    assert_true(found);
    assert_true(sg_bytes_equal(got.der, text("one")));
    assert_true(got.next_update == now + SG_DAY);
}

/* REQ-83: replace, pin and ask, by several domains of one platform. */
static void test_changed_partner(void **state)
{
    (void)state;
    struct sg_partner_certificate row = {.domain = "changed.test",
                                         .source = "mail",
                                         .origin = "msg_1",
                                         .not_before = now - 30 * SG_DAY,
                                         .not_after = now + SG_DAY,
                                         .fetched_at = now - 20 * SG_DAY};
    struct sg_partner_query replace = {.domain = "changed.test", .now = now}, pin = replace,
                            ask = replace;
    bool usable, waits;
    pin.pin = ask.ask = true;
    row.ask = true;
    row.der = text("first"); /* the first is no change */
    OK(sg_partner_certificate_store(db, &row, &usable, &waits, &err));
    assert_true(usable && !waits);
    assert_int_equal(partners(&ask, "first"), 1);

    row.ask = false; /* another domain of ours meets the next one, and does not ask */
    row.der = text("second");
    row.not_before = row.fetched_at = now - 10 * SG_DAY;
    OK(sg_partner_certificate_store(db, &row, &usable, &waits, &err));
    assert_true(usable && !waits);
    assert_int_equal(partners(&replace, "second"), 2);
    assert_int_equal(partners(&pin, "first"), 2);
    assert_int_equal(partners(&ask, "first"), 1);
    row.ask = true; /* then who asks meets it: from now on it waits, for him */
    OK(sg_partner_certificate_store(db, &row, &usable, &waits, &err));
    assert_true(!usable && waits);
    OK(sg_partner_certificate_store(db, &row, &usable, &waits, &err));
    assert_true(!usable && !waits);
    assert_int_equal(partners(&replace, "second"), 2);
    assert_int_equal(partners(&ask, "first"), 1);

    row.der = text("ca"); /* what is above them is no change, and is there first */
    row.authority = true;
    row.ask = false;
    OK(sg_partner_certificate_store(db, &row, &usable, &waits, &err));
    assert_true(usable && !waits);
    assert_int_equal(partners(&ask, "ca"), 2);
    assert_int_equal(partners(&pin, "ca"), 3);
    pin.now = row.not_after + 1; /* all have expired: none is before the others for that */
    assert_int_equal(partners(&pin, "ca"), 3);
}

/* REQ-84: the newest signature has the say, and only a certificate that is in use teaches. */
static void test_capabilities(void **state)
{
    (void)state;
    static const uint8_t sha256[] = {0xa7, 0x93, 0x7b, 0x64, 0xb8, 0xca, 0xa5, 0x8f,
                                     0x03, 0x72, 0x1b, 0xb6, 0xba, 0xcf, 0x5c, 0x78,
                                     0xcb, 0x23, 0x5f, 0xeb, 0xe0, 0xe7, 0x0b, 0x1b,
                                     0x84, 0xcd, 0x99, 0x54, 0x14, 0x61, 0xa0, 0x8e};
    struct sg_partner_lesson lesson = {.domain = "changed.test",
                                       .capabilities = 7,
                                       .signed_at = now - SG_DAY,
                                       .now = now,
                                       .origin = "msg_1",
                                       .sha256 = sg_bytes_of(sha256, sizeof sha256)};
    struct sg_partner_capability row;
    bool learned, found;
    OK(sg_partner_capability_find(db, arena, "changed.test", &row, &found, &err));
    assert_true(!found && sg_partner_capabilities(&row) == 0);
    OK(sg_partner_capability_learn(db, &lesson, &learned, &err));
    assert_true(learned);
    lesson.capabilities = 1;
    OK(sg_partner_capability_learn(db, &lesson, &learned, &err));
    assert_false(learned); /* of the same second */
    lesson.signed_at -= SG_SECOND;
    OK(sg_partner_capability_learn(db, &lesson, &learned, &err));
    assert_false(learned); /* an old mail sent again */
    OK(sg_partner_capability_find(db, arena, "changed.test", &row, &found, &err));
    assert_true(found && row.learned == 7 && row.signed_at == now - SG_DAY && !row.is_by_hand);
    lesson.signed_at = now;
    lesson.origin = "msg_2";
    OK(sg_partner_capability_learn(db, &lesson, &learned, &err));
    assert_true(learned); /* weaker, but signed later */
    OK(sg_partner_capability_find(db, arena, "changed.test", &row, &found, &err));
    assert_int_equal(sg_partner_capabilities(&row), 1);
    assert_string_equal(row.origin, "msg_2");

    lesson.domain = "unknown.test"; /* whose certificate is not stored */
    OK(sg_partner_capability_learn(db, &lesson, &learned, &err));
    assert_false(learned);
    OK(sg_partner_capability_find(db, arena, "unknown.test", &row, &found, &err));
    assert_false(found);
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

#define OTHERS_MS 3600000
static const struct sg_claim claim = {"node1", 60000, OTHERS_MS, 10},
                             claim_short = {"node1", 1, OTHERS_MS, 10},
                             claim_many = {"node1", 60000, OTHERS_MS, 100},
                             of_another = {"node2", 60000, OTHERS_MS, 10},
                             after_outage = {"node2", 60000, INT32_MAX, 10};

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
    struct sg_held_row again = row;
    /* A further transaction of the same message: its new recipients are added, none twice. */
    static const char *const more[] = {"y@p.test", "x@p.test", "z@p.test"};
    again.id = sg_arena_strdup(arena, sg_id_new("hld").text);
    again.recipients = more;
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
    OK(sg_held_reschedule(db, id, now + 50 * SG_DAY, "202", "no CRL", "timed out", &err));
    OK(sg_held_next_due(db, &due, &err));
    assert_true(due == row.expires_at);
    OK(sg_held_claim_due(db, arena, row.expires_at, &claim_short, &rows, &count, &err));
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].attempts, 1);
    assert_string_equal(rows[0].reason, "202");

    /* It went to some, then to the others. */
    bool held = false;
    OK(sg_held_done(db, id, "sent", more, 2, now, &finished, &err));
    assert_false(finished);
    OK(sg_held_claim_due(db, arena, row.expires_at + SG_DAY, &claim_short, &rows, &count, &err));
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].recipient_count, 2);
    assert_string_equal(rows[0].recipients[0], recipients[1]);
    assert_string_equal(rows[0].recipients[1], "z@p.test");
    OK(sg_held_is(db, id, &held, &err));
    assert_true(held);
    static const char *const rest[] = {"z@p.test", "\"a b\\\"\"@p.test", "x@p.test"};
    OK(sg_held_done(db, id, "sent", rest, 3, now, &finished, &err));
    assert_true(finished);
    OK(sg_held_is(db, id, &held, &err));
    assert_false(held);
    OK(sg_held_done(db, id, "sent", rest, 3, now, &finished, &err));
    assert_false(finished);
    FAILS(sg_held_chunks(db, id, take, &next, &err), SG_E_NOT_FOUND);
    OK(sg_held_insert(db, &again, give, &chunks, &inserted, &err)); /* it may be held anew */
    assert_true(inserted);
    OK(sg_held_done(db, again.id, "expired", more, 2, now, &finished, &err));
    assert_false(finished); /* the third came meanwhile */
    OK(sg_held_is(db, again.id, &held, &err));
    assert_true(held);
    OK(sg_held_done(db, again.id, "expired", more, 3, now, &finished, &err));
    assert_true(finished);
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
        OK(sg_held_reschedule(db, ids[i], now + SG_DAY, "201", "no certificate", last_error, &err));
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
        OK(sg_held_reschedule(db, ids[i], now + SG_DAY, "212", "no list",
                              i ? "no list" : "the next hop is away", &err));
    OK(sg_held_wanting_own(db, arena, NULL, 10, &wanting, &count, &err));
    assert_int_equal(count, 1);
    OK(sg_held_wake_own(db, wanting, 1, now, &err));
    assert_int_equal(due_now(), 2);
    static const char *const all[] = {"x@wake.test"};
    for (int i = 0; i < 3; i++)
        OK(sg_held_done(db, ids[i], "sent", all, 1, now, &finished, &err));
}

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
    assert_int_equal(rows[0].attempts, 1);
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
    assert_int_equal(rows[0].attempts, 0);
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

static int setup(void **state)
{
    (void)state;
    struct sg_db_options options = {.conninfo = getenv("SG_CONNINFO"),
                                    .password_file = getenv("SG_PASSWORD_FILE"),
                                    .application = "test",
                                    .actor = "gatewayd",
                                    .connections = 4,
                                    .wait_ms = 5000,
                                    .statement_timeout_ms = 10000};
    struct sg_error err = {0};
    tenant = getenv("SG_TENANT");
    domain = getenv("SG_DOMAIN");
    now = (sg_time)strtoll(getenv("SG_NOW"), NULL, 10) * SG_SECOND + 123456;
    arena = sg_arena_new();
    return sg_db_open(&options, &db, &err) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    sg_db_close(&db);
    sg_arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_domain),          cmocka_unit_test(test_submitter),
        cmocka_unit_test(test_lookups),         cmocka_unit_test(test_caches),
        cmocka_unit_test(test_changed_partner), cmocka_unit_test(test_capabilities),
        cmocka_unit_test(test_archive),         cmocka_unit_test(test_held),
        cmocka_unit_test(test_notice),          cmocka_unit_test(test_notice_fold),
        cmocka_unit_test(test_notice_put_off),  cmocka_unit_test(test_message),
        cmocka_unit_test(test_errors),          cmocka_unit_test(test_held_wake),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
