/* The forms of a report: what stands in them, and that nothing in its texts can be anything else.
 */
#include "report/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define EVIL "<script>alert(1)</script>\\\"' onload=x}body{display:none} </style> \\u202e end"

static const char sample[] =
    "{\"id\": \"rep_1\", \"revision\": 2, \"state\": \"current\", \"made_at\": "
    "\"2026-11-01T00:00:00.000Z\","
    " \"sha256\": \"abcd\", \"signatures\": [{\"name\": \"A. Officer\", \"title\": \"Security "
    "officer\","
    "   \"words\": \"Read <b>all</b> of it.\", \"signed_at\": \"2026-11-02T00:00:00.000Z\"}],"
    " \"data\": {\"schema\": 1, \"kind\": \"service\", \"title\": \"Service report\", "
    "\"provider\": \"" EVIL "\","
    " \"subject\": {\"tenant_id\": null, \"name\": \"" EVIL "\"},"
    " \"period\": {\"month\": \"2026-10\", \"name\": \"October 2026\", \"time_zone\": "
    "\"Pacific/Auckland\","
    "   \"begins_at\": \"b\", \"ends_at\": \"e\", \"until\": \"e\", \"complete\": true},"
    " \"summary\": [\"All is well.\"], \"missing\": [\"Nobody attests REQ-131.\"],"
    " \"sections\": [{\"id\": \"traffic\", \"title\": \"" EVIL
    "\", \"method\": \"Counted.\", \"requirements\": [117, 142],"
    "   \"figures\": [{\"name\": \"sealed\", \"label\": \"Sealed\", \"value\": 1234567, \"unit\": "
    "\"recipients\"},"
    "     {\"name\": \"percent\", \"label\": \"Up\", \"value\": \"99.873\", \"unit\": \"%\"},"
    "     {\"name\": \"met\", \"label\": \"Met\", \"value\": false, \"unit\": \"\"}],"
    "   \"tables\": [{\"id\": \"days\", \"title\": \"Days\", \"columns\": ["
    "       {\"name\": \"day\", \"label\": \"Day\", \"type\": \"date\"},"
    "       {\"name\": \"sealed\", \"label\": \"Sealed\", \"type\": \"integer\"},"
    "       {\"name\": \"note\", \"label\": \"Note\", \"type\": \"text\"},"
    "       {\"name\": \"minute\", \"label\": \"Minute\", \"type\": \"hidden\"}],"
    "     \"rows\": [[\"2026-10-01\", 4321, \"=1+1\", 77], [\"2026-10-02\", 0, \"say \\\"hi\\\", "
    "twice\", -5],"
    "       [\"2026-10-03\", -3, \"@x\", null], [\"2026-10-04\", 5, \"" EVIL "\", 1]]}],"
    "   \"charts\": [{\"id\": \"c\", \"kind\": \"bars\", \"title\": \"A day\", \"table\": "
    "\"days\", \"label\": \"day\","
    "     \"values\": [\"sealed\"]}]}]}}";

static json_t *load(const char *text)
{
    json_error_t where;
    json_t *json = json_loads(text, 0, &where);
    if (!json)
        fail_msg("%s at %d", where.text, where.position);
    return json;
}

static char *html(const char *text, struct sg_buf *out)
{
    struct sg_error err = {0};
    json_t *report = load(text);
    sg_buf_init(out, SG_REPORT_SIZE_MAX);
    assert_true(sg_report_html(report, out, &err));
    json_decref(report);
    return (char *)out->data;
}

static char *csv(const char *table, struct sg_buf *out)
{
    struct sg_error err = {0};
    json_t *report = load(sample);
    sg_buf_init(out, SG_REPORT_SIZE_MAX);
    assert_true(sg_report_csv(report, table, out, &err));
    json_decref(report);
    return (char *)out->data;
}

static void test_html_says_it_all(void **state)
{
    (void)state;
    SG_AUTO_BUF out;
    const char *page = html(sample, &out);
    /* Digits are grouped by narrow spaces; a hidden column is not shown. */
    assert_non_null(strstr(page, ">1\xe2\x80\xaf"
                                 "234\xe2\x80\xaf"
                                 "567</td>"));
    assert_non_null(strstr(page, ">99.873</td>"));
    assert_non_null(strstr(page, ">no</td>"));
    assert_non_null(strstr(page, ">4321</td>"));
    assert_null(strstr(page, ">77</td>"));
    assert_non_null(strstr(page, "Counted. (Requirement 117, 142.)"));
    assert_non_null(strstr(page, "Nobody attests REQ-131."));
    assert_non_null(strstr(page, "Read &lt;b&gt;all&lt;/b&gt; of it."));
    assert_non_null(strstr(page, "<code id=\"sha256\">abcd</code>"));
    assert_non_null(strstr(page, "<svg role=\"img\" aria-labelledby=\"c-t c-d\""));
    assert_non_null(strstr(page, "<title id=\"c-t\">A day</title><desc id=\"c-d\">"));
    assert_non_null(strstr(page, "whole month"));
    assert_null(strstr(page, "provisional"));
}

static void test_html_holds_what_strangers_write(void **state)
{
    (void)state;
    SG_AUTO_BUF out;
    const char *page = html(sample, &out);
    assert_null(strstr(page, "<script"));
    assert_null(strstr(page, "\xe2\x80\xae")); /* right to left */
    assert_non_null(strstr(page, "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39; onload=x"));
    /* One style element, and it is left once: CSS has the name as letters and escapes alone. */
    const char *style = strstr(page, "<style>"), *end = strstr(style, "</style>");
    assert_null(strstr(style + 1, "<style>"));
    assert_null(strstr(end + 1, "</style>"));
    const char *css = strstr(style, "\\3C script\\3E alert\\28 1\\29 ");
    assert_true(css && css < end);
    assert_non_null(strstr(css, "\\7D body\\7B display\\3A none\\7D "));
}

static void test_html_of_nothing(void **state)
{
    (void)state;
    static const char *const odd[] = {
        "{}",
        "[]",
        "{\"data\": 1}",
        "{\"data\": {\"sections\": [1, null, [], {\"tables\": [{}], \"charts\": [{}]}]}}",
        "{\"data\": {\"sections\": [{\"figures\": 7, \"charts\": [{\"kind\": \"bars\", \"table\": "
        "\"t\"}],"
        " \"tables\": [{\"id\": \"t\", \"rows\": [1, []]}]}]}}",
        "{\"data\": {\"period\": {\"complete\": false}}}"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        SG_AUTO_BUF out;
        const char *page = html(odd[i], &out);
        assert_non_null(strstr(page, "</html>"));
        assert_non_null(strstr(page, "provisional"));
    }
}

static void test_timeline(void **state)
{
    (void)state;
    SG_AUTO_BUF out;
    const char *page = html("{\"data\": {\"sections\": [{\"tables\": [{\"id\": \"d\", \"columns\": "
                            "[{\"name\": \"day\"}], \"rows\": "
                            "[[\"2026-10-01\"], [\"2026-10-02\"]]}, {\"id\": \"o\", \"columns\": "
                            "[{\"name\": \"day\"}, {\"name\": \"at\"}, "
                            "{\"name\": \"n\"}, {\"name\": \"s\"}], \"rows\": [[\"2026-10-02\", "
                            "60, 30, \"maintenance\"], "
                            "[\"2026-10-02\", 1430, 70, \"down\"], [\"2026-11-02\", 1, 1, "
                            "\"down\"]]}], \"charts\": [{\"kind\": "
                            "\"timeline\", \"table\": \"o\", \"rows\": \"d\", \"label\": \"day\", "
                            "\"day\": \"day\", \"from\": \"at\", "
                            "\"length\": \"n\", \"state\": \"s\"}]}]}}",
                            &out);
    /* The second day; a quarter of an hour is 60 tenths of a pixel. */
    assert_non_null(
        strstr(page, "<rect x=\"1240\" y=\"510\" width=\"120\" height=\"110\" class=\"kept\"/>"));
    /* What reaches beyond 24 hours (a day of 25) ends with the strip. */
    assert_non_null(
        strstr(page, "<rect x=\"6720\" y=\"510\" width=\"40\" height=\"110\" class=\"down\"/>"));
}

static void test_csv(void **state)
{
    (void)state;
    SG_AUTO_BUF out;
    assert_string_equal(csv(NULL, &out),
                        "section,name,label,value,unit\r\n"
                        "\"traffic\",\"sealed\",\"Sealed\",1234567,\"recipients\"\r\n"
                        "\"traffic\",\"percent\",\"Up\",\"99.873\",\"%\"\r\n"
                        "\"traffic\",\"met\",\"Met\",no,\"\"\r\n");
    SG_AUTO_BUF days;
    const char *text = csv("days", &days);
    static const char begin[] = "\"day\",\"sealed\",\"note\",\"minute\"\r\n"
                                "\"2026-10-01\",4321,\"'=1+1\",77\r\n"
                                "\"2026-10-02\",0,\"say \"\"hi\"\", twice\",-5\r\n"
                                "\"2026-10-03\",-3,\"'@x\",\r\n";
    assert_memory_equal(text, begin, sizeof begin - 1);
}

static void test_csv_without_that_table(void **state)
{
    (void)state;
    struct sg_error err = {0};
    SG_AUTO_BUF out;
    sg_buf_init(&out, 0);
    json_t *report = load(sample);
    assert_false(sg_report_csv(report, "nights", &out, &err));
    assert_int_equal(err.code, SG_E_NOT_FOUND);
    json_decref(report);
}

static void test_a_limit_is_told(void **state)
{
    (void)state;
    struct sg_error err = {0};
    SG_AUTO_BUF out;
    sg_buf_init(&out, 1000);
    json_t *report = load(sample);
    assert_false(sg_report_html(report, &out, &err));
    assert_int_equal(err.code, SG_E_LIMIT);
    json_decref(report);
}

/* As sha256sum says of the same bytes. */
static void test_hash(void **state)
{
    (void)state;
    struct sg_error err = {0};
    uint8_t hash[SG_REPORT_HASH_SIZE];
    SG_AUTO_BUF text;
    sg_buf_init(&text, 0);
    json_t *data =
        load("{\"b\": [1, true, null, \"\\u00e9\\u0001\"],\n \"a\": {\"d\": \"x\", \"c\": -7}}");
    assert_true(sg_report_canonical(data, &text, &err));
    assert_string_equal((char *)text.data,
                        "{\"a\":{\"c\":-7,\"d\":\"x\"},\"b\":[1,true,null,\"\xc3\xa9\\u0001\"]}");
    static const uint8_t want[] = {0xd0, 0xe0, 0x03, 0x45, 0x21, 0x8f, 0x4e, 0x42, 0x55, 0x13, 0x5f,
                                   0x12, 0x15, 0xbd, 0xdf, 0xe9, 0x25, 0xa1, 0xe7, 0xce, 0x5f, 0x41,
                                   0xea, 0xe8, 0x92, 0xa6, 0x35, 0x5b, 0xa5, 0x6b, 0xae, 0x43};
    assert_true(sg_report_hash(data, hash, &err));
    assert_memory_equal(hash, want, sizeof want);
    json_decref(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_html_says_it_all),
        cmocka_unit_test(test_html_holds_what_strangers_write),
        cmocka_unit_test(test_html_of_nothing),
        cmocka_unit_test(test_timeline),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_csv_without_that_table),
        cmocka_unit_test(test_a_limit_is_told),
        cmocka_unit_test(test_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
