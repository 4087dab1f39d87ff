"""An HTTP/1.1 server for strangers: the standard library's, with bounds on size, time and number,
and no two ways to read a request."""
import contextlib
import http.client
import socket
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HEAD_BYTES = 16 * 1024
BODY_BYTES = 64 * 1024
ANSWER_SECONDS = 30


def one_line(text: str) -> str:
    """Words of a stranger's, for an answer or a log."""
    return "".join(c if c.isprintable() else " " for c in text)


class _Head:
    """Reads for a request; a head of more than HEAD_BYTES is not read to its end."""

    def __init__(self, file):
        self._file = file
        self.left = HEAD_BYTES

    def readline(self, limit=-1):
        if self.left <= 0:
            raise http.client.HTTPException("head too long")
        line = self._file.readline(self.left if limit < 0 else min(limit, self.left))
        self.left -= len(line)
        return line

    def read(self, size):
        return self._file.read(size)

    def close(self):
        self._file.close()

    @property
    def closed(self):
        return self._file.closed


class Handler(BaseHTTPRequestHandler):
    """answer(body) is what a subclass has; it calls send() once."""

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"
    wbufsize = -1            # one write, one TLS record for head and body

    def setup(self):
        self._raw = socket.socket(fileno=socket.dup(self.request.fileno()))
        self.timeout = self.server.request_seconds
        self.request.settimeout(self.timeout)
        try:
            with self.server.deadline(self._raw, self.timeout):
                self.request = self.server.secure(self.request)
        except BaseException:
            self._raw.close()
            raise
        super().setup()
        self.rfile = _Head(self.rfile)

    def finish(self):
        with contextlib.suppress(OSError, ValueError):
            super().finish()
        if isinstance(self.request, ssl.SSLSocket):
            with contextlib.suppress(OSError, ValueError):
                self.request.settimeout(2)
                self.request.unwrap()
        self.request.close()
        self._raw.close()

    def handle_one_request(self):
        body = None
        with self.server.deadline(self._raw, self.timeout):
            self.rfile.left = HEAD_BYTES
            try:
                self.raw_requestline = self.rfile.readline()
                if not self.raw_requestline:
                    self.close_connection = True
                    return
                if not self.raw_requestline.endswith(b"\n"):
                    self.requestline = self.request_version = self.command = ""
                    self.send(414, "the request line is too long", close=True)
                    return
                if not self.parse_request():
                    return
                body = self._body()
            except http.client.HTTPException:
                self.send(431, "the head of the request is too long", close=True)
            except TimeoutError:
                self.close_connection = True
        if body is not None:
            try:
                self.answer(body)
            except OSError:
                raise
            except Exception as error:  # a bug of ours: told to the log alone
                self.log_error("%s %s: %r", self.command, self.path, error)
                self.server.handle_error(self.request, self.client_address)
                self.send(500, "the CA has failed; its log says why", close=True)

    def send_error(self, code, message=None, explain=None):
        """What the base class says of a request that it cannot read."""
        self.send(code, message or self.responses[code][0], close=True)

    def _body(self):
        """None where the request was answered already, and the connection is not read on."""
        lengths = self.headers.get_all("Content-Length", [])
        bad = (any(name != name.strip() or not name.isascii() or "\n" in value
                   for name, value in self.headers.items())
               or self.headers.defects or self.headers.get_payload())
        if bad:
            self.send(400, "the head of the request is malformed", close=True)
        elif self.headers.get("Transfer-Encoding") is not None:
            self.send(411, "a request has Content-Length here, and no Transfer-Encoding",
                      close=True)
        elif len(lengths) > 1 or any(not (v.isascii() and v.isdigit()) or len(v) > 12
                                     for v in lengths):
            self.send(400, "Content-Length is malformed or there twice", close=True)
        elif self.command == "POST" and not lengths:
            self.send(411, "a POST without Content-Length", close=True)
        elif lengths and int(lengths[0]) > BODY_BYTES:
            self.send(413, f"more than {BODY_BYTES} bytes", close=True)
        elif self.command not in ("GET", "HEAD", "POST"):
            self.send(405, "GET, HEAD and POST alone", headers={"Allow": "GET, HEAD, POST"},
                      close=True)
        else:
            return self._read(int(lengths[0]) if lengths else 0)
        return None

    def _read(self, size):
        body = self.rfile.read(size) if size else b""
        if len(body) == size:
            return body
        self.close_connection = True
        return None

    def send(self, status, text, content_type="text/plain; charset=utf-8", headers=None,
             close=False, length=None):
        """text: str is given its newline; bytes are sent as they are. length: a false one."""
        body = text if isinstance(text, bytes) else one_line(text).encode() + b"\n"
        if status in (204, 304):
            body = b""
        with self.server.deadline(self._raw, ANSWER_SECONDS):
            self.send_response(status)
            if body or status != 204:
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(length or len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            if close:
                self.close_connection = True
                self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
            self.wfile.flush()

    def version_string(self):
        return "refca"

    def log_message(self, format, *args):  # noqa: A002 (the name is the base class's)
        if not self.server.quiet:
            super().log_message("%s", one_line(format % args))


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    quiet = False

    def __init__(self, address, handler, request_seconds=15, connections=200):
        """request_seconds: for the TLS handshake, and for a request from the wait for its first byte to
        its last. connections: at a time; further ones are closed."""
        super().__init__(address, handler)
        self.request_seconds = request_seconds
        self._deadlines = {}
        self._places = threading.BoundedSemaphore(connections)
        self._lock = threading.Lock()

    def secure(self, connection):
        """The connection with TLS around it, after the handshake."""
        raise NotImplementedError

    @contextlib.contextmanager
    def deadline(self, connection, seconds):
        """A timeout of a socket is for each read; this one is for all of them together."""
        mark = object()
        with self._lock:
            self._deadlines[mark] = (time.monotonic() + seconds, connection)
        try:
            yield
        finally:
            with self._lock:
                self._deadlines.pop(mark, None)

    def service_actions(self):
        """Twice a second: connections that were too slow are shut."""
        now = time.monotonic()
        with self._lock:
            for mark, (end, connection) in list(self._deadlines.items()):
                if end < now:
                    del self._deadlines[mark]
                    with contextlib.suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)

    def process_request(self, request, client_address):
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._places.release()
            raise

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request, client_address):
        """A client that went away, or has another idea of TLS, is no event."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError, ssl.SSLError,
                                              BrokenPipeError)):
            super().handle_error(request, client_address)
