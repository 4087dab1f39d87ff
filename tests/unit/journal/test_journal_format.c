/* The bytes of a segment: written as README.md says, and every changed bit is noticed. */
#include "fixture.h"
#include "journal/format.h"
#include "spool/aead.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void test_crc(void **state)
{
    (void)state;
    uint8_t data[32];
    assert_int_equal(journal_crc(0, "123456789", 9), 0xe3069283u);
    memset(data, 0, sizeof data); /* RFC 3720 B.4 */
    assert_int_equal(journal_crc(0, data, sizeof data), 0x8a9136aau);
    memset(data, 0xff, sizeof data);
    assert_int_equal(journal_crc(0, data, sizeof data), 0x62a8ab43u);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)i;
    assert_int_equal(journal_crc(0, data, sizeof data), 0x46dd794eu);
    for (size_t cut = 0; cut <= sizeof data; cut++) /* in two parts */
        assert_int_equal(journal_crc_by_table(0, data, cut), journal_crc(0, data, cut));
    for (size_t cut = 0; cut <= sizeof data; cut++)
        assert_int_equal(journal_crc(journal_crc(0, data, cut), data + cut, sizeof data - cut),
                         0x46dd794eu);
}

static void test_reference(void **state)
{
    static const char *const bad[] = {"",
                                      "node",
                                      "node/1",
                                      "node/@1",
                                      "node/1@",
                                      "/1@1",
                                      "no de/1@1",
                                      "node/1@1 ",
                                      "n/1@-",
                                      "n/x@1",
                                      "n/1@1/2",
                                      "n//1@1",
                                      "n/18446744073709551616@1",
                                      "0123456789012345678901234567890123456789012345678/1@1"};
    char node[SG_JOURNAL_NODE_MAX + 1], ref[96], binding[SG_JOURNAL_BINDING];
    uint64_t number, offset;
    struct sg_error err;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(sg_journal_ref_parse(bad[i], node, &number, &offset, &err));
        assert_int_equal(err.code, SG_E_MALFORMED);
    }
    const char *longest = "012345678901234567890123456789012345678901234567";
    journal_ref(longest, UINT64_MAX, UINT64_MAX, ref);
    assert_true(sg_journal_ref_parse(ref, node, &number, &offset, &err));
    assert_string_equal(node, longest);
    assert_true(number == UINT64_MAX && offset == UINT64_MAX);
    journal_binding(longest, UINT64_MAX, binding);
    assert_string_equal(binding + strlen(binding) - 21, "/18446744073709551615");
    journal_ref("gw-1.akl", 12, 4711, ref);
    assert_string_equal(ref, "gw-1.akl/0000000000000012@4711");
}

struct seen {
    struct fixture *f;
    const char *const *expected; /* payloads, in order; some may be missing */
    size_t records, damaged;
    uint64_t offsets[8], lengths[8];
    bool with_key, wrong;
};

static bool on_segment(void *ctx, const struct sg_journal_segment *s, struct sg_secret *key_r,
                       struct sg_error *err)
{
    struct seen *seen = ctx;
    if (!seen->with_key)
        return true;
    if (fixture_key_open(seen->f, s->binding, s->wrapped, key_r, err))
        return true;
    sg_secret_wipe(key_r);
    return false;
}

static bool on_record(void *ctx, const struct sg_journal_entry *e, struct sg_error *err)
{
    struct seen *seen = ctx;
    (void)err;
    size_t i = seen->records++;
    if (i < 8) {
        seen->offsets[i] = e->offset;
        seen->lengths[i] = e->length;
    }
    bool known = !seen->with_key;
    for (const char *const *p = seen->expected; *p && !known; p++)
        known = sg_bytes_equal(e->record.payload, sg_bytes_str(*p));
    seen->wrong = seen->wrong || !known || e->record.at != TEST_AT;
    return true;
}

static void on_damage(void *ctx, uint64_t offset, uint64_t length, const char *what)
{
    struct seen *seen = ctx;
    (void)offset, (void)length, (void)what;
    seen->damaged++;
}

static bool segment_read(struct seen *seen, const char *path, struct sg_error *err)
{
    const struct sg_journal_reader reader = {seen, on_segment, on_record, on_damage, false};
    seen->records = seen->damaged = 0;
    seen->wrong = false;
    return sg_journal_read_segment(path, 0, &reader, err);
}

static const char *const payloads[] = {"{\"a\":1}", "{\"b\":2}", "{\"c\":3}", NULL};

/* A closed segment of three records, the second with an original; its bytes. */
static uint8_t *segment_make(struct fixture *f, struct seen *seen, char path[160], size_t *len_r)
{
    struct sg_error err = {0};
    fixture_open(f, NULL);
    SG_AUTO_SPOOL original = fixture_original(f, 300, true);
    for (int i = 0; i < 3; i++)
        fixture_must_append(f, payloads[i], i == 1 ? original : NULL);
    fixture_drain(f);
    fixture_close(f);
    fixture_segment_path(f, 1, path);
    *seen = (struct seen){.f = f, .expected = payloads, .with_key = true};
    if (!segment_read(seen, path, &err))
        fail_msg("%s", err.detail);
    assert_int_equal(seen->records, 3);
    assert_int_equal(seen->damaged, 0);
    assert_false(seen->wrong);
    return file_read(path, len_r);
}

static void test_layout(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    struct sg_error err = {0};
    char path[160];
    size_t len;
    uint8_t *data = segment_make(f, &seen, path, &len);
    assert_memory_equal(data, "SGJRNL\r\n\0\1", 10);
    size_t head = journal_get(data + 10, 2);
    assert_int_equal(journal_get(data + 12, 8), 1);
    assert_memory_equal(data + 28, "\6node-1", 7);
    assert_int_equal(seen.offsets[0], head);
    assert_int_equal(seen.lengths[0], 92 + 8 + 28 + 7);
    assert_int_equal(seen.offsets[1], head + seen.lengths[0]);
    assert_int_equal(seen.offsets[2] + seen.lengths[2], len);
    assert_memory_equal(data + head, "\xe5SgJ\2\0\0\0", 8);
    assert_memory_equal(data + seen.offsets[1], "\xe5SgJ\1\1\0\0", 8);
    assert_string_equal((char *)data + seen.offsets[1] + 56, "adk_20780");
    for (int i = 0; i < 3; i++) /* sealed: no payload stands in it */
        assert_null(memmem(data, len, payloads[i], strlen(payloads[i])));

    /* Without the key the framing can be read all the same. */
    seen.with_key = false;
    assert_true(segment_read(&seen, path, &err));
    assert_int_equal(seen.records, 3);
    free(data);
}

/* No flipped bit goes unnoticed, and none changes what is read. */
static void test_bit_flips(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    char path[160];
    size_t len;
    uint8_t *data = segment_make(f, &seen, path, &len);
    uint64_t first = seen.offsets[0];
    for (size_t i = 0; i < len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            struct sg_error err = {0};
            data[i] ^= (uint8_t)(1 << bit);
            file_write(path, data, len);
            bool ok = segment_read(&seen, path, &err);
            assert_false(seen.wrong);
            if (i < first) {
                assert_false(ok);
                assert_int_equal(err.code, SG_E_MALFORMED);
            } else {
                assert_true(ok);
                assert_int_equal(seen.damaged, 1);
                assert_int_equal(seen.records, 2); /* the others are still there */
            }
            data[i] ^= (uint8_t)(1 << bit);
        }
    }
    free(data);
}

/* The CRC is for crashes; whoever changes bits on purpose mends it, and is found by the seal. */
static void test_crc_mended(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    struct sg_error err = {0};
    struct sg_secret key = {0};
    char path[160], id[32];
    size_t len;
    uint8_t *data = segment_make(f, &seen, path, &len);
    uint64_t offset = seen.offsets[1];
    uint8_t *frame = data + offset, *piece = frame + JOURNAL_FRAME_HEAD;
    size_t piece_len = journal_get(piece, 4);
    const struct sg_sink sink = {NULL, NULL};

    for (size_t i = 4; i < 88; i++) {    /* the head: all of it is bound to the payload */
        bool place = (i >= 8 && i < 32); /* length, number, offset: found by framing */
        frame[i] ^= 0x10;
        journal_put(frame + 88, 4, journal_crc(0, frame, 88));
        file_write(path, data, len);
        assert_true(segment_read(&seen, path, &err));
        assert_int_equal(seen.records, 2);
        assert_true(seen.damaged == 1 || (place && seen.damaged >= 1));
        frame[i] ^= 0x10;
    }
    journal_put(frame + 88, 4, journal_crc(0, frame, 88));
    piece[JOURNAL_PIECE_HEAD + 15] ^= 1;
    journal_put(piece + 4, 4, journal_crc(0, piece + JOURNAL_PIECE_HEAD, piece_len));
    file_write(path, data, len);
    assert_true(segment_read(&seen, path, &err));
    assert_int_equal(seen.records, 2);
    assert_int_equal(seen.damaged, 1);
    piece[JOURNAL_PIECE_HEAD + 15] ^= 1;
    journal_put(piece + 4, 4, journal_crc(0, piece + JOURNAL_PIECE_HEAD, piece_len));

    uint8_t *chunk = piece + JOURNAL_PIECE_HEAD + piece_len;
    size_t chunk_len = journal_get(chunk, 4);
    fixture_archive_key(TEST_TENANT, TEST_AT / SG_DAY, id, &key);
    for (size_t i = 0; i < chunk_len; i++) {
        chunk[JOURNAL_PIECE_HEAD + i] ^= 0x80;
        journal_put(chunk + 4, 4, journal_crc(0, chunk + JOURNAL_PIECE_HEAD, chunk_len));
        file_write(path, data, len);
        assert_false(sg_journal_read_original(path, offset, &key, &sink, &err));
        assert_int_equal(err.code, SG_E_CRYPTO);
        chunk[JOURNAL_PIECE_HEAD + i] ^= 0x80;
    }
    free(data);
}

static bool count_bytes(void *ctx, const void *data, size_t len, struct sg_error *err)
{
    (void)data, (void)err;
    *(uint64_t *)ctx += len;
    return true;
}

/* Chunks of an original are bound to their record, their order and their number. */
static void test_chunks_bound(void **state)
{
    struct fixture *f = *state;
    struct sg_error err = {0};
    struct sg_secret key = {0};
    uint64_t got = 0, number, at[2];
    const struct sg_sink sink = {count_bytes, &got};
    char path[160], id[32], node[SG_JOURNAL_NODE_MAX + 1];
    size_t len;
    fixture_open(f, NULL);
    for (int i = 0; i < 2; i++) {
        SG_AUTO_SPOOL original = fixture_original(f, 3 * JOURNAL_CHUNK, true);
        struct sg_journal_record r = fixture_must_append(f, "{}", original);
        assert_true(sg_journal_ref_parse(r.archive_ref, node, &number, &at[i], &err));
    }
    fixture_drain(f);
    fixture_close(f);
    fixture_segment_path(f, 1, path);
    uint8_t *data = file_read(path, &len);
    fixture_archive_key(TEST_TENANT, TEST_AT / SG_DAY, id, &key);

    const size_t size = JOURNAL_PIECE_HEAD + JOURNAL_CHUNK + SG_AEAD_OVERHEAD;
    uint8_t *copy = malloc(len), *first[2], *swap = malloc(size);
    for (int i = 0; i < 2; i++) {
        uint8_t *payload = data + at[i] + JOURNAL_FRAME_HEAD;
        first[i] = payload + JOURNAL_PIECE_HEAD + journal_get(payload, 4);
        assert_int_equal(journal_get(first[i], 4), size - JOURNAL_PIECE_HEAD);
    }
    memcpy(copy, data, len);
    memcpy(first[0], copy + (first[1] - data), size); /* another record's first chunk */
    file_write(path, data, len);
    assert_false(sg_journal_read_original(path, at[0], &key, &sink, &err));
    assert_int_equal(err.code, SG_E_CRYPTO);

    memcpy(data, copy, len);
    memcpy(swap, first[0], size); /* the first two exchanged */
    memmove(first[0], first[0] + size, size);
    memcpy(first[0] + size, swap, size);
    file_write(path, data, len);
    assert_false(sg_journal_read_original(path, at[0], &key, &sink, &err));
    assert_int_equal(err.code, SG_E_CRYPTO);

    memcpy(data, copy, len); /* the second record without its last chunks, its length mended */
    journal_put(data + at[1] + 8, 8, (uint64_t)(first[1] - data) + 2 * size - at[1]);
    journal_put(data + at[1] + 88, 4, journal_crc(0, data + at[1], 88));
    file_write(path, data, (size_t)(first[1] - data) + 2 * size);
    assert_false(sg_journal_read_original(path, at[1], &key, &sink, &err));
    assert_int_equal(err.code, SG_E_CRYPTO);

    file_write(path, copy, len);
    got = 0;
    assert_true(sg_journal_read_original(path, at[1], &key, &sink, &err));
    assert_int_equal(got, 3 * JOURNAL_CHUNK);
    free(swap);
    free(copy);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc),
        cmocka_unit_test(test_reference),
        cmocka_unit_test_setup_teardown(test_layout, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_bit_flips, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_crc_mended, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_chunks_bound, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
