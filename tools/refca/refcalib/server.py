"""`refca serve`: lists and CA certificates over HTTP, enrolment over HTTPS, and the caretaker that makes
new lists and tells the directory. Files are read anew for each request."""
import contextlib
import os
import signal
import threading
import time
from pathlib import Path

from . import RefcaError, authority, clock, directory, est_server, strict_http
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
LOOK_SECONDS = 1.0       # how often the caretaker looks for what the command line has changed
REFUSED_SECONDS = 30.0   # until a domain is tried again whose entry the directory refused
PUBLISHED_SECONDS = 2.0  # how long an enrolment waits for the directory, where that is well


class Handler(strict_http.Handler):
    def answer(self, body):
        name = self.path.split("?", 1)[0].lstrip("/")
        if self.command == "POST":
            self.send(405, "GET and HEAD alone", headers={"Allow": "GET, HEAD"})
        elif name == "healthz":
            self.send(200, "ok")
        elif name in SERVED and (self.server.folder / name).is_file():
            if name.endswith(".crl"):
                self.server.caretaker.fresh_lists()
            self.send(200, (self.server.folder / name).read_bytes(), SERVED[name])
        else:
            self.send(404, "not found")


class Server(strict_http.Server):
    def secure(self, connection):
        return connection


class Caretaker:
    """What has to be done without being asked: lists that are owed or old, the directory."""

    def __init__(self, folder, refresh_minutes, connect, say):
        """connect: makes a directory.Directory; None where nothing is published."""
        self._folder, self._connect, self._say = folder, connect, say
        self._refresh = refresh_minutes and refresh_minutes * 60
        self._lists = threading.Lock()
        self._lists_made = None      # the CA's time
        self._wake = threading.Event()
        self._done = threading.Condition()
        self._failures = 0
        self._refused = {}           # domain → when it is tried again, as the directory refused its entry
        self.stopped = threading.Event()

    def stop(self):
        self.stopped.set()
        self._wake.set()

    def run(self):
        """Until stop()."""
        while not self.stopped.is_set():
            self._wake.wait(self._pause())
            self._wake.clear()
            if not self.stopped.is_set():
                self._look()

    def _pause(self):
        if self._failures:
            return min(2.0 ** self._failures / 2, 30)
        return min(LOOK_SECONDS, self._refresh or LOOK_SECONDS)

    def _look(self):
        try:
            self.fresh_lists()
            with Store(self._folder) as store:
                if self._connect:
                    store.owe_expired()
                    self._publish(store)
            self._failures = 0
        except Exception as error:  # whatever it is, the next look may find it mended
            self._failures = min(self._failures + 1, 10)
            self._say(f"refca: {error}")
        with self._done:
            self._done.notify_all()

    def fresh_lists(self):
        """New lists where a revocation is not on them yet, or they are due by the CA's clock."""
        with self._lists, Store(self._folder) as store:
            now = clock.now()
            due = self._refresh and (
                self._lists_made is None
                or not 0 <= (now - self._lists_made).total_seconds() < self._refresh)
            if self._lists_made is None and self._refresh:
                due, self._lists_made = False, now  # those of before the start are new enough
            if due or store.setting("crl_owed"):
                authority.write_crls(store)
                self._lists_made = now

    def _publish(self, store):
        now = time.monotonic()
        self._refused = {domain: until for domain, until in self._refused.items() if now < until}
        if all(row["domain"] in self._refused for row in store.owed()):
            return
        with self._connect() as target:
            done, refused = directory.publish_owed(store, target, self._refused)
        for domain in done:
            self._say(f"published {domain or 'the revocation list'}")
        for domain, words in refused.items():
            self._say(f"refca: {words}")
            self._refused[domain] = now + REFUSED_SECONDS

    def changed(self, domain):
        """Returns when the directory has it; soon in any case."""
        self._wake.set()
        if not self._connect or self._failures:
            return
        with self._done, Store(self._folder) as store:
            self._done.wait_for(
                lambda: self._failures or domain in self._refused
                or domain not in [row["domain"] for row in store.owed()],
                PUBLISHED_SECONDS)


def _listen(make, address):
    try:
        return make()
    except OSError as error:
        raise RefcaError(f"cannot listen on {address[0]}:{address[1]}: {error.strerror}") from error


def serve(folder: Path, host: str, port: int, refresh_minutes=None, quiet=False, est_port=None,
          est_options=None, connect=None) -> None:
    """Until SIGTERM or SIGINT. With refresh_minutes the lists are made anew that often."""
    Store(folder)  # says in one line what is wrong with the directory
    caretaker = Caretaker(folder, refresh_minutes, connect, lambda text: print(text, flush=True))
    servers = [_listen(lambda: Server((host, port), Handler), (host, port))]
    servers[0].folder, servers[0].quiet, servers[0].caretaker = folder, quiet, caretaker
    if est_port is not None:
        servers.append(_listen(
            lambda: est_server.Server(folder, (host, est_port), est_options, caretaker),
            (host, est_port)))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: caretaker.stop())
    pid_file = folder / "serve.pid"
    write_file(pid_file, f"{os.getpid()}\n".encode())
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.25,), daemon=True).start()
    print(f"serving {folder} on http://{host}:{servers[0].server_address[1]}/"
          + (f", EST on https://{host}:{servers[1].server_address[1]}{est_server.PREFIX}"
             if est_port is not None else ""), flush=True)
    try:
        caretaker.run()
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
        with contextlib.suppress(FileNotFoundError):
            pid_file.unlink()
