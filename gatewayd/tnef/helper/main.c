/*
 * sealgate-tnef REQUEST_BYTES MEMORY_BYTES CPU_SECONDS DEPTH: reads one TNEF stream from
 * descriptor 0, gives its parts to descriptor 1, and ends. gatewayd starts it; all memory that it
 * needs is its own before it enters the sandbox.
 */
#include "tnefreader/protocol.h"
#include "tnefreader/reader.h"
#include "tnefreader/sandbox.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define OUT_BYTES 16384

static uint8_t out[OUT_BYTES];
static size_t out_len;

static void write_all(const uint8_t *data, size_t len)
{
    while (len) {
        ssize_t n = write(1, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            _exit(SG_TNEF_EXIT_IO);
        data += n;
        len -= (size_t)n;
    }
}

static void flush(void)
{
    write_all(out, out_len);
    out_len = 0;
}

static void add(const void *data, size_t len)
{
    if (len > OUT_BYTES - out_len)
        flush();
    if (len > OUT_BYTES) {
        write_all(data, len);
    } else if (len) {
        memcpy(out + out_len, data, len);
        out_len += len;
    }
}

static void send(struct sg_tnef_frame frame, struct sg_bytes bytes)
{
    frame.len = (uint32_t)bytes.len;
    add(&frame, sizeof frame);
    add(bytes.data, bytes.len);
}

static void begin(void *ctx, enum sg_tnef_kind kind, unsigned depth, unsigned codepage)
{
    (void)ctx;
    send((struct sg_tnef_frame){.type = SG_TNEF_BEGIN,
                                .kind = (uint8_t)kind,
                                .depth = (uint16_t)depth,
                                .codepage = codepage},
         sg_bytes_str(""));
}

static void name(void *ctx, unsigned codepage, struct sg_bytes bytes)
{
    (void)ctx;
    send((struct sg_tnef_frame){.type = SG_TNEF_NAME, .codepage = codepage}, bytes);
}

static void type(void *ctx, unsigned codepage, struct sg_bytes bytes)
{
    (void)ctx;
    send((struct sg_tnef_frame){.type = SG_TNEF_TYPE, .codepage = codepage}, bytes);
}

static void data(void *ctx, struct sg_bytes bytes)
{
    (void)ctx;
    send((struct sg_tnef_frame){.type = SG_TNEF_DATA}, bytes);
}

static void damage(void *ctx, enum sg_tnef_damage kind)
{
    (void)ctx;
    send((struct sg_tnef_frame){.type = SG_TNEF_DAMAGE, .kind = (uint8_t)kind}, sg_bytes_str(""));
}

static void read_all(void *to, size_t len)
{
    for (uint8_t *p = to; len;) {
        ssize_t n = read(0, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            _exit(SG_TNEF_EXIT_IO);
        p += n;
        len -= (size_t)n;
    }
}

int main(int argc, char **argv)
{
    const struct sg_tnef_sink sink = {NULL, begin, name, type, data, damage};
    struct sg_tnef_request request;
    if (argc != 5)
        return SG_TNEF_EXIT_USAGE;
    size_t request_bytes = strtoull(argv[1], NULL, 10), memory_bytes = strtoull(argv[2], NULL, 10);
    unsigned cpu_seconds = (unsigned)strtoul(argv[3], NULL, 10);
    unsigned max_depth = (unsigned)strtoul(argv[4], NULL, 10);
    if (!sg_sandbox_limits(memory_bytes, cpu_seconds))
        return SG_TNEF_EXIT_LIMITS;
    uint8_t *stream = mmap(NULL, request_bytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stream == MAP_FAILED)
        return SG_TNEF_EXIT_MEMORY;
    if (!sg_sandbox_enter())
        return SG_TNEF_EXIT_SANDBOX;
    send((struct sg_tnef_frame){.type = SG_TNEF_READY}, sg_bytes_str(""));
    flush();
    read_all(&request, sizeof request);
    if (request.len > request_bytes)
        _exit(SG_TNEF_EXIT_USAGE);
    read_all(stream, request.len);
    sg_tnef_reader(sg_bytes_of(stream, request.len), max_depth, request.attachments, &sink);
    send((struct sg_tnef_frame){.type = SG_TNEF_END}, sg_bytes_str(""));
    flush();
    _exit(SG_TNEF_EXIT_DONE);
}
