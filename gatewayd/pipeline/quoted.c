#include "pipeline/quoted.h"

#define LINE 76

/* How many characters the octet at i becomes: itself, or "=XX". */
static size_t width(struct sg_bytes text, size_t i)
{
    uint8_t c = text.data[i];
    bool last = i + 1 == text.len || text.data[i + 1] == '\r';
    return c > '~' || c == '=' || c < ' ' || (c == ' ' && last) ? 3 : 1;
}

void sg_quoted_add(struct sg_bytes text, struct sg_buf *out)
{
    size_t column = 0;
    for (size_t i = 0; i < text.len;) {
        if (text.data[i] == '\r' && i + 1 < text.len && text.data[i + 1] == '\n') {
            sg_buf_adds(out, "\r\n");
            column = 0;
            i += 2;
            continue;
        }
        size_t n = sg_utf8_length(sg_bytes_slice(text, i, text.len - i)), wide = 0;
        n = n ? n : 1;
        for (size_t k = i; k < i + n; k++)
            wide += width(text, k);
        if (column + wide > LINE - 1) { /* the last place is for "=" */
            sg_buf_adds(out, "=\r\n");
            column = 0;
        }
        for (; n; n--, i++)
            if (width(text, i) == 3)
                sg_buf_addf(out, "=%02X", text.data[i]);
            else
                sg_buf_add(out, &text.data[i], 1);
        column += wide;
    }
}
