/*
 * Beside libytnef, another reader of TNEF: what it reads out of the vectors that are whole, ours
 * reads too.
 */
#include "tnefreader/reader.h"
#include "vectors.h"

#include <mapidefs.h>
#include <mapitags.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <ytnef.h>

#include <cmocka.h>

#define PARTS 64

struct ours {
    struct sg_buf part[PARTS];
    size_t count;
};

static void begin(void *ctx, enum sg_tnef_kind kind, unsigned depth, unsigned codepage)
{
    struct ours *o = ctx;
    (void)kind;
    (void)depth;
    (void)codepage;
    assert_true(o->count < PARTS);
    o->count++;
}

static void name(void *ctx, unsigned codepage, struct sg_bytes bytes)
{
    (void)ctx;
    (void)codepage;
    (void)bytes;
}

static void data(void *ctx, struct sg_bytes bytes)
{
    struct ours *o = ctx;
    sg_buf_add(&o->part[o->count - 1], bytes.data, bytes.len);
}

static void damage(void *ctx, enum sg_tnef_damage kind)
{
    (void)ctx;
    fail_msg("damage %d", kind);
}

/* Its window of RTF begins with LF CR where MS-OXRTFCP 2.1.2.1 has CR LF: line ends do not count.
 */
static bool same(struct sg_bytes a, struct sg_bytes b)
{
    SG_AUTO_BUF left = {0}, right = {0};
    for (size_t i = 0; i < a.len; i++)
        if (a.data[i] != '\r' && a.data[i] != '\n')
            sg_buf_add(&left, &a.data[i], 1);
    for (size_t i = 0; i < b.len; i++)
        if (b.data[i] != '\r' && b.data[i] != '\n')
            sg_buf_add(&right, &b.data[i], 1);
    return sg_bytes_equal(sg_buf_bytes(&left), sg_buf_bytes(&right));
}

/* Zeros at the end are not text. Returns how many were compared: 1, or 0 of nothing. */
static int is_among(const struct ours *o, const BYTE *bytes, int size)
{
    while (bytes && size > 0 && bytes[size - 1] == 0)
        size--;
    if (!bytes || size <= 0)
        return 0;
    for (size_t i = 0; i < o->count; i++)
        if (same(sg_buf_bytes(&o->part[i]), sg_bytes_of(bytes, (size_t)size)))
            return 1;
    fail_msg("not read: %.*s", size, (const char *)bytes);
    return 0;
}

static int property_is_among(const struct ours *o, TNEFStruct *theirs, unsigned tag)
{
    const variableLength *v = MAPIFindProperty(&theirs->MapiProperties, tag);
    return v == MAPI_UNDEFINED ? 0 : is_among(o, v->data, v->size);
}

static int rtf_is_among(const struct ours *o, TNEFStruct *theirs)
{
    int size = 0, n;
    variableLength *v = MAPIFindProperty(&theirs->MapiProperties, PROP_TAG(PT_BINARY, 0x1009));
    BYTE *rtf = v == MAPI_UNDEFINED ? NULL : DecompressRTF(v, &size);
    n = is_among(o, rtf, size);
    free(rtf);
    return n;
}

static int compare(struct sg_bytes stream)
{
    struct ours o = {0};
    const struct sg_tnef_sink sink = {&o, begin, name, name, data, damage};
    TNEFStruct theirs;
    int n = 0;
    TNEFInitialize(&theirs);
    theirs.Debug = 0;
    if (TNEFParseMemory((BYTE *)stream.data, (long)stream.len, &theirs) == 0) {
        sg_tnef_reader(stream, 8, true, &sink);
        n += is_among(&o, theirs.body.data, theirs.body.size);
        n += property_is_among(&o, &theirs, PROP_TAG(PT_STRING8, 0x0037));
        n += property_is_among(&o, &theirs, PROP_TAG(PT_STRING8, 0x1000));
        n += property_is_among(&o, &theirs, PROP_TAG(PT_BINARY, 0x1013));
        n += rtf_is_among(&o, &theirs);
        for (const Attachment *a = theirs.starting_attach.next; a; a = a->next)
            n += is_among(&o, a->FileData.data, a->FileData.size);
    }
    TNEFFree(&theirs);
    for (size_t i = 0; i < o.count; i++)
        sg_buf_free(&o.part[i]);
    return n;
}

static void what_libytnef_reads_is_read(void **state)
{
    (void)state;
    SG_AUTO_ARENA arena = sg_arena_new();
    int compared = 0;
    for (const char *const *v = vector_names(arena); *v; v++) {
        const char *parts = sg_arena_str(arena, vector_read(arena, *v, "parts"));
        if (!strstr(parts, "damage") && !strstr(parts, "malformed"))
            compared += compare(vector_read(arena, *v, "tnef"));
    }
    assert_true(compared >= 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_libytnef_reads_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
