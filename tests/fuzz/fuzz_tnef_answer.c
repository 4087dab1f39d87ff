/* What a helper answers that has been taken over: nothing beyond the limits comes of it. */
#include "tnef/tnef_internal.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_BYTES 4096
#define MOST         65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sg_tnef_options options = {
        .answer_bytes = ANSWER_BYTES, .max_parts = 20, .max_depth = 3};
    struct sg_tnef_content content = {0};
    struct sg_error err = {0};
    bool closed = false;
    int pair[2];
    if (size > MOST)
        return 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0 ||
        write(pair[1], data, size) != (ssize_t)size)
        abort();
    close(pair[1]);
    SG_AUTO_ARENA arena = sg_arena_new();
    if (sg_tnef_answer_read(&options, pair[0], sg_deadline_in(1000), arena, &content, &closed,
                            &err)) {
        size_t bytes = content.count * sizeof *content.parts;
        for (size_t i = 0; i < content.count; i++) {
            const struct sg_tnef_part *part = &content.parts[i];
            if (part->kind >= SG_TNEF_KINDS || part->depth > 3 || !part->name || !part->type)
                abort();
            bytes += part->bytes.len + strlen(part->name) + strlen(part->type);
        }
        if (bytes > ANSWER_BYTES || content.count > 20)
            abort();
    } else if (err.code == SG_OK) {
        abort();
    }
    close(pair[0]);
    return 0;
}
