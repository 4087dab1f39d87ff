/*
 * What a directory says of who is a member: values of an attribute, each with its length in front.
 * What is taken is a domain's name in lower case, sorted, once each; the rest is counted.
 */
#include "directory/directory_internal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define VALUES 100

static void check(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_bytes values[VALUES];
    struct sg_member_reading reading;
    size_t count = 0, good = 0;
    for (size_t i = 0; i < size && count < VALUES; count++) {
        size_t len = data[i++];
        values[count] = sg_bytes_of(data + i, len < size - i ? len : size - i);
        i += values[count].len;
        good += sg_member_parse(arena, values[count]) != NULL;
    }
    sg_members_read(arena, values, count, &reading);
    check(reading.count <= good && (size_t)reading.skipped == count - good);
    for (size_t i = 0; i < reading.count; i++) {
        const char *name = reading.names[i];
        check(strlen(name) <= 253 && strchr(name, '.') && !strpbrk(name, "@* \t\r\n/\\'\""));
        for (const char *p = name; *p; p++)
            check(!(*p >= 'A' && *p <= 'Z'));
        check(i == 0 || strcmp(reading.names[i - 1], name) < 0);
    }
    const char *version = sg_version_parse(arena, sg_bytes_of(data, size));
    for (const char *p = version; *p; p++)
        check(*p >= ' ' && *p < 0x7f);
    check(!sg_version_is_older(version, version));
    return 0;
}
