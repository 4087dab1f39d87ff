/* Text of RTF (REQ-33): documents as the RTF specification 1.9.1 and MS-OXRTFEX describe them. */
#include "common/buf.h"
#include "common/clock.h"
#include "rtf/rtf.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define DEPTH 100

struct views {
    struct sg_buf view[SG_RTF_VIEWS];
    struct sg_rtf_result result;
};

static void take(void *ctx, enum sg_rtf_view view, struct sg_bytes utf8)
{
    struct views *v = ctx;
    sg_buf_add(&v->view[view], utf8.data, utf8.len);
}

static void read_in_pieces(const char *data, size_t len, size_t piece, struct views *v)
{
    *v = (struct views){0};
    struct sg_rtf *rtf = sg_rtf_new(DEPTH, take, v);
    for (size_t at = 0; at < len; at += piece)
        sg_rtf_push(rtf, sg_bytes_slice(sg_bytes_of(data, len), at, piece));
    sg_rtf_end(rtf, &v->result);
    sg_rtf_free(&rtf);
    assert_null(rtf);
}

static void views_free(struct views *v)
{
    for (int i = 0; i < SG_RTF_VIEWS; i++)
        sg_buf_free(&v->view[i]);
}

static const char *text_of(const struct views *v, enum sg_rtf_view view)
{
    return v->view[view].len ? (const char *)v->view[view].data : "";
}

/* What is read does not hang on how the bytes come. */
static void check(const char *rtf, size_t len, const char *text, const char *aside,
                  const char *html, struct sg_rtf_result expected)
{
    static const size_t pieces[] = {1, 2, 3, 7, 1 << 20};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct views v;
        read_in_pieces(rtf, len, pieces[i], &v);
        assert_string_equal(text_of(&v, SG_RTF_TEXT), text);
        assert_string_equal(text_of(&v, SG_RTF_ASIDE), aside);
        assert_string_equal(text_of(&v, SG_RTF_HTML), html);
        assert_int_equal(v.result.truncated, expected.truncated);
        assert_int_equal(v.result.malformed, expected.malformed);
        assert_int_equal(v.result.lost, expected.lost);
        views_free(&v);
    }
}

static const struct sg_rtf_result well = {0};

struct row {
    const char *rtf, *text;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check(rows[i].rtf, strlen(rows[i].rtf), rows[i].text, "", "", well);
}
#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof(rows)[0])

/* Runs of white space as one blank, none at the ends. */
static void squeeze(struct sg_buf *out, const char *text)
{
    bool blank = false;
    for (const char *p = text; *p; p++) {
        if (strchr(" \t\n", *p)) {
            blank = true;
            continue;
        }
        if (blank && out->len)
            sg_buf_adds(out, " ");
        blank = false;
        sg_buf_add(out, p, 1);
    }
}

static void read_file(struct sg_buf *out, const char *path)
{
    FILE *f = fopen(path, "rb");
    char piece[4096];
    assert_non_null(f);
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;)
        sg_buf_add(out, piece, n);
    fclose(f);
}

/* tests/vectors/rtf: of each document what its maker put in, running text and asides. */
static void documents_of_other_programs(void **state)
{
    (void)state;
    glob_t found;
    assert_int_equal(glob(SG_SOURCE_DIR "/tests/vectors/rtf/*.rtf", 0, NULL, &found), 0);
    assert_int_equal(found.gl_pathc, 4);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        SG_AUTO_BUF rtf = {0}, path = {0}, text = {0}, expected = {0}, got = {0};
        struct views v;
        read_file(&rtf, found.gl_pathv[i]);
        sg_buf_addf(&path, "%.*s.text", (int)(strlen(found.gl_pathv[i]) - 4), found.gl_pathv[i]);
        read_file(&text, (const char *)path.data);
        squeeze(&expected, (const char *)text.data);
        read_in_pieces((const char *)rtf.data, rtf.len, 1000, &v);
        sg_buf_adds(&v.view[SG_RTF_TEXT], "\n");
        sg_buf_add(&v.view[SG_RTF_TEXT], v.view[SG_RTF_ASIDE].data, v.view[SG_RTF_ASIDE].len);
        squeeze(&got, text_of(&v, SG_RTF_TEXT));
        assert_string_equal((const char *)got.data, (const char *)expected.data);
        assert_false(v.result.lost || v.result.malformed || v.result.truncated);
        views_free(&v);
    }
    globfree(&found);
}

/* REQ-33: however it is formatted, a word comes out whole. */
static void a_word_in_several_runs_comes_out_whole(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{\\rtf1\\ansi [SECRET]}", "[SECRET]"},
        {"{\\rtf1\\ansi [SE{\\b CR}ET]}", "[SECRET]"},
        {"{\\rtf1 [S\\b E\\b0 CRET]}", "[SECRET]"},
        {"{\\rtf1 [SEC\r\nRET]}", "[SECRET]"},
        {"{\\rtf1 [SEC\\-RET]}", "[SECRET]"},
        {"{\\rtf1 [SEC{\\*\\bkmkstart here}RET{\\*\\bkmkend here}]}", "[SECRET]"},
        {"{\\rtf1 {[}{\\f1\\fs20\\cf2\\lang1033 SECRET}{]}}", "[SECRET]"},
        {"{\\rtf1{\\rtlch [SEC}\\ltrmark\\zwj {\\ltrch RET]}}", "[SECRET]"},
        {"{\\rtf1 \\'5bSECRE\\'54\\'5D}", "[SECRET]"},
        {"{\\rtf1 \\u91?SECRET\\u93?}", "[SECRET]"},
        {"{\\rtf1 [\\caps secret\\caps0 ] [{\\scaps Secret}]}", "[SECRET] [SECRET]"},
        {"{\\rtf1 [SE{\\revised\\revauth1 CR}ET]}", "[SECRET]"},
        {"{\\rtf1 [SE{\\field{\\*\\fldinst QUOTE \"x\"}{\\fldrslt CR}}ET]}", "[SECRET]"},
        {"{\\rtf1 [SE{\\object\\objemb{\\*\\objclass Word}{\\*\\objdata 0102}{\\result CR}}ET]}",
         "[SECRET]"},
    };
    CHECK_ROWS(rows);
}

static void breaks_and_special_characters(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{\\rtf1 a\\par b\\line c\\\nd\\\r\ne\\tab f\\\tg}", "a\nb\nc\nd\ne\tf\tg"},
        {"{\\rtf1 a\\cell b\\row c\\page d\\sect e}", "a\tb\nc\nd\ne"},
        {"{\\rtf1 \\{a\\}\\\\b}", "{a}\\b"},
        {"{\\rtf1 a\\~b\\_c\\emdash d\\lquote e\\rquote\\bullet}",
         "a\u00a0b\u2011c\u2014d\u2018e\u2019\u2022"},
        {"{\\rtf1 a\tb}", "a\tb"},
        {"{\\rtf1 x\\par-y\\par - z}", "x\n-y\n- z"}, /* no number behind the hyphen */
        {"{\\rtf1\\par  a}", "\n a"}, /* one blank ends the word, the next is text */
        {"{\\rtf1\\par2a}", "\na"},
    };
    CHECK_ROWS(rows);
}

static void unicode_characters_and_what_stands_for_them(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{\\rtf1 \\u257?b}", "\u0101b"},
        {"{\\rtf1 \\u257 ?b}", "\u0101b"},
        {"{\\rtf1\\uc2 \\u26085\\'93\\'fab}", "日b"},
        {"{\\rtf1\\uc0 \\u257\\u258 b}", "\u0101\u0102b"},
        {"{\\rtf1\\uc0{\\uc2 \\u257 xxb}\\u257 b}", "\u0101b\u0101b"},
        {"{\\rtf1 \\u-10179?\\u-8704?!}", "😀!"},
        {"{\\rtf1 \\u55357?\\u56832?!}", "😀!"},
        {"{\\rtf1\\uc0 \\u-10179\\u-8704 !}", "😀!"},
        {"{\\rtf1\\uc0{\\u55357}{\\*\\x y}{\\b\\u56832}!}", "😀!"},
        {"{\\rtf1 \\u55357\\u56832 ?!}", "😀!"}, /* \u is never taken for a replacement */
        {"{\\rtf1 {\\u257}b}", "\u0101b"},      /* a group's end ends what is passed over */
        {"{\\rtf1 \\u257\\bin3 {}}b}", "\u0101b"},
        {"{\\rtf1 \\u257\\~b}", "\u0101b"},
        {"{\\rtf1 \\u-4005?}", "["}, /* U+F05B, of a symbol font */
        {"{\\rtf1{\\upr{A?}{\\*\\ud{A\\u257 ?}}}b}", "A\u0101b"},
    };
    CHECK_ROWS(rows);
}

static void bytes_are_read_by_the_code_page_of_their_font(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{\\rtf1\\ansi\\ansicpg1252 M\\'e4ori \\'80}", "Mäori €"},
        {"{\\rtf1\\ansi\\ansicpg1251 \\'cf}", "П"},
        {"{\\rtf1\\ansi\\ansicpg1251\\deff0{\\fonttbl{\\f0\\fcharset1 X;}}\\f0 \\'cf}", "П"},
        {"{\\rtf1\\mac \\'8a}", "ä"},
        {"{\\rtf1\\pc \\'84}", "ä"},
        {"{\\rtf1\\pca \\'d0}", "ð"},
        {"{\\rtf1\\ansi{\\fonttbl{\\f0\\fswiss\\fcharset0 "
         "Arial;}{\\f1\\fnil\\fcharset204{\\*\\falt "
         "Y}Arial Cyr;}{\\f9\\fcharset128 MS Mincho;}}\\f0\\'e4{\\f1\\'cf}\\'e4\\f9 "
         "\\'93\\'fa\\plain "
         "\\'e4}",
         "äПä日ä"},
        {"{\\rtf1\\deff3{\\fonttbl\\f3\\fcharset238 One;\\f4\\fcharset161 Two;}\\'b9\\f4\\'e1}",
         "ąα"},
        {"{\\rtf1{\\fonttbl{\\f0\\cpg1251 One;}}\\f0\\'cf}", "П"},
        {"{\\rtf1\\ansi\\ansicpg932 \\'83A\\'83\\\\\\'93\\'fa}",
         "アソ日"}, /* second halves may be ASCII */
        {"{\\rtf1\\ansi\\ansicpg932 \\'93\\f0\\loch\\'fa}", "日"},
        {"{\\rtf1\\ansi\\ansicpg932 {\\'93}{\\b\\'fa}}", "日"},
        {"{\\rtf1\\ansi\\ansicpg0 \\'e4}", "ä"},
        {"{\\rtf1\\ansi\\ansicpg65001 \\'f0\\'9f\\'98\\'80}", "😀"},
        {"{\\rtf1\\ansi\\ansicpg54936 \\'81\\'30\\'81\\'30}", "\xc2\x80"},
        {"{\\rtf1\\ansi\\ansicpg1252 M\xe4ori}", "Mäori"}, /* eight bits, without escapes */
    };
    CHECK_ROWS(rows);
}

static void tables_and_pictures_give_no_text(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{\\rtf1{\\fonttbl{\\f0 Arial;}}{\\colortbl;\\red0 ;}{\\stylesheet{\\s0 Normal;}}"
         "{\\info{\\title T}{\\author A}}{\\*\\generator G;}x}",
         "x"},
        {"{\\rtf1 a{\\pict\\pngblip 89504e47{\\*\\blipuid 01}}b}", "ab"},
        {"{\\rtf1 a{\\*\\unknown text {more}{\\b x}}b}", "ab"},
        {"{\\rtf1 a{\\*\\shppict{\\pict 00}}{\\nonshppict{\\pict 00}}b}", "ab"},
        {"{\\rtf1 a{\\*\\themedata 504b}{\\*\\datastore 01}b}", "ab"},
        {"{\\rtf1 a\\bin4 }}{{\\b c}", "ac"},
        {"{\\rtf1 a{\\pict\\bin4 {{}\\}b}", "ab"},
        {"{\\rtf1 a\\bin0 b\\bin-3 c}", "abc"},
        {"{\\rtf1 a\\bin3xyzb}", "ab"},
    };
    CHECK_ROWS(rows);
}

/* REQ-33: text is text, wherever the page has it; but it does not stand between letters that a
 * reader sees side by side. */
static void what_stands_aside_comes_in_a_view_of_its_own(void **state)
{
    (void)state;
    static const struct {
        const char *rtf, *text, *aside;
    } rows[] = {
        {"{\\rtf1 [SEC{\\footnote note}RET]}", "[SECRET]", "note"},
        {"{\\rtf1 [SEC{\\*\\footnote note}RET]}", "[SECRET]", "note"},
        {"{\\rtf1{\\header [SE{\\b CRET]}}{\\footer foot}x}", "x", "[SECRET]\nfoot"},
        {"{\\rtf1 a{\\v hid{\\b den}}b}", "ab", "hidden"},
        {"{\\rtf1 a\\v hid\\v0 b\\v den\\plain c}", "abc", "hid\nden"},
        {"{\\rtf1 a{\\deleted gone}b}", "ab", "gone"},
        {"{\\rtf1 a{\\*\\annotation [SECRET]}b}", "ab", "[SECRET]"},
        {"{\\rtf1{\\shp{\\*\\shpinst\\shpleft0{\\sp{\\sn lTxid}{\\sv 1}}{\\shptxt box}}"
         "{\\shprslt{\\*\\do\\dobxpage{\\dptxbxtext old}}}}x}",
         "x", "1\nbox\nold"},
        {"{\\rtf1{\\*\\pn\\pnlvlblt{\\pntxtb [}{\\pntxta ]}}x}", "x", "[\n]"},
        {"{\\rtf1{\\mmath{\\*\\moMath{\\mr [SECRET]}}}x}", "x", "[SECRET]"},
        {"{\\rtf1{\\footnote a{\\field{\\*\\fldinst X}{\\fldrslt b}}c}x}", "x", "abc"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check(rows[i].rtf, strlen(rows[i].rtf), rows[i].text, rows[i].aside, "", well);
}

/* MS-OXRTFEX: the HTML that Outlook carries within RTF. A reader may show the one or the other. */
static void html_within_rtf_comes_beside_the_text(void **state)
{
    (void)state;
    const char *rtf =
        "{\\rtf1\\ansi\\ansicpg1251\\fromhtml1 \\deff0{\\fonttbl{\\f0\\fswiss\\fcharset0 "
        "Arial;}}\r\n"
        "{\\*\\htmltag19 <html>}{\\*\\htmltag34 <head>}{\\*\\htmltag41 </head>}\r\n"
        "{\\*\\htmltag50 <body>}\\htmlrtf \\lang1033 \\htmlrtf0 {\\*\\htmltag64 <p>}"
        "\\htmlrtf {\\htmlrtf0 [SE{\\*\\htmltag84 <b>}\\htmlrtf {\\b \\htmlrtf0 CR"
        "{\\*\\htmltag92 </b>}\\htmlrtf }\\htmlrtf0 ET]{\\*\\htmltag84 &nbsp;}"
        "\\htmlrtf \\'a0\\htmlrtf0{\\*\\mhtmltag84 <img src=\"x\">}"
        "{\\*\\htmltag84 <img alt=\"[RESTRICTED]\">}"
        "\\htmlrtf\\par}\\htmlrtf0\r\n{\\*\\htmltag58 \\par </body>}{\\*\\htmltag27 </html>}}";
    check(rtf, strlen(rtf), "[SECRET]\u00a0\n", "",
          "<html><head></head><body><p>[SE<b>CR</b>ET]&nbsp;<img alt=\"[RESTRICTED]\">\n"
          "</body></html>",
          well);
}

static void whatever_comes_nothing_fails(void **state)
{
    (void)state;
    struct sg_rtf_result truncated = {.truncated = true}, malformed = {.malformed = true},
                         lost = {.lost = true}, both = {.truncated = true, .malformed = true};
    check("", 0, "", "", "", malformed);
    check("plain text", 10, "plain text", "", "", malformed);
    check("{\\rtf1 [SECRET]", 15, "[SECRET]", "", "", truncated);
    check("{\\rtf1 a}}b", 11, "ab", "", "", malformed);
    check("{\\rtf1 a}\\", 10, "a", "", "", truncated);
    check("{\\rtf1 a\\bin99 }", 16, "a", "", "", truncated);
    check("{\\b a}", 6, "a", "", "", malformed);
    check("\\b a{", 5, "a", "", "", both);
    check("{\\rtf1 \\'zz}", 12, "zz", "", "", malformed);
    check("{\\rtf1 a\\u99999999?b}", 21, "a\ufffdb", "", "", well);
    check("{\\rtf1 a\\u55357?b}", 18, "a\ufffdb", "", "", well);
    check("{\\rtf1 a\\u56832?b}", 18, "a\ufffdb", "", "", well);
    check("{\\rtf1\\ansicpg932 a\\'93}", 24, "a\ufffd", "", "", well);
    check("{\\rtf1\\ansicpg932 a\\'93\\u65?}", 29, "a\ufffdA", "", "", well);
    check("{\\rtf1\\ansicpg932 a\\'ff[}", 25, "a\ufffd[", "", "", well);
    check("{\\rtf1\\ansicpg1252 a\\'81[}", 26, "a\ufffd[", "", "", well);
    check("{\\rtf1 a{\\*\\x\\u55357?\\'ff}b}", 28, "ab", "", "", well);
    check("{\\rtf1\\ansicpg4711 a\\'ff[}", 26, "a\ufffd[", "", "", lost);
    check("{\\rtf1\\ansicpg4711 [SECRET]}", 28, "[SECRET]", "", "", well);
    check("{\\rtf1 a\0b}", 11, "ab", "", "", well);
    char word[300] = "{\\rtf1 ";
    memset(word + 7, 'x', 200);
    word[7] = '\\';
    strcat(word, " [SECRET]}");
    check(word, strlen(word), "[SECRET]", "", "", malformed);
}

/* The deepest group that is told apart is the 100th; what lies deeper is read all the same. */
static void groups_are_told_apart_to_a_depth(void **state)
{
    (void)state;
    for (size_t depth = DEPTH - 1; depth <= DEPTH + 1; depth++) {
        SG_AUTO_BUF b = {0};
        sg_buf_adds(&b, "{\\rtf1 ");
        for (size_t i = 1; i < depth; i++)
            sg_buf_adds(&b, "{");
        sg_buf_adds(&b, "[SEC{\\*\\unknown x}RET]");
        for (size_t i = 1; i < depth; i++)
            sg_buf_adds(&b, "}");
        sg_buf_adds(&b, "{\\*\\unknown y}.}");
        struct sg_rtf_result expected = {.lost = depth >= DEPTH};
        check((const char *)b.data, b.len, depth < DEPTH ? "[SECRET]." : "[SECxRET].", "", "",
              expected);
    }
}

/* Twice the bytes, about twice the time: whatever they are. */
static void time_is_linear(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "{",
        "}",
        "{\\b x}",
        "{\\f1\\'93\\f0",
        "\\ansicpg932\\'93\\ansicpg1251 ",
        "\\u55357?",
        "\\v x\\v0 y",
        "{\\upr{\\*\\ud",
        "\\bin1 x",
        "{\\*\\shpinst{\\sv ",
        "{\\fonttbl{\\f32767\\fcharset128 x;}}",
    };
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        int64_t took[2];
        for (int round = 0; round < 2; round++) {
            SG_AUTO_BUF b = {0};
            struct views v;
            sg_buf_adds(&b, "{\\rtf1\\ansi{\\fonttbl{\\f1\\fcharset128 x;}}");
            while (b.len < (round ? 4u : 1u) << 20)
                sg_buf_adds(&b, patterns[i]);
            int64_t began = sg_clock_monotonic_ms();
            read_in_pieces((const char *)b.data, b.len, 65536, &v);
            took[round] = sg_clock_monotonic_ms() - began;
            views_free(&v);
        }
        assert_true(took[1] < 16 * took[0] + 2000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_of_other_programs),
        cmocka_unit_test(a_word_in_several_runs_comes_out_whole),
        cmocka_unit_test(breaks_and_special_characters),
        cmocka_unit_test(unicode_characters_and_what_stands_for_them),
        cmocka_unit_test(bytes_are_read_by_the_code_page_of_their_font),
        cmocka_unit_test(tables_and_pictures_give_no_text),
        cmocka_unit_test(what_stands_aside_comes_in_a_view_of_its_own),
        cmocka_unit_test(html_within_rtf_comes_beside_the_text),
        cmocka_unit_test(whatever_comes_nothing_fails),
        cmocka_unit_test(groups_are_told_apart_to_a_depth),
        cmocka_unit_test(time_is_linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
