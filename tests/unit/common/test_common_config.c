/* The configuration reader: every type, ranges, and errors that name file, line and key. */
#include "cmocka_all.h"
#include "common/buf.h"
#include "common/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct settings {
    char *name, *list;
    int64_t number, size, duration;
    bool flag;
    int choice;
};

static const char *const choices[] = {"debug", "info", "warning", NULL};

#define AT(field) offsetof(struct settings, field)
static const struct sg_option options[] = {
    {"main", "name", SG_OPT_STRING, AT(name), NULL, 0, 0, NULL, "A name."},
    {"main", "list", SG_OPT_LIST, AT(list), "a b", 0, 0, NULL, "Some items."},
    {"main", "number", SG_OPT_INT, AT(number), "5", -10, 100, NULL, "A number."},
    {"limits", "size", SG_OPT_SIZE, AT(size), "25m", 1024, (int64_t)4 << 30, NULL, "A size."},
    {"limits", "duration", SG_OPT_DURATION, AT(duration), "30s", 1, 604800000, NULL, "A time."},
    {"limits", "flag", SG_OPT_BOOL, AT(flag), "no", 0, 0, NULL, "Yes or no."},
    {"limits", "choice", SG_OPT_ENUM, AT(choice), "info", 0, 0, choices, "One of some."},
};
#define COUNT (sizeof options / sizeof options[0])

static char path[] = "/tmp/sg-config-XXXXXX";

static int setup(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static void file_set(const char *content, size_t len)
{
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(content, 1, len, f), len);
    fclose(f);
}

static void assert_loads(const char *content, struct settings *s)
{
    struct sg_error err = {0};
    memset(s, 0, sizeof *s);
    file_set(content, strlen(content));
    if (!sg_config_load(path, options, COUNT, s, &err))
        fail_msg("%s", err.detail);
}

/* The error stands at that line (0: at none) and speaks of what. */
static void assert_refused_bytes(const char *content, size_t len, int line, const char *what)
{
    struct settings s = {0};
    struct sg_error err = {0};
    char where[64];
    file_set(content, len);
    assert_false(sg_config_load(path, options, COUNT, &s, &err));
    assert_int_equal(err.code, SG_E_CONFIG);
    snprintf(where, sizeof where, line ? "%s:%d: " : "%s: ", path, line);
    if (strncmp(err.detail, where, strlen(where)) != 0 || !strstr(err.detail, what))
        fail_msg("'%s' is not at '%s' or not of '%s'", err.detail, where, what);
    assert_null(strchr(err.detail, '\n'));
    sg_config_free(options, COUNT, &s);
}

static void assert_refused(const char *content, int line, const char *what)
{
    assert_refused_bytes(content, strlen(content), line, what);
}

static void test_defaults(void **state)
{
    (void)state;
    struct settings s;
    assert_loads("[main]\nname=x\n", &s);
    assert_string_equal(s.name, "x");
    assert_string_equal(s.list, "a b");
    assert_int_equal(s.number, 5);
    assert_int_equal(s.size, 25 << 20);
    assert_int_equal(s.duration, 30000);
    assert_false(s.flag);
    assert_int_equal(s.choice, 1);
    sg_config_free(options, COUNT, &s);
    assert_null(s.name);
    sg_config_free(options, COUNT, &s);
}

static void test_every_type(void **state)
{
    (void)state;
    struct settings s;
    assert_loads("# a comment\n; another\n\n"
                 "  [main]  \r\n"
                 "\tname  =  a = b # c \r\n" /* what follows the first '=', trimmed */
                 "list = one two  three\n"
                 "number=-10\n"
                 "[limits]\nsize = 4g\nduration = 7d\nflag = yes\nchoice = warning", /* no end */
                 &s);
    assert_string_equal(s.name, "a = b # c");
    assert_string_equal(s.list, "one two  three");
    assert_int_equal(s.number, -10);
    assert_true(s.size == (int64_t)4 << 30);
    assert_int_equal(s.duration, 604800000);
    assert_true(s.flag);
    assert_int_equal(s.choice, 2);
    sg_config_free(options, COUNT, &s);
    assert_loads("[main]\nname=\n[limits]\n[main]\nnumber = 7\n", &s); /* empty; a section twice */
    assert_string_equal(s.name, "");
    assert_int_equal(s.number, 7);
    sg_config_free(options, COUNT, &s);
}

static void test_units(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes;
    } sizes[] = {{"1024", 1024}, {"1k", 1024}, {"3m", 3 << 20}, {"1g", 1 << 30}};
    static const struct {
        const char *text;
        int64_t ms;
    } durations[] = {
        {"500ms", 500}, {"1s", 1000}, {"5m", 300000}, {"4h", 14400000}, {"1d", 86400000}};
    char content[128];
    struct settings s;
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        snprintf(content, sizeof content, "[main]\nname=x\n[limits]\nsize=%s\n", sizes[i].text);
        assert_loads(content, &s);
        assert_int_equal(s.size, sizes[i].bytes);
        sg_config_free(options, COUNT, &s);
    }
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        snprintf(content, sizeof content, "[main]\nname=x\n[limits]\nduration=%s\n",
                 durations[i].text);
        assert_loads(content, &s);
        assert_int_equal(s.duration, durations[i].ms);
        sg_config_free(options, COUNT, &s);
    }
}

static void test_bad_values(void **state)
{
    static const struct {
        const char *key, *value, *what;
    } bad[] = {
        {"size", "1", "out of range"},
        {"size", "5g", "out of range"},
        {"size", "99999999999999999999", "not a size"},
        {"size", "9223372036854775807g", "not a size"},
        {"size", "12x", "not a size"},
        {"size", "k", "not a size"},
        {"size", "1 k", "not a size"},
        {"size", "1K", "not a size"},
        {"size", "", "not a size"},
        {"duration", "30", "not a duration"},
        {"duration", "0s", "out of range"},
        {"duration", "8d", "out of range"},
        {"duration", "1.5s", "not a duration"},
        {"flag", "true", "must be yes or no"},
        {"flag", "YES", "must be yes or no"},
        {"flag", "", "must be yes or no"},
        {"choice", "error", "unknown choice: error"},
        {"choice", "", "unknown choice"},
    };
    char content[256];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(content, sizeof content, "[main]\nname = x\n\n[limits]\n%s = %s\n", bad[i].key,
                 bad[i].value);
        assert_refused(content, 5, bad[i].what);
        assert_refused(content, 5, bad[i].key);
    }
    assert_refused("[main]\nname=x\nnumber=-11\n", 3, "out of range (-10 to 100)");
    assert_refused("[main]\nname=x\nnumber=101\n", 3, "out of range");
    assert_refused("[main]\nname=x\nnumber=5k\n", 3, "not a number");
    assert_refused("[main]\nname=x\nnumber=0x5\n", 3, "not a number");

    struct settings s = {0};
    struct sg_error err = {0};
    file_set("[limits]\nflag = maybe\n", 22);
    assert_false(sg_config_load(path, options, COUNT, &s, &err));
    assert_string_equal(err.field, "limits.flag");
    sg_config_free(options, COUNT, &s);
}

static void test_bad_lines(void **state)
{
    char line[6000];
    (void)state;
    assert_refused("name = x\n", 1, "unknown key name in []");
    assert_refused("[main]\nname = x\nsize = 1m\n", 3, "unknown key size in [main]");
    assert_refused("[main]\nname = x\n\nName = y\n", 4, "unknown key Name");
    assert_refused("[main]\nname = x\nname = y\n", 3, "name in [main] is set twice");
    assert_refused("[main]\nname = x\n[limits]\n[main]\nname = x\n", 5, "set twice");
    assert_refused("[main]\nname = x\n[other]\n", 3, "unknown section [other]");
    assert_refused("[main\nname = x\n", 1, "bad section header");
    assert_refused("[main] name = x\n", 1, "bad section header");
    assert_refused("[]\n", 1, "unknown section");
    assert_refused("[main]\nname\n", 2, "no '='");
    assert_refused("[main]\nnumber = 1\n", 0, "name in [main] must be set");
    assert_refused("", 0, "must be set");
    assert_refused_bytes("[main]\nname = x\0y\n", 18, 2, "NUL");
    assert_refused_bytes("[main]\nname = x\0y", 17, 2, "NUL");
    memset(line, 'x', sizeof line);
    memcpy(line, "[main]\nname = ", 14);
    assert_refused_bytes(line, sizeof line, 2, "line too long");
    line[sizeof line - 1] = '\n';
    assert_refused_bytes(line, sizeof line, 2, "line too long");
}

static void test_no_file(void **state)
{
    struct settings s = {0};
    struct sg_error err = {0};
    static const struct sg_option one[] = {
        {"main", "number", SG_OPT_INT, AT(number), "5", 0, 9, NULL, "A number."}};
    (void)state;
    assert_false(sg_config_load("/nonexistent/x.conf", one, 1, &s, &err));
    assert_int_equal(err.code, SG_E_CONFIG);
    assert_non_null(strstr(err.detail, "/nonexistent/x.conf"));
    assert_false(sg_config_load("/tmp", one, 1, &s, &err)); /* a directory is no empty file */
    assert_int_equal(err.code, SG_E_CONFIG);
}

static void name_note(void *ctx, const struct sg_option *option)
{
    struct sg_buf *names = ctx;
    sg_buf_addf(names, "%s ", option->name);
}

/* What differs between two readings, in each type; nothing where nothing does. */
static void test_compare(void **state)
{
    static const char *const lines[] = {"[main]\nlist = b\n",       "[main]\nnumber = 6\n",
                                        "[limits]\nsize = 24m\n",   "[limits]\nduration = 31s\n",
                                        "[limits]\nflag = yes\n",   "[limits]\nchoice = debug\n",
                                        "[limits]\nchoice = info\n"};
    static const char *const names[] = {"list ", "number ", "size ", "duration ",
                                        "flag ", "choice ", ""};
    (void)state;
    struct settings a, b;
    SG_AUTO_BUF found = {0};
    assert_loads("[main]\nname = x\n", &a);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char text[100];
        snprintf(text, sizeof text, "[main]\nname = x\n%s", lines[i]);
        assert_loads(text, &b);
        sg_buf_clear(&found);
        sg_config_compare(options, COUNT, &a, &b, name_note, &found);
        assert_true(sg_bytes_equal(sg_buf_bytes(&found), sg_bytes_str(names[i])));
        sg_config_free(options, COUNT, &b);
    }
    assert_loads("[main]\nname = y\nlist = b\n", &b);
    sg_buf_clear(&found);
    sg_config_compare(options, COUNT, &a, &b, name_note, &found);
    assert_true(sg_bytes_equal(sg_buf_bytes(&found), sg_bytes_str("name list ")));
    sg_config_free(options, COUNT, &a);
    sg_config_free(options, COUNT, &b);
}

/* Every option stands in the manual page with what it takes. */
static void test_manual(void **state)
{
    char *page = NULL;
    size_t len = 0;
    (void)state;
    FILE *f = open_memstream(&page, &len);
    assert_non_null(f);
    sg_config_manual(f, "gatewayd", options, COUNT);
    fclose(f);
    assert_non_null(strstr(page, ".Dt gatewayd.CONF 5\n"));
    assert_non_null(strstr(page, ".Ss [limits]\n"));
    for (size_t i = 0; i < COUNT; i++) {
        assert_non_null(strstr(page, options[i].name));
        assert_non_null(strstr(page, options[i].help));
    }
    assert_non_null(strstr(page, "must be set"));
    assert_non_null(strstr(page, "one of debug info warning"));
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),  cmocka_unit_test(test_every_type),
        cmocka_unit_test(test_units),     cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_bad_lines), cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_manual),    cmocka_unit_test(test_compare),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
