/* Makes octets that were changed pass for a segment again: every CRC, and the place that a frame
 * says it stands at. */
#ifndef SG_FUZZ_JOURNAL_MEND_H
#define SG_FUZZ_JOURNAL_MEND_H

#include "journal/format.h"

static void journal_crc_mend(uint8_t *from, uint8_t *at)
{
    journal_put(at, 4, journal_crc(0, from, (size_t)(at - from)));
}

static void journal_mend(uint8_t *data, size_t size)
{
    if (size < 12)
        return;
    size_t head = journal_get(data + 10, 2);
    uint64_t number = size >= 20 ? journal_get(data + 12, 8) : 0;
    if (head >= 4 && head <= size)
        journal_crc_mend(data, data + head - 4);
    for (size_t i = 0; i + JOURNAL_FRAME_HEAD <= size; i++) {
        if (memcmp(data + i, JOURNAL_MARKER, 4) != 0)
            continue;
        journal_put(data + i + 16, 8, number);
        journal_put(data + i + 24, 8, i);
        journal_crc_mend(data + i, data + i + 88);
        size_t at = i + JOURNAL_FRAME_HEAD;
        while (at + JOURNAL_PIECE_HEAD <= size) {
            size_t len = journal_get(data + at, 4);
            if (len > size - at - JOURNAL_PIECE_HEAD)
                break;
            journal_piece_encode(sg_bytes_of(data + at + JOURNAL_PIECE_HEAD, len), data + at);
            at += JOURNAL_PIECE_HEAD + len;
            if (at + 4 <= size && memcmp(data + at, JOURNAL_MARKER, 4) == 0)
                break;
        }
        i = at - 1;
    }
}

#endif
