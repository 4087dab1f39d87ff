"""An agency's mail server: takes mail by SMTP and keeps every byte of it, with its envelope.

Each mail becomes NNNNNN.eml (as after DATA: CRLF line ends, dots unstuffed) and NNNNNN.json
(sender, recipients, their ESMTP parameters, TLS) in a folder. What it answers can be set:

    server.answer("rcpt", "550 5.1.1 no such user", to="ann@agency-b.test")
    server.answer("data", "450 4.2.0 busy", times=2)
    server.answer("data", HANG)           # takes the mail and says nothing
    server.answer("connect", CLOSE)       # closes at once

Run as a program it is the server of one agency, for quickstart:
    python3 -m sealgate.mailserver --port N --folder DIR [--cert PEM --key PEM]
"""
import argparse
import dataclasses
import json
import os
import pathlib
import socket
import ssl
import sys
import threading
import time

HANG = "hang"
CLOSE = "close"


@dataclasses.dataclass
class Mail:
    sender: str
    recipients: list
    raw: bytes
    sender_options: list
    recipient_options: list
    tls: bool
    received_at: float

    @property
    def head(self):
        return self.raw.partition(b"\r\n\r\n")[0]

    @property
    def body(self):
        return self.raw.partition(b"\r\n\r\n")[2]


class _Rule:
    def __init__(self, reply, to, times):
        self.reply, self.to, self.times = reply, to, times


class MailServer:
    def __init__(self, port, folder, cert=None, key=None, host="127.0.0.1", announce=()):
        self.host, self.port, self.folder = host, port, pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.tls = None
        if cert:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(cert, key)
        self.announce = ["PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 209715200", "ENHANCEDSTATUSCODES", *announce]
        self.rules = {"connect": [], "mail": [], "rcpt": [], "data": []}
        self.log = []  # commands as they came
        self._lock = threading.Condition()
        self.answering = threading.Lock()  # held while a mail is kept and answered for: stop() cuts nothing off in between
        self._stored = [self._read(path) for path in sorted(self.folder.glob("*.json"))]
        self._sockets = set()
        self._listener = None

    # What it answers ------------------------------------------------------------------------

    def answer(self, stage, reply, to=None, times=None):
        """reply at this stage from now on (times: that often), for this recipient or for all."""
        with self._lock:
            self.rules[stage].insert(0, _Rule(reply, to, times))

    def accept_all(self):
        with self._lock:
            for rules in self.rules.values():
                rules.clear()

    def _reply(self, stage, recipients=()):
        with self._lock:
            for rule in self.rules[stage]:
                if rule.times == 0 or (rule.to is not None and rule.to not in recipients):
                    continue
                if rule.times is not None:
                    rule.times -= 1
                return rule.reply
        return None

    def verdict(self, mail):
        """A reply that refuses this mail; None takes it. For servers that look into it."""
        return None

    # What came ------------------------------------------------------------------------------

    @property
    def mails(self):
        with self._lock:
            return list(self._stored)

    def wait(self, count=1, timeout=30, match=lambda mail: True):
        """The mails that match, once there are as many as count."""
        end = time.monotonic() + timeout
        with self._lock:
            while True:
                found = [mail for mail in self._stored if match(mail)]
                if len(found) >= count:
                    return found
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"port {self.port}: {len(found)} of {count} mails within "
                                       f"{timeout} s")
                self._lock.wait(left)

    @staticmethod
    def _read(path):
        with open(path, encoding="utf-8") as f:
            meta = json.load(f)
        return Mail(raw=path.with_suffix(".eml").read_bytes(), **meta)

    def _store(self, mail):
        with self._lock:
            path = self.folder / f"{len(self._stored) + 1:06}.eml"
            path.write_bytes(mail.raw)
            meta = dataclasses.asdict(mail)
            del meta["raw"]
            temporary = path.with_suffix(".new")
            temporary.write_text(json.dumps(meta), encoding="utf-8")
            temporary.replace(path.with_suffix(".json"))
            self._stored.append(mail)
            self._lock.notify_all()

    # The server -----------------------------------------------------------------------------

    def start(self):
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((self.host, self.port))
        self._listener.listen(128)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def stop(self):
        """Gone: nobody listens, and what was connected is cut off. What was kept has had its reply: a lost one would have
        the mail sent again, rightly."""
        listener, self._listener = self._listener, None
        if listener:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            sockets = list(self._sockets)
        with self.answering:
            for s in sockets:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self._sockets.add(client)
            threading.Thread(target=self._session, args=(client,), daemon=True).start()

    def _session(self, client):
        session = _Session(self, client)
        try:
            session.run()
        except (OSError, EOFError):
            pass
        finally:
            with self._lock:
                self._sockets.discard(client)
            session.close()


class _Session:
    def __init__(self, server, client):
        self.server, self.socket = server, client
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = client.makefile("rb")
        self.secure = self.lmtp = False
        self.reset()

    def reset(self):
        self.sender, self.sender_options = None, []
        self.recipients, self.recipient_options = [], []

    def close(self):
        self.file.close()
        self.socket.close()

    def say(self, text):
        self.socket.sendall(text.encode() + b"\r\n")

    def line(self):
        line = self.file.readline(1 << 20)
        if not line:
            raise EOFError
        return line

    def ruled(self, stage, recipients=()):
        """The reply that was set for this stage, None: as usual. Does not come back to hang."""
        reply = self.server._reply(stage, recipients)
        if reply == CLOSE:
            raise EOFError
        if reply == HANG:
            while self.socket.recv(65536):
                pass
            raise EOFError
        return reply

    def run(self):
        refused = self.ruled("connect")
        self.say(refused or "220 agency.test ESMTP")
        while True:
            text = self.line().decode("utf-8", "surrogateescape").rstrip("\r\n")
            self.server.log.append(text)
            verb, _, rest = text.partition(" ")
            handler = getattr(self, "do_" + verb.lower(), None)
            if handler is None:
                self.say("502 5.5.1 no such command")
            elif handler(rest) is False:
                return

    def do_ehlo(self, _):
        keywords = list(self.server.announce)
        if self.server.tls and not self.secure:
            keywords.append("STARTTLS")
        lines = ["agency.test", *keywords]
        for keyword in lines[:-1]:
            self.say(f"250-{keyword}")
        self.say(f"250 {lines[-1]}")
        self.reset()

    def do_lhlo(self, rest):
        self.lmtp = True
        self.do_ehlo(rest)

    def do_helo(self, _):
        self.reset()
        self.say("250 agency.test")

    def do_starttls(self, _):
        if not self.server.tls or self.secure:
            self.say("503 5.5.1 not now")
            return
        self.say("220 2.0.0 go ahead")
        self.file.close()
        with self.server._lock:
            self.server._sockets.discard(self.socket)
        self.socket = self.server.tls.wrap_socket(self.socket, server_side=True)
        with self.server._lock:
            self.server._sockets.add(self.socket)
        self.file = self.socket.makefile("rb")
        self.secure = True
        self.reset()

    @staticmethod
    def _path(rest):
        address, _, options = rest.partition(":")[2].strip().partition(">")
        return address.lstrip("<"), options.split()

    def do_mail(self, rest):
        refused = self.ruled("mail")
        if refused:
            self.say(refused)
            return
        self.reset()
        self.sender, self.sender_options = self._path(rest)
        self.say("250 2.1.0 ok")

    def do_rcpt(self, rest):
        address, options = self._path(rest)
        refused = self.ruled("rcpt", [address])
        if refused or self.sender is None:
            self.say(refused or "503 5.5.1 MAIL first")
            return
        self.recipients.append(address)
        self.recipient_options.append(options)
        self.say("250 2.1.5 ok")

    def do_data(self, _):
        if not self.recipients:
            self.say("554 5.5.1 no recipients")
            return
        self.say("354 go ahead")
        lines = []
        while True:
            line = self.line()
            if line == b".\r\n":
                break
            lines.append(line[1:] if line.startswith(b".") else line)
        mail = Mail(self.sender, self.recipients, b"".join(lines), self.sender_options,
                    self.recipient_options, self.secure, time.time())
        refused = self.ruled("data", self.recipients) or self.server.verdict(mail)
        with self.server.answering:
            if not refused:
                self.server._store(mail)
            for _ in self.recipients if self.lmtp else "1":
                self.say(refused or "250 2.0.0 kept")
        self.reset()

    def do_rset(self, _):
        self.reset()
        self.say("250 2.0.0 ok")

    def do_noop(self, _):
        self.say("250 2.0.0 ok")

    def do_quit(self, _):
        self.say("221 2.0.0 bye")
        return False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    args = parser.parse_args()
    os.umask(0o022)
    MailServer(args.port, args.folder, args.cert, args.key).start()
    threading.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
