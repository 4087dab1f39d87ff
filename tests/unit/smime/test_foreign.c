/*
 * What others make: every shape that the openssl command can give a message, opened by
 * gatewayd/smime/. REQ-17 REQ-18 REQ-22 REQ-24 REQ-25 REQ-81
 */
#include "testkit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static struct kit_key alice, bob, carol, dave; /* of RSA, of P-256 and of P-384 */

/* Opens the file "mail" in the test's directory with the keys of bob, carol and dave. */
static void open_mail(struct sg_arena *arena, struct sg_spool **spool, struct sg_smime_opened *o)
{
    static struct sg_smime_own_key own[3];
    struct sg_header_block block;
    struct sg_error err;
    own[0] = (struct sg_smime_own_key){bob.certificate, &bob};
    own[1] = (struct sg_smime_own_key){carol.certificate, &carol};
    own[2] = (struct sg_smime_own_key){dave.certificate, &dave};
    struct sg_smime_options options = kit_options(own, 3);
    *spool = kit_spool_of_file(kit_path(arena, "mail"));
    assert_true(sg_header_read(arena, *spool, 0, UINT64_MAX, &options.headers, &block, &err));
    assert_true(
        sg_smime_open(arena, &block, *spool, block.body_offset, UINT64_MAX, &options, o, &err));
}

/* Expectation of the layers in letters, from the outside in: E, S, C or O and a result. */
static const char *shape(struct sg_arena *arena, const struct sg_smime_opened *o)
{
    static const char *const results[] = {"ok",    "altered", "notus", "undec",
                                          "unsup", "malf",    "nocert"};
    const char *all = "";
    for (size_t i = 0; i < o->layer_count; i++)
        all = sg_arena_printf(arena, "%s%s%c:%s", all, i ? " " : "", "ESCO"[o->layers[i].kind],
                              results[o->layers[i].result]);
    return all;
}

/* Runs openssl to make "mail" out of "entity"; checks the shape and, where something was opened,
 * the content. */
static void check(const char *command, const char *expected)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_smime_opened o;
    struct sg_spool *spool;
    kit_run("%s", command);
    open_mail(arena, &spool, &o);
    const char *got = shape(arena, &o);
    if (strcmp(got, expected) != 0)
        fail_msg("%s\n    gives %s (%s), not %s", command, got, o.layers[o.layer_count - 1].detail,
                 expected);
    const struct sg_smime_layer *last = &o.layers[o.layer_count - 1];
    bool whole = last->result == SG_SMIME_OK && last->kind != SG_SMIME_CERTIFICATES;
    if (whole) {
        uint8_t body[64];
        size_t n;
        struct sg_error err;
        assert_int_equal(o.len, 14);
        assert_true(sg_spool_read(o.body, o.offset, body, sizeof body, &n, &err));
        assert_memory_equal(body, "hello\r\nworld\r\n", 14);
        assert_int_equal(sg_header_count(&o.headers, "Content-Type"), 1);
    }
    sg_smime_opened_free(&o);
    sg_spool_free(&spool);
}

#define ENCRYPT "openssl cms -encrypt -binary -in entity -out mail "
#define SIGN    "openssl cms -sign -binary -in entity -out mail -signer alice.pem -inkey alice.key "

static void test_enveloped(void **state)
{
    (void)state;
    check(ENCRYPT "-aes-128-cbc bob.pem", "E:ok");
    check(ENCRYPT "-aes-192-cbc bob.pem", "E:ok");
    check(ENCRYPT "-aes-256-cbc bob.pem", "E:ok");
    check(ENCRYPT "-des3 bob.pem", "E:ok");
    check(ENCRYPT "-stream bob.pem", "E:ok");
    check(ENCRYPT "-noindef bob.pem", "E:ok");
    check(ENCRYPT "-aes-256-cbc -keyid bob.pem", "E:ok");
    check(ENCRYPT "-aes-256-cbc alice.pem bob.pem", "E:ok");
    check(ENCRYPT "-aes-256-gcm bob.pem", "E:ok");
    check(ENCRYPT "-aes-128-gcm alice.pem bob.pem", "E:ok");
    check(ENCRYPT "-aes-192-gcm bob.pem", "E:ok");
    check(ENCRYPT "-aes-256-cbc alice.pem", "E:notus");
    check(ENCRYPT "-des -provider legacy -provider default alice.pem", "E:notus");
    check(ENCRYPT "-des -provider legacy -provider default bob.pem", "E:unsup");
    check("openssl smime -encrypt -aes128 -in entity -out mail bob.pem", "E:ok");
    check("openssl cms -data_create -in entity -outform DER -out d && "
          "{ printf 'Content-Type: application/pkcs7-mime\\r\\n\\r\\n'; cat d; } >mail",
          "O:unsup");
}

#define OAEP ENCRYPT "-aes-256-cbc -recip bob.pem -keyopt rsa_padding_mode:oaep "

static void test_oaep(void **state)
{
    (void)state;
    check(OAEP, "E:ok");
    check(OAEP "-keyopt rsa_oaep_md:sha256", "E:ok");
    check(OAEP "-keyopt rsa_oaep_md:sha256 -keyopt rsa_mgf1_md:sha256", "E:ok");
    check(OAEP "-keyopt rsa_oaep_md:sha384 -keyopt rsa_mgf1_md:sha1", "E:ok");
    check(OAEP "-keyopt rsa_oaep_md:sha512 -keyopt rsa_mgf1_md:sha512", "E:ok");
    check(OAEP "-keyopt rsa_oaep_md:sha224", "E:unsup");
    check(OAEP "-keyopt rsa_oaep_md:md5", "E:unsup");
    check(OAEP "-keyopt rsa_oaep_label:00", "E:unsup");
    check(ENCRYPT "-aes-128-gcm -recip alice.pem -recip bob.pem -keyopt rsa_padding_mode:oaep",
          "E:ok");
}

static void test_agreed(void **state)
{
    (void)state;
    check(ENCRYPT "-aes-256-cbc carol.pem", "E:ok"); /* SHA-1, as OpenSSL has it */
    check(ENCRYPT "-aes-128-cbc dave.pem", "E:ok");
    check(ENCRYPT "-des3 carol.pem", "E:ok");
    check(ENCRYPT "-aes-256-gcm carol.pem", "E:ok");
    check(ENCRYPT "-aes-256-cbc -keyid carol.pem", "E:ok");
    check(ENCRYPT "-aes-256-cbc alice.pem carol.pem", "E:ok");
    check(ENCRYPT "-aes-256-cbc eve.pem dave.pem", "E:ok");
    check(ENCRYPT "-aes-256-cbc eve.pem alice.pem", "E:notus");
    check(ENCRYPT "-aes-256-cbc -stream dave.pem", "E:ok");
    static const char *const digests[] = {"sha1", "sha256", "sha384"};
    for (size_t i = 0; i < 3; i++) {
        char command[300];
        snprintf(command, sizeof command,
                 ENCRYPT "-aes-%d-cbc -recip %s.pem -keyopt ecdh_kdf_md:%s",
                 128 + 64 * (int)(i % 3), i % 2 ? "dave" : "carol", digests[i]);
        check(command, "E:ok");
        snprintf(command, sizeof command,
                 ENCRYPT "-aes-256-cbc -recip dave.pem -keyopt ecdh_kdf_md:%s"
                         " -keyopt ecdh_cofactor_mode:1",
                 digests[i]);
        check(command, "E:ok");
    }
    check(ENCRYPT "-aes-256-cbc -recip carol.pem -keyopt ecdh_kdf_md:sha512", "E:unsup");
}

#define EC_SIGN(name)                                                                              \
    "openssl cms -sign -binary -in entity -out mail -signer " name ".pem -inkey " name ".key "

static void test_ecdsa(void **state)
{
    (void)state;
    check(EC_SIGN("carol"), "S:ok");
    check(EC_SIGN("carol") "-md sha384", "S:ok");
    check(EC_SIGN("dave") "-md sha256 -nodetach", "S:ok");
    check(EC_SIGN("dave") "-md sha512 -keyid", "S:ok");
    check(EC_SIGN("dave") "-md sha384 -noattr", "S:ok");
    check(EC_SIGN("carol") "-md sha1", "S:ok");
    check(EC_SIGN("carol") "-md sha224", "S:ok");
    check(EC_SIGN("carol") "-signer alice.pem -inkey alice.key", "S:ok");
    check(EC_SIGN("mallory"), "S:unsup"); /* of P-521 */
    check(EC_SIGN("carol") "&& sed -i s/hello/hallo/ mail", "S:altered");
    check(EC_SIGN("carol") "&& mv mail s && openssl cms -encrypt -binary -in s -out mail dave.pem",
          "E:ok S:ok");
}

static void test_signed(void **state)
{
    (void)state;
    check(SIGN, "S:ok");
    check(SIGN "-md sha1", "S:ok");
    check(SIGN "-md sha384", "S:ok");
    check(SIGN "-md sha512 -keyid", "S:ok");
    check(SIGN "-md sha224", "S:ok");
    check(SIGN "-keyopt rsa_padding_mode:pss", "S:ok");
    check(SIGN "-md sha512 -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:0", "S:ok");
    check(SIGN "-md sha1 -keyopt rsa_padding_mode:pss", "S:ok");
    check(SIGN "-md sha224 -keyopt rsa_padding_mode:pss", "S:ok");
    check(SIGN "-keyopt rsa_padding_mode:pss -keyopt rsa_mgf1_md:sha1", "S:ok");
    check(SIGN "-md sha384 -keyopt rsa_padding_mode:pss -keyopt rsa_mgf1_md:sha512"
               " -keyopt rsa_pss_saltlen:max",
          "S:ok");
    check(SIGN "-keyopt rsa_padding_mode:pss && sed -i s/hello/hallo/ mail", "S:altered");
    kit_issue("least", "rsa:1024");
    kit_issue("less", "rsa:1016");
    check("openssl cms -sign -binary -in entity -out mail -signer least.pem -inkey least.key",
          "S:ok");
    check("openssl cms -sign -binary -in entity -out mail -signer less.pem -inkey less.key",
          "S:unsup");
    check(SIGN "-nodetach", "S:ok");
    check(SIGN "-nodetach -stream", "S:ok");
    check(SIGN "-nodetach -noattr", "S:ok");
    check(SIGN "-noattr", "S:ok");
    check(SIGN "-certfile root.pem -certfile bob.pem", "S:ok");
    check(SIGN "-signer bob.pem -inkey bob.key", "S:ok");
    check(SIGN "-md md5", "S:unsup");
    check(SIGN "-nocerts", "S:nocert");
    check("openssl smime -sign -in entity -out mail -signer alice.pem -inkey alice.key", "S:ok");
    /* LF line ends, signed in their canonical form */
    check("openssl cms -sign -in entity.lf -out mail -signer alice.pem -inkey alice.key", "S:ok");
    check(SIGN "&& sed -i s/hello/hallo/ mail", "S:altered");
    check(SIGN "-noattr && sed -i s/hello/hallo/ mail", "S:altered");
    check(SIGN "-signer bob.pem -inkey bob.key && sed -i s/world/wOrld/ mail", "S:altered");
    check(SIGN "&& sed -i 's/^--.*--$//; s/^--\\(.*\\)--.$//' mail", "S:malf");
    /* nobody's signature */
    check("openssl crl2pkcs7 -nocrl -certfile alice.pem -outform DER -out d && "
          "{ printf 'Content-Type: application/pkcs7-mime\\r\\n\\r\\n'; cat d; } >mail",
          "C:ok");
}

static void test_transfer_encodings(void **state)
{
    (void)state;
    check("openssl cms -encrypt -binary -in entity -outform DER -out d bob.pem && "
          "{ printf 'Content-Type: application/pkcs7-mime\\r\\n"
          "Content-Transfer-Encoding: binary\\r\\n\\r\\n'; cat d; } >mail",
          "E:ok");
    check("openssl cms -encrypt -binary -in entity -outform DER -out d bob.pem && "
          "{ printf 'Content-Type: application/octet-stream; name=smime.p7m\\r\\n"
          "Content-Transfer-Encoding: BASE64\\r\\n\\r\\n'; base64 -w 40 d; echo --; "
          "echo a footer of a list; } >mail",
          "E:ok");
    check("openssl cms -encrypt -binary -in entity -outform DER -out d bob.pem && "
          "{ printf 'Content-Type: application/octet-stream\\r\\nContent-Disposition: attachment; "
          "filename=\"smime.p7m\"\\r\\nContent-Transfer-Encoding: base64\\r\\n\\r\\n'; "
          "base64 -w 0 d; } >mail",
          "E:ok");
    check("printf 'Content-Type: application/pkcs7-mime\\r\\n"
          "Content-Transfer-Encoding: quoted-printable\\r\\n\\r\\nx' >mail",
          "E:unsup");
    check("printf 'Content-Type: application/pkcs7-mime\\r\\n"
          "Content-Transfer-Encoding: base64\\r\\n\\r\\n' >mail",
          "E:malf");
}

static void test_nested(void **state)
{
    (void)state;
    check(SIGN "&& mv mail s && openssl cms -encrypt -binary -in s -out mail bob.pem", "E:ok S:ok");
    check(SIGN "-nodetach && mv mail s && openssl cms -encrypt -binary -in s -out mail bob.pem",
          "E:ok S:ok");
    check(SIGN "&& mv mail s && openssl cms -encrypt -in s -out mail bob.pem", "E:ok S:ok");
    check(ENCRYPT "bob.pem && mv mail e && openssl cms -sign -binary -in e -out mail"
                  " -signer alice.pem -inkey alice.key",
          "S:ok E:ok");
    check(SIGN
          "&& mv mail 1 && openssl cms -encrypt -binary -aes-256-gcm -in 1 -out 2 bob.pem && "
          "openssl cms -sign -nodetach -binary -in 2 -out 3 -signer alice.pem -inkey alice.key && "
          "openssl cms -encrypt -binary -des3 -in 3 -out mail bob.pem",
          "E:ok S:ok E:ok S:ok");
    /* no entity inside */
    check("printf 'just words, no header\\r\\n' >x && openssl cms -encrypt -binary -in x -out mail"
          " bob.pem",
          "E:undec");
    check("printf '' >x && openssl cms -encrypt -binary -in x -out mail bob.pem", "E:undec");
}

/* The capabilities that we send are read by others; nothing weak is among them. REQ-71 */
static void test_our_attributes(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_SPOOL body = kit_spool_of("hello\r\n", 7);
    struct sg_smime_entity entity = {sg_bytes_str("Content-Type: text/plain\r\n"), body, 0, 7};
    struct sg_smime_signer signer = {alice.certificate, NULL, kit_sign, &alice};
    SG_AUTO_BUF sig;
    sg_buf_init(&sig, 0);
    struct sg_error err;
    assert_true(sg_smime_sign(&entity, &signer, sg_clock_now(), &sig, &err));
    FILE *f = fopen(kit_path(arena, "sig"), "w");
    fwrite(sig.data, 1, sig.len, f);
    fclose(f);
    kit_run("printf 'Content-Type: text/plain\\r\\n\\r\\nhello\\r\\n' >c && "
            "openssl cms -verify -binary -inform DER -in sig -content c -CAfile root.pem -out "
            "/dev/null "
            "-purpose any && openssl cms -cmsout -print -inform DER -in sig -noout >print && "
            "grep -q 'S/MIME Capabilities' print && grep -q aes-256-cbc print && "
            "! grep -qi -e rc2 -e 'des-cbc' print && test $(grep -c 'd.certificate' print) = 1");
}

/* What we make is read by the openssl command: the opened file is the entity as it was signed. */
static void read_back(const struct kit_key *signer_key, enum sg_smime_cipher cipher, bool oaep,
                      const struct kit_key *reader, const char *name)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    SG_AUTO_SPOOL body = kit_spool_of("hello\r\n", 7);
    struct sg_smime_entity entity = {sg_bytes_str("Content-Type: text/plain\r\n"), body, 0, 7};
    struct sg_smime_signer signer = {signer_key->certificate, NULL, kit_sign, (void *)signer_key};
    const struct sg_smime_recipient to[] = {{.certificate = alice.certificate, .oaep = oaep},
                                            {.certificate = reader->certificate, .oaep = oaep}};
    SG_AUTO_BUF sig;
    sg_buf_init(&sig, 0);
    SG_AUTO_BUF headers;
    sg_buf_init(&headers, 0);
    SG_AUTO_SPOOL sealed = kit_spool_new();
    struct sg_sink sink = sg_spool_sink(sealed);
    struct sg_error err;
    assert_true(sg_smime_sign(&entity, &signer, sg_clock_now(), &sig, &err));
    assert_true(
        sg_smime_envelop(&entity, sg_buf_bytes(&sig), to, 2, cipher, &headers, &sink, &err));
    uint8_t text[16384];
    size_t n;
    assert_true(sg_spool_read(sealed, 0, text, sizeof text, &n, &err));
    FILE *f = fopen(kit_path(arena, "mail"), "w");
    fprintf(f, "%.*s\r\n", (int)headers.len, (const char *)headers.data);
    fwrite(text, 1, n, f);
    fclose(f);
    kit_run("printf 'Content-Type: text/plain\r\n\r\nhello\r\n' >c && "
            "openssl cms -decrypt -in mail -recip %s.pem -inkey %s.key -out signed && "
            "openssl cms -verify -in signed -CAfile root.pem -purpose any -out plain && "
            "cmp c plain",
            name, name);
}

static void test_ours_read_by_openssl(void **state)
{
    (void)state;
    for (int cipher = 0; cipher <= SG_SMIME_AES256_GCM; cipher++)
        read_back(&alice, (enum sg_smime_cipher)cipher, cipher % 2, &bob, "bob");
    for (int cipher = 0; cipher <= SG_SMIME_AES256_GCM; cipher++)
        read_back(cipher % 2 ? &carol : &dave, (enum sg_smime_cipher)cipher, false,
                  cipher % 2 ? &dave : &carol, cipher % 2 ? "dave" : "carol");
}

/* What a signer says that it can do is known where its signature is good, and nowhere else. REQ-84
 */
static void test_their_capabilities(void **state)
{
    static const struct {
        const char *command;
        size_t least; /* octets; 0: none */
    } cases[] = {
        {SIGN, 40},
        {SIGN "-nodetach -stream", 40},
        {SIGN "-nosmimecap", 0},
        {SIGN "-noattr", 0},
        {SIGN "&& sed -i s/hello/hallo/ mail", 0},
        {SIGN "-nocerts", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SG_AUTO_ARENA arena = sg_arena_new();
        struct sg_smime_opened o;
        struct sg_spool *spool;
        kit_run("%s", cases[i].command);
        open_mail(arena, &spool, &o);
        assert_int_equal(o.layers[0].signer_count, 1);
        struct sg_bytes can = o.layers[0].signers[0].capabilities;
        assert_true(cases[i].least ? can.len > cases[i].least && can.data[0] == 0x30
                                   : can.len == 0);
        const unsigned char *p = can.data;
        X509_ALGORS *list = can.len ? d2i_X509_ALGORS(NULL, &p, (long)can.len) : NULL;
        assert_int_equal(list != NULL, cases[i].least != 0);
        assert_true(!list || p == can.data + can.len);
        sk_X509_ALGOR_pop_free(list, X509_ALGOR_free);
        sg_smime_opened_free(&o);
        sg_spool_free(&spool);
    }
}

int main(void)
{
    static const char *const names[] = {"alice", "bob"};
    SG_AUTO_ARENA arena = sg_arena_new();
    kit_pki(names, 2);
    alice = kit_key_load(kit_path(arena, "alice.pem"), kit_path(arena, "alice.key"));
    bob = kit_key_load(kit_path(arena, "bob.pem"), kit_path(arena, "bob.key"));
    kit_issue("carol", "ec -pkeyopt ec_paramgen_curve:P-256");
    kit_issue("dave", "ec -pkeyopt ec_paramgen_curve:P-384");
    kit_issue("eve", "ec -pkeyopt ec_paramgen_curve:P-256");
    kit_issue("mallory", "ec -pkeyopt ec_paramgen_curve:P-521");
    carol = kit_key_load(kit_path(arena, "carol.pem"), kit_path(arena, "carol.key"));
    dave = kit_key_load(kit_path(arena, "dave.pem"), kit_path(arena, "dave.key"));
    kit_run("printf 'Content-Type: text/plain\\r\\n\\r\\nhello\\r\\nworld\\r\\n' >entity && "
            "tr -d '\\r' <entity >entity.lf");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oaep),
        cmocka_unit_test(test_agreed),
        cmocka_unit_test(test_ecdsa),
        cmocka_unit_test(test_enveloped),
        cmocka_unit_test(test_signed),
        cmocka_unit_test(test_transfer_encodings),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_our_attributes),
        cmocka_unit_test(test_ours_read_by_openssl),
        cmocka_unit_test(test_their_capabilities),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kit_key_free(&alice);
    kit_key_free(&bob);
    kit_key_free(&carol);
    kit_key_free(&dave);
    return failed;
}
