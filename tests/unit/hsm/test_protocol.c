/* hsm/client/protocol.c: what is accepted, what is refused, and the limits. */
#include "hsmclient/protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct sg_id key_id, tenant_id, domain_id;
static uint8_t filler[SG_HSM_INPUT_MAX + 1];
static uint8_t frame[SG_HSM_FRAME_MAX + 4];
static size_t frame_len;

static struct sg_hsm_request request_of(enum sg_hsm_op op)
{
    struct sg_hsm_request q = {.op = op,
                               .class = SG_HSM_DCA,
                               .kind = SG_HSM_WRAPPED,
                               .id = sg_bytes_str(key_id.text),
                               .tenant = sg_bytes_str(tenant_id.text),
                               .domain = sg_bytes_str(domain_id.text),
                               .blob = sg_bytes_of(filler, 100)};
    switch (op) {
    case SG_HSM_OP_GENERATE:
        q.number = 2048;
        q.blob.len = 0;
        break;
    case SG_HSM_OP_SIGN:
        q.scheme = SG_HSM_PSS;
        q.digest = SG_HSM_SHA384;
        q.input = sg_bytes_of(filler, 48);
        break;
    case SG_HSM_OP_DECRYPT:
        q.scheme = SG_HSM_PKCS1;
        q.number = 32;
        q.input = sg_bytes_of(filler, 256);
        break;
    case SG_HSM_OP_CSR:
        q.input = sg_bytes_of(filler, SG_HSM_INPUT_MAX);
        break;
    case SG_HSM_OP_MAKE:
    case SG_HSM_OP_OPEN:
        q = (struct sg_hsm_request){
            .op = op, .class = SG_HSM_HOLD, .binding = sg_bytes_str("held mail")};
        if (op == SG_HSM_OP_OPEN)
            q.input = sg_bytes_of(filler, 80);
        break;
    case SG_HSM_OP_HEALTH:
        q = (struct sg_hsm_request){.op = op};
        break;
    default:
        break;
    }
    return q;
}

/* Encodes and decodes; the code of the error. */
static enum sg_error_code trip(const struct sg_hsm_request *q, struct sg_hsm_request *back)
{
    struct sg_error err = {0};
    struct sg_hsm_request other;
    if (!sg_hsm_request_encode(q, frame, &frame_len, &err))
        return err.code;
    if (!sg_hsm_request_decode(sg_bytes_of(frame + 4, frame_len - 4), back ? back : &other, &err))
        return err.code;
    return SG_OK;
}

static int setup(void **state)
{
    (void)state;
    key_id = sg_id_new("key");
    tenant_id = sg_id_new("ten");
    domain_id = sg_id_new("dom");
    memset(filler, 0xa5, sizeof filler);
    return 0;
}

static void every_operation_survives_the_trip(void **state)
{
    (void)state;
    for (unsigned op = SG_HSM_OP_HEALTH; op < SG_HSM_OPS; op++) {
        struct sg_hsm_request q = request_of((enum sg_hsm_op)op), back;
        assert_int_equal(trip(&q, &back), SG_OK);
        assert_int_equal(back.op, q.op);
        assert_int_equal(back.class, q.class);
        assert_int_equal(back.kind, q.kind);
        assert_int_equal(back.scheme, q.scheme);
        assert_int_equal(back.digest, q.digest);
        assert_int_equal(back.mask, q.mask);
        assert_int_equal(back.wrap, q.wrap);
        assert_int_equal(back.number, q.number);
        assert_true(sg_bytes_equal(back.id, q.id) && sg_bytes_equal(back.tenant, q.tenant));
        assert_true(sg_bytes_equal(back.domain, q.domain) && sg_bytes_equal(back.blob, q.blob));
        assert_true(sg_bytes_equal(back.binding, q.binding) && sg_bytes_equal(back.input, q.input));
    }
}

static void no_octet_may_be_missing_or_too_many(void **state)
{
    (void)state;
    struct sg_hsm_request q = request_of(SG_HSM_OP_SIGN), back;
    struct sg_error err;
    assert_int_equal(trip(&q, NULL), SG_OK);
    for (size_t len = 0; len < frame_len - 4; len++) {
        assert_false(sg_hsm_request_decode(sg_bytes_of(frame + 4, len), &back, &err));
        assert_int_equal(err.code, SG_E_HSM_PROTOCOL);
    }
    frame[frame_len] = 0;
    assert_false(sg_hsm_request_decode(sg_bytes_of(frame + 4, frame_len - 3), &back, &err));
    assert_int_equal(err.code, SG_E_HSM_PROTOCOL);
    frame[4] = SG_HSM_VERSION + 1;
    assert_false(sg_hsm_request_decode(sg_bytes_of(frame + 4, frame_len - 4), &back, &err));
    assert_int_equal(err.code, SG_E_HSM_PROTOCOL);
}

static void limits_hold_on_both_sides(void **state)
{
    (void)state;
    struct sg_hsm_request q = request_of(SG_HSM_OP_CSR);
    q.input.len = SG_HSM_INPUT_MAX + 1;
    assert_int_equal(trip(&q, NULL), SG_E_USAGE);
    q = request_of(SG_HSM_OP_SIGN);
    q.blob = sg_bytes_of(filler, SG_HSM_BLOB_MAX);
    assert_int_equal(trip(&q, NULL), SG_OK);
    q.blob.len++;
    assert_int_equal(trip(&q, NULL), SG_E_USAGE);
    q = request_of(SG_HSM_OP_MAKE);
    q.binding = sg_bytes_of(filler, SG_HSM_BINDING_MAX);
    assert_int_equal(trip(&q, NULL), SG_OK);
    q.binding.len++;
    assert_int_equal(trip(&q, NULL), SG_E_USAGE);
    /* The largest of each is still a frame. */
    q = request_of(SG_HSM_OP_CSR);
    q.blob = sg_bytes_of(filler, SG_HSM_BLOB_MAX);
    assert_int_equal(trip(&q, NULL), SG_OK);
    /* A length that points beyond the frame. */
    struct sg_error err;
    struct sg_hsm_request back;
    frame[4 + 10] = 0xff;
    assert_false(sg_hsm_request_decode(sg_bytes_of(frame + 4, frame_len - 4), &back, &err));
    assert_int_equal(err.code, SG_E_HSM_PROTOCOL);
}

static void fields_must_fit_the_operation(void **state)
{
    (void)state;
    struct sg_hsm_request good, q;
#define REFUSED(operation, change)                                                                 \
    do {                                                                                           \
        good = request_of(operation);                                                              \
        assert_int_equal(trip(&good, NULL), SG_OK);                                                \
        q = good;                                                                                  \
        change;                                                                                    \
        assert_int_equal(trip(&q, NULL), SG_E_USAGE);                                              \
    } while (0)
    REFUSED(SG_HSM_OP_GENERATE, q.number = 1024);
    REFUSED(SG_HSM_OP_GENERATE, q.number = 2047);
    REFUSED(SG_HSM_OP_GENERATE, q.number = 8192);
    REFUSED(SG_HSM_OP_GENERATE, q.blob = sg_bytes_of(filler, 1));
    REFUSED(SG_HSM_OP_GENERATE, q.class = SG_HSM_HOLD);
    REFUSED(SG_HSM_OP_SIGN, q.digest = SG_HSM_SHA512); /* another length than the input's */
    REFUSED(SG_HSM_OP_SIGN, q.digest = (enum sg_hsm_digest)9);
    REFUSED(SG_HSM_OP_SIGN, q.scheme = (enum sg_hsm_scheme)0);
    REFUSED(SG_HSM_OP_SIGN, q.class = SG_HSM_ARCHIVE);
    REFUSED(SG_HSM_OP_SIGN, q.kind = (enum sg_hsm_kind)7);
    REFUSED(SG_HSM_OP_SIGN, q.blob.len = 0);
    REFUSED(SG_HSM_OP_SIGN, q.kind = SG_HSM_TOKEN); /* with a blob */
    REFUSED(SG_HSM_OP_SIGN, q.id = sg_bytes_str("key_x"));
    REFUSED(SG_HSM_OP_SIGN, q.id = sg_bytes_of(NULL, 0));
    REFUSED(SG_HSM_OP_SIGN, q.tenant = sg_bytes_str("a/b"));
    REFUSED(SG_HSM_OP_SIGN, q.binding = sg_bytes_str("x"));
    REFUSED(SG_HSM_OP_DECRYPT, q.number = 0);
    REFUSED(SG_HSM_OP_DECRYPT, q.number = SG_HSM_CEK_MAX + 1);
    REFUSED(SG_HSM_OP_DECRYPT, q.class = SG_HSM_EVIDENCE);
    REFUSED(SG_HSM_OP_DECRYPT, q.input.len = 0);
    REFUSED(SG_HSM_OP_DECRYPT, q.digest = SG_HSM_SHA1);
    REFUSED(SG_HSM_OP_MAKE, q.class = SG_HSM_DCA);
    REFUSED(SG_HSM_OP_MAKE, q.id = sg_bytes_str(key_id.text));
    REFUSED(SG_HSM_OP_MAKE, q.input = sg_bytes_of(filler, 1));
    REFUSED(SG_HSM_OP_HEALTH, q.class = SG_HSM_DCA);
    q = request_of(SG_HSM_OP_HEALTH);
    q.op = (enum sg_hsm_op)SG_HSM_OPS;
    assert_int_equal(trip(&q, NULL), SG_E_HSM_PROTOCOL);
    q = request_of(SG_HSM_OP_MAKE);
    q.binding = sg_bytes_of("a\0b", 3);
    assert_int_equal(trip(&q, NULL), SG_E_HSM_PROTOCOL);
}

/* A private key is tried with nothing but what stands on the list. */
static void schemes_must_be_on_the_list(void **state)
{
    (void)state;
    struct sg_hsm_request good, q;
    static uint8_t input[SG_HSM_AGREEMENT_MAX];
    const struct sg_hsm_agreement agreement = {sg_bytes_of(filler, SG_HSM_POINT_MAX),
                                               sg_bytes_of(filler, SG_HSM_INFO_MAX),
                                               sg_bytes_of(filler, SG_HSM_WRAPPED_MAX)};
    struct sg_hsm_request oaep = request_of(SG_HSM_OP_DECRYPT), ecdh = oaep;
    oaep.scheme = SG_HSM_OAEP;
    oaep.digest = SG_HSM_SHA1;
    oaep.mask = SG_HSM_SHA512;
    ecdh.scheme = SG_HSM_ECDH;
    ecdh.digest = SG_HSM_SHA384;
    ecdh.wrap = SG_HSM_3DES_WRAP;
    ecdh.input = sg_bytes_of(input, sg_hsm_agreement_encode(&agreement, input));
    assert_int_equal(ecdh.input.len, SG_HSM_AGREEMENT_MAX);
#define REFUSED_OF(request, change)                                                                \
    do {                                                                                           \
        good = q = request;                                                                        \
        assert_int_equal(trip(&good, NULL), SG_OK);                                                \
        change;                                                                                    \
        assert_int_equal(trip(&q, NULL), SG_E_USAGE);                                              \
    } while (0)
    REFUSED(SG_HSM_OP_DECRYPT, q.scheme = SG_HSM_PSS);
    REFUSED(SG_HSM_OP_DECRYPT, q.scheme = SG_HSM_ECDSA);
    REFUSED(SG_HSM_OP_DECRYPT, q.scheme = (enum sg_hsm_scheme)0);
    REFUSED(SG_HSM_OP_DECRYPT, q.mask = SG_HSM_SHA1);
    REFUSED(SG_HSM_OP_DECRYPT, q.wrap = SG_HSM_AES128_WRAP);
    REFUSED_OF(oaep, q.digest = (enum sg_hsm_digest)5);
    REFUSED_OF(oaep, q.digest = (enum sg_hsm_digest)0);
    REFUSED_OF(oaep, q.mask = (enum sg_hsm_digest)0);
    REFUSED_OF(oaep, q.wrap = SG_HSM_AES128_WRAP);
    REFUSED_OF(ecdh, q.digest = SG_HSM_SHA512);
    REFUSED_OF(ecdh, q.digest = (enum sg_hsm_digest)0);
    REFUSED_OF(ecdh, q.mask = SG_HSM_SHA1);
    REFUSED_OF(ecdh, q.wrap = (enum sg_hsm_wrap)0);
    REFUSED_OF(ecdh, q.wrap = (enum sg_hsm_wrap)5);
    REFUSED_OF(ecdh, q.class = SG_HSM_ARCHIVE);
    REFUSED_OF(ecdh, q.input.len--);
    REFUSED_OF(ecdh, q.input.len = 7);
    REFUSED(SG_HSM_OP_SIGN, q.scheme = SG_HSM_OAEP);
    REFUSED(SG_HSM_OP_SIGN, q.scheme = SG_HSM_ECDH);
    REFUSED(SG_HSM_OP_SIGN, q.mask = SG_HSM_SHA1);
    good = request_of(SG_HSM_OP_SIGN);
    good.scheme = SG_HSM_ECDSA;
    REFUSED_OF(good, (q.digest = SG_HSM_SHA1, q.input.len = 20));
    REFUSED(SG_HSM_OP_PUBLIC, q.scheme = SG_HSM_PKCS1);
    REFUSED(SG_HSM_OP_GENERATE, (q.class = SG_HSM_ARCHIVE, q.number = 256));
    good = request_of(SG_HSM_OP_GENERATE);
    good.number = 384;
    REFUSED_OF(good, q.number = 521);
}

static void agreements_survive_the_trip(void **state)
{
    (void)state;
    static uint8_t input[SG_HSM_AGREEMENT_MAX];
    struct sg_hsm_agreement agreement = {sg_bytes_of(filler, 65), sg_bytes_of(filler + 1, 30),
                                         sg_bytes_of(filler, 40)},
                            back;
    size_t len = sg_hsm_agreement_encode(&agreement, input);
    assert_true(sg_hsm_agreement_decode(sg_bytes_of(input, len), &back));
    assert_true(sg_bytes_equal(back.point, agreement.point));
    assert_true(sg_bytes_equal(back.info, agreement.info));
    assert_true(sg_bytes_equal(back.wrapped, agreement.wrapped));
    for (size_t n = 0; n < len; n++)
        assert_false(sg_hsm_agreement_decode(sg_bytes_of(input, n), &back));
    agreement.point.len = SG_HSM_POINT_MAX + 1;
    assert_int_equal(sg_hsm_agreement_encode(&agreement, input), 0);
    agreement.point.len = 65;
    agreement.wrapped.len = sizeof filler;
    assert_int_equal(sg_hsm_agreement_encode(&agreement, input), 0);
}

static void replies_survive_the_trip(void **state)
{
    (void)state;
    struct sg_error err = {0};
    struct sg_hsm_reply reply = {.first = sg_bytes_of(filler, 300),
                                 .second = sg_bytes_of(filler, 5)},
                        back;
    assert_true(sg_hsm_reply_encode(&reply, frame, &frame_len, &err));
    assert_true(sg_hsm_reply_decode(sg_bytes_of(frame + 4, frame_len - 4), &back, &err));
    assert_int_equal(back.error.code, SG_OK);
    assert_true(sg_bytes_equal(back.first, reply.first));
    assert_true(sg_bytes_equal(back.second, reply.second));

    sg_fail_pkcs11(&reply.error, SG_E_HSM_OPERATION, 0x80000001UL, "no\nluck");
    assert_true(sg_hsm_reply_encode(&reply, frame, &frame_len, &err));
    assert_true(sg_hsm_reply_decode(sg_bytes_of(frame + 4, frame_len - 4), &back, &err));
    assert_int_equal(back.error.code, SG_E_HSM_OPERATION);
    assert_int_equal(back.error.lib, SG_LIB_PKCS11);
    assert_int_equal(back.error.lib_code, 0x80000001L);
    assert_string_equal(back.error.detail, "no?luck: CK_RV 0x80000001");
    assert_int_equal(back.second.len, 0);
    for (size_t len = 0; len < frame_len - 4; len++)
        assert_false(sg_hsm_reply_decode(sg_bytes_of(frame + 4, len), &back, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation_survives_the_trip),
        cmocka_unit_test(no_octet_may_be_missing_or_too_many),
        cmocka_unit_test(limits_hold_on_both_sides),
        cmocka_unit_test(fields_must_fit_the_operation),
        cmocka_unit_test(schemes_must_be_on_the_list),
        cmocka_unit_test(agreements_survive_the_trip),
        cmocka_unit_test(replies_survive_the_trip),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
