/* SMIMECapabilities of foreign software: gatewayd/smime/capabilities.c, common/capability.c. REQ-84
 */
#include "common/buf.h"
#include "smime/capabilities.h"
#include "smime/der.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <openssl/asn1.h>
#include <openssl/cms.h>
#include <openssl/objects.h>

#define B(s)                                                                                       \
    {                                                                                              \
        (const uint8_t *)(s), sizeof(s) - 1                                                        \
    }

/* What OpenSSL's own code makes of a list of names. */
static uint32_t of_openssl(const int *nids)
{
    STACK_OF(X509_ALGOR) *list = NULL;
    unsigned char *der = NULL;
    for (; *nids; nids++)
        assert_true(CMS_add_simple_smimecap(&list, *nids, -1));
    int len = i2d_X509_ALGORS(list, &der);
    assert_true(len > 0);
    uint32_t all = sg_smime_capabilities_parse(sg_bytes_of(der, (size_t)len));
    OPENSSL_free(der);
    sk_X509_ALGOR_pop_free(list, X509_ALGOR_free);
    return all;
}

static void test_names(void **state)
{
    (void)state;
    char text[SG_CAPABILITY_TEXT];
    for (unsigned i = 0; i < SG_CAPABILITY_COUNT; i++)
        assert_int_equal(sg_capability_bit(sg_capability_names[i]), 1U << i);
    assert_null(sg_capability_names[SG_CAPABILITY_COUNT]);
    assert_int_equal(sg_capability_bit("rot13"), 0);
    sg_capability_text(0, text);
    assert_string_equal(text, "none");
    sg_capability_text(SG_SMIME_CAN_3DES | SG_SMIME_CAN_AES256_GCM, text);
    assert_string_equal(text, "3des aes256-gcm");
    sg_capability_text(UINT32_MAX, text);
    assert_true(strlen(text) + 1 < sizeof text);
}

static void test_as_openssl_writes_them(void **state)
{
    (void)state;
    static const int all[] = {NID_aes_256_cbc,     NID_aes_192_cbc,
                              NID_aes_128_cbc,     NID_des_ede3_cbc,
                              NID_rc2_cbc,         NID_des_cbc,
                              NID_aes_256_gcm,     NID_aes_192_gcm,
                              NID_aes_128_gcm,     NID_rsassaPss,
                              NID_sha256,          NID_sha384,
                              NID_sha512,          NID_dhSinglePass_stdDH_sha256kdf_scheme,
                              NID_id_Gost28147_89, 0};
    static const int digests[] = {NID_sha256WithRSAEncryption, NID_ecdsa_with_SHA384, 0};
    static const int weak[] = {NID_rc2_cbc, NID_des_ede3_cbc, 0};
    static const int strange[] = {NID_id_Gost28147_89, 0};
    assert_int_equal(of_openssl(all), ((1 << SG_CAPABILITY_COUNT) - 1) & ~SG_SMIME_CAN_RSA_OAEP);
    assert_int_equal(of_openssl(digests), SG_SMIME_CAN_SHA256 | SG_SMIME_CAN_SHA384);
    assert_int_equal(of_openssl(weak), SG_SMIME_CAN_RC2 | SG_SMIME_CAN_3DES);
    assert_int_equal(of_openssl(strange), 0);
}

#define SHA1    "\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00"
#define SHA256  "\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00"
#define MGF1    "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08"
#define OAEP    "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x07"
#define MASK256 "\x30\x1a" MGF1 SHA256

/* OAEP is sent with SHA-256 alone: who says less cannot read it. */
static void test_oaep(void **state)
{
    (void)state;
    static const struct {
        struct sg_bytes parameters;
        uint32_t bit;
    } rows[] = {
        {B("\x30\x2f\xa0\x0f" SHA256 "\xa1\x1c" MASK256),
         SG_SMIME_CAN_RSA_OAEP},                               /* RFC 4055 §4.1 */
        {B("\x30\x2b" SHA256 MASK256), SG_SMIME_CAN_RSA_OAEP}, /* RFC 3560 §5, as it stands there */
        {B(""), 0},
        {B("\x30\x00"), 0},                /* all defaults: SHA-1 */
        {B("\x30\x11\xa0\x0f" SHA256), 0}, /* the mask with SHA-1 */
        {B("\x30\x2b\xa0\x0b" SHA1 "\xa1\x1c" MASK256), 0},
        {B("\x30\x2b\xa1\x1c" MASK256), 0},
        {B("\x05\x00"), 0},
        {B("\x30\x31\xa0\x0f" SHA256 "\xa1\x1c" MASK256 "\x05\x00"), 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        SG_AUTO_BUF der;
        sg_buf_init(&der, 0);
        sg_buf_add(&der, OAEP, sizeof OAEP - 1);
        sg_buf_add(&der, rows[i].parameters.data, rows[i].parameters.len);
        sg_der_wrap(&der, 0, 0x30);
        sg_der_wrap(&der, 0, 0x30);
        assert_int_equal(sg_smime_capabilities_parse(sg_buf_bytes(&der)), rows[i].bit);
    }
}

#define GCM256 "\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2e"

/* Nothing is learned from what is no DER: not even of the part that would be. */
static void test_malformed(void **state)
{
    (void)state;
    static const struct sg_bytes rows[] = {
        B(""),
        B("\x30"),
        B("\x30\x80"),
        B("\x30\x00"),
        B("\x31\x0d" GCM256),
        B("\x30\x81\x0d" GCM256),                                /* a length that is too long */
        B("\x30\x80" GCM256 "\x00\x00"),                         /* indefinite */
        B("\x30\x0e" GCM256),                                    /* cut off */
        B("\x30\x0d" GCM256 "\x00"),                             /* something behind it */
        B("\x30\x0f" GCM256 "\x05\x00"),                         /* an element that is none */
        B("\x30\x0f" GCM256 "\x30\x00"),                         /* one without a name */
        B("\x30\x11" GCM256 "\x30\x02\x06\x00"),                 /* an empty one */
        B("\x30\x15" GCM256 "\x30\x06\x1f\x81\x00\x02\x05\x00"), /* a tag of several octets */
        B("\x30\x84\x00\x00\x00\x0d" GCM256),
        B("\x30\xff" GCM256),
        B("\x30\x17\x30\x15\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2e\x05\x00\x05\x00\x05\x00\x05"
          "\x00"), /* parameters, and more */
    };
    const struct sg_bytes good = B("\x30\x0d" GCM256);
    assert_int_equal(sg_smime_capabilities_parse(good), SG_SMIME_CAN_AES256_GCM);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(sg_smime_capabilities_parse(rows[i]), 0);
}

static void test_bounded(void **state)
{
    (void)state;
    SG_AUTO_BUF der;
    sg_buf_init(&der, 0);
    while (der.len < SG_SMIME_CAPABILITIES_MAX - 20)
        sg_buf_add(&der, GCM256, sizeof GCM256 - 1);
    SG_AUTO_BUF more;
    sg_buf_init(&more, 0);
    sg_buf_add(&more, der.data, der.len);
    sg_der_wrap(&der, 0, 0x30);
    assert_true(der.len <= SG_SMIME_CAPABILITIES_MAX);
    assert_int_equal(sg_smime_capabilities_parse(sg_buf_bytes(&der)), SG_SMIME_CAN_AES256_GCM);
    for (int i = 0; i < 2; i++)
        sg_buf_add(&more, GCM256, sizeof GCM256 - 1);
    sg_der_wrap(&more, 0, 0x30);
    assert_int_equal(sg_smime_capabilities_parse(sg_buf_bytes(&more)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),   cmocka_unit_test(test_as_openssl_writes_them),
        cmocka_unit_test(test_oaep),    cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
