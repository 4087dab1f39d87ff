/* x509.h: the same object for the same octets, another for others; bounds; many threads at once. */
#include "bombs.h"
#include "x509/x509.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define MANY 60

static struct sg_bytes ders[MANY];

/* Made here: the code under test only reads them. */
static int setup(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    for (int i = 0; i < MANY; i++) {
        X509 *x = X509_new();
        ASN1_INTEGER_set(X509_get_serialNumber(x), i + 1);
        X509_gmtime_adj(X509_getm_notBefore(x), 0);
        X509_gmtime_adj(X509_getm_notAfter(x), 3600);
        X509_set_pubkey(x, key);
        X509_sign(x, key, EVP_sha256());
        unsigned char *der = NULL;
        int n = i2d_X509(x, &der);
        ders[i] = sg_bytes_of(der, (size_t)n);
        X509_free(x);
    }
    EVP_PKEY_free(key);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sg_x509_keep(0);
    for (int i = 0; i < MANY; i++)
        OPENSSL_free((void *)ders[i].data);
    return 0;
}

static X509 *remembered(struct sg_bytes der)
{
    X509 *x = sg_x509_decode(der);
    if (x)
        sg_x509_remember(x);
    return x;
}

static void one_object_for_the_same_octets(void **state)
{
    (void)state;
    sg_x509_keep(100);
    X509 *a = remembered(ders[0]), *b = sg_x509_decode(ders[0]), *c = sg_x509_decode(ders[1]);
    assert_non_null(a);
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c);
    assert_int_equal(ASN1_INTEGER_get(X509_get0_serialNumber(a)), 1);
    assert_int_equal(ASN1_INTEGER_get(X509_get0_serialNumber(c)), 2);
    X509_free(a);
    sg_x509_keep(100); /* emptied: who has one, keeps it */
    X509 *d = sg_x509_decode(ders[0]);
    assert_ptr_not_equal(d, b);
    assert_int_equal(ASN1_INTEGER_get(X509_get0_serialNumber(b)), 1);
    sg_x509_remember(b); /* again, by who still has it */
    X509 *e = sg_x509_decode(ders[0]);
    assert_ptr_equal(e, b);
    X509_free(b);
    X509_free(c);
    X509_free(d);
    X509_free(e);
}

/* What anybody may send takes no memory, and no place of what is in use. */
static void only_what_is_to_be_remembered(void **state)
{
    (void)state;
    sg_x509_keep(4);
    X509 *mine = remembered(ders[0]);
    for (int i = 1; i < MANY; i++) {
        X509 *x = sg_x509_decode(ders[i]), *again = sg_x509_decode(ders[i]);
        assert_ptr_not_equal(x, again);
        X509_free(x);
        X509_free(again);
    }
    X509 *x = sg_x509_decode(ders[0]);
    assert_ptr_equal(x, mine);
    X509_free(x);
    X509_free(mine);
}

/* A certificate of so many octets in all, by an extension that nobody knows. */
static struct sg_bytes large(size_t octets)
{
    const unsigned char *p = ders[0].data;
    X509 *x = d2i_X509(NULL, &p, (long)ders[0].len);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    unsigned char *der = NULL;
    int n = 0;
    for (size_t filler = octets - ders[0].len - 200; n != (int)octets;
         filler += octets - (size_t)n) {
        ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
        ASN1_STRING_set(value, NULL, (int)filler);
        memset((unsigned char *)ASN1_STRING_get0_data(value), 'x', filler);
        ASN1_OBJECT *type = OBJ_txt2obj("1.2.3.4", 1);
        X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, type, 0, value);
        X509_EXTENSION_free(X509_delete_ext(x, 0));
        X509_add_ext(x, extension, 0);
        while (X509_sign(x, key, EVP_sha256()) != 71) /* of ECDSA's lengths the most frequent */
            ;
        OPENSSL_free(der);
        der = NULL;
        n = i2d_X509(x, &der);
        X509_EXTENSION_free(extension);
        ASN1_OBJECT_free(type);
        ASN1_OCTET_STRING_free(value);
    }
    EVP_PKEY_free(key);
    X509_free(x);
    return sg_bytes_of(der, octets);
}

static void no_longer_than_an_authority_makes_one(void **state)
{
    (void)state;
    sg_x509_keep(100);
    for (size_t octets = 16384; octets <= 16385; octets++) {
        struct sg_bytes der = large(octets);
        X509 *x = remembered(der), *again = remembered(der);
        assert_non_null(x);
        assert_int_equal(x == again, octets == 16384);
        X509_free(x);
        X509_free(again);
        OPENSSL_free((void *)der.data);
    }
}

static bool is_decoded(size_t issuer_octets, size_t points)
{
    struct sg_bytes der = bomb_relative(issuer_octets, points);
    X509 *x = sg_x509_decode(der);
    bool is = x != NULL;
    X509_free(x);
    free((void *)der.data);
    return is;
}

/* For each point that is named relative to the issuer OpenSSL would copy the issuer's name: of the
 * last of these 481 MiB, in 4 s. */
static void names_are_not_copied_without_end(void **state)
{
    (void)state;
    static const struct {
        size_t issuer_octets, points;
        bool decoded;
    } certificates[] = {{10, 1, true},       {60000, 2, true},    {10, 3, false},
                        {940000, 20, false}, {40000, 500, false}, {40000, 4000, false}};
    long before = bomb_peak_kib();
    clock_t started = clock();
    for (size_t i = 0; i < sizeof certificates / sizeof *certificates; i++)
        assert_int_equal(is_decoded(certificates[i].issuer_octets, certificates[i].points),
                         certificates[i].decoded);
    assert_true(bomb_peak_kib() - before < BOMB_GROWN_KIB);
    assert_true(clock() - started < CLOCKS_PER_SEC);
}

static void no_larger_than_any_authority_makes_one(void **state)
{
    (void)state;
    struct sg_bytes der = bomb_relative(10, 0);
    size_t around = der.len - 10;
    free((void *)der.data);
    assert_true(is_decoded(65536 - around, 0));
    assert_false(is_decoded(65536 - around + 1, 0));
}

/* Of a P-256 key whose curve is told so, and whose algorithm is called so. */
static bool is_decoded_with_curve(int encoding, int algorithm)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
    assert_true(EVP_PKEY_keygen_init(ctx) == 1 &&
                EVP_PKEY_CTX_set_ec_paramgen_curve_nid(ctx, NID_X9_62_prime256v1) == 1 &&
                EVP_PKEY_CTX_set_ec_param_enc(ctx, encoding) == 1 &&
                EVP_PKEY_keygen(ctx, &key) == 1);
    X509 *made = X509_new();
    X509_ALGOR *algor = NULL;
    ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
    X509_gmtime_adj(X509_getm_notBefore(made), 0);
    X509_gmtime_adj(X509_getm_notAfter(made), 3600);
    assert_true(X509_set_version(made, X509_VERSION_3) == 1 && X509_set_pubkey(made, key) == 1 &&
                X509_PUBKEY_get0_param(NULL, NULL, NULL, &algor, X509_get_X509_PUBKEY(made)) == 1);
    algor->algorithm = OBJ_nid2obj(algorithm);
    assert_true(X509_sign(made, key, EVP_sha256()) > 0);
    unsigned char *der = NULL;
    int len = i2d_X509(made, &der);
    X509 *x = sg_x509_decode(sg_bytes_of(der, (size_t)len));
    bool is = x != NULL;
    X509_free(x);
    X509_free(made);
    OPENSSL_free(der);
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(ctx);
    return is;
}

/* With a prime of its own, 661 bits long, such a certificate of 665 octets took 0.15 s to decode.
 */
static void a_curve_of_its_own_is_not_looked_at(void **state)
{
    (void)state;
    static const int algorithms[] = {NID_X9_62_id_ecPublicKey, NID_sm2};
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
        assert_true(is_decoded_with_curve(OPENSSL_EC_NAMED_CURVE, algorithms[i]));
        assert_false(is_decoded_with_curve(OPENSSL_EC_EXPLICIT_CURVE, algorithms[i]));
    }
}

static void digests_are_of_the_octets(void **state)
{
    (void)state;
    uint8_t expected[32], got[32];
    for (int kept = 0; kept < 2; kept++) {
        sg_x509_keep(kept ? 100 : 0);
        for (int i = 0; i < 2; i++) {
            X509 *x = sg_x509_decode(ders[i]), *copy = X509_dup(x);
            EVP_Digest(ders[i].data, ders[i].len, expected, NULL, EVP_sha256(), NULL);
            sg_x509_sha256(x, got);
            assert_memory_equal(got, expected, sizeof got);
            X509_free(x);
            sg_x509_sha256(copy, got);
            assert_memory_equal(got, expected, sizeof got);
            X509_free(copy);
        }
    }
}

static void what_is_no_certificate(void **state)
{
    (void)state;
    uint8_t longer[2000];
    assert_true(ders[0].len < sizeof longer);
    memcpy(longer, ders[0].data, ders[0].len);
    longer[ders[0].len] = 0;
    for (int again = 0; again < 2; again++) {
        assert_null(sg_x509_decode(sg_bytes_of("", 0)));
        assert_null(sg_x509_decode(sg_bytes_of("0", 1)));
        assert_null(sg_x509_decode(sg_bytes_of(longer, ders[0].len + 1)));
        assert_null(sg_x509_decode(sg_bytes_of(longer, ders[0].len - 1)));
    }
    longer[ders[0].len - 1] ^= 1; /* another signature is another certificate */
    X509 *a = sg_x509_decode(ders[0]), *b = sg_x509_decode(sg_bytes_of(longer, ders[0].len));
    assert_ptr_not_equal(a, b);
    X509_free(a);
    X509_free(b);
}

/* How many are still the same when all were asked for. */
static int same_again(size_t room)
{
    X509 *first[MANY];
    int same = 0;
    sg_x509_keep(room);
    for (int i = 0; i < MANY; i++)
        first[i] = remembered(ders[i]);
    for (int i = MANY - 1; i >= 0; i--) {
        X509 *x = sg_x509_decode(ders[i]);
        assert_non_null(x);
        same += x == first[i];
        X509_free(x);
    }
    for (int i = 0; i < MANY; i++)
        X509_free(first[i]);
    return same;
}

static void no_more_than_the_room(void **state)
{
    (void)state;
    assert_int_equal(same_again(0), 0);
    assert_int_equal(same_again(4), 4); /* the four that came last */
    assert_true(same_again(16) <= 16);
    assert_true(same_again(4000) > MANY / 2);
}

static void *decode_all(void *arg)
{
    (void)arg;
    for (int round = 0; round < 200; round++)
        for (int i = 0; i < MANY; i++) {
            X509 *x = remembered(ders[i]);
            if (!x || ASN1_INTEGER_get(X509_get0_serialNumber(x)) != i + 1 || !X509_get0_pubkey(x))
                abort();
            X509_free(x);
        }
    return NULL;
}

static void many_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    sg_x509_keep(20); /* some are always pushed out */
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, decode_all, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_object_for_the_same_octets),
        cmocka_unit_test(only_what_is_to_be_remembered),
        cmocka_unit_test(no_longer_than_an_authority_makes_one),
        cmocka_unit_test(names_are_not_copied_without_end),
        cmocka_unit_test(no_larger_than_any_authority_makes_one),
        cmocka_unit_test(a_curve_of_its_own_is_not_looked_at),
        cmocka_unit_test(digests_are_of_the_octets),
        cmocka_unit_test(what_is_no_certificate),
        cmocka_unit_test(no_more_than_the_room),
        cmocka_unit_test(many_threads),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
