#include "tnefreader/lzfu.h"

#include "tnefreader/cursor.h"

#define COMPRESSED   0x75465a4c /* "LZFu" */
#define UNCOMPRESSED 0x414c454d /* "MELA" */
#define HEADER_BYTES 12         /* what the first field's size counts of the header */
#define WINDOW       4096
#define LENGTH_LEAST 2

/* What the window holds before the first byte (MS-OXRTFCP 2.1.2.1). */
static const char beginning[] =
    "{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern "
    "\\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0"
    "\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";

_Static_assert(sizeof beginning == 207 + 1, "its length is part of the format");

struct window {
    uint8_t bytes[WINDOW];
    size_t at;      /* where the next byte goes */
    size_t given;   /* up to here the sink has it */
    uint64_t total; /* bytes that came out */
    const struct sg_tnef_sink *sink;
};

static void give(struct window *w)
{
    if (w->at > w->given)
        w->sink->data(w->sink->ctx, sg_bytes_of(w->bytes + w->given, w->at - w->given));
    w->given = w->at;
}

static void put(struct window *w, uint8_t byte)
{
    w->bytes[w->at++] = byte;
    w->total++;
    if (w->at == WINDOW) {
        give(w);
        w->at = w->given = 0;
    }
}

static void copy(struct window *w, size_t from, size_t len)
{
    while (len--) {
        put(w, w->bytes[from]);
        from = (from + 1) % WINDOW;
    }
}

/* true: the mark of the end was met. */
static bool decompress(struct window *w, struct sg_bytes in)
{
    for (size_t i = 0; i < in.len;) {
        unsigned flags = in.data[i++];
        for (int bit = 0; bit < 8; bit++, flags >>= 1) {
            if (i >= in.len)
                return false;
            if (!(flags & 1)) {
                put(w, in.data[i++]);
                continue;
            }
            if (in.len - i < 2)
                return false;
            size_t from = (size_t)in.data[i] << 4 | in.data[i + 1] >> 4;
            if (from == w->at)
                return true;
            copy(w, from, (in.data[i + 1] & 0xfu) + LENGTH_LEAST);
            i += 2;
        }
    }
    return false;
}

/* The CRC-32 of MS-OXRTFCP 2.1.3.2, four bits at a time. */
static uint32_t crc(struct sg_bytes in)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    uint32_t c = 0;
    for (size_t i = 0; i < in.len; i++) {
        c = table[(c ^ in.data[i]) & 0xf] ^ c >> 4;
        c = table[(c ^ in.data[i] >> 4) & 0xf] ^ c >> 4;
    }
    return c;
}

enum sg_tnef_damage sg_lzfu_read(struct sg_bytes compressed, const struct sg_tnef_sink *sink)
{
    struct sg_bytes in = compressed;
    uint32_t size, raw_size, kind, expected;
    bool whole = true;
    if (!cursor_u32(&in, &size) || !cursor_u32(&in, &raw_size) || !cursor_u32(&in, &kind) ||
        !cursor_u32(&in, &expected))
        return SG_TNEF_BAD_RTF;
    if (size < HEADER_BYTES || size - HEADER_BYTES > in.len)
        whole = false;
    else
        in.len = size - HEADER_BYTES;
    if (kind == UNCOMPRESSED) {
        sink->data(sink->ctx, in);
        return whole && in.len >= raw_size ? SG_TNEF_WHOLE : SG_TNEF_BAD_RTF;
    }
    if (kind != COMPRESSED)
        return SG_TNEF_BAD_RTF;
    struct window w = {.sink = sink};
    memset(w.bytes, ' ', sizeof w.bytes);
    memcpy(w.bytes, beginning, sizeof beginning - 1);
    w.at = w.given = sizeof beginning - 1;
    if (!decompress(&w, in) && w.total < raw_size)
        whole = false;
    give(&w);
    if (!whole || w.total < raw_size)
        return SG_TNEF_BAD_RTF;
    return crc(in) == expected ? SG_TNEF_WHOLE : SG_TNEF_BAD_RTF_CRC;
}
