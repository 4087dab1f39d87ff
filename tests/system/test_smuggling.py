"""SMTP smuggling: whatever somebody may take for the end of a message, one message in is one message out, and nothing
leaves that any server known to be confused would cut in two. REQ-22

The sequences are those of Longin's "SMTP Smuggling" (2023) and all others of their kind: a line end of any sort, a dot
with or without NUL, a line end of any sort. Next hops here record the octets as they come over the wire.
"""
import contextlib
import itertools
import re
import socket
import tempfile

import pytest

import forge
from sealgate.mailserver import Mail, MailServer, _Session
from sealgate.ports import PortBlock
from setting import A, B, FROM_A, OUTSIDE
from spoof import VICTIM, Spoof
from test_mail_hostile import Lines, to_gatewayd, vouched

LINE_ENDS = {"lf": b"\n", "cr": b"\r", "crlf": b"\r\n", "crcrlf": b"\r\r\n", "lfcr": b"\n\r", "crnullf": b"\r\0\n",
             "nulcrlf": b"\0\r\n", "crlfnul": b"\r\n\0", "vt": b"\v", "ff": b"\f", "nel": b"\x85", "ls": "\u2028".encode()}
DOTS = {"dot": b".", "nuldot": b"\0.", "dotnul": b".\0", "dotblank": b". ", "dots": b"..", "del": b".\x7f"}
SEQUENCES = {f"{x}-{dot}-{y}": LINE_ENDS[x] + DOTS[dot] + LINE_ENDS[y]
             for x, dot, y in itertools.product(LINE_ENDS, DOTS, LINE_ENDS)}
SEQUENCES = {name: octets for name, octets in SEQUENCES.items() if b"\r\n.\r\n" not in octets}  # which is an end
# Through Postfix, which takes its time: those that have a name, and one of each kind
KNOWN = [name for name in SEQUENCES if re.fullmatch(r"(lf|cr|crlf|crcrlf|lfcr)-(dot|nuldot|dotnul)-(lf|cr|crlf|crcrlf|lfcr)", name)
         or name in ("nulcrlf-dot-nulcrlf", "crlfnul-dot-crlf", "crlf-nuldot-crlfnul", "crnullf-dot-crnullf", "crlf-dots-crlf",
                     "vt-dot-vt", "ff-dot-ff", "nel-dot-nel", "ls-dot-ls")]
MANY = 40  # sequences of one mail, where nothing can be lost by it
SMUGGLED = f"MAIL FROM:<ceo@{A}>\r\nRCPT TO:<ann@{B}>\r\nDATA\r\n".encode()


class _Raw(_Session):
    def do_data(self, _):
        self.say("354 go ahead")
        wire = b""
        while not (wire.endswith(b"\r\n.\r\n") or wire == b".\r\n"):
            wire += self.line()
        self.server._store(Mail(self.sender, self.recipients, wire, self.sender_options, self.recipient_options, False, 0))
        for _ in self.recipients if self.lmtp else "1":
            self.say("250 2.0.0 kept")
        self.reset()


class Wire(MailServer):
    """Its mails' raw is what came behind 354, the end included."""

    def _session(self, client):
        session = _Raw(self, client)
        try:
            session.run()
        except (OSError, EOFError):
            pass
        finally:
            session.close()


class Recorded(Spoof):
    def __init__(self, folder, block):
        super().__init__(folder, block)
        for name in (A, B):
            self.servers[name] = Wire(self.servers[name].port, self.servers[name].folder)


@pytest.fixture(scope="module")
def setting():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgu", dir="/var/tmp") as folder:
        s = Recorded(folder, block)
        try:
            yield s.start()
        finally:
            s.stop()


def head(sender, to, name):
    return (f"From: {sender}\r\nTo: {to}\r\nSubject: {name}\r\nDate: Mon, 23 Nov 2026 10:00:00 +1300\r\n"
            f"Message-ID: <{name}@x.test>\r\n").encode()


def body(name, sequence):
    """A body that says it is over, and begins a transaction of its own."""
    return b"before" + sequence + SMUGGLED + head(f"ceo@{A}", f"ann@{B}", f"{name}-second") + b"\r\nsmuggled"


def is_clean(wire):
    """No server, however it takes line ends and NUL, sees an end before the end."""
    assert wire.endswith(b"\r\n.\r\n")
    inside = wire[:-5]
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", inside + b"\r\n"), "a CR or LF on its own"
    for seen in (inside, inside.replace(b"\0", b"")):
        assert b"\r\n.\r\n" not in b"\r\n" + seen + b"\r\n"
    return True


def check_one(server, name, count=1):
    """One mail, to one, of whom it is; clean."""
    got = server.wait(count, 60, lambda mail: b"\r\nSubject: " + name.encode() + b"\r\n" in b"\r\n" + mail.raw)
    assert len(got) == count
    for mail in got:
        assert mail.sender != f"ceo@{A}" and len(mail.recipients) == 1
        assert is_clean(mail.raw)
    return got[0]


def raw_smtp(port, source, sender, recipient, message):
    """Hands in what stands there, and its end; the reply. Anything but one reply is a failure."""
    with contextlib.closing(Lines("127.0.0.1", port, source=source)) as smtp:
        assert smtp.say("EHLO somewhere.test").startswith("250")
        assert smtp.say(f"MAIL FROM:<{sender}>").startswith("250")
        assert smtp.say(f"RCPT TO:<{recipient}>").startswith("250")
        assert smtp.say("DATA").startswith("354")
        smtp.file.write(message + b"\r\n.\r\n")
        smtp.file.flush()
        reply = smtp.reply()
        assert smtp.say("QUIT").startswith("221")
        return reply


def next_mail(setting, name):
    setting.from_outside(f"x@{OUTSIDE}", [f"ann@{B}"], head(f"x@{OUTSIDE}", f"ann@{B}", name) + b"\r\nNext.\r\n")
    check_one(setting.servers[B], name)


def no_second(setting):
    for server in setting.servers.values():
        assert not any(mail.sender.startswith("ceo@") for mail in server.mails)


def test_from_the_world_to_a_customer(setting):
    for name in KNOWN:
        reply = raw_smtp(setting.platform.port["postfix_in"], None, f"x@{OUTSIDE}", f"ann@{B}",
                         head(f"x@{OUTSIDE}", f"ann@{B}", f"in-{name}") + b"\r\n" + body(name, SEQUENCES[name]))
        assert reply.startswith("250"), (name, reply)
    for name in KNOWN:
        check_one(setting.servers[B], f"in-{name}")
    next_mail(setting, "next-in")
    no_second(setting)


def test_from_a_customer_to_a_customer(setting):
    """Through both Postfix, sealed and opened."""
    for name in KNOWN:
        reply = raw_smtp(setting.platform.port["postfix_out"], FROM_A, f"joe@{A}", f"ann@{B}",
                         head(f"joe@{A}", f"ann@{B}", f"out-{name}") + b"\r\n" + body(name, SEQUENCES[name]))
        assert reply.startswith("250"), (name, reply)
    for name in KNOWN:
        raw = check_one(setting.servers[B], f"out-{name}").raw
        assert f"X-Sealgate-Verdict: verified; domain={A}".encode() in raw
    no_second(setting)


@pytest.mark.smoke
def test_straight_into_gatewayd(setting):
    """Every combination, at the beginning and within: content, or 550 and nothing; never an end."""
    refused = taken = 0
    with contextlib.closing(Lines("127.0.0.1", setting.platform.port["inbound"])) as lmtp:
        lmtp.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert lmtp.say("LHLO in.test").startswith("250")
        for name, sequence in SEQUENCES.items():
            for where in ("within", "before"):
                subject = f"straight-{where}-{name}"
                message = head(f"x@{OUTSIDE}", f"ann@{B}", subject)
                message = message + b"\r\n" + body(name, sequence) if where == "within" else \
                    sequence + message + b"\r\nbody"
                assert lmtp.say(f"XFORWARD IDENT=3{subject} ADDR=192.0.2.1").startswith("250")
                assert lmtp.say(f"MAIL FROM:<x@{OUTSIDE}>").startswith("250")
                assert lmtp.say(f"RCPT TO:<ann@{B}>").startswith("250")
                assert lmtp.say("DATA").startswith("354")
                lmtp.file.write(message + b"\r\n.\r\n")
                lmtp.file.flush()
                reply = lmtp.reply()
                bare = re.search(rb"(?<!\r)\n|\r(?!\n)", message + b"\r\n")
                assert not bare or reply.startswith("550 5.6.11"), (subject, reply)
                refused += bool(bare)
                if reply.startswith("250"):
                    taken += 1
                    check_one(setting.servers[B], subject) if where == "within" else None
                assert lmtp.say("NOOP").startswith("250")  # nothing else was answered
    assert refused > 400 and taken > 200, (refused, taken)
    for mail in setting.servers[B].mails:
        assert is_clean(mail.raw)
    next_mail(setting, "next-straight")
    no_second(setting)


def test_straight_out_of_a_customer(setting):
    """The same at the outbound listener, whose mail is sealed."""
    for name in KNOWN:
        subject = f"outward-{name}"
        message = head(f"joe@{A}", f"ann@{B}", subject) + b"\r\n" + body(name, SEQUENCES[name])
        proof = vouched(setting, f"joe@{A}", f"3{subject}")
        reply, = to_gatewayd(setting, f"3{subject}", f"joe@{A}", [f"ann@{B}"], proof + message + b"\r\n")
        assert reply.startswith("550 5.6.11" if re.search(rb"(?<!\r)\n|\r(?!\n)", message) else "250"), (name, reply)
        if reply.startswith("250"):
            check_one(setting.servers[B], subject)
    no_second(setting)


@pytest.mark.smoke
def test_hidden_in_an_envelope(setting):
    """What comes out at decryption goes to the next hop in a transaction: bare line ends become whole ones, and a dot
    never stands where a server may see it alone."""
    forms = {"detached": lambda text: forge.sealed(forge.detached(text, [setting.victim]), setting.agency[B]),
             "opaque": lambda text: forge.sealed(forge.opaque(text, [setting.victim]), setting.agency[B]),
             "signed-alone": lambda text: forge.opaque(text, [setting.victim]),
             "unsigned": lambda text: forge.sealed(text, setting.agency[B]),
             "gcm": lambda text: forge.sealed_gcm(text, setting.agency[B])}
    names = list(SEQUENCES)
    for form, make in forms.items():
        for at in range(0, len(names), MANY):
            subject = f"hidden-{form}-{at}"
            text = b"Content-Type: text/plain\r\n\r\n" + b"".join(body(name, SEQUENCES[name]) for name in names[at:at + MANY])
            message = head(f"joe@{VICTIM}", f"ann@{B}", subject) + b"X-NZ-Secure-email: 1.0\r\nMIME-Version: 1.0\r\n" + \
                re.sub(rb"(?<!\r)\n", b"\r\n", make(text + b"\r\n"))
            reply = setting.lmtp(f"3{subject}", f"x@{OUTSIDE}", f"ann@{B}", message)
            assert reply.startswith("250"), (subject, reply)
            raw = check_one(setting.servers[B], subject).raw
            if form in ("detached", "opaque"):
                assert f"X-Sealgate-Verdict: verified; domain={VICTIM}".encode() in raw, subject
                assert raw.count(b"smuggled") == len(names[at:at + MANY])
    next_mail(setting, "next-hidden")
    no_second(setting)


FIELD = {"cr": b"X-A: 1\rX-B: 2", "lf": b"X-A: 1\nX-B: 2", "end-lf": b"X-A: 1\n", "end-cr": b"X-A: 1\r", "lf-lf": b"X-A: 1\n\nbody",
         "cr-cr": b"X-A: 1\r\rbody", "dot": b"X-A: 1\n.\r\n", "crcrlf": b"X-A: 1\r", "fold-lf": b"X-A: 1\n more", "nul": b"X-A: 1\0"}


def test_line_ends_in_a_header(setting):
    """Postfix mends them, gatewayd takes none that is not whole."""
    for name, field in FIELD.items():
        message = field + b"\r\n" + head(f"x@{OUTSIDE}", f"ann@{B}", f"field-{name}") + b"\r\nbody"
        reply = raw_smtp(setting.platform.port["postfix_in"], None, f"x@{OUTSIDE}", f"ann@{B}", message)
        assert reply.startswith("250"), (name, reply)
        reply = setting.lmtp(f"3field{name}", f"x@{OUTSIDE}", f"ann@{B}", message.replace(b"field-", b"direct-") + b"\r\n")
        assert reply.startswith("250" if name == "nul" else "550 5.6.11"), (name, reply)
    next_mail(setting, "next-field")
    for name in FIELD:
        check_one(setting.servers[B], f"field-{name}")


@pytest.mark.smoke
def test_dots_at_the_edges_of_blocks(setting):
    """Lines that begin with dots, wherever the buffers end that they go through."""
    lines = b"\r\n.\r\n..\r\n...x\r\n. \r\n.\t.\r\n"
    for size in (512, 4096, 16384, 65536, 262144):
        for shift in range(-6, 5):
            subject = f"edge-{size}-{shift + 6}"
            start = head(f"x@{OUTSIDE}", f"ann@{B}", subject) + b"\r\n"
            text = b""
            while len(start + text) < size + shift - 74:
                text += b"y" * 72 + b"\r\n"
            text += b"z" * (size + shift - len(start + text)) + lines
            reply = setting.lmtp(f"3{subject}", f"x@{OUTSIDE}", f"ann@{B}", start + text)
            assert reply.startswith("250"), reply
            wire = check_one(setting.servers[B], subject).raw
            got = re.sub(rb"(?m)^\.", b"", wire[:-3]).partition(b"\r\n\r\n")[2]
            assert got == text, subject
