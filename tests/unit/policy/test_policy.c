/*
 * Runs the cases of tests/policy (facts → plan), then switches each rule off in turn: a case must
 * fail. REQ-3 REQ-11 REQ-12 REQ-18 REQ-22 REQ-33 REQ-36 REQ-42 REQ-47 REQ-48 REQ-56 REQ-62 REQ-65
 * REQ-66 REQ-67 REQ-69 REQ-72 REQ-76 REQ-79 REQ-80 REQ-86 REQ-87 REQ-91 REQ-108 REQ-110 REQ-111
 * REQ-112 REQ-113 REQ-114 REQ-115 REQ-136 REQ-174 REQ-199
 */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CASES 2000

struct row {
    char facts[512], rule[64], action[32], code[16], tell[64];
    int line;
};
struct table {
    struct row rows[MAX_CASES];
    size_t count;
};

static struct table outbound, inbound;

/* "facts words | rule action [code] [> told…]"; '#' begins a comment. */
static void load(const char *name, struct table *t)
{
    char path[512], line[1024];
    snprintf(path, sizeof path, "%s/tests/policy/%s.cases", SG_SOURCE_DIR, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    for (int n = 1; fgets(line, sizeof line, f); n++) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        assert_true(t->count < MAX_CASES);
        struct row *r = &t->rows[t->count++];
        *r = (struct row){.line = n};
        char *told = strchr(line, '>');
        if (told) {
            *told = 0;
            sscanf(told + 1, " %63[^\n]", r->tell);
        }
        if (sscanf(line, "%511[^|]| %63s %31s %15s", r->facts, r->rule, r->action, r->code) < 3)
            fail_msg("%s:%d: not a case", path, n);
    }
    fclose(f);
}

static enum sg_policy_certificate certificate(const char *name)
{
    for (int i = 0; i <= SG_POLICY_CERT_NONE; i++)
        if (strcmp(sg_policy_certificate_name((enum sg_policy_certificate)i), name) == 0)
            return (enum sg_policy_certificate)i;
    fail_msg("no certificate status %s", name);
    return SG_POLICY_CERT_NONE;
}

static enum sg_environment environment(const char *name)
{
    return strcmp(name, "none") == 0         ? SG_ENV_NONE
           : strcmp(name, "seemail") == 0    ? SG_ENV_SEEMAIL
           : strcmp(name, "securemail") == 0 ? SG_ENV_SECUREMAIL
                                             : (enum sg_environment)7; /* that nobody knows */
}

static unsigned trigger(const char *name)
{
    static const char *const names[] = {"IN-CONFIDENCE", "SENSITIVE",  "RESTRICTED", "CONFIDENTIAL",
                                        "SECRET",        "TOP-SECRET", "RSVPDR"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0)
            return 1U << i;
    fail_msg("no trigger word %s", name);
    return 0;
}

struct flag {
    const char *name;
    size_t at;
};

static bool flag_set(const struct flag *flags, size_t count, void *facts, const char *w)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(w, flags[i].name) == 0) {
            *(bool *)((char *)facts + flags[i].at) = true;
            return true;
        }
    }
    return false;
}

static void outbound_fact(struct sg_outbound_facts *f, const char *w)
{
    static const struct flag flags[] = {
#define FLAG(word, field) {word, offsetof(struct sg_outbound_facts, field)}
        FLAG("submitted", submission_valid),
        FLAG("owned", from_domain_owned),
        FLAG("matches", from_matches_sender),
        FLAG("literal", recipient_literal),
        FLAG("notice", notice),
        FLAG("undecodable", undecodable),
        FLAG("send_undecodable", send_undecodable),
        FLAG("approved", approved),
        FLAG("excepted", excepted),
        FLAG("correspondent", correspondent),
#undef FLAG
    };
    if (strcmp(w, "good") == 0) /* what every mail of a customer is but for one that is refused */
        f->submission_valid = f->from_domain_owned = f->from_matches_sender = true,
        f->from_fields = f->from_mailboxes = 1, f->sender_environment = SG_ENV_SEEMAIL;
    else if (strncmp(w, "from=", 5) == 0)
        f->from_fields = (size_t)(w[5] - '0'), f->from_mailboxes = (size_t)(w[7] - '0');
    else if (strncmp(w, "trigger=", 8) == 0)
        f->triggers |= trigger(w + 8);
    else if (strncmp(w, "sender=", 7) == 0)
        f->sender_environment = environment(w + 7);
    else if (strncmp(w, "to=", 3) == 0)
        f->recipient_environment = environment(w + 3);
    else if (strncmp(w, "own=", 4) == 0)
        f->own = certificate(w + 4);
    else if (strncmp(w, "recipient=", 10) == 0)
        f->recipient = certificate(w + 10);
    else if (!flag_set(flags, sizeof flags / sizeof flags[0], f, w))
        fail_msg("no outbound fact %s", w);
}

static void inbound_fact(struct sg_inbound_facts *f, const char *w)
{
    static const struct flag flags[] = {
#define FLAG(x) {#x, offsetof(struct sg_inbound_facts, x)}
        FLAG(from_readable),
        FLAG(from_stranger),
        FLAG(from_member),
        FLAG(from_own),
        FLAG(from_excepted),
        FLAG(workspace),
        FLAG(list_mail),
        FLAG(x_header),
        FLAG(claims_secure),
        FLAG(encrypted),
        FLAG(for_us),
        FLAG(opened),
        FLAG(unsupported),
        FLAG(malformed),
        FLAG(domain_signed),
        FLAG(signature_good),
        FLAG(signer_is_domain),
        FLAG(integrity),
        FLAG(signer_names_from),
        FLAG(delete_unverified),
        FLAG(warning_only),
#undef FLAG
    };
    if (strcmp(w, "sealed") == 0) /* a sealed mail that was opened, by a good certificate */
        inbound_fact(f, "signed"), inbound_fact(f, "envelope"), f->integrity = true;
    else if (strcmp(w, "signed") == 0)
        f->from_readable = f->domain_signed = f->signature_good = f->signer_is_domain =
            f->signer_names_from = true,
        f->signer = SG_POLICY_CERT_VALID;
    else if (strcmp(w, "envelope") == 0) /* one for us, opened */
        f->from_readable = f->encrypted = f->for_us = f->opened = true,
        f->own = SG_POLICY_CERT_VALID;
    else if (strncmp(w, "signer=", 7) == 0)
        f->signer = certificate(w + 7);
    else if (strncmp(w, "own=", 4) == 0)
        f->own = certificate(w + 4);
    else if (strncmp(w, "trigger=", 8) == 0)
        f->triggers |= trigger(w + 8);
    else if (!flag_set(flags, sizeof flags / sizeof flags[0], f, w))
        fail_msg("no inbound fact %s", w);
}

static void facts_read(const char *facts, struct sg_outbound_facts *out,
                       struct sg_inbound_facts *in)
{
    char words[512], *save = NULL;
    snprintf(words, sizeof words, "%s", facts);
    for (char *w = strtok_r(words, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
        if (out)
            outbound_fact(out, w);
        else
            inbound_fact(in, w);
    }
}

static void told(unsigned tell, char out[64])
{
    snprintf(out, 64, "%s%s%s", tell & SG_TELL_SENDER ? "sender " : "",
             tell & SG_TELL_POSTMASTER ? "postmaster " : "",
             tell & SG_TELL_ADMINISTRATOR ? "administrator " : "");
    if (*out)
        out[strlen(out) - 1] = 0;
}

static bool case_holds(const struct row *r, bool is_outbound)
{
    struct sg_outbound_facts out = {0};
    struct sg_inbound_facts in = {.signer = SG_POLICY_CERT_NONE, .own = SG_POLICY_CERT_NONE};
    char tell[64];
    facts_read(r->facts, is_outbound ? &out : NULL, &in);
    struct sg_plan p = is_outbound ? sg_policy_outbound(&out) : sg_policy_inbound(&in);
    struct sg_plan again = is_outbound ? sg_policy_outbound(&out) : sg_policy_inbound(&in);
    assert_memory_equal(&p, &again, sizeof p); /* REQ-3: same facts, same plan */
    told(p.tell, tell);
    return strcmp(p.rule, r->rule) == 0 && strcmp(sg_action_name(p.action), r->action) == 0 &&
           strcmp(p.code, r->code) == 0 && strcmp(tell, r->tell) == 0;
}

static size_t failures(const struct table *t, bool is_outbound, bool print)
{
    size_t n = 0;
    for (size_t i = 0; i < t->count; i++) {
        if (!case_holds(&t->rows[i], is_outbound)) {
            n++;
            if (print)
                print_error("line %d does not hold: %s| %s\n", t->rows[i].line, t->rows[i].facts,
                            t->rows[i].rule);
        }
    }
    return n;
}

static void cases_hold(void **state)
{
    (void)state;
    assert_int_equal(failures(&outbound, true, true), 0);
    assert_int_equal(failures(&inbound, false, true), 0);
}

/* All but the last rule of a table, which applies always. */
static void each_is_needed(int *off, size_t count, const char *(*name)(size_t),
                           const struct table *t, bool is_outbound)
{
    for (size_t i = 0; i < count; i++) {
        *off = (int)i;
        if (failures(t, is_outbound, false) == 0)
            fail_msg("no case fails without the rule %s", name(i));
    }
    *off = -1;
}

static void each_rule_is_needed(void **state)
{
    (void)state;
    each_is_needed(&sg_policy_rule_off_outbound, sg_policy_rule_count_outbound() - 1,
                   sg_policy_rule_name_outbound, &outbound, true);
    each_is_needed(&sg_policy_rule_off_inbound, sg_policy_rule_count_inbound() - 1,
                   sg_policy_rule_name_inbound, &inbound, false);
    each_is_needed(&sg_policy_rule_off_ways, sg_policy_rule_count_ways(), sg_policy_rule_name_ways,
                   &inbound, false);
}

/* REQ-42: a mail that only a missing rule would have spoken of is a SYSTEM FAILURE, and nothing of
 * it goes out or is shown. */
static void end_of_the_rules(void **state)
{
    (void)state;
    struct sg_outbound_facts out = {0};
    struct sg_inbound_facts in = {.signer = SG_POLICY_CERT_NONE, .own = SG_POLICY_CERT_NONE};
    facts_read("good to=seemail own=valid recipient=valid", &out, NULL);
    facts_read("from_readable", NULL, &in);
    for (size_t i = 0; i < sg_policy_rule_count_outbound(); i++)
        if (strcmp(sg_policy_rule_name_outbound(i), "member") == 0)
            sg_policy_rule_off_outbound = (int)i;
    for (size_t i = 0; i < sg_policy_rule_count_inbound(); i++)
        if (strcmp(sg_policy_rule_name_inbound(i), "not-secure-email") == 0)
            sg_policy_rule_off_inbound = (int)i;
    struct sg_plan p = sg_policy_outbound(&out), q = sg_policy_inbound(&in);
    sg_policy_rule_off_outbound = sg_policy_rule_off_inbound = -1;
    assert_string_equal(p.code, "009");
    assert_int_equal(p.action, SG_ACT_QUARANTINE);
    assert_int_equal(p.tell, SG_TELL_ADMINISTRATOR);
    assert_string_equal(q.code, "009");
    assert_int_equal(q.action, SG_ACT_WARN_ORIGINAL);
    assert_int_equal(q.tell, SG_TELL_ADMINISTRATOR);
}

/* What the trace says of a message can be asked again: the words are those of the cases. */
static void words_and_facts(void **state)
{
    (void)state;
    char words[SG_POLICY_WORDS_MAX], again[SG_POLICY_WORDS_MAX];
    for (size_t i = 0; i < outbound.count; i++) {
        struct sg_outbound_facts a = {0}, b = {0};
        facts_read(outbound.rows[i].facts, &a, NULL);
        sg_policy_outbound_words(&a, words, sizeof words);
        facts_read(words, &b, NULL);
        sg_policy_outbound_words(&b, again, sizeof again);
        assert_string_equal(words, again);
        assert_string_equal(sg_policy_outbound(&a).rule, sg_policy_outbound(&b).rule);
    }
    for (size_t i = 0; i < inbound.count; i++) {
        struct sg_inbound_facts a = {.signer = SG_POLICY_CERT_NONE, .own = SG_POLICY_CERT_NONE},
                                b = a;
        facts_read(inbound.rows[i].facts, NULL, &a);
        sg_policy_inbound_words(&a, words, sizeof words);
        facts_read(words, NULL, &b);
        sg_policy_inbound_words(&b, again, sizeof again);
        assert_string_equal(words, again);
        assert_string_equal(sg_policy_inbound(&a).rule, sg_policy_inbound(&b).rule);
    }
}

int main(void)
{
    load("outbound", &outbound);
    load("inbound", &inbound);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases_hold),
        cmocka_unit_test(each_rule_is_needed),
        cmocka_unit_test(end_of_the_rules),
        cmocka_unit_test(words_and_facts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
