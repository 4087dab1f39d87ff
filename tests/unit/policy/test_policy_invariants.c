/*
 * What must hold whatever the facts, found or made up, and with any one rule missing: over all
 * combinations of a few and very many of all. REQ-3 REQ-22 REQ-62 REQ-110 REQ-111 REQ-112
 */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define ROUNDS 100000

static uint64_t state_of_chance = 0x9e3779b97f4a7c15;
static unsigned chance(unsigned below)
{
    state_of_chance ^= state_of_chance << 13;
    state_of_chance ^= state_of_chance >> 7;
    state_of_chance ^= state_of_chance << 17;
    return (unsigned)(state_of_chance >> 33) % below;
}

static bool sealed_or_kept(enum sg_action action)
{
    return action == SG_ACT_SEAL || action == SG_ACT_HOLD || action == SG_ACT_QUARANTINE ||
           action == SG_ACT_FAIL || action == SG_ACT_REFUSE;
}

/* submitted: what the platform itself vouches for, without which nothing goes on at all. */
static struct sg_outbound_facts outbound_any(void)
{
    return (struct sg_outbound_facts){
        .submission_valid = chance(8) != 0,
        .from_fields = chance(8) ? 1 : chance(3),
        .from_mailboxes = chance(8) ? 1 : chance(3),
        .from_domain_owned = chance(8) != 0,
        .from_matches_sender = chance(8) != 0,
        .recipient_literal = chance(10) == 0,
        .notice = chance(6) == 0,
        .triggers = chance(2) ? chance(128) : 0,
        .undecodable = chance(4) == 0,
        .send_undecodable = chance(2) == 0,
        .approved = chance(3) == 0,
        .sender_environment = (enum sg_environment)chance(3),
        .recipient_environment = (enum sg_environment)chance(4), /* and one that nobody knows */
        .excepted = chance(3) == 0,
        .correspondent = chance(3) == 0,
        .own = (enum sg_policy_certificate)(chance(2) ? 0 : chance(8)),
        .recipient = (enum sg_policy_certificate)(chance(2) ? 0 : chance(8)),
    };
}

static void outbound_holds(const struct sg_outbound_facts *f)
{
    struct sg_outbound_facts copy = *f;
    struct sg_plan p = sg_policy_outbound(f), again = sg_policy_outbound(&copy);
    bool member = f->recipient_environment != SG_ENV_NONE;
    unsigned secret = f->triggers & ~(unsigned)SG_POLICY_RSVPDR;
    unsigned high = secret & ~(unsigned)SG_POLICY_IN_CONFIDENCE;
    assert_memory_equal(&p, &again, sizeof p);
    assert_true(sealed_or_kept(p.action) || p.action == SG_ACT_PLAIN);
    if (member || f->excepted)
        assert_true(sealed_or_kept(p.action));
    if (secret)
        assert_int_not_equal(p.action, SG_ACT_PLAIN);
    if (p.action == SG_ACT_SEAL) {
        assert_int_equal(f->own, SG_POLICY_CERT_VALID);
        assert_int_equal(f->recipient, SG_POLICY_CERT_VALID);
        if (secret)
            assert_true(member || f->excepted);
        if (high && !f->notice)
            assert_true(f->recipient_environment == SG_ENV_SEEMAIL || f->excepted);
        if (high & ~(unsigned)(SG_POLICY_SENSITIVE | SG_POLICY_RESTRICTED))
            assert_true(f->approved || f->notice);
    }
    if (p.action == SG_ACT_PLAIN || p.action == SG_ACT_SEAL)
        assert_true(f->submission_valid && f->from_fields == 1 && f->from_mailboxes &&
                    f->from_domain_owned && f->from_matches_sender && !f->recipient_literal);
    if (p.action == SG_ACT_FAIL)
        assert_string_equal(p.code, "001");
}

static struct sg_inbound_facts inbound_any(void)
{
    struct sg_inbound_facts f = {
        .from_readable = chance(6) != 0,
        .from_member = chance(2) == 0,
        .from_own = chance(4) == 0,
        .from_excepted = chance(4) == 0,
        .workspace = chance(4) == 0,
        .list_mail = chance(3) == 0,
        .x_header = chance(2) == 0,
        .claims_secure = chance(2) == 0,
        .encrypted = chance(2) == 0,
        .for_us = chance(2) == 0,
        .opened = chance(2) == 0,
        .own = (enum sg_policy_certificate)chance(8),
        .unsupported = chance(6) == 0,
        .malformed = chance(6) == 0,
        .domain_signed = chance(3) != 0,
        .signature_good = chance(3) != 0,
        .signer_is_domain = chance(3) != 0,
        .signer_names_from = chance(3) != 0,
        .signer = (enum sg_policy_certificate)(chance(2) ? 0 : chance(8)),
        .integrity = chance(2) == 0,
        .triggers = chance(2) ? chance(128) : 0,
        .delete_unverified = chance(3) == 0,
        .warning_only = chance(3) == 0,
    };
    f.from_stranger = !f.from_readable && !f.from_member && !f.from_own && chance(2) == 0;
    return f;
}

static void inbound_holds(const struct sg_inbound_facts *f)
{
    struct sg_inbound_facts copy = *f;
    struct sg_plan p = sg_policy_inbound(f), again = sg_policy_inbound(&copy);
    bool proved = f->domain_signed && f->signature_good && f->signer_is_domain &&
                  f->signer_names_from && f->signer == SG_POLICY_CERT_VALID;
    assert_memory_equal(&p, &again, sizeof p);
    assert_true(p.action >= SG_ACT_DELIVER || p.action == SG_ACT_PLAIN);
    if (p.action == SG_ACT_DELIVER)
        assert_true(proved || (f->for_us && f->opened && f->integrity && !f->from_member));
    if (p.action ==
        SG_ACT_PLAIN) /* nothing was taken off that is now shown as if it had not been */
        assert_true(!f->for_us && !f->domain_signed && !f->claims_secure);
    if (p.action == SG_ACT_PLAIN)
        assert_true(f->from_readable || f->from_stranger);
    if (p.action == SG_ACT_PLAIN && (f->from_member || f->from_own))
        assert_true(f->workspace);
    if (p.action == SG_ACT_WARN_SOFT) /* what could not be decrypted or proved is never in front */
        assert_true(f->list_mail && !f->encrypted && !f->domain_signed);
    if (p.action == SG_ACT_DELETE)
        assert_true(f->delete_unverified && !f->x_header && !proved);
    if (p.action == SG_ACT_WARN_ONLY)
        assert_true(f->warning_only && f->encrypted);
    if (p.action >= SG_ACT_WARN_OPENED)
        assert_true(*p.code != 0); /* who is warned is told of what */
    else
        assert_string_equal(p.code, "");
}

static void random_facts(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct sg_outbound_facts out = outbound_any();
        struct sg_inbound_facts in = inbound_any();
        outbound_holds(&out);
        inbound_holds(&in);
    }
}

/* Every member, every certificate, every word. */
static void all_of_a_few(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4U * 8 * 8 * 128 * 8; i++) {
        struct sg_outbound_facts f = {.submission_valid = true,
                                      .from_fields = 1,
                                      .from_mailboxes = 1,
                                      .from_domain_owned = true,
                                      .from_matches_sender = true};
        f.recipient_environment = (enum sg_environment)(i & 3);
        f.own = (enum sg_policy_certificate)(i >> 2 & 7);
        f.recipient = (enum sg_policy_certificate)(i >> 5 & 7);
        f.triggers = i >> 8 & 127;
        f.approved = i >> 15 & 1;
        f.excepted = i >> 16 & 1;
        f.correspondent = i >> 17 & 1;
        outbound_holds(&f);
    }
}

static bool is_guard(const char *name)
{
    /* These stand before what they forbid: without them a later rule allows it. All others only
     * tell apart what is safe either way. */
    static const char *const guards[] = {
        "not-submitted",        "from-missing",        "from-foreign",
        "from-differs",         "recipient-literal",   "trigger-quarantine",
        "trigger-seemail-only", "trigger-secure-only", "undecodable"};
    for (size_t i = 0; i < sizeof guards / sizeof guards[0]; i++)
        if (strcmp(guards[i], name) == 0)
            return true;
    return false;
}

/* A rule that says "sealed" or "verified" names what it needs: with another rule missing it says
 * no more. */
static void any_rule_missing(void **state)
{
    (void)state;
    for (size_t i = 0; i + 1 < sg_policy_rule_count_outbound(); i++) {
        if (is_guard(sg_policy_rule_name_outbound(i)))
            continue;
        sg_policy_rule_off_outbound = (int)i;
        for (int n = 0; n < ROUNDS / 10; n++) {
            struct sg_outbound_facts f = outbound_any();
            outbound_holds(&f);
        }
    }
    sg_policy_rule_off_outbound = -1;
    for (size_t i = 0; i + 1 < sg_policy_rule_count_inbound(); i++) {
        sg_policy_rule_off_inbound = (int)i;
        for (int n = 0; n < ROUNDS / 10; n++) {
            struct sg_inbound_facts f = inbound_any();
            struct sg_plan p = sg_policy_inbound(&f);
            bool proved = f.domain_signed && f.signature_good && f.signer_is_domain &&
                          f.signer_names_from && f.signer == SG_POLICY_CERT_VALID;
            if (p.action == SG_ACT_DELIVER)
                assert_true(proved || (f.for_us && f.opened && f.integrity && !f.from_member));
        }
    }
    sg_policy_rule_off_inbound = -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_facts),
        cmocka_unit_test(all_of_a_few),
        cmocka_unit_test(any_rule_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
