/*
 * Runs the cases of tests/policy (facts → plan), then switches each rule off in turn: a case must
 * fail. REQ-3 REQ-11 REQ-12 REQ-18 REQ-22 REQ-36 REQ-42 REQ-47 REQ-48 REQ-56 REQ-62 REQ-65 REQ-66
 * REQ-67 REQ-69 REQ-76 REQ-80 REQ-87 REQ-136 REQ-174
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

#define MAX_CASES 400

struct row {
    char facts[256], rule[64], action[32], code[8];
    int line;
};
struct table {
    struct row rows[MAX_CASES];
    size_t count;
};

static struct table outbound, inbound;

/* "facts words | rule action code"; '#' begins a comment. */
static void load(const char *name, struct table *t)
{
    char path[512], line[512];
    snprintf(path, sizeof path, "%s/tests/policy/%s.cases", SG_SOURCE_DIR, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    for (int n = 1; fgets(line, sizeof line, f); n++) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        assert_true(t->count < MAX_CASES);
        struct row *r = &t->rows[t->count++];
        r->line = n;
        r->code[0] = 0;
        int got = sscanf(line, "%255[^|]| %63s %31s %7s", r->facts, r->rule, r->action, r->code);
        if (got < 3)
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

static void outbound_fact(struct sg_outbound_facts *f, const char *w)
{
    if (strcmp(w, "submitted") == 0)
        f->submission_valid = true;
    else if (strncmp(w, "from=", 5) == 0)
        f->from_fields = (size_t)(w[5] - '0'), f->from_mailboxes = (size_t)(w[7] - '0');
    else if (strcmp(w, "owned") == 0)
        f->from_domain_owned = true;
    else if (strcmp(w, "matches") == 0)
        f->from_matches_sender = true;
    else if (strcmp(w, "literal") == 0)
        f->recipient_literal = true;
    else if (strcmp(w, "seemail") == 0)
        f->recipient_environment = SG_ENV_SEEMAIL;
    else if (strcmp(w, "securemail") == 0)
        f->recipient_environment = SG_ENV_SECUREMAIL;
    else if (strncmp(w, "own=", 4) == 0)
        f->own = certificate(w + 4);
    else if (strncmp(w, "recipient=", 10) == 0)
        f->recipient = certificate(w + 10);
    else
        fail_msg("no outbound fact %s", w);
}

static void inbound_fact(struct sg_inbound_facts *f, const char *w)
{
    static const struct {
        const char *name;
        size_t at;
    } flags[] = {
#define FLAG(x) {#x, offsetof(struct sg_inbound_facts, x)}
        FLAG(from_readable), FLAG(from_member),       FLAG(from_own),
        FLAG(claims_secure), FLAG(encrypted),         FLAG(for_us),
        FLAG(opened),        FLAG(unsupported),       FLAG(malformed),
        FLAG(domain_signed), FLAG(signature_good),    FLAG(signer_is_domain),
        FLAG(integrity),     FLAG(signer_names_from), FLAG(own_revoked),
#undef FLAG
    };
    if (strncmp(w, "signer=", 7) == 0) {
        f->signer = certificate(w + 7);
        return;
    }
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (strcmp(w, flags[i].name) == 0) {
            *(bool *)((char *)f + flags[i].at) = true;
            return;
        }
    }
    fail_msg("no inbound fact %s", w);
}

static bool case_holds(const struct row *r, bool is_outbound)
{
    struct sg_outbound_facts out = {0};
    struct sg_inbound_facts in = {.signer = SG_POLICY_CERT_NONE};
    char words[256], *save = NULL;
    snprintf(words, sizeof words, "%s", r->facts);
    for (char *w = strtok_r(words, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
        if (is_outbound)
            outbound_fact(&out, w);
        else
            inbound_fact(&in, w);
    }
    struct sg_plan p = is_outbound ? sg_policy_outbound(&out) : sg_policy_inbound(&in);
    struct sg_plan again = is_outbound ? sg_policy_outbound(&out) : sg_policy_inbound(&in);
    assert_memory_equal(&p, &again, sizeof p); /* REQ-3: same facts, same plan */
    return strcmp(p.rule, r->rule) == 0 && strcmp(sg_action_name(p.action), r->action) == 0 &&
           strcmp(p.code, r->code) == 0;
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

static void each_rule_is_needed(void **state)
{
    (void)state;
    for (size_t i = 0; i + 1 < sg_policy_rule_count_outbound(); i++) {
        sg_policy_rule_off_outbound = (int)i;
        if (failures(&outbound, true, false) == 0)
            fail_msg("no case fails without outbound rule %s", sg_policy_rule_name_outbound(i));
    }
    sg_policy_rule_off_outbound = -1;
    for (size_t i = 0; i + 1 < sg_policy_rule_count_inbound(); i++) {
        sg_policy_rule_off_inbound = (int)i;
        if (failures(&inbound, false, false) == 0)
            fail_msg("no case fails without inbound rule %s", sg_policy_rule_name_inbound(i));
    }
    sg_policy_rule_off_inbound = -1;
}

int main(void)
{
    load("outbound", &outbound);
    load("inbound", &inbound);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases_hold),
        cmocka_unit_test(each_rule_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
