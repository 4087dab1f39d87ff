/*
 * Every mail of tests/vectors/mime (made with other tools than ours) gives what its table says,
 * read at once or octet by octet. REQ-29 REQ-30 REQ-31 REQ-32 REQ-33 REQ-34 REQ-35 REQ-109 REQ-114
 */
#include "scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define FOLDER SG_SOURCE_DIR "/tests/vectors/mime/"

struct row {
    char file[80], words[80], what[40], attached[80];
};

/* The words of a list as bits. */
static unsigned words_of(const char *list)
{
    unsigned words = 0;
    char copy[80], *rest = copy;
    snprintf(copy, sizeof copy, "%s", list);
    for (char *one; (one = strsep(&rest, ","));) {
        unsigned before = words;
        for (unsigned word = 1; word <= SG_TRIGGER_RSVPDR; word <<= 1)
            if (strcmp(one, sg_trigger_word_name((enum sg_trigger_word)word)) == 0)
                words |= word;
        if (words == before && strcmp(one, "-") != 0)
            fail_msg("the table has no such word: %s", one);
    }
    return words;
}

static void file_read(const char *name, struct sg_buf *out)
{
    char path[400], data[4096];
    snprintf(path, sizeof path, FOLDER "%s", name);
    FILE *f = fopen(path, "rb");
    if (!f) {
        fail_msg("%s cannot be read", path);
        return;
    }
    for (size_t n; (n = fread(data, 1, sizeof data, f));)
        sg_buf_add(out, data, n);
    fclose(f);
}

static bool as_expected(const struct sg_trigger_found *found, const struct row *row,
                        const char *words)
{
    unsigned named = 0;
    for (size_t i = 0; i < found->hit_count; i++)
        named |= found->hits[i].word;
    return found->words == words_of(words) && named == found->words &&
           found->undecodable == (strcmp(row->what, "undecodable") == 0) &&
           found->opaque == (strcmp(row->what, "opaque") == 0);
}

static unsigned check(const struct row *row, struct sg_bytes mail, struct sg_tnef *tnef,
                      bool attachments, bool octets)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_trigger_options options = test_options();
    struct sg_trigger_found found;
    options.attachments = attachments;
    options.tnef = tnef;
    if (octets)
        test_scan_octets(arena, mail, &options, &found);
    else
        test_scan(arena, mail.data, mail.len, &options, &found);
    if (as_expected(&found, row, attachments ? row->attached : row->words))
        return 0;
    print_error("%s (attachments %d, octet by octet %d): words %x, undecodable %d (%s: %s), opaque "
                "%d\n",
                row->file, attachments, octets, found.words, found.undecodable,
                found.undecodable ? found.undecodable_where : "",
                found.undecodable ? found.undecodable_why : "", found.opaque);
    return 1;
}

static void test_corpus(void **state)
{
    (void)state;
    unsigned rows = 0, wrong = 0;
    char line[400];
    struct sg_tnef *tnef = test_tnef();
    FILE *table = fopen(FOLDER "table.tsv", "r");
    assert_non_null(table);
    while (fgets(line, sizeof line, table)) {
        struct row row;
        if (line[0] == '#')
            continue;
        assert_int_equal(sscanf(line, "%79[^\t]\t%79[^\t]\t%39[^\t]\t%79[^\n]", row.file, row.words,
                                row.what, row.attached),
                         4);
        SG_AUTO_BUF mail;
        sg_buf_init(&mail, 0);
        file_read(row.file, &mail);
        for (int way = 0; way < 4; way++)
            wrong += check(&row, sg_buf_bytes(&mail), tnef, way & 1, way & 2);
        rows++;
    }
    fclose(table);
    sg_tnef_free(&tnef);
    assert_true(rows > 150);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
