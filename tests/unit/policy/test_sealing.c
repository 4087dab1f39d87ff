/*
 * What a mail is encrypted with: the cases of tests/policy/sealing.cases, each rule switched off in
 * turn, and what holds of every set of capabilities. REQ-23 REQ-24 REQ-25 REQ-26 REQ-85
 */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define MAX_CASES 200

static struct row {
    char facts[256], rule[32], cipher[32], transport[32];
    int line;
} rows[MAX_CASES];
static size_t count;

/* "facts words | rule cipher transport"; '#' begins a comment. */
static void load(void)
{
    char line[512];
    FILE *f = fopen(SG_SOURCE_DIR "/tests/policy/sealing.cases", "r");
    assert_non_null(f);
    for (int n = 1; fgets(line, sizeof line, f); n++) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        assert_true(count < MAX_CASES);
        struct row *r = &rows[count++];
        char *bar = strchr(line, '|');
        if (!bar || sscanf(bar, "| %31s %31s %31s", r->rule, r->cipher, r->transport) != 3)
            fail_msg("sealing.cases:%d: not a case", n);
        *bar = 0;
        snprintf(r->facts, sizeof r->facts, "%.255s", line);
        r->line = n;
    }
    fclose(f);
}

static struct sg_sealing_facts facts_of(const struct row *r)
{
    struct sg_sealing_facts f = {0};
    char words[256], *save = NULL;
    memcpy(words, r->facts, sizeof words);
    for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        if (strncmp(w, "can=", 4) == 0 && sg_capability_bit(w + 4))
            f.capabilities |= sg_capability_bit(w + 4);
        else if (strcmp(w, "ec") == 0)
            f.ec = true;
        else if (strcmp(w, "weak") == 0)
            f.allow_weak = true;
        else
            fail_msg("line %d: no fact %s", r->line, w);
    }
    return f;
}

static size_t failures(bool print)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        struct sg_sealing_facts f = facts_of(&rows[i]);
        struct sg_sealing s = sg_policy_sealing(&f);
        if (strcmp(s.rule, rows[i].rule) == 0 &&
            strcmp(sg_sealing_cipher_name(s.cipher), rows[i].cipher) == 0 &&
            strcmp(sg_sealing_transport_name(s.transport), rows[i].transport) == 0)
            continue;
        n++;
        if (print)
            print_error("line %d does not hold: %s %s %s\n", rows[i].line, s.rule,
                        sg_sealing_cipher_name(s.cipher), sg_sealing_transport_name(s.transport));
    }
    return n;
}

static void cases_hold(void **state)
{
    (void)state;
    assert_int_equal(failures(true), 0);
}

static void each_rule_is_needed(void **state)
{
    (void)state;
    for (size_t i = 0; i + 1 < sg_policy_rule_count_sealing(); i++) {
        sg_policy_rule_off_sealing = (int)i;
        if (failures(false) == 0)
            fail_msg("no case fails without the rule %s", sg_policy_rule_name_sealing(i));
    }
    sg_policy_rule_off_sealing = -1;
}

/* Of every set there is: nothing that the partner cannot do but AES-256-CBC with PKCS #1 v1.5, and
 * triple DES only where it is allowed and nothing better was named. */
static void every_set_of_capabilities(void **state)
{
    (void)state;
    static const uint32_t needed[] = {SG_SMIME_CAN_AES256_GCM, 0, SG_SMIME_CAN_AES128_GCM,
                                      SG_SMIME_CAN_AES128_CBC, SG_SMIME_CAN_3DES};
    for (uint32_t set = 0; set < 1U << (SG_CAPABILITY_COUNT + 2); set++) {
        struct sg_sealing_facts f = {.capabilities = set & ((1U << SG_CAPABILITY_COUNT) - 1),
                                     .ec = set >> SG_CAPABILITY_COUNT & 1,
                                     .allow_weak = set >> (SG_CAPABILITY_COUNT + 1) & 1};
        struct sg_sealing s = sg_policy_sealing(&f);
        assert_int_equal(f.capabilities & needed[s.cipher], needed[s.cipher]);
        if (s.cipher == SG_SEALING_3DES_CBC)
            assert_true(f.allow_weak);
        if (s.transport == SG_SEALING_OAEP)
            assert_true(f.capabilities & SG_SMIME_CAN_RSA_OAEP);
        assert_int_equal(s.transport == SG_SEALING_ECDH, f.ec);
        if (f.capabilities & SG_SMIME_CAN_AES256_CBC) /* REQ-26: never less than both can do */
            assert_true(s.cipher <= SG_SEALING_AES256_CBC);
    }
}

int main(void)
{
    load();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases_hold),
        cmocka_unit_test(each_rule_is_needed),
        cmocka_unit_test(every_set_of_capabilities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
