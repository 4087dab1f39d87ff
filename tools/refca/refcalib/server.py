"""HTTP server for revocation lists and CA certificates. Files are read anew for each request."""
import contextlib
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from . import RefcaError, authority
from .store import Store, write_file

SERVED = {
    "ca.crl": "application/pkix-crl",
    "root.crl": "application/pkix-crl",
    "root.cer": "application/pkix-cert",
    "issuing.cer": "application/pkix-cert",
    "root.pem": "application/x-pem-file",
    "issuing.pem": "application/x-pem-file",
    "chain.pem": "application/x-pem-file",
}


class Handler(BaseHTTPRequestHandler):
    server_version = "refca"
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_GET(self):  # noqa: N802 (the name is the base class's)
        self._answer(with_body=True)

    def do_HEAD(self):  # noqa: N802
        self._answer(with_body=False)

    def _answer(self, with_body):
        name = self.path.split("?", 1)[0].lstrip("/")
        if name == "healthz":
            self._send(200, "text/plain", b"ok\n", with_body)
        elif name in SERVED and (self.server.folder / name).is_file():
            self._send(200, SERVED[name], (self.server.folder / name).read_bytes(), with_body)
        else:
            self._send(404, "text/plain", b"not found\n", with_body)

    def _send(self, status, content_type, body, with_body):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format, *args):  # noqa: A002 (the name is the base class's)
        if not self.server.quiet:
            super().log_message(format, *args)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """A client that went away is no event."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


def serve(folder: Path, host: str, port: int, refresh_minutes, quiet: bool) -> None:
    """Until SIGTERM or SIGINT. With refresh_minutes the lists are made anew that often."""
    Store(folder)  # says in one line what is wrong with the directory
    try:
        server = Server((host, port), Handler)
    except OSError as error:
        raise RefcaError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    server.folder = folder
    server.quiet = quiet
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    pid_file = folder / "serve.pid"
    write_file(pid_file, f"{os.getpid()}\n".encode())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"serving {folder} on http://{host}:{server.server_address[1]}/", flush=True)
    try:
        while not stop.wait(refresh_minutes * 60 if refresh_minutes else None):
            authority.write_crls(Store(folder))
    finally:
        server.shutdown()
        server.server_close()
        with contextlib.suppress(FileNotFoundError):
            pid_file.unlink()
