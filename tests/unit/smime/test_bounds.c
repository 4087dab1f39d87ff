/*
 * What a hostile message may cost: private-key operations, verifications and time, whatever it is
 * made of. REQ-18 REQ-22
 */
#include "bombs.h"
#include "smime/der.h"
#include "smime/smime_internal.h"
#include "testkit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define HEAD(eol)                                                                                  \
    "Content-Type: application/pkcs7-mime" eol "Content-Transfer-Encoding: binary" eol eol

static struct kit_key bob;
static size_t operations;

static bool count_and_fail(void *ctx, void *key, const struct sg_smime_cek *cek,
                           struct sg_secret *cek_r, struct sg_error *err)
{
    (void)ctx, (void)key, (void)cek, (void)cek_r;
    operations++;
    return sg_fail(err, SG_E_CMS_DECRYPT, "the message could not be decrypted");
}

static void integer_add(struct sg_buf *out, uint8_t value)
{
    sg_der_tlv(out, SG_BER_INTEGER, sg_bytes_of(&value, 1));
}

/* KeyTransRecipientInfo that names bob. */
static void recipient_add(struct sg_buf *out)
{
    static const uint8_t encrypted[256] = {1};
    struct sg_error err;
    size_t start = out->len;
    integer_add(out, 0);
    assert_true(sg_smime_issuer_and_serial(out, bob.certificate, &err));
    sg_der_algorithm(out, sg_oid_rsa_encryption, sg_der_null);
    sg_der_tlv(out, SG_BER_OCTETS, sg_bytes_of(encrypted, 16));
    sg_der_wrap(out, start, SG_BER_SEQUENCE);
}

static void content_info_wrap(struct sg_buf *out, struct sg_bytes type)
{
    SG_AUTO_BUF head;
    sg_buf_init(&head, 0);
    sg_der_tlv(&head, SG_BER_OID, type);
    sg_der_wrap(out, 0, SG_BER_EXPLICIT(0));
    SG_AUTO_BUF whole;
    sg_buf_init(&whole, 0);
    sg_buf_add(&whole, head.data, head.len);
    sg_buf_add(&whole, out->data, out->len);
    sg_der_wrap(&whole, 0, SG_BER_SEQUENCE);
    sg_buf_clear(out);
    sg_buf_add(out, whole.data, whole.len);
}

/* The last layer's result. */
static enum sg_smime_result open_mail(const struct sg_spool *spool,
                                      const struct sg_smime_options *options)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_header_block block;
    struct sg_smime_opened o;
    struct sg_error err;
    assert_true(sg_header_read(arena, spool, 0, UINT64_MAX, &options->headers, &block, &err));
    assert_true(
        sg_smime_open(arena, &block, spool, block.body_offset, UINT64_MAX, options, &o, &err));
    enum sg_smime_result result = o.layers[o.layer_count - 1].result;
    sg_smime_opened_free(&o);
    return result;
}

/* Opens a CMS object as the body of a mail. */
static enum sg_smime_result open_object(const struct sg_buf *cms,
                                        const struct sg_smime_options *options)
{
    SG_AUTO_BUF mail;
    sg_buf_init(&mail, 0);
    sg_buf_adds(&mail, HEAD("\r\n"));
    sg_buf_add(&mail, cms->data, cms->len);
    SG_AUTO_SPOOL spool = kit_spool_of(mail.data, mail.len);
    return open_mail(spool, options);
}

/* Thousands of recipients that all are us: each would be a question for the HSM. */
static void test_many_of_us(void **state)
{
    (void)state;
    static const uint8_t zeros[16];
    struct sg_smime_own_key own = {bob.certificate, &bob};
    struct sg_smime_options options = kit_options(&own, 1);
    SG_AUTO_BUF cms;
    sg_buf_init(&cms, 0);
    integer_add(&cms, 0);
    size_t recipients = cms.len;
    for (int i = 0; i < 5000; i++)
        recipient_add(&cms);
    sg_der_wrap(&cms, recipients, SG_BER_SET);
    size_t content = cms.len;
    sg_der_tlv(&cms, SG_BER_OID, sg_oid_data);
    SG_AUTO_BUF iv;
    sg_buf_init(&iv, 0);
    sg_der_tlv(&iv, SG_BER_OCTETS, sg_bytes_of(zeros, sizeof zeros));
    sg_der_algorithm(&cms, sg_oid_aes256_cbc, sg_buf_bytes(&iv));
    sg_der_tlv(&cms, SG_BER_CONTEXT | 0, sg_bytes_of(zeros, sizeof zeros));
    sg_der_wrap(&cms, content, SG_BER_SEQUENCE);
    sg_der_wrap(&cms, 0, SG_BER_SEQUENCE);
    content_info_wrap(&cms, sg_oid_enveloped_data);
    options.decrypt_cek = count_and_fail;
    operations = 0;
    assert_int_equal(open_object(&cms, &options), SG_SMIME_UNDECRYPTABLE);
    assert_int_equal(operations, options.max_tries);
    options.max_tries = 1;
    operations = 0;
    assert_int_equal(open_object(&cms, &options), SG_SMIME_UNDECRYPTABLE);
    assert_int_equal(operations, 1);
}

/* Strings in pieces without end, and structures within each other: refused, and at once. */
static void test_pieces_and_depth(void **state)
{
    (void)state;
    struct sg_smime_options options = kit_options(NULL, 0);
    SG_AUTO_BUF cms;
    sg_buf_init(&cms, 0);
    int64_t started = sg_clock_monotonic_ms();
    for (int i = 0; i < 500000; i++) /* SEQUENCE of indefinite length in SEQUENCE … */
        sg_buf_add(&cms, "\x30\x80", 2);
    assert_int_equal(open_object(&cms, &options), SG_SMIME_MALFORMED);

    sg_buf_clear(&cms); /* SignedData whose content is half a million empty strings */
    integer_add(&cms, 1);
    sg_der_wrap(&cms, cms.len, SG_BER_SET);
    size_t content = cms.len;
    sg_der_tlv(&cms, SG_BER_OID, sg_oid_data);
    size_t octets = cms.len;
    for (int i = 0; i < 500000; i++)
        sg_buf_add(&cms, "\x04\x00", 2);
    sg_der_wrap(&cms, octets, SG_BER_OCTETS | SG_BER_CONSTRUCTED);
    sg_der_wrap(&cms, octets, SG_BER_EXPLICIT(0));
    sg_der_wrap(&cms, content, SG_BER_SEQUENCE);
    sg_der_wrap(&cms, cms.len, SG_BER_SET);
    sg_der_wrap(&cms, 0, SG_BER_SEQUENCE);
    content_info_wrap(&cms, sg_oid_signed_data);
    assert_int_equal(open_object(&cms, &options), SG_SMIME_MALFORMED); /* signed by nobody */
    assert_true(sg_clock_monotonic_ms() - started <
                20000); /* a sanitizer's time, on a busy machine */
}

/* SignedData that nobody signed, with these certificates. */
static enum sg_smime_result open_certificates(struct sg_bytes ders,
                                              const struct sg_smime_options *options)
{
    SG_AUTO_BUF cms;
    sg_buf_init(&cms, 0);
    integer_add(&cms, 1);
    sg_der_wrap(&cms, cms.len, SG_BER_SET);
    size_t content = cms.len;
    sg_der_tlv(&cms, SG_BER_OID, sg_oid_data);
    size_t octets = cms.len;
    sg_der_tlv(&cms, SG_BER_OCTETS, sg_bytes_str("x"));
    sg_der_wrap(&cms, octets, SG_BER_EXPLICIT(0));
    sg_der_wrap(&cms, content, SG_BER_SEQUENCE);
    sg_der_tlv(&cms, SG_BER_EXPLICIT(0), ders);
    sg_der_wrap(&cms, cms.len, SG_BER_SET);
    sg_der_wrap(&cms, 0, SG_BER_SEQUENCE);
    content_info_wrap(&cms, sg_oid_signed_data);
    return open_object(&cms, options);
}

/* A certificate of so many empty elements. */
static enum sg_smime_result open_elements(size_t count, const struct sg_smime_options *options)
{
    SG_AUTO_BUF der;
    sg_buf_init(&der, 0);
    for (size_t i = 1; i < count; i++)
        sg_buf_add(&der, "\x82\x00", 2);
    sg_der_wrap(&der, 0, SG_BER_SEQUENCE);
    return open_certificates(sg_buf_bytes(&der), options);
}

/* Certificates that OpenSSL would copy a name of nearly all of a mail for many times, or of a
 * fiftieth of it for each of fifty: they are passed over. */
static void test_relative_points(void **state)
{
    (void)state;
    static const struct {
        size_t issuer_octets, points, certificates;
    } mails[] = {{900000, 100, 1}, {18000, 60, 50}};
    const struct sg_smime_options options = kit_options(NULL, 0);
    long before = bomb_peak_kib();
    for (size_t i = 0; i < sizeof mails / sizeof *mails; i++) {
        SG_AUTO_BUF ders;
        sg_buf_init(&ders, 0);
        struct sg_bytes one = bomb_relative(mails[i].issuer_octets, mails[i].points);
        for (size_t n = 0; n < mails[i].certificates; n++)
            sg_buf_add(&ders, one.data, one.len);
        assert_int_equal(open_certificates(sg_buf_bytes(&ders), &options), SG_SMIME_MALFORMED);
        free((void *)one.data);
    }
    assert_true(bomb_peak_kib() - before < BOMB_GROWN_KIB);
}

/* Certificates of nothing but names: decoded they would take fifty times their size, and a mail
 * may have eight layers of them. */
static void test_elements(void **state)
{
    (void)state;
    struct sg_smime_options options = kit_options(NULL, 0);
    SG_AUTO_ARENA arena = sg_arena_new();
    static const size_t most[][3] = {{64, 256, 64 * 256}, {20, 300, 20 * 300}, {1, 100, 16 * 100}};
    for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
        struct sg_smime_options few = options;
        few.max_certificates = most[i][0];
        few.max_elements = most[i][1];
        assert_int_equal(open_elements(most[i][2], &few),
                         SG_SMIME_MALFORMED); /* signed by nobody */
        assert_int_equal(open_elements(most[i][2] + 1, &few), SG_SMIME_UNSUPPORTED);
    }
    static const struct {
        int names;
        enum sg_smime_result result;
    } certificates[] = {{2000, SG_SMIME_OK}, {20000, SG_SMIME_UNSUPPORTED}};
    for (size_t i = 0; i < sizeof certificates / sizeof *certificates; i++) {
        kit_run(
            "{ printf '[req]\\ndistinguished_name=dn\\n[dn]\\n[e]\\nsubjectAltName=@a\\n[a]\\n'; "
            "for i in $(seq %d); do echo DNS.$i=a; done; } >many.cnf",
            certificates[i].names);
        kit_run("openssl req -x509 -new -key bob.key -subj /CN=many -config many.cnf -extensions e "
                "-out many.pem");
        kit_run("{ printf '" HEAD(
            "\\r\\n") "'; printf '\\r\\nx\\r\\n' | openssl cms -sign -nodetach -binary "
                      "-outform DER -signer bob.pem -inkey bob.key -certfile many.pem; } "
                      ">many.mail");
        SG_AUTO_SPOOL spool = kit_spool_of_file(kit_path(arena, "many.mail"));
        assert_int_equal(open_mail(spool, &options), certificates[i].result);
    }
}

/* A key whose public exponent is as long as its modulus makes verifying as dear as signing, and a
 * mail may carry dozens of them. */
static void test_exponents(void **state)
{
    (void)state;
    static const struct {
        const char *exponent;
        enum sg_smime_result result;
    } keys[] = {
        {"3", SG_SMIME_OK},
        {"18446744073709551557", SG_SMIME_OK},          /* 64 bits */
        {"18446744073709551629", SG_SMIME_UNSUPPORTED}, /* 65 */
        {"115792089237316195423570985008687907853269984665640564039457584007913129639747",
         SG_SMIME_UNSUPPORTED},
    };
    struct sg_smime_options options = kit_options(NULL, 0);
    SG_AUTO_ARENA arena = sg_arena_new();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        kit_issue("long", sg_arena_printf(arena, "rsa:2048 -pkeyopt rsa_keygen_pubexp:%s",
                                          keys[i].exponent));
        kit_run("{ printf '" HEAD(
            "\\r\\n") "'; printf '\\r\\nx\\r\\n' | openssl cms -sign -nodetach "
                      "-binary -outform DER -signer long.pem -inkey long.key; } >long.mail");
        SG_AUTO_SPOOL spool = kit_spool_of_file(kit_path(arena, "long.mail"));
        assert_int_equal(open_mail(spool, &options), keys[i].result);
    }
}

int main(void)
{
    static const char *const names[] = {"bob"};
    SG_AUTO_ARENA arena = sg_arena_new();
    kit_pki(names, 1);
    bob = kit_key_load(kit_path(arena, "bob.pem"), kit_path(arena, "bob.key"));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_of_us),      cmocka_unit_test(test_pieces_and_depth),
        cmocka_unit_test(test_relative_points), cmocka_unit_test(test_elements),
        cmocka_unit_test(test_exponents),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kit_key_free(&bob);
    return failed;
}
