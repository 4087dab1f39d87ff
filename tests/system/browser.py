"""A page as headless Chromium sees it: served on loopback, with nothing but itself to be had."""
import functools
import http.server
import json
import pathlib
import shutil
import subprocess
import tempfile
import threading
import urllib.parse

CHROMIUM = shutil.which("chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         # What Chromium asks of its maker goes nowhere.
         "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
MAKER = (".google.com", ".googleapis.com", ".gvt1.com")


class Visit:
    """dom: the page as it was rendered; console: what it complained of; requests: the URLs it asked for;
    pages: how many a print of it has, and picture: a PNG, where it prints."""

    def __init__(self, page, headers, prints=False):
        self.asked = []
        with tempfile.TemporaryDirectory(prefix="sg-chromium-") as folder:
            self.folder = pathlib.Path(folder)
            server = http.server.ThreadingHTTPServer(
                ("127.0.0.1", 0), functools.partial(_Handler, self, page.encode(), headers))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.url = f"http://127.0.0.1:{server.server_port}/report.html"
            try:
                net = self.folder / "net.json"
                done = self._run("--dump-dom", "--enable-logging=stderr", f"--log-net-log={net}")
                self.dom = done.stdout
                self.console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
                self.requests = _urls(json.loads(net.read_text()))
                if prints:
                    self._print()
            finally:
                server.shutdown()
                server.server_close()

    def _print(self):
        self._run("--no-pdf-header-footer", f"--print-to-pdf={self.folder / 'print.pdf'}")
        self.pages = (self.folder / "print.pdf").read_bytes().count(b"/Type /Page\n")
        self._run("--window-size=1000,2000", f"--screenshot={self.folder / 'shot.png'}")
        self.picture = (self.folder / "shot.png").read_bytes()

    def _run(self, *more):
        return subprocess.run([CHROMIUM, *FLAGS, f"--user-data-dir={self.folder / 'profile'}", *more, self.url],
                              capture_output=True, text=True, timeout=120, check=True,
                              stdin=subprocess.DEVNULL)


class _Handler(http.server.BaseHTTPRequestHandler):
    def __init__(self, visit, page, headers, *args):
        self.visit, self.page, self.extra = visit, page, headers
        super().__init__(*args)

    def do_GET(self):
        self.visit.asked.append(self.path)
        found = self.path == "/report.html"
        self.send_response(200 if found else 404)
        for name, value in self.extra.items() if found else ():
            self.send_header(name, value)
        self.end_headers()
        if found:
            self.wfile.write(self.page)

    def log_message(self, *_):
        pass


def _urls(log):
    """What was asked for over the network, by the page: Chromium's own questions to its maker are not."""
    types = log["constants"]["logEventTypes"]
    start = types["URL_REQUEST_START_JOB"]
    urls = [e["params"]["url"] for e in log["events"] if e["type"] == start and "url" in e.get("params", {})]
    split = [(u, urllib.parse.urlsplit(u)) for u in urls]
    return [u for u, s in split if s.scheme in ("http", "https", "ws", "wss", "ftp")
            and not (s.hostname or "").endswith(MAKER)]
