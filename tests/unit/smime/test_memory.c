/* Memory does not grow with the message: 50 MB sealed and opened. gatewayd/smime/ */
#include "testkit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>

#ifdef SG_SANITIZED
#define PEAK_KIB 200000 /* the sanitizer's own */
#else
#define PEAK_KIB 20000
#endif

static void fifty_megabytes(enum sg_smime_cipher cipher)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct kit_key alice = kit_key_load(kit_path(arena, "alice.pem"), kit_path(arena, "alice.key"));
    struct kit_key bob = kit_key_load(kit_path(arena, "bob.pem"), kit_path(arena, "bob.key"));
    struct sg_error err;
    SG_AUTO_SPOOL body = kit_spool_new();
    char line[78];
    memset(line, 'x', 76);
    memcpy(line + 76, "\r\n", 2);
    uint64_t len = 0;
    const char *mb = getenv("SG_TEST_MEGABYTES");
    uint64_t wanted = (uint64_t)(mb ? strtoul(mb, NULL, 10) : 50) * 1000000;
    for (; len < wanted; len += sizeof line)
        assert_true(sg_spool_write(body, line, sizeof line, &err));

    struct sg_smime_entity entity = {sg_bytes_str("Content-Type: text/plain\r\n"), body, 0, len};
    struct sg_smime_signer signer = {alice.certificate, NULL, kit_sign, &alice};
    SG_AUTO_BUF sig;
    sg_buf_init(&sig, 0);
    SG_AUTO_BUF headers;
    sg_buf_init(&headers, 0);
    SG_AUTO_SPOOL sealed = kit_spool_new();
    struct sg_sink sink = sg_spool_sink(sealed);
    assert_true(sg_smime_sign(&entity, &signer, sg_clock_now(), &sig, &err));
    const struct sg_smime_recipient to = {.certificate = bob.certificate};
    assert_true(
        sg_smime_envelop(&entity, sg_buf_bytes(&sig), &to, 1, cipher, &headers, &sink, &err));

    SG_AUTO_SPOOL front = kit_spool_of(headers.data, headers.len);
    struct sg_header_block block;
    struct sg_smime_own_key own = {bob.certificate, &bob};
    struct sg_smime_options options = kit_options(&own, 1);
    assert_true(sg_header_read(arena, front, 0, UINT64_MAX, &options.headers, &block, &err));
    struct sg_smime_opened o;
    assert_true(sg_smime_open(arena, &block, sealed, 0, UINT64_MAX, &options, &o, &err));
    assert_int_equal(o.layer_count, 2);
    assert_int_equal(o.layers[1].result, SG_SMIME_OK);
    assert_int_equal(o.len, len);
    sg_smime_opened_free(&o);
    print_message("peak of %lu MB: %ld KiB\n", (unsigned long)(wanted / 1000000), kit_peak_kib());
    assert_true(kit_peak_kib() < PEAK_KIB);
    kit_key_free(&alice);
    kit_key_free(&bob);
}

static void test_cbc(void **state)
{
    (void)state;
    fifty_megabytes(SG_SMIME_AES256_CBC);
}

static void test_gcm(void **state)
{
    (void)state;
    fifty_megabytes(SG_SMIME_AES256_GCM);
}

int main(void)
{
    static const char *const names[] = {"alice", "bob"};
    kit_pki(names, 2);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cbc), cmocka_unit_test(test_gcm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
