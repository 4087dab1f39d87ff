/* data.h: content on the wire, both ways; SMTP smuggling (RFC 5321 §4.1.1.4, §4.5.2). */
#include "smtp/data.h"

#include "common/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static bool collect(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    if (len == 0)
        return true;
    return sg_buf_add(ctx, data, len) || sg_fail(err, SG_E_LIMIT, "full");
}

/* Feeds text in pieces of so many octets; returns what was consumed. */
static size_t feed(struct smtp_data_reader *r, struct sg_buf *out, struct sg_bytes text,
                   size_t piece)
{
    size_t done = 0;
    smtp_data_reader_init(r, (struct sg_sink){collect, out});
    while (done < text.len && r->state != SMTP_DATA_DONE) {
        /* A copy of exact size, so that a sanitizer sees every octet read beyond it. */
        struct sg_bytes part = sg_bytes_slice(text, done, piece);
        uint8_t *copy = malloc(part.len);
        memcpy(copy, part.data, part.len);
        done += smtp_data_reader_feed(r, sg_bytes_of(copy, part.len));
        free(copy);
    }
    return done;
}

struct row {
    const char *wire, *content; /* content NULL: not the end */
    bool bare;
    const char *rest; /* what belongs to the next command */
};
#define R(wire, content, bare, rest)                                                               \
    {                                                                                              \
        wire, content, bare, rest                                                                  \
    }

static const struct row rows[] = {
    R(".\r\n", "", false, ""),
    R("a\r\n.\r\n", "a\r\n", false, ""),
    R("a\r\n.\r\nMAIL", "a\r\n", false, "MAIL"),
    R("\r\n.\r\n", "\r\n", false, ""),
    R("..\r\n.\r\n", ".\r\n", false, ""),
    R("...\r\n..a\r\n.b\r\n.\r\n", "..\r\n.a\r\nb\r\n", false, ""),
    R("a.\r\n.\r\n", "a.\r\n", false, ""),
    R("a\r\n..\r\n.\r\n", "a\r\n.\r\n", false, ""),
    /* None of these is an end; the true one follows. */
    R("a\n.\nb\r\n.\r\n", "a\n.\nb\r\n", true, ""),
    R("a\r.\rb\r\n.\r\n", "a\r.\rb\r\n", true, ""),
    R("a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n", true, ""),
    R("a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", true, ""),
    R("a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n", true, ""),
    R("a\r.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n", true, ""),
    R("a\r\n.\r\r\nb\r\n.\r\n", "a\r\n\r\r\nb\r\n", true, ""),
    R("a\r\r\n.\r\n", "a\r\r\n", true, ""),
    R("a\n\r.\r\nb\r\n.\r\n", "a\n\r.\r\nb\r\n", true, ""),
    R("a\n\n.\r\nb\r\n.\r\n", "a\n\n.\r\nb\r\n", true, ""),
    R("a\r\n. \r\n.\r\n", "a\r\n \r\n", false, ""),
    R("a\r\n.\t\r\n.\r\n", "a\r\n\t\r\n", false, ""),
    R("\n.\r\n.\r\n", "\n.\r\n", true, ""),
    R("\r.\r\n.\r\n", "\r.\r\n", true, ""),
    R(".\n.\r\n.\r\n", "\n.\r\n", true, ""),
    R("a\r\n.\v\r\n.\r\n", "a\r\n\v\r\n", false, ""),
    /* Not ended. */
    R("a\r\n.\r", NULL, false, ""),
    R("a\r\n.\n", NULL, true, ""),
    R("a\r\n", NULL, false, ""),
    R("\n.\n", NULL, true, ""),
    R("\r.\r", NULL, true, ""),
};

static void check_row(const char *wire, size_t len, const char *content, size_t content_len,
                      bool bare, size_t rest)
{
    for (size_t piece = 1; piece <= len; piece++) {
        struct smtp_data_reader r;
        SG_AUTO_BUF out;
        sg_buf_init(&out, 0);
        size_t used = feed(&r, &out, sg_bytes_of(wire, len), piece);
        if ((r.state == SMTP_DATA_DONE) != (content != NULL) || r.bare != bare ||
            used != len - rest ||
            (content && !sg_bytes_equal(sg_buf_bytes(&out), sg_bytes_of(content, content_len))))
            fail_msg("wire \"%s\" in pieces of %zu: done %d bare %d used %zu", wire, piece,
                     r.state == SMTP_DATA_DONE, r.bare, used);
    }
}

static void ends_and_smuggling(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_row(rows[i].wire, strlen(rows[i].wire), rows[i].content,
                  rows[i].content ? strlen(rows[i].content) : 0, rows[i].bare,
                  strlen(rows[i].rest));
    static const char nul[] = "a\r\n\0.\r\n.\0\r\n.\r\n", nul_content[] = "a\r\n\0.\r\n\0\r\n";
    check_row(nul, sizeof nul - 1, nul_content, sizeof nul_content - 1, false, 0);
}

/* Every string of these octets up to eight, against a plain search for CRLF.CRLF. */
static void every_short_sequence(void **state)
{
    (void)state;
    static const char alphabet[] = {'\r', '\n', '.', 'x'};
    for (size_t len = 1; len <= 8; len++) {
        for (unsigned n = 0; n < 1u << (2 * len); n++) {
            char wire[12] = "\r\n"; /* the end of the DATA line counts */
            for (size_t i = 0; i < len; i++)
                wire[2 + i] = alphabet[n >> (2 * i) & 3];
            const char *end = memmem(wire, len + 2, "\r\n.\r\n", 5);
            size_t expected = end ? (size_t)(end - wire) + 3 : len;
            struct smtp_data_reader r;
            SG_AUTO_BUF out;
            sg_buf_init(&out, 0);
            smtp_data_reader_init(&r, (struct sg_sink){collect, &out});
            size_t used = smtp_data_reader_feed(&r, sg_bytes_of(wire + 2, len));
            assert_int_equal(r.state == SMTP_DATA_DONE, end != NULL);
            assert_int_equal(used, expected);
        }
    }
}

static void sink_full(void **state)
{
    (void)state;
    struct smtp_data_reader r;
    SG_AUTO_BUF out;
    sg_buf_init(&out, 3);
    struct sg_bytes wire = sg_bytes_str("ab\r\ncd\r\nef\r\n.\r\nQUIT");
    assert_int_equal(feed(&r, &out, wire, 1), wire.len - 4);
    assert_int_equal(r.state, SMTP_DATA_DONE);
    assert_true(r.failed);
    assert_int_equal(r.error.code, SG_E_LIMIT);
    assert_int_equal(out.len, 3);
}

static bool stuff_octets(struct sg_bytes all, size_t piece, struct sg_buf *out,
                         struct sg_error *err)
{
    struct smtp_data_writer w;
    smtp_data_writer_init(&w, (struct sg_sink){collect, out});
    for (size_t at = 0; at < all.len; at += piece)
        if (!smtp_data_writer_add(&w, sg_bytes_slice(all, at, piece), err))
            return false;
    return smtp_data_writer_end(&w, err);
}

static bool stuff(const char *content, size_t piece, struct sg_buf *out, struct sg_error *err)
{
    return stuff_octets(sg_bytes_str(content), piece, out, err);
}

/* A server that drops NUL sees no end but the end. */
static void stuffing_behind_nul(void **state)
{
    (void)state;
#define ROW(in, out)                                                                               \
    {                                                                                              \
        {in, sizeof in - 1},                                                                       \
        {                                                                                          \
            out, sizeof out - 1                                                                    \
        }                                                                                          \
    }
    static const struct {
        struct {
            const char *octets;
            size_t len;
        } content, wire;
    } rows_[] = {
        ROW("\0.\r\na", "\0..\r\na\r\n.\r\n"),   ROW("a\r\n\0\0.\0\r\n", "a\r\n\0\0..\0\r\n.\r\n"),
        ROW(".\0.\r\n", "..\0.\r\n.\r\n"),       ROW("\0", "\0\r\n.\r\n"),
        ROW("a\r\n\0", "a\r\n\0\r\n.\r\n"),      ROW("a\0.\r\n", "a\0.\r\n.\r\n"),
        ROW("\0\r\n\0.", "\0\r\n\0..\r\n.\r\n"),
    };
#undef ROW
    for (size_t i = 0; i < sizeof rows_ / sizeof *rows_; i++)
        for (size_t piece = 1; piece < 9; piece++) {
            struct sg_error err;
            SG_AUTO_BUF out;
            sg_buf_init(&out, 0);
            assert_true(stuff_octets(sg_bytes_of(rows_[i].content.octets, rows_[i].content.len),
                                     piece, &out, &err));
            assert_true(sg_bytes_equal(sg_buf_bytes(&out),
                                       sg_bytes_of(rows_[i].wire.octets, rows_[i].wire.len)));
        }
}

static void stuffing(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"", ".\r\n"},
        {"a\r\n", "a\r\n.\r\n"},
        {"a", "a\r\n.\r\n"},
        {".\r\n", "..\r\n.\r\n"},
        {"..a\r\n.\r\n\r\n.b\r\n", "...a\r\n..\r\n\r\n..b\r\n.\r\n"},
        {"a.b\r\n", "a.b\r\n.\r\n"},
        {".", "..\r\n.\r\n"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        for (size_t piece = 1; piece < 9; piece++) {
            struct sg_error err;
            SG_AUTO_BUF out;
            sg_buf_init(&out, 0);
            assert_true(stuff(pairs[i][0], piece, &out, &err));
            assert_true(sg_bytes_equal(sg_buf_bytes(&out), sg_bytes_str(pairs[i][1])));
        }
}

static void bare_never_goes_out(void **state)
{
    (void)state;
    static const char *const bad[] = {"\n",      "\r",      "a\n.\nb\r\n", "a\r\n.\n", "a\rb\r\n",
                                      "a\r\r\n", "a\r\n\n", "a\n.\r\nb",   "a\r\nb\r"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (size_t piece = 1; piece < 9; piece++) {
            struct sg_error err;
            SG_AUTO_BUF out;
            sg_buf_init(&out, 0);
            assert_false(stuff(bad[i], piece, &out, &err));
            assert_int_equal(err.code, SG_E_INVALID);
            assert_null(out.len >= 5 ? memmem(out.data, out.len, "\r\n.\r\n", 5) : NULL);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_and_smuggling),  cmocka_unit_test(every_short_sequence),
        cmocka_unit_test(sink_full),           cmocka_unit_test(stuffing),
        cmocka_unit_test(bare_never_goes_out), cmocka_unit_test(stuffing_behind_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
