/* Replies of a server, line by line: the code has its range, the text is one printable line. */
#include "smtp/reply_reader.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void seen(void *ctx, struct sg_bytes text)
{
    (void)ctx;
    for (size_t i = 0; i < text.len; i++)
        check(text.data[i] != '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sg_bytes input = {data, size};
    while (input.len) {
        struct sg_smtp_reply reply;
        struct reply_reader reader = {.reply = &reply, .line = seen};
        enum reply_step step = REPLY_MORE;
        while (input.len && step == REPLY_MORE) {
            const uint8_t *lf = memchr(input.data, '\n', input.len);
            size_t n = lf ? (size_t)(lf - input.data) : input.len;
            step = reply_reader_line(&reader, sg_bytes_slice(input, 0, n));
            input = sg_bytes_slice(input, n + 1, input.len);
            if (step == REPLY_BAD)
                return 0;
            check(reply.code >= 200 && reply.code <= 599);
            check(strlen(reply.text) < sizeof reply.text);
            check(!reply.enhanced[0] || reply.enhanced[0] == '0' + reply.code / 100);
            for (const char *p = reply.text; *p; p++)
                check(*p >= 0x20 && *p < 0x7f);
        }
    }
    return 0;
}
