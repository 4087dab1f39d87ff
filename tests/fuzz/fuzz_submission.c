/*
 * The header that proves who hands a mail in: nobody who lacks the key makes one that holds,
 * whatever he writes; the first octet chooses whether it is his own or a good one with a change.
 */
#include "pipeline/submission.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW ((sg_time)1795910400 * 1000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct sg_submission_keys keys = {
        .keys = {{.len = 32, .data = "of a test"}, {.len = 32, .data = "the one before"}},
        .count = 2,
        .max_age = (sg_time)6 * 86400 * 1000000};
    static const struct sg_submission good = {.tenant = "ten_0000000000000000000000000a",
                                              .submitter = "sub_0000000000000000000000000b",
                                              .sender = "ann@agency-a.test",
                                              .queue_id = "4Bq7Xz1tYzPQ",
                                              .at = NOW};
    SG_AUTO_ARENA arena = sg_arena_new();
    struct sg_submission found;
    struct sg_error err;
    char value[1024], made[1024];
    if (size < 4)
        return 0;
    if (!sg_submission_make(&keys, &good, made, sizeof made, &err))
        abort();
    memcpy(value, made, sizeof value);
    if (data[0] & 1) {
        size_t at = (data[1] + 256u * data[2]) % strlen(value);
        size_t len = size - 3 < strlen(value) - at ? size - 3 : strlen(value) - at;
        memcpy(value + at, data + 3, len);
    } else {
        snprintf(value, sizeof value, "%.*s", (int)(size - 1), (const char *)data + 1);
    }
    bool ok =
        sg_submission_check(&keys, arena, value, good.sender, good.queue_id, NOW, &found, &err);
    if (ok && (strcmp(found.tenant, good.tenant) != 0 ||
               strcmp(found.submitter, good.submitter) != 0 || found.at != good.at))
        abort();
    if (!ok && (err.code != SG_E_SUBMISSION || strcmp(value, made) == 0))
        abort();
    char *address = sg_arena_str(arena, sg_bytes_of(data, size));
    for (int quoted = 0; quoted < 2; quoted++)
        if (strlen(sg_submission_sender(arena, address, quoted)) > strlen(address))
            abort();
    return 0;
}
