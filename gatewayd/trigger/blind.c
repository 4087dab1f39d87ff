#include "trigger/trigger_internal.h"

#include <stdlib.h>

#define PIECE      4096
#define MAX_BLINDS 4 /* at the same time, in messages within each other */

struct sg_blind {
    struct sg_scan *scan;
    struct sg_text as_is, unquoted, decoded;
    struct sg_transfer_decoder quoted, base64;
    bool pure; /* the line so far is base64 */
};

struct sg_blind *sg_blind_new(struct sg_scan *scan)
{
    const unsigned forms = SG_TEXT_PLAIN | SG_TEXT_HTML;
    if (scan->blinds == MAX_BLINDS) {
        sg_report_limit(scan, "messages within each other", "more doubt than is followed");
        return NULL;
    }
    scan->blinds++;
    struct sg_blind *b = calloc(1, sizeof *b);
    if (!b)
        abort();
    b->scan = scan;
    sg_text_begin(&b->as_is, forms, NULL);
    sg_text_begin(&b->unquoted, forms, NULL);
    sg_text_begin(&b->decoded, forms, NULL);
    b->quoted.kind = SG_TRANSFER_QUOTED;
    b->base64.kind = SG_TRANSFER_BASE64;
    b->pure = true;
    return b;
}

/* Groups of base64 begin anew behind every line that has something else in it. */
static void base64_push(struct sg_blind *b, const uint8_t *data, size_t len)
{
    uint8_t out[PIECE + SG_TRANSFER_ROOM];
    while (len) {
        const uint8_t *lf = memchr(data, '\n', len);
        size_t n = lf ? (size_t)(lf - data) + 1 : len;
        n = n < PIECE ? n : PIECE;
        b->base64.broken = false;
        size_t got = sg_transfer_decode(&b->base64, data, n, out);
        b->pure &= !b->base64.broken;
        sg_text_push(&b->decoded, out, got);
        if (data[n - 1] == '\n') {
            if (!b->pure)
                sg_text_push(&b->decoded, out, sg_transfer_end(&b->base64, out));
            b->pure = true;
        }
        data += n;
        len -= n;
    }
}

void sg_blind_push(struct sg_blind *b, const uint8_t *data, size_t len)
{
    uint8_t out[PIECE + SG_TRANSFER_ROOM];
    if (!b || len == 0 || !sg_scan_goes_on(b->scan, len, "what is read in every way"))
        return;
    sg_text_push(&b->as_is, data, len);
    base64_push(b, data, len);
    for (size_t at = 0; at < len; at += PIECE) {
        size_t n = len - at < PIECE ? len - at : PIECE;
        sg_text_push(&b->unquoted, out, sg_transfer_decode(&b->quoted, data + at, n, out));
    }
}

unsigned sg_blind_end(struct sg_blind **blind)
{
    struct sg_blind *b = *blind;
    if (!b)
        return 0;
    uint8_t out[SG_TRANSFER_ROOM];
    sg_text_push(&b->unquoted, out, sg_transfer_end(&b->quoted, out));
    sg_text_push(&b->decoded, out, sg_transfer_end(&b->base64, out));
    unsigned words = sg_text_end(&b->as_is) | sg_text_end(&b->unquoted) | sg_text_end(&b->decoded);
    b->scan->blinds--;
    free(b);
    *blind = NULL;
    return words;
}
