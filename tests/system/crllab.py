"""A CA whose revocation lists are served as a test wants, and lists of any size, made octet by octet."""
import collections
import datetime as dt
import http.server
import os
import threading

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from certlab import CA, NOW

SHA256_RSA = bytes.fromhex("300d06092a864886f70d01010b0500")


class Shelf:
    """Serves files of a folder by HTTP; what is wrong with one is the test's to say."""

    def __init__(self, folder, port):
        self.folder, self.port = folder, port
        self.asked = collections.Counter()
        self.faults = {}  # path → function of the request, in place of the file
        shelf = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                path = self.path.partition("?")[0]
                shelf.asked[self.path] += 1
                fault = shelf.faults.get(self.path, shelf.faults.get(path))
                try:
                    if fault:
                        fault(self)
                    else:
                        self.send_file(path)
                except OSError:  # nobody waits for it any more
                    pass

            def send_file(self, path):
                try:
                    data = (shelf.folder / path.strip("/")).read_bytes()
                except OSError:
                    self.send_error(404)
                    return
                self.give(data)

            def give(self, data):
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def send_on(self, to):
                self.send_response(302)
                self.send_header("Location", to)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.handler = Handler
        self.server = None

    def start(self):
        http.server.ThreadingHTTPServer.daemon_threads = True
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), self.handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def withhold(self, path, seconds=30):
        """Takes the connection, and gives nothing."""
        over = threading.Event()
        self.faults[path] = lambda _: over.wait(seconds)
        return over


class ListCA(CA):
    """A reference CA on whose port a Shelf stands."""

    def __init__(self, folder, port, *arguments):
        super().__init__(folder, port, *arguments)
        self.shelf = Shelf(self.folder, port)

    def reset(self):
        self.shelf.stop()
        self.shelf.faults.clear()
        self.shelf.asked.clear()
        self("crl")
        self.shelf.start()


# DER ------------------------------------------------------------------------------------------------

def der(tag, *parts):
    content = b"".join(parts)
    if len(content) < 128:
        return bytes((tag, len(content))) + content
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + content


def der_integer(number):
    size = (number if number >= 0 else -number - 1).bit_length() // 8 + 1
    return der(0x02, number.to_bytes(size, "big", signed=True))


def der_time(time):
    """datetime, or the text of a GeneralizedTime."""
    return der(0x18, (time if isinstance(time, str) else time.strftime("%Y%m%d%H%M%SZ")).encode())


def der_entry(serial, reason=None):
    """serial: a number, or the octets of an INTEGER."""
    number = serial if isinstance(serial, bytes) else der_integer(serial)
    date = der(0x17, NOW.strftime("%y%m%d%H%M%SZ").encode())
    if reason is None:
        return der(0x30, number, date)
    return der(0x30, number, date, der(0x30, der(0x30, bytes.fromhex("0603551d15"),
                                                 der(0x04, der(0x0a, bytes((reason,)))))))


def signed_list(key, ca, entries, *, this_update=None, next_update=None):
    """A list of these entries, signed by an RSA key."""
    tbs = der(0x30, der_integer(1), SHA256_RSA, ca.subject.public_bytes(),
              der_time(this_update or NOW - dt.timedelta(hours=1)),
              der_time(next_update or NOW + dt.timedelta(days=7)),
              *([der(0x30, *entries)] if entries else []))
    signature = key.sign(tbs, padding.PKCS1v15(), hashes.SHA256())
    return der(0x30, tbs, SHA256_RSA, der(0x03, b"\0" + signature))


def many_serials(count):
    """As CAs make them: 16 octets each."""
    pool = os.urandom(16 * count)
    return [int.from_bytes(b"\x40" + pool[16 * i:16 * i + 15], "big") for i in range(count)]


def with_serial(ca, domain, serial):
    """A certificate with any serial number, by openssl."""
    return ca.openssl(domain, "-sha256", serial=serial)

