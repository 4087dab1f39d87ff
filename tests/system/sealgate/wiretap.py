"""A tap in the wire between Postfix "out" and Postfix "in": forwards every byte both ways and
keeps the messages that passed."""
import socket
import threading
import time


class WireTap:
    """Listens on port, forwards to port `to` of to_host; messages are as after DATA, with CRLF."""

    def __init__(self, port, to, host="127.0.0.1", to_host=None):
        self.port, self.to, self.host, self.to_host = port, to, host, to_host or host
        self._lock = threading.Condition()
        self._messages = []  # (recipients, raw)
        self._listener = None
        self._sockets = set()

    def start(self):
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((self.host, self.port))
        self._listener.listen(64)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def stop(self):
        listener, self._listener = self._listener, None
        if listener:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            sockets = list(self._sockets)
        for s in sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    @property
    def messages(self):
        """[(recipients, raw)] of all that passed."""
        with self._lock:
            return list(self._messages)

    def wait(self, count=1, timeout=30, match=lambda recipients, raw: True):
        end = time.monotonic() + timeout
        with self._lock:
            while True:
                found = [m for m in self._messages if match(*m)]
                if len(found) >= count:
                    return found
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"wire: {len(found)} of {count} messages within {timeout} s")
                self._lock.wait(left)

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection((self.to_host, self.to))
            except OSError:
                client.close()
                continue
            with self._lock:
                self._sockets |= {client, server}
            listener_side = _Reader(self._keep)
            threading.Thread(target=self._copy, args=(client, server, listener_side.feed),
                             daemon=True).start()
            threading.Thread(target=self._copy, args=(server, client, lambda data: None),
                             daemon=True).start()

    def _copy(self, source, target, look):
        try:
            while data := source.recv(262144):
                look(data)
                target.sendall(data)
        except OSError:
            pass
        finally:
            for s in (source, target):
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            with self._lock:
                self._sockets -= {source}

    def _keep(self, recipients, raw):
        with self._lock:
            self._messages.append((recipients, raw))
            self._lock.notify_all()


class _Reader:
    """Follows the client's side of an SMTP session. Postfix pipelines DATA but never the body
    before 354, so a line DATA is always the verb."""

    def __init__(self, keep):
        self.keep = keep
        self.rest, self.lines, self.recipients = b"", None, []

    def feed(self, data):
        parts = (self.rest + data).split(b"\r\n")
        self.rest = parts.pop()
        for line in parts:
            if self.lines is None:
                self.command(line)
            elif line == b".":
                self.keep(self.recipients, b"".join(self.lines))
                self.lines, self.recipients = None, []
            else:
                self.lines.append((line[1:] if line.startswith(b".") else line) + b"\r\n")

    def command(self, line):
        verb = line[:8].upper()
        if verb.startswith(b"MAIL"):
            self.recipients = []
        elif verb.startswith(b"RCPT"):
            self.recipients.append(line.partition(b"<")[2].partition(b">")[0].decode())
        elif verb == b"DATA":
            self.lines = []
