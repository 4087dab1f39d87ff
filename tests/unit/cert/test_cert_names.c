/* Names in certificates: what names a domain and what only looks as if it did (REQ-46 to 48). */
#include "cert/cert_internal.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define DCA "domain-confidentiality-authority"

static EVP_PKEY *key;

struct name {
    const char *data;
    size_t len;
};
#define NAME(text) ((struct name){text, sizeof(text) - 1})

/* san: an rfc822Name, email: a PKCS#9 emailAddress, cn: a common name; data NULL leaves one out. */
static X509 *make(struct name cn, struct name email, struct name san)
{
    X509 *x = X509_new();
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME *subject = X509_get_subject_name(x);
    if (cn.data)
        X509_NAME_add_entry_by_NID(subject, NID_commonName, V_ASN1_UTF8STRING,
                                   (const unsigned char *)cn.data, (int)cn.len, -1, 0);
    if (email.data)
        X509_NAME_add_entry_by_NID(subject, NID_pkcs9_emailAddress, V_ASN1_IA5STRING,
                                   (const unsigned char *)email.data, (int)email.len, -1, 0);
    if (san.data) {
        GENERAL_NAMES *names = GENERAL_NAMES_new();
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_IA5STRING *text = ASN1_IA5STRING_new();
        ASN1_STRING_set(text, san.data, (int)san.len);
        GENERAL_NAME_set0_value(name, GEN_EMAIL, text);
        sk_GENERAL_NAME_push(names, name);
        X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, 0);
        GENERAL_NAMES_free(names);
    }
    X509_set_issuer_name(x, subject);
    X509_set_pubkey(x, key);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    /* As it comes from the wire. */
    uint8_t *der = NULL;
    int len = i2d_X509(x, &der);
    X509_free(x);
    x = sg_x509_decode(sg_bytes_of(der, (size_t)len));
    OPENSSL_free(der);
    assert_non_null(x);
    return x;
}

static bool san_names(struct name san, const char *domain)
{
    X509 *x = make((struct name){0}, (struct name){0}, san);
    bool named = sg_cert_names_domain(x, domain);
    X509_free(x);
    return named;
}

static const char *authority_of(struct sg_arena *arena, struct name email, struct name san)
{
    X509 *x = make((struct name){0}, email, san);
    const char *domain = sg_cert_authority_of(arena, x);
    X509_free(x);
    return domain;
}

static void whose_authority_it_says_it_is(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    const struct name none = {0};
    assert_string_equal(
        authority_of(arena, none, NAME("Domain-Confidentiality-AUTHORITY@Agency.TEST")),
        "agency.test");
    assert_string_equal(authority_of(arena, NAME(DCA "@agency.test"), none), "agency.test");
    assert_null(authority_of(arena, NAME(DCA "@agency.test"), NAME("ann@agency.test")));
    assert_null(authority_of(arena, none, NAME("domain-signing-authority@agency.test")));
    assert_null(authority_of(arena, none, NAME(DCA "@agency\xff.test"))); /* PostgreSQL's text */
    assert_null(authority_of(arena, none, NAME(DCA "@agency.test\0")));
    assert_null(authority_of(arena, none, NAME(DCA "@agency test")));
    assert_null(authority_of(arena, none, none));
}

/* As many as fit into a certificate that is decoded at all, and more. */
static void many_names_take_no_time(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    X509 *x = X509_new();
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    for (int i = 0; i < 40000; i++) {
        char text[64];
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_IA5STRING *string = ASN1_IA5STRING_new();
        snprintf(text, sizeof text, i < 39999 ? "%x@a" : DCA "@a.test", i * 7919 % 40000);
        ASN1_STRING_set(string, text, -1);
        GENERAL_NAME_set0_value(name, GEN_EMAIL, string);
        sk_GENERAL_NAME_push(names, name);
    }
    X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, 0);
    GENERAL_NAMES_free(names);
    clock_t started = clock();
    assert_string_equal(sg_cert_authority_of(arena, x), "a.test");
    assert_true(clock() - started < CLOCKS_PER_SEC);
    X509_free(x);
}

static void domain_is_exact(void **state)
{
    (void)state;
    assert_true(san_names(NAME(DCA "@agency.test"), "agency.test"));
    assert_true(san_names(NAME(DCA "@AGENCY.Test"), "agency.test"));
    assert_true(san_names(NAME("joe@agency.test"), "Agency.test"));
    assert_false(san_names(NAME(DCA "@agency.test"), "sub.agency.test"));
    assert_false(san_names(NAME(DCA "@sub.agency.test"), "agency.test"));
    assert_false(san_names(NAME(DCA "@agency.test.evil.test"), "agency.test"));
    assert_false(san_names(NAME(DCA "@evilagency.test"), "agency.test"));
    assert_false(san_names(NAME("agency.test"), "agency.test"));
}

static void tricks_name_nothing(void **state)
{
    (void)state;
    assert_false(san_names(NAME(DCA "@agency.test\0.evil.test"), "agency.test"));
    assert_false(san_names(NAME(DCA "@evil.test\0@agency.test"), "agency.test"));
    assert_false(san_names(NAME("\0" DCA "@agency.test"), "agency.test"));
    assert_false(san_names(NAME(DCA "@agency.test\0"), "agency.test"));
    assert_false(san_names(NAME(DCA "@agency.test "), "agency.test"));
    assert_false(san_names(NAME(" " DCA "@agency.test"), "agency.test"));
    assert_false(san_names(NAME(DCA "@ agency.test"), "agency.test"));
    assert_false(san_names(NAME(DCA "@agency.test\n"), "agency.test"));
    assert_false(san_names(NAME("joe@evil.test," DCA "@agency.test"), "agency.test"));
    assert_false(san_names(NAME("\"joe@evil.test\"@agency.test"), "agency.test"));
    assert_false(san_names(NAME("@agency.test"), "agency.test"));
    assert_false(san_names(NAME(DCA "@agency..test"), "agency..test"));
    assert_false(san_names(NAME(DCA "@.agency.test"), ".agency.test"));
    assert_false(san_names(NAME(DCA "@"), ""));
    assert_false(san_names(NAME("j\xc3\xb6@agency.test"), "agency.test"));
    assert_false(san_names(NAME(DCA "@agency.test."), "agency.test"));
    assert_false(san_names(NAME(DCA "@agency.test."), "agency.test."));
    assert_false(san_names(NAME(DCA "@agency.test"), "agency.test."));
    assert_false(san_names(NAME(DCA "@agency.test\t"), "agency.test"));
    assert_false(san_names(NAME(DCA "@agency.test\x7f"), "agency.test"));
    assert_false(san_names(NAME(DCA "@agency\xe3\x80\x82test"), "agency.test")); /* U+3002 */
    assert_false(
        san_names(NAME(DCA "@\xef\xbd\x81gency.test"), "agency.test")); /* a full-width a */
}

/* Domains are compared as they stand in the DNS: A-labels, in any case (RFC 8398 is not asked for).
 */
static void internationalised_domains(void **state)
{
    (void)state;
    assert_true(san_names(NAME(DCA "@xn--mori-qsa.test"), "XN--Mori-QSA.test"));
    assert_false(san_names(NAME(DCA "@m\xc4\x81ori.test"), "xn--mori-qsa.test"));
    assert_false(san_names(NAME(DCA "@m\xc4\x81ori.test"), "m\xc4\x81ori.test"));
    assert_false(san_names(NAME(DCA "@maori.test"), "xn--mori-qsa.test"));
}

static void subject_address_counts(void **state)
{
    (void)state;
    X509 *x = make((struct name){0}, NAME("joe@agency.test"), (struct name){0});
    assert_true(sg_cert_names_domain(x, "agency.test"));
    X509_free(x);
    x = make((struct name){0}, NAME("joe@agency.test\0.evil.test"), (struct name){0});
    assert_false(sg_cert_names_domain(x, "agency.test"));
    X509_free(x);
    x = make(NAME("joe@agency.test"), (struct name){0}, (struct name){0});
    assert_false(sg_cert_names_domain(x, "agency.test"));
    X509_free(x);
}

static void rfc822_name_silences_the_subject(void **state)
{
    (void)state;
    X509 *x = make(NAME(DCA), NAME(DCA "@agency.test"), NAME(DCA "@evil.test"));
    assert_false(sg_cert_names_domain(x, "agency.test"));
    assert_true(sg_cert_names_domain(x, "evil.test"));
    X509_free(x);
    x = make(NAME(DCA), NAME(DCA "@agency.test"), NAME(" " DCA "@agency.test"));
    assert_false(sg_cert_names_domain(x, "agency.test"));
    X509_free(x);
}

static void authority_speaks_for_its_domain(void **state)
{
    (void)state;
    X509 *x = make(NAME(DCA), (struct name){0}, NAME(DCA "@agency.test"));
    assert_true(sg_cert_speaks_for(x, "Agency.test"));
    assert_false(sg_cert_speaks_for(x, "sub.agency.test"));
    X509_free(x);
    x = make(NAME("x"), (struct name){0}, NAME("domain-signing-authority@agency.test"));
    assert_true(sg_cert_speaks_for(x, "agency.test"));
    X509_free(x);
    x = make(NAME(DCA), (struct name){0}, NAME("joe@agency.test"));
    assert_true(sg_cert_names_domain(x, "agency.test"));
    assert_false(sg_cert_speaks_for(x, "agency.test"));
    X509_free(x);
}

/* How often a certificate's alternative names were read. */
static int readings;
void *__real_X509_get_ext_d2i(const X509 *x, int nid, int *critical, int *at);
void *__wrap_X509_get_ext_d2i(const X509 *x, int nid, int *critical, int *at);

void *__wrap_X509_get_ext_d2i(const X509 *x, int nid, int *critical, int *at)
{
    readings += nid == NID_subject_alt_name;
    return __real_X509_get_ext_d2i(x, nid, critical, at);
}

#define MANY 100

/* From has many mailboxes and the certificate many names: these are read once, not for each. */
static void authority_of_many_domains(void **state)
{
    (void)state;
    char text[MANY + 1][64];
    const char *domains[MANY + 1];
    X509 *x = make(NAME("x"), (struct name){0}, (struct name){0});
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    for (int i = 0; i <= MANY; i++) {
        snprintf(text[i], sizeof text[i], "domain-signing-authority@d%d.test", i);
        domains[i] = strchr(text[i], '@') + 1;
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_IA5STRING *address = ASN1_IA5STRING_new();
        ASN1_STRING_set(address, text[i], -1);
        GENERAL_NAME_set0_value(name, GEN_EMAIL, address);
        if (i < MANY)
            sk_GENERAL_NAME_push(names, name);
        else
            GENERAL_NAME_free(name);
    }
    X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, 0);
    GENERAL_NAMES_free(names);
    readings = 0;
    assert_true(sg_cert_speaks_for_all(x, domains, MANY));
    assert_int_equal(readings, 1);
    assert_false(sg_cert_speaks_for_all(x, domains, MANY + 1));
    assert_int_equal(readings, 2);
    const char *twice[] = {"d7.test", "D7.test", "d7.test"};
    assert_true(sg_cert_speaks_for_all(x, twice, 3));
    assert_false(sg_cert_speaks_for_all(x, domains + MANY, 1));
    assert_false(sg_cert_speaks_for_all(x, NULL, 0));
    X509_free(x);
}

static void broken_extension_names_nothing(void **state)
{
    (void)state;
    X509 *x = make((struct name){0}, NAME("joe@agency.test"), (struct name){0});
    ASN1_OCTET_STRING *garbage = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(garbage, (const unsigned char *)"\x30\x80\x01", 3);
    X509_EXTENSION *extension =
        X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, garbage);
    X509_add_ext(x, extension, -1);
    assert_false(sg_cert_names_domain(x, "agency.test"));
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(garbage);
    X509_free(x);
}

static bool authority(struct name cn, struct name san)
{
    X509 *x = make(cn, (struct name){0}, san);
    bool is = sg_cert_is_domain_authority(x);
    X509_free(x);
    return is;
}

static void authorities_are_known(void **state)
{
    (void)state;
    assert_true(authority(NAME(DCA), (struct name){0}));
    assert_true(authority(NAME("domain-signing-authority"), (struct name){0}));
    assert_true(authority(NAME("Agency"), NAME("Domain-Confidentiality-Authority@agency.test")));
    assert_true(authority(NAME("Agency"), NAME("domain-signing-authority@agency.test")));
    assert_false(authority(NAME("Agency"), NAME("joe@agency.test")));
    assert_false(authority(NAME(DCA "\0"), (struct name){0}));
    assert_false(authority(NAME(DCA "x"), (struct name){0}));
    assert_false(authority((struct name){0}, NAME(DCA "@agency.test\0")));
}

static void dca_of_a_domain(void **state)
{
    (void)state;
    X509 *x = make(NAME(DCA), (struct name){0}, NAME("joe@agency.test"));
    assert_false(sg_naming_is_dca_of(x, "agency.test"));
    X509_free(x);
    x = make(NAME("domain-signing-authority"), (struct name){0},
             NAME("domain-signing-authority@agency.test"));
    assert_false(sg_naming_is_dca_of(x, "agency.test"));
    X509_free(x);
    x = make(NAME(DCA), (struct name){0}, NAME(DCA "@agency.test"));
    assert_true(sg_naming_is_dca_of(x, "agency.test"));
    assert_false(sg_naming_is_dca_of(x, "other.test"));
    X509_free(x);
}

static void facts_show_the_address(void **state)
{
    (void)state;
    struct sg_arena *arena = sg_arena_new();
    struct sg_cert_facts facts;
    X509 *x = make(NAME("a\nb"), NAME("joe@agency.test"), NAME("jim@other.test"));
    sg_facts_fill(arena, x, "agency.test", &facts);
    assert_string_equal(facts.address, "jim@other.test"); /* the rfc822Name counts */
    assert_null(strchr(facts.subject, '\n'));
    assert_int_equal(strlen(facts.sha256), 64);
    sg_facts_fill(arena, x, NULL, &facts);
    assert_string_equal(facts.address, "jim@other.test");
    X509_free(x);
    x = make(NAME("a"), (struct name){0}, NAME("joe@agency.test\0x"));
    sg_facts_fill(arena, x, NULL, &facts);
    assert_null(facts.address);
    X509_free(x);
    sg_arena_free(&arena);
}

/* RFC 4515 section 3 */
static void filters_are_escaped(void **state)
{
    (void)state;
    SG_AUTO_BUF out;
    sg_buf_init(&out, 0);
    sg_ldap_escape(&out, sg_bytes_of("a*(b)\\\0\xc3-", 9));
    assert_string_equal((const char *)out.data, "a\\2a\\28b\\29\\5c\\00\\c3-");
}

static const struct sg_cert_facts fine = {SG_CERT_VALID, "fine", "CN=s", "CN=i", "0a",
                                          "01",          NULL,   false,  false};
static const struct sg_cert_facts by_root = {SG_CERT_VALID, "by a's root",   "CN=s", "CN=i", "0a",
                                             "01",          "x@agency.test", false,  true};

static void verdicts_have_their_time(void **state)
{
    (void)state;
    struct sg_arena *arena = sg_arena_new();
    struct sg_verdicts *verdicts = sg_verdicts_new(100, 60000);
    struct sg_verdict_key key_a = {{1}, SG_CERT_SIGN, "agency.test", ""};
    struct sg_verdict_key other = {{1}, SG_CERT_ENCRYPT, "agency.test", ""};
    struct sg_verdict_key elsewhere = {{1}, SG_CERT_SIGN, "other.test", ""};
    struct sg_cert_facts found;
    sg_verdicts_add(verdicts, &key_a, 0, 100, 200, &fine);
    assert_true(sg_verdicts_find(verdicts, &key_a, 150, arena, &found));
    assert_int_equal(found.status, SG_CERT_VALID);
    assert_string_equal(found.detail, "fine");
    assert_string_equal(found.subject, "CN=s");
    assert_string_equal(found.issuer, "CN=i");
    assert_string_equal(found.serial, "0a");
    assert_string_equal(found.sha256, "01");
    assert_null(found.address);
    assert_false(found.own_root);
    assert_false(sg_verdicts_find(verdicts, &key_a, 99, arena, &found));
    assert_false(sg_verdicts_find(verdicts, &key_a, 201, arena, &found));
    assert_false(sg_verdicts_find(verdicts, &other, 150, arena, &found));
    assert_false(sg_verdicts_find(verdicts, &elsewhere, 150, arena, &found));
    sg_verdicts_flush(verdicts);
    assert_false(sg_verdicts_find(verdicts, &key_a, 150, arena, &found));
    sg_verdicts_free(&verdicts);
    for (size_t room = 0; room < 2; room++) { /* no room, or no time: nothing lives on */
        verdicts = sg_verdicts_new(room, room ? 0 : 60000);
        sg_verdicts_add(verdicts, &key_a, 0, 100, 200, &fine);
        assert_false(sg_verdicts_find(verdicts, &key_a, 150, arena, &found));
        sg_verdicts_free(&verdicts);
    }
    sg_arena_free(&arena);
}

/* Who comes last pushes out what was not used for longest, and nothing else. */
static void verdicts_have_their_room(void **state)
{
    (void)state;
    struct sg_arena *arena = sg_arena_new();
    struct sg_verdicts *verdicts = sg_verdicts_new(4, 60000);
    struct sg_verdict_key keys[] = {{{1}, SG_CERT_SIGN, "agency.test", ""},
                                    {{2}, SG_CERT_SIGN, "agency.test", ""},
                                    {{3}, SG_CERT_SIGN, "agency.test", ""},
                                    {{4}, SG_CERT_SIGN, "agency.test", ""},
                                    {{5}, SG_CERT_SIGN, "agency.test", ""}};
    struct sg_cert_facts found;
    for (int i = 0; i < 4; i++)
        sg_verdicts_add(verdicts, &keys[i], 0, 100, 200, &fine);
    sg_verdicts_add(verdicts, &keys[3], 0, 100, 200, &fine); /* anew, in its own place */
    for (int i = 0; i < 4; i++)
        assert_true(sg_verdicts_find(verdicts, &keys[i], 150, arena, &found));
    assert_true(sg_verdicts_find(verdicts, &keys[0], 150, arena, &found));
    sg_verdicts_add(verdicts, &keys[4], 0, 100, 200, &fine);
    for (int i = 0; i < 5; i++)
        assert_int_equal(sg_verdicts_find(verdicts, &keys[i], 150, arena, &found), i != 1);
    sg_verdicts_free(&verdicts);
    sg_arena_free(&arena);
}

static void mark_of(uint32_t n, uint8_t mark[SG_SHA256])
{
    EVP_Digest(&n, sizeof n, mark, NULL, EVP_sha256(), NULL);
}

/* A partner's certificate is not stored again for each of his mails, however many partners there
 * are: of a quarter as many as there is room for hardly one is pushed out. */
static void harvested_is_remembered(void **state)
{
    (void)state;
    const uint32_t room = 32000, partners = room / 4;
    struct sg_memo *memo = sg_memo_new(room);
    uint8_t mark[SG_SHA256];
    uint32_t known = 0;
    bool good;
    for (uint32_t i = 0; i < partners; i++) {
        mark_of(i, mark);
        sg_memo_put(memo, mark, 0, i % 2);
    }
    for (uint32_t i = 0; i < partners; i++) {
        mark_of(i, mark);
        bool has = sg_memo_has(memo, mark, 6 * 3600 * SG_SECOND - 1, &good);
        known += has;
        assert_int_equal(good, has && i % 2);
        assert_false(sg_memo_has(memo, mark, 6 * 3600 * SG_SECOND, &good));
    }
    assert_true(known > partners / 100 * 99);
    sg_memo_flush(memo);
    assert_false(sg_memo_has(memo, mark, 0, &good));
    sg_memo_put(memo, mark, 0, true);
    assert_true(sg_memo_has(memo, mark, 0, &good) && good);
    sg_memo_free(&memo);
}

/* Room for none, and for four: the fifth pushes out what was not used for longest. */
static void harvested_has_its_room(void **state)
{
    (void)state;
    uint8_t marks[5][SG_SHA256];
    bool good;
    struct sg_memo *memo = sg_memo_new(0);
    mark_of(0, marks[0]);
    sg_memo_put(memo, marks[0], 0, true);
    assert_false(sg_memo_has(memo, marks[0], 0, &good));
    sg_memo_free(&memo);
    memo = sg_memo_new(4);
    for (uint32_t i = 0; i < 4; i++) {
        mark_of(i, marks[i]);
        sg_memo_put(memo, marks[i], 0, true);
    }
    sg_memo_put(memo, marks[2], 0, true); /* anew, in its own place */
    for (int i = 0; i < 4; i++)
        assert_true(sg_memo_has(memo, marks[i], 0, &good));
    assert_true(sg_memo_has(memo, marks[0], 0, &good));
    mark_of(4, marks[4]);
    sg_memo_put(memo, marks[4], 0, true);
    for (int i = 0; i < 5; i++)
        assert_int_equal(sg_memo_has(memo, marks[i], 0, &good), i != 1);
    sg_memo_free(&memo);
}

/* REQ-180: a root of one domain's own makes good for that domain alone. */
static void verdicts_are_of_who_relies_on_them(void **state)
{
    (void)state;
    struct sg_arena *arena = sg_arena_new();
    struct sg_verdicts *verdicts = sg_verdicts_new(100, 60000);
    struct sg_verdict_key all = {{1}, SG_CERT_SIGN, "agency.test", ""};
    struct sg_verdict_key a = {{1}, SG_CERT_SIGN, "agency.test", "dom_a"};
    struct sg_verdict_key b = {{1}, SG_CERT_SIGN, "agency.test", "dom_b"};
    struct sg_cert_facts found;
    sg_verdicts_add(verdicts, &a, 0, 100, 200, &by_root);
    assert_true(sg_verdicts_find(verdicts, &a, 150, arena, &found));
    assert_true(found.own_root);
    assert_string_equal(found.address, "x@agency.test");
    assert_false(sg_verdicts_find(verdicts, &b, 150, arena, &found));
    assert_false(sg_verdicts_find(verdicts, &all, 150, arena, &found));
    sg_verdicts_free(&verdicts);
    sg_arena_free(&arena);
}

/* What was begun with the roots from before a change is not kept after it. */
static void verdicts_begun_before_a_flush_are_dropped(void **state)
{
    (void)state;
    struct sg_arena *arena = sg_arena_new();
    struct sg_verdicts *verdicts = sg_verdicts_new(100, 60000);
    struct sg_verdict_key key_a = {{1}, SG_CERT_SIGN, "agency.test", ""};
    struct sg_cert_facts found;
    uint64_t begun = sg_verdicts_generation(verdicts);
    sg_verdicts_flush(verdicts);
    sg_verdicts_add(verdicts, &key_a, begun, 100, 200, &fine);
    assert_false(sg_verdicts_find(verdicts, &key_a, 150, arena, &found));
    sg_verdicts_add(verdicts, &key_a, sg_verdicts_generation(verdicts), 100, 200, &fine);
    assert_true(sg_verdicts_find(verdicts, &key_a, 150, arena, &found));
    sg_verdicts_free(&verdicts);
    sg_arena_free(&arena);
}

static void der_is_whole(void **state)
{
    (void)state;
    X509 *x = make(NAME("a"), (struct name){0}, (struct name){0});
    uint8_t *der = NULL;
    int len = i2d_X509(x, &der);
    uint8_t more[4096];
    memcpy(more, der, (size_t)len);
    more[len] = 0;
    X509 *again = sg_x509_decode(sg_bytes_of(more, (size_t)len));
    assert_non_null(again);
    X509_free(again);
    assert_null(sg_x509_decode(sg_bytes_of(more, (size_t)len + 1)));
    assert_null(sg_x509_decode(sg_bytes_of(more, (size_t)len - 1)));
    assert_null(sg_x509_decode(sg_bytes_of(NULL, 0)));
    OPENSSL_free(der);
    X509_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whose_authority_it_says_it_is),
        cmocka_unit_test(many_names_take_no_time),
        cmocka_unit_test(domain_is_exact),
        cmocka_unit_test(tricks_name_nothing),
        cmocka_unit_test(internationalised_domains),
        cmocka_unit_test(subject_address_counts),
        cmocka_unit_test(rfc822_name_silences_the_subject),
        cmocka_unit_test(authority_speaks_for_its_domain),
        cmocka_unit_test(authority_of_many_domains),
        cmocka_unit_test(broken_extension_names_nothing),
        cmocka_unit_test(authorities_are_known),
        cmocka_unit_test(dca_of_a_domain),
        cmocka_unit_test(facts_show_the_address),
        cmocka_unit_test(filters_are_escaped),
        cmocka_unit_test(verdicts_have_their_time),
        cmocka_unit_test(verdicts_have_their_room),
        cmocka_unit_test(harvested_is_remembered),
        cmocka_unit_test(harvested_has_its_room),
        cmocka_unit_test(verdicts_are_of_who_relies_on_them),
        cmocka_unit_test(verdicts_begun_before_a_flush_are_dropped),
        cmocka_unit_test(der_is_whole),
    };
    key = EVP_RSA_gen(2048);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    EVP_PKEY_free(key);
    return failed;
}
