/* Views, arena, buffer, JSON strings, secrets, ids, errors. */
#include "cmocka_all.h"
#include "common/arena.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/id.h"
#include "common/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_views(void **state)
{
    (void)state;
    struct sg_bytes a = sg_bytes_str("Content-Type");
    assert_true(sg_bytes_equal(a, sg_bytes_of("Content-Type", 12)));
    assert_false(sg_bytes_equal(a, sg_bytes_str("content-type")));
    assert_true(sg_bytes_iequal(a, "content-TYPE"));
    assert_false(sg_bytes_iequal(a, "content-typ"));
    assert_false(sg_bytes_iequal(a, "content-types"));
    assert_true(sg_bytes_starts(a, "Content-"));
    assert_false(sg_bytes_starts(a, "Content-Type:"));
    assert_true(sg_bytes_equal(sg_bytes_slice(a, 8, 4), sg_bytes_str("Type")));
    assert_true(sg_bytes_equal(sg_bytes_slice(a, 8, SIZE_MAX), sg_bytes_str("Type")));
    assert_int_equal(sg_bytes_slice(a, 13, 1).len, 0);
    assert_int_equal(sg_bytes_slice(a, SIZE_MAX, SIZE_MAX).len, 0);
    struct sg_bytes none = sg_bytes_str(NULL);
    assert_int_equal(none.len, 0);
    assert_true(sg_bytes_equal(none, sg_bytes_str("")));
    assert_true(sg_bytes_iequal(none, ""));
}

static void test_arena(void **state)
{
    (void)state;
    struct sg_arena *a = sg_arena_new();
    uint8_t *pieces[2000];
    for (size_t i = 0; i < 2000; i++) { /* zeroed, aligned, not overlapping, across blocks */
        size_t size = i % 97;
        pieces[i] = sg_arena_alloc(a, size);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        for (size_t k = 0; k < size; k++)
            assert_int_equal(pieces[i][k], 0);
        memset(pieces[i], (int)i, size);
    }
    for (size_t i = 0; i < 2000; i++)
        for (size_t k = 0; k < i % 97; k++)
            assert_int_equal(pieces[i][k], (uint8_t)i);
    uint8_t *large = sg_arena_alloc(a, 1 << 20);
    memset(large, 1, 1 << 20);
    assert_non_null(SG_ARENA_NEW(a, struct sg_error));
    uint64_t *array = SG_ARENA_ARRAY(a, uint64_t, 1000);
    assert_int_equal(array[999], 0);

    assert_string_equal(sg_arena_strdup(a, "kia ora"), "kia ora");
    assert_string_equal(sg_arena_str(a, sg_bytes_of("kia ora", 3)), "kia");
    assert_string_equal(sg_arena_str(a, sg_bytes_of(NULL, 0)), "");
    struct sg_bytes copy = sg_arena_copy(a, sg_bytes_of("a\0b", 3));
    assert_memory_equal(copy.data, "a\0b", 4);                /* and a NUL behind */
    char *text = sg_arena_printf(a, "%s-%0*d", "n", 9000, 7); /* longer than a block */
    assert_int_equal(strlen(text), 9002);
    sg_arena_free(&a);
    assert_null(a);
    sg_arena_free(&a);
    sg_arena_free(NULL);
}

static void test_buf(void **state)
{
    (void)state;
    SG_AUTO_BUF b;
    sg_buf_init(&b, 0);
    assert_true(sg_buf_add(&b, NULL, 0));
    for (int i = 0; i < 10000; i++)
        assert_true(sg_buf_addf(&b, "%04d", i));
    assert_int_equal(b.len, 40000);
    assert_int_equal(b.data[40000], 0);
    assert_memory_equal(b.data + 4 * 1234, "1234", 4);
    sg_buf_clear(&b);
    assert_int_equal(b.len, 0);
    assert_true(sg_buf_adds(&b, "again"));
    assert_string_equal((char *)b.data, "again");
    sg_buf_free(&b);
    sg_buf_free(&b);
}

static void test_buf_limit(void **state)
{
    (void)state;
    SG_AUTO_BUF b;
    sg_buf_init(&b, 10);
    assert_true(sg_buf_adds(&b, "12345678"));
    assert_false(sg_buf_adds(&b, "9ab"));
    assert_true(b.overflown);
    assert_int_equal(b.len, 8); /* nothing of it was kept */
    assert_true(sg_buf_adds(&b, "9a"));
    assert_true(b.overflown); /* remembered for who checks once at the end */
    assert_false(sg_buf_addf(&b, "%d", 1));
    assert_false(sg_buf_add(&b, "x", SIZE_MAX));
    assert_string_equal((char *)b.data, "123456789a");
    sg_buf_clear(&b);
    assert_false(b.overflown);
    assert_true(sg_buf_addf(&b, "%s", "123456789a"));
    sg_buf_free(&b);
}

static void assert_json(const char *in, size_t len, const char *expected)
{
    SG_AUTO_BUF b;
    sg_buf_init(&b, 0);
    assert_true(sg_buf_add_json_string(&b, sg_bytes_of(in, len)));
    assert_string_equal((char *)b.data, expected);
}

#define ASSERT_JSON(in, expected) assert_json(in, sizeof(in) - 1, expected)

static void test_json_string(void **state)
{
    (void)state;
    ASSERT_JSON("", "\"\"");
    ASSERT_JSON("kia ora", "\"kia ora\"");
    ASSERT_JSON("a\"b\\c/", "\"a\\\"b\\\\c/\"");
    ASSERT_JSON("\0\1\t\n\r\x1f\x7f", "\"\\u0000\\u0001\\u0009\\u000a\\u000d\\u001f\\u007f\"");
    ASSERT_JSON("M\xc4\x81ori \xe2\x82\xac \xf0\x9f\xa5\x9d",
                "\"M\xc4\x81ori \xe2\x82\xac \xf0\x9f\xa5\x9d\"");
    /* The edges of RFC 3629: shortest form only, no surrogates, nothing above U+10FFFF. */
    ASSERT_JSON("\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80",
                "\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\"");
    ASSERT_JSON("\xf4\x8f\xbf\xbf", "\"\xf4\x8f\xbf\xbf\"");
#define U "\xef\xbf\xbd"
    ASSERT_JSON("\x80", "\"" U "\"");
    ASSERT_JSON("\xc0\x80", "\"" U U "\"");
    ASSERT_JSON("\xc1\xbf", "\"" U U "\"");
    ASSERT_JSON("\xe0\x9f\xbf", "\"" U U U "\"");
    ASSERT_JSON("\xed\xa0\x80", "\"" U U U "\"");
    ASSERT_JSON("\xf0\x8f\xbf\xbf", "\"" U U U U "\"");
    ASSERT_JSON("\xf4\x90\x80\x80", "\"" U U U U "\"");
    ASSERT_JSON("\xf5\x80\x80\x80", "\"" U U U U "\"");
    ASSERT_JSON("\xff\xfe", "\"" U U "\"");
    ASSERT_JSON("\xe2\x82", "\"" U U "\""); /* cut */
    ASSERT_JSON("\xc4"
                "a",
                "\"" U "a\"");
}

/* Past the limit no part of the string is kept, so that what was there stays JSON. */
static void test_json_string_limit(void **state)
{
    (void)state;
    for (size_t limit = 3; limit < 40; limit++) {
        SG_AUTO_BUF b;
        sg_buf_init(&b, limit);
        assert_true(sg_buf_adds(&b, "[1,"));
        bool fits = sg_buf_add_json_string(&b, sg_bytes_str("\x01\"\xff\xe2\x82\xac xyz"));
        assert_int_equal(fits, limit >= 3 + 20);
        assert_int_equal(b.overflown, !fits);
        assert_string_equal((char *)b.data,
                            fits ? "[1,\"\\u0001\\\"" U "\xe2\x82\xac xyz\"" : "[1,");
    }
}

static void test_ids(void **state)
{
    (void)state;
    uint8_t bits[SG_ID_RANDOM], back[SG_ID_RANDOM];
    struct sg_id id;
    for (int i = 0; i < 1000; i++) {
        id = sg_id_new("msg");
        assert_int_equal(strlen(id.text), 30);
        assert_true(sg_id_decode(sg_bytes_str(id.text), "msg", back));
        struct sg_id again = sg_id_from("msg", back);
        assert_string_equal(again.text, id.text);
    }
    for (int bit = 0; bit < 128; bit++) {
        memset(bits, 0, sizeof bits);
        bits[bit / 8] = (uint8_t)(0x80 >> bit % 8);
        id = sg_id_from("key", bits);
        assert_true(sg_id_decode(sg_bytes_str(id.text), "key", back));
        assert_memory_equal(back, bits, sizeof bits);
    }
    memset(bits, 0xff, sizeof bits);
    assert_string_equal(sg_id_from("ten", bits).text, "ten_7zzzzzzzzzzzzzzzzzzzzzzzzz");
    memset(bits, 0, sizeof bits);
    assert_string_equal(sg_id_from("ten", bits).text, "ten_00000000000000000000000000");
}

static void test_ids_rejected(void **state)
{
    static const char *const bad[] = {"",
                                      "msg",
                                      "msg_",
                                      "msg_0000000000000000000000000",   /* short */
                                      "msg_000000000000000000000000000", /* long */
                                      "msg_80000000000000000000000000",  /* 129 bits */
                                      "msg_0000000000000000000000000i",
                                      "msg_0000000000000000000000000l",
                                      "msg_0000000000000000000000000o",
                                      "msg_0000000000000000000000000u",
                                      "msg_0000000000000000000000000A",
                                      "msg_0000000000000000000000000 ",
                                      "msg-00000000000000000000000000",
                                      "MSG_00000000000000000000000000",
                                      "key_00000000000000000000000000"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(sg_id_valid(sg_bytes_str(bad[i]), "msg"));
    assert_true(sg_id_valid(sg_bytes_str("msg_00000000000000000000000000"), "msg"));
    assert_false(sg_id_valid(sg_bytes_of("msg_0000000000000000000000000\0", 30), "msg"));
    assert_false(sg_id_valid(sg_bytes_of(NULL, 0), "msg"));
}

static void secret_file(const char *path, const char *content, size_t len, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void test_secret_read(void **state)
{
    (void)state;
    char dir[] = "/tmp/sg-secret-XXXXXX", path[64], link[64], long_one[SG_SECRET_MAX + 1];
    struct sg_error err = {0};
    SG_AUTO_SECRET s = {0};
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/pin", dir);
    snprintf(link, sizeof link, "credential:pin");
    memset(long_one, 'x', sizeof long_one);

    secret_file(path, "1234\n", 5, 0600);
    assert_true(sg_secret_read(&s, path, &err));
    assert_int_equal(s.len, 4);
    assert_memory_equal(s.data, "1234", 4);
    secret_file(path, "12\n34\n\n", 7, 0640); /* the group may be the daemon's */
    assert_true(sg_secret_read(&s, path, &err));
    assert_int_equal(s.len, 6);
    secret_file(path, long_one, SG_SECRET_MAX - 1, 0400);
    assert_true(sg_secret_read(&s, path, &err));

    secret_file(path, long_one, SG_SECRET_MAX, 0600);
    assert_false(sg_secret_read(&s, path, &err));
    assert_int_equal(err.code, SG_E_LIMIT);
    assert_int_equal(s.len, 0); /* nothing of it stays */
    assert_int_equal(s.data[0], 0);
    for (mode_t other = 01; other <= 04; other <<= 1) {
        secret_file(path, "1234", 4, 0600 | other);
        assert_false(sg_secret_read(&s, path, &err));
        assert_int_equal(err.code, SG_E_CONFIG);
        assert_non_null(strstr(err.detail, path));
        assert_null(strstr(err.detail, "1234"));
    }
    secret_file(path, "\n", 1, 0600);
    assert_false(sg_secret_read(&s, path, &err));
    assert_false(sg_secret_read(&s, dir, &err));
    assert_false(sg_secret_read(&s, "/nonexistent", &err));
    assert_int_equal(err.lib_code, ENOENT);

    unsetenv("CREDENTIALS_DIRECTORY");
    assert_false(sg_secret_read(&s, link, &err));
    secret_file(path, "from systemd", 12, 0400);
    setenv("CREDENTIALS_DIRECTORY", dir, 1);
    assert_true(sg_secret_read(&s, link, &err));
    assert_memory_equal(s.data, "from systemd", 12);
    setenv("CREDENTIALS_DIRECTORY", long_one + 1, 1);
    assert_false(sg_secret_read(&s, link, &err));
    unsetenv("CREDENTIALS_DIRECTORY");
    unlink(path);
    rmdir(dir);
}

static void test_secret(void **state)
{
    (void)state;
    static const struct sg_secret zero;
    struct sg_error err = {0};
    struct sg_secret s = {0};
    uint8_t data[SG_SECRET_MAX + 1];
    memset(data, 7, sizeof data);
    assert_true(sg_secret_set(&s, data, SG_SECRET_MAX, &err));
    assert_true(sg_secret_set(&s, data, 2, &err));
    assert_int_equal(s.data[2], 0); /* the longer one before it is gone */
    assert_false(sg_secret_set(&s, data, sizeof data, &err));
    assert_int_equal(err.code, SG_E_LIMIT);
    assert_true(sg_secret_set(&s, NULL, 0, &err));
    assert_true(sg_secret_set(&s, data, 32, &err));
    sg_secret_wipe(&s);
    assert_memory_equal(&s, &zero, sizeof s);
    assert_true(sg_secret_equal(sg_bytes_str("abc"), sg_bytes_str("abc")));
    assert_false(sg_secret_equal(sg_bytes_str("abc"), sg_bytes_str("abd")));
    assert_false(sg_secret_equal(sg_bytes_str("abc"), sg_bytes_str("ab")));
}

static void test_error_table(void **state)
{
    static const struct {
        enum sg_error_code code;
        const char *name;
        int number;
    } rows[] = {
#define SG_ERROR(name, number, cls, smtp, enhanced, http, text)                                    \
    {SG_E_##name, "SG_E_" #name, number},
#include "common/errors.def"
#undef SG_ERROR
    };
    (void)state;
    const size_t count = sizeof rows / sizeof rows[0];
    for (size_t i = 0; i < count; i++) {
        enum sg_error_code c = rows[i].code;
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(rows[i].number, rows[k].number);
            assert_string_not_equal(rows[i].name, rows[k].name);
        }
        assert_true(rows[i].number > 0);
        assert_string_equal(sg_error_name(c), rows[i].name);
        int smtp = sg_error_smtp(c), http = sg_error_http(c);
        assert_in_range(smtp, 421, 599);
        assert_in_range(http, 400, 599);
        /* The enhanced code has the class of the reply (RFC 3463). */
        const char *enhanced = sg_error_enhanced(c);
        assert_true(enhanced[0] == '4' || enhanced[0] == '5');
        assert_int_equal(strspn(enhanced, "0123456789."), strlen(enhanced));
        assert_int_equal(smtp / 100, enhanced[0] - '0');
        /* Trying again helps against what is temporary, and must not be refused. */
        if (sg_error_class(c) != SG_CLASS_PERMANENT)
            assert_int_equal(smtp / 100, 4);
        assert_true(strlen(sg_error_text(c)) > 0);
        const char *slug = sg_error_slug(c);
        assert_int_equal(strspn(slug, "abcdefghijklmnopqrstuvwxyz0123456789-"), strlen(slug));
    }
    assert_string_equal(sg_error_slug(SG_E_NOT_FOUND), "not-found");
    assert_string_equal(sg_error_name(SG_OK), "SG_OK");
    assert_string_equal(sg_error_name((enum sg_error_code)9999), "SG_E_INTERNAL");
}

/* What strangers say becomes one line that a database takes. */
static void test_error_one_line(void **state)
{
    (void)state;
    struct sg_error err = {0};
    char long_text[400];
    assert_false(sg_fail(&err, SG_E_IO, "%s", "it said \xff\xc3\xa9\xc3 a\r\nb\x7f \xed\xa0\x80."));
    assert_string_equal(err.detail, "it said ?\xc3\xa9? a??b? ???.");
    /* Cut within a character. */
    for (size_t first = 0; first < 3; first++) {
        memset(long_text, 'x', first);
        for (size_t i = first; i + 3 < sizeof long_text; i += 3)
            memcpy(long_text + i, "\xe2\x82\xac", 4);
        assert_false(sg_fail(&err, SG_E_IO, "%s", long_text));
        size_t n = strlen(err.detail);
        assert_true(n > sizeof err.detail - 4);
        for (size_t at = 0, step; at < n; at += step) {
            step = sg_utf8_length(sg_bytes_of(err.detail + at, n - at));
            assert_true(step > 0);
        }
        assert_null(strchr(err.detail, '?'));
    }
    errno = ENOENT;
    assert_false(sg_fail_errno(&err, SG_E_IO, "%s", "a\nb"));
    assert_string_equal(err.detail, "a?b: No such file or directory");
}
static void test_error_fill(void **state)
{
    (void)state;
    struct sg_error err = {0};
    assert_false(sg_fail(NULL, SG_E_IO, "nobody listens"));
    assert_false(sg_fail(&err, SG_E_IO, "a %d", 1));
    assert_int_equal(err.code, SG_E_IO);
    assert_string_equal(err.detail, "a 1");
    assert_false(sg_fail(&err, SG_E_JOURNAL, "before: %s", err.detail)); /* of itself */
    assert_string_equal(err.detail, "before: a 1");
    errno = ENOSPC;
    assert_false(sg_fail_errno(&err, SG_E_JOURNAL, "write"));
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(err.lib, SG_LIB_ERRNO);
    assert_int_equal(err.lib_code, ENOSPC);
    assert_string_equal(err.detail, "write: No space left on device");
    assert_false(sg_fail_pkcs11(&err, SG_E_HSM_OPERATION, 0x30, "C_Sign"));
    assert_string_equal(err.detail, "C_Sign: CK_RV 0x30");
    assert_int_equal(err.lib_code, 0x30);
    assert_false(sg_fail_lib(&err, SG_E_DIRECTORY, SG_LIB_LDAP, 52, "search"));
    assert_int_equal(err.lib, SG_LIB_LDAP);
    assert_int_equal(err.lib_code, 52);

    const unsigned char rubbish[] = {0x30, 0x80};
    const unsigned char *p = rubbish;
    assert_null(d2i_PUBKEY(NULL, &p, sizeof rubbish));
    assert_false(sg_fail_openssl(&err, SG_E_CRYPTO, "key"));
    assert_int_equal(err.lib, SG_LIB_OPENSSL);
    assert_true(err.lib_code != 0 && strlen(err.detail) > 5);
    assert_int_equal(ERR_peek_error(), 0);

    char large[1000];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = 0;
    errno = EIO;
    assert_false(sg_fail_errno(&err, SG_E_IO, "%s", large));
    assert_int_equal(strlen(err.detail), sizeof err.detail - 1);
    sg_error_reset(&err);
    assert_int_equal(err.code, SG_OK);
    sg_error_reset(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_buf),
        cmocka_unit_test(test_buf_limit),
        cmocka_unit_test(test_json_string),
        cmocka_unit_test(test_json_string_limit),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_ids_rejected),
        cmocka_unit_test(test_secret),
        cmocka_unit_test(test_secret_read),
        cmocka_unit_test(test_error_table),
        cmocka_unit_test(test_error_fill),
        cmocka_unit_test(test_error_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
