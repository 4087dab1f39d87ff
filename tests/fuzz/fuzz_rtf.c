/* RTF: every view is whole UTF-8, piece by piece, and hangs not on how the bytes come. */
#include "common/buf.h"
#include "mime/lex.h"
#include "rtf/rtf.h"

#include <stdlib.h>

#define DEPTH 20

struct views {
    struct sg_buf view[SG_RTF_VIEWS];
};

static void take(void *ctx, enum sg_rtf_view view, struct sg_bytes utf8)
{
    struct views *v = ctx;
    if (!sg_lex_utf8(utf8))
        abort();
    sg_buf_add(&v->view[view], utf8.data, utf8.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct views whole = {0}, pieces = {0};
    struct sg_rtf_result result, again;
    struct sg_rtf *rtf = sg_rtf_new(DEPTH, take, &whole);
    sg_rtf_push(rtf, sg_bytes_of(data, size));
    sg_rtf_end(rtf, &result);
    sg_rtf_free(&rtf);
    rtf = sg_rtf_new(DEPTH, take, &pieces);
    for (size_t at = 0, n = 1; at < size; at += n, n = n % 5 + 1)
        sg_rtf_push(rtf, sg_bytes_slice(sg_bytes_of(data, size), at, n));
    sg_rtf_end(rtf, &again);
    sg_rtf_free(&rtf);
    if (result.lost != again.lost || result.malformed != again.malformed ||
        result.truncated != again.truncated)
        abort();
    for (int i = 0; i < SG_RTF_VIEWS; i++) {
        if (!sg_bytes_equal(sg_buf_bytes(&whole.view[i]), sg_buf_bytes(&pieces.view[i])))
            abort();
        sg_buf_free(&whole.view[i]);
        sg_buf_free(&pieces.view[i]);
    }
    return 0;
}
