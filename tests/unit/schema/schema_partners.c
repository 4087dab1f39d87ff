/* What is kept of partners: certificates, revocation lists, capabilities. */
#include "aggregates.h"

#include "schema/crl.h"
#include "schema/partner_capability.h"
#include "schema/partner_certificate.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_caches),
        cmocka_unit_test(test_changed_partner),
        cmocka_unit_test(test_capabilities),
    };
    return cmocka_run_group_tests(tests, aggregates_open, aggregates_close);
}
