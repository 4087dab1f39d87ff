"""What the tests of interoperation share: what is sent, which ciphers and digests, the matrix."""
import peers

NAMES = {"aes-128-cbc": "aes128-cbc", "aes-192-cbc": "aes192-cbc", "aes-256-cbc": "aes256-cbc",
         "des-ede3-cbc": "3des-cbc", "aes-128-gcm": "aes128-gcm", "aes-256-gcm": "aes256-gcm"}

TEXT = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
ENTITIES = {
    "text": TEXT + b"hello\r\nworld\r\n",
    "8-bit": TEXT + "Āotearoa, ünïcode\r\n".encode() + b"\xff\xfe raw\r\n",
    "empty": TEXT,
    "no final line end": TEXT + b"the end",
    "many final line ends": TEXT + b"the end\r\n\r\n\r\n",
    "dots": TEXT + b".\r\n..\r\n.\r\n",
    "long line": TEXT + b"x" * 5000 + b"\r\n",
    "NUL": TEXT + b"a\0b\0\r\n",
    "multipart": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n"
                 b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\n--b\r\n two\r\n--b--\r\n",
    "200 KB": TEXT + b"".join(b"line %d\r\n" % i for i in range(18000)),
}
# Every cell of the matrix with these; one cell of each tool and way with all of them.
FEW = ("8-bit", "no final line end")


class Matrix:
    """Which cell of the matrix held; printed when all are done."""

    def __init__(self, title, *notes):
        self.title, self.notes, self.rows = title, notes, []

    def add(self, peer, way, what, good):
        """good: held or not; or in words why the software cannot."""
        self.rows.append((peer, way, what, good))

    def cell(self, peer, way, what, work, gap=None):
        """work() holds; or, where there is a gap, the software refuses."""
        good = False
        try:
            if gap is None:
                work()
                good = True
            else:
                try:
                    work()
                except peers.PeerError:
                    good = gap
                assert good, f"{peer} has closed a gap: {what}"
        finally:
            self.add(peer, way, what, good)

    def lines(self):
        yield f"S/MIME interoperation ({self.title})"
        for peer, way in sorted({row[:2] for row in self.rows}):
            cells = [f"{what} {'ok' if good is True else f'cannot: {good}' if good else 'FAILED'}"
                     for p, w, what, good in self.rows if (p, w) == (peer, way)]
            yield f"  {peer:12} {way:14} {', '.join(cells)}"
        yield from (f"  {note}" for note in self.notes)
        for kind in peers.SIGNERS:
            for gap in kind.gaps:
                yield f"  gap of {kind.name}: {gap}"

    def print(self, config):
        """Into pytest's report, whatever is captured."""
        reporter = config.pluginmanager.getplugin("terminalreporter")
        with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            reporter.ensure_newline()
            for line in self.lines():
                reporter.write_line(line)


def theirs(kind):
    # Every digest with one cipher, every cipher with one digest.
    first = "aes256-cbc" if "aes256-cbc" in kind.ciphers else kind.ciphers[0]
    return ([(kind, first, digest) for digest in kind.digests]
            + [(kind, cipher, "sha256") for cipher in kind.ciphers if cipher != first])
