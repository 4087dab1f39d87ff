/* For how long the archive's data keys are remembered. */
#include "pipeline/archive.h"

#include "schema/archive.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define TODAY 20780 /* days since 1970 */

static sg_time now;
static int made;
static uint8_t *spki;
static int spki_len;

sg_time __wrap_sg_clock_now(void);

sg_time __wrap_sg_clock_now(void)
{
    return now;
}

bool sg_archive_key_current(struct sg_db *db, struct sg_arena *arena, sg_time at,
                            struct sg_archive_key_row *row_r, bool *found_r, struct sg_error *err)
{
    (void)db, (void)arena, (void)at, (void)err;
    memset(row_r, 0, sizeof *row_r);
    row_r->id = "ark_1";
    row_r->spki = sg_bytes_of(spki, (size_t)spki_len);
    *found_r = true;
    return true;
}

bool sg_archive_data_key_insert(struct sg_db *db, const struct sg_archive_data_key *key,
                                struct sg_error *err)
{
    (void)db, (void)key, (void)err;
    made++;
    return true;
}

/* Was the key of that day made, for it was not remembered? */
static bool makes(struct sg_archive *a, int64_t day)
{
    struct sg_journal_keys keys = sg_archive_journal_keys(a);
    struct sg_secret key = {0};
    struct sg_error err = {0};
    char id[32];
    int before = made;
    assert_true(keys.archive(keys.ctx, "ten_x", day, id, &key, &err));
    sg_secret_wipe(&key);
    return made > before;
}

static void at(int64_t day)
{
    now = day * SG_DAY + SG_SECOND;
}

static void two_days_are_remembered(void **state)
{
    struct sg_gateway gw = {.node = "node-1"};
    struct sg_archive *a = sg_archive_new(&gw);
    (void)state;
    at(TODAY);
    assert_true(makes(a, TODAY));
    assert_false(makes(a, TODAY));
    at(TODAY + 1);
    assert_true(makes(a, TODAY + 1));
    assert_false(makes(a, TODAY)); /* who came before midnight */
    at(TODAY + 2);
    assert_true(makes(a, TODAY + 2));
    assert_false(makes(a, TODAY + 1));
    assert_true(makes(a, TODAY));
    sg_archive_free(&a);
}

/* After which no key was ever newer than those of that time. */
static void a_clock_that_was_ahead_changes_nothing(void **state)
{
    struct sg_gateway gw = {.node = "node-1"};
    struct sg_archive *a = sg_archive_new(&gw);
    (void)state;
    at(TODAY + 365);
    assert_true(makes(a, TODAY + 365));
    for (int day = 0; day < 4; day++) {
        at(TODAY + day);
        assert_true(makes(a, TODAY + day));
    }
    assert_false(makes(a, TODAY + 2));
    assert_true(makes(a, TODAY));
    assert_true(makes(a, TODAY + 365));
    sg_archive_free(&a);
}

static int setup(void **state)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    (void)state;
    spki_len = i2d_PUBKEY(key, &spki);
    EVP_PKEY_free(key);
    return spki_len > 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    OPENSSL_free(spki);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_days_are_remembered),
        cmocka_unit_test(a_clock_that_was_ahead_changes_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
