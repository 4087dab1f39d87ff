#include "smtp/stream.h"

#include "smtp/tls.h"

#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

void smtp_stream_init(struct smtp_stream *stream, int fd)
{
    stream->fd = fd;
    stream->ssl = NULL;
    stream->from = stream->to = 0;
    sg_buf_init(&stream->out, 0);
}

void smtp_stream_free(struct smtp_stream *stream)
{
    SSL_free(stream->ssl);
    stream->ssl = NULL;
    sg_buf_free(&stream->out);
}

int smtp_stream_peek(struct smtp_stream *stream)
{
    struct sg_bytes input = smtp_stream_input(stream);
    uint8_t octet;
    if (input.len)
        return input.data[0];
    if (stream->ssl)
        return SSL_pending(stream->ssl) && SSL_peek(stream->ssl, &octet, 1) == 1 ? octet : -1;
    return recv(stream->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) == 1 ? octet : -1;
}

bool smtp_stream_flush(struct smtp_stream *stream, sg_deadline deadline, struct sg_error *err)
{
    if (stream->out.len == 0)
        return true;
    bool ok = stream->ssl
                  ? smtp_tls_write(stream->ssl, stream->fd, stream->out.data, stream->out.len,
                                   deadline, err)
                  : sg_io_write_full(stream->fd, stream->out.data, stream->out.len, deadline, err);
    sg_buf_clear(&stream->out);
    return ok;
}

bool smtp_stream_fill(struct smtp_stream *stream, bool *end_r, sg_deadline deadline,
                      struct sg_error *err)
{
    size_t n = 0;
    bool asked = stream->out.len > 0; /* then nothing is there yet */
    stream->from = stream->to = 0;
    if (!smtp_stream_flush(stream, deadline, err) ||
        (asked && !stream->ssl && !sg_io_wait(stream->fd, POLLIN, deadline, err)))
        return false;
    bool ok = stream->ssl
                  ? smtp_tls_read(stream->ssl, stream->fd, stream->in, sizeof stream->in, &n,
                                  deadline, err)
                  : sg_io_read(stream->fd, stream->in, sizeof stream->in, &n, deadline, err);
    if (!ok)
        return false;
    stream->to = n;
    *end_r = n == 0;
    return true;
}

static enum smtp_line_kind line_end(struct sg_buf *line)
{
    if (line->overflown)
        return SMTP_LINE_TOO_LONG;
    line->len--;
    bool cr = line->len && line->data[line->len - 1] == '\r';
    if (cr)
        line->len--;
    line->data[line->len] = 0;
    return cr ? SMTP_LINE_CRLF : SMTP_LINE_BARE_LF;
}

bool smtp_stream_line(struct smtp_stream *stream, struct sg_buf *line, enum smtp_line_kind *kind_r,
                      sg_deadline deadline, struct sg_error *err)
{
    sg_buf_clear(line);
    for (;;) {
        struct sg_bytes input = smtp_stream_input(stream);
        if (input.len == 0) {
            bool end;
            if (!smtp_stream_fill(stream, &end, deadline, err))
                return false;
            if (end) {
                *kind_r = SMTP_LINE_END;
                return true;
            }
            continue;
        }
        if (sg_deadline_left(deadline) == 0) /* input that trickles ends none too late */
            return sg_fail(err, SG_E_TIMEOUT, "no whole line in time");
        const uint8_t *lf = memchr(input.data, '\n', input.len);
        size_t n = lf ? (size_t)(lf - input.data) + 1 : input.len;
        if (!line->overflown)
            sg_buf_add(line, input.data, n);
        smtp_stream_consume(stream, n);
        if (lf) {
            *kind_r = line_end(line);
            return true;
        }
    }
}
