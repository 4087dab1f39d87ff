"""The reference CA's EST server under load, under attack, killed, and misbehaving on purpose."""
import base64
import concurrent.futures
import contextlib
import datetime as dt
import itertools
import json
import math
import os
import pathlib
import random
import select
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import tempfile
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID

from certlab import DAY, DCA, DER, PEM, REFCA, dca_csr, new_key, rsa_key, run, wait_for
from estlab import EST, PASSWORD, CurlFailed, EstCA, save
from sealgate.ports import PortBlock

SLOW_SECONDS = 3
PLACES = 60


@pytest.fixture(scope="module")
def ports():
    with PortBlock() as block:
        yield block.base


@pytest.fixture(scope="module")
def folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="sealgate-est-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def ca(folder, ports):
    made = EstCA(folder / "ca", ports, "--name", "EST test CA")
    made.serve("--est-request-seconds", 60).start()  # who is slow for want of CPU time is not cut off
    yield made
    made.server.stop()


@pytest.fixture(scope="module")
def hasty(folder, ports):
    """Another that waits for nobody."""
    made = EstCA(folder / "hasty", ports + 11)
    made.serve("--est-request-seconds", SLOW_SECONDS, "--est-connections", PLACES).start()
    yield made
    made.server.stop()


def slowness():
    """How many times longer computing takes than with a CPU to oneself."""
    wall, own = time.monotonic(), time.thread_time()
    while time.thread_time() - own < 0.1:
        pass
    return (time.monotonic() - wall) / (time.thread_time() - own)


@pytest.fixture(autouse=True)
def well(ca):
    """Whatever a test did: afterwards the server answers."""
    yield
    ca.fault()
    assert ca.curl(f"{EST}/cacerts", user=None).status == 200


@pytest.fixture(scope="module")
def keys():
    return [new_key() for _ in range(34)]


# Load and death --------------------------------------------------------------------------------

def test_a_hundred_in_twenty_seconds(ca, keys):
    """Twenty at once, a connection each: first certificates and two renewals of each. What else the machine does meanwhile
    is not the server's time."""
    def one(request):
        answer = ca.ask(*request)
        assert answer.status == 200, answer.text
        return answer.certificate

    rounds = [[(dca_csr(f"load{i}.test", key, digest=digest()), operation)
               for i, key in enumerate(keys)]
              for operation, digest in (("simpleenroll", hashes.SHA256),
                                        ("simplereenroll", hashes.SHA384),
                                        ("simplereenroll", hashes.SHA512))]
    certificates, taken, slow = [], 0.0, [slowness()]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        for requests in rounds:
            begin = time.monotonic()
            certificates += pool.map(one, requests)
            taken += time.monotonic() - begin
            slow.append(slowness())
    print(f"{len(certificates)} enrolments in {taken:.1f} s, on a machine {max(slow):.1f} times as slow as it could be")
    assert taken < 20 * max(1, *slow)
    assert len({c.serial_number for c in certificates}) == len(certificates) >= 100
    assert [len(ca.issued(f"load{i}.test")) for i in range(len(keys))] == [3] * len(keys)


def test_twenty_ask_the_same(ca):
    """One certificate, and all get it; of twenty keys for one domain one."""
    body = dca_csr("same.test", rsa_key("same.test"))
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        same = list(pool.map(lambda _: ca.ask(body).certificate, range(20)))
    assert len(set(same)) == 1 and len(ca.issued("same.test")) == 1
    bodies = [dca_csr("rival.test", rsa_key(f"rival{i}")) for i in range(6)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        status = sorted(pool.map(lambda b: ca.ask(b).status, bodies))
    assert status == [200, 400, 400, 400, 400, 400]
    serial = f"{same[0].serial_number:x}"
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ca.revoke_by_est(serial).json, range(8)))
    assert all(answer == answers[0] for answer in answers)
    assert sum(json.loads(line)["serial"] == serial
               for line in ca("revocations").splitlines()) == 1


def test_killed_in_the_middle(folder, ports, keys):
    """kill -9 while twenty enrol and revoke: what was answered is in the store, a repetition gets what was
    made, the list holds every revocation, and nothing is left half made."""
    ca = EstCA(folder / "killed", ports + 3)
    got, lock, stop = {}, threading.Lock(), threading.Event()
    bodies = {f"k{i}.test": dca_csr(f"k{i}.test", key) for i, key in enumerate(keys)}

    def enrol(domain):
        while not stop.is_set():
            try:
                answer = ca.ask(bodies[domain])
            except CurlFailed:
                stop.wait(0.02)
                continue
            assert answer.status == 200, answer.text
            with lock:
                got.setdefault(domain, set()).add(answer.certificate.serial_number)
            return

    ca.server.start()
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        work = [pool.submit(enrol, domain) for domain in bodies]
        for kills in range(1, 5):
            wait_for(lambda n=kills * 7: len(got) >= n, 60)
            ca.server.process.send_signal(signal.SIGKILL)
            ca.server.process.wait(10)
            ca.server.start()
        for one in work:
            one.result()
    issued = {row["domain"]: int(row["serial"], 16) for row in ca.issued()}
    assert len(ca.issued()) == len(keys) and got == {domain: {issued[domain]} for domain in bodies}

    # Killed between a revocation's entry and its list: the list is made when it comes up again.
    ca.server.process.send_signal(signal.SIGKILL)
    ca.server.process.wait(10)
    with contextlib.closing(sqlite3.connect(ca.folder / "ca.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT count(*) FROM enrolment WHERE state = 'issued'"
                          ).fetchone() == (len(keys),)
        db.execute("UPDATE certificate SET revoked_at = ?, reason = 'superseded' WHERE domain = ?",
                   (int(time.time()), "k0.test"))
        db.execute("INSERT INTO setting VALUES ('crl_owed', 'true') ON CONFLICT (name) DO UPDATE"
                   " SET value = 'true'")
        db.commit()
    ca.server.start()
    try:
        wait_for(lambda: x509.load_der_x509_crl((ca.folder / "ca.crl").read_bytes()
                                                ).get_revoked_certificate_by_serial_number(
                                                    issued["k0.test"]))
    finally:
        ca.server.stop()
    left = [p.name for p in ca.folder.iterdir() if p.name.startswith(".")]
    assert left == []


# Misbehaviour on purpose -------------------------------------------------------------------------

def leaf(ca, domain):
    """What was answered; it must not be known to the CA afterwards."""
    before = ca.issued()
    certificate = ca.enrol(domain).certificate
    assert ca.issued() == before
    assert certificate.issuer == ca.authority()[1].subject
    return certificate


def signed_by_us(ca, certificate):
    path = save(certificate, ca.folder / "fault.pem")
    return run("openssl", "verify", "-no_check_time", "-partial_chain", "-CAfile",
               ca.folder / "issuing.pem", path, check=False).returncode == 0


def test_wrong_certificates(ca):
    now = dt.datetime.utcnow()
    ca.fault("wrong-key")
    wrong = leaf(ca, "f.test")
    assert wrong.public_key().public_numbers() != rsa_key("f.test").public_key().public_numbers()
    ca.fault("wrong-domain")
    assert f"{DCA}@f.test" not in alternative(leaf(ca, "f.test"))
    ca.fault("wrong-name")
    wrong = leaf(ca, "f.test")
    assert wrong.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value != DCA
    ca.fault("wrong-usage")
    usage = leaf(ca, "f.test").extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature and not usage.key_encipherment
    ca.fault("expired")
    assert leaf(ca, "f.test").not_valid_after < now
    ca.fault("future")
    assert leaf(ca, "f.test").not_valid_before > now + DAY
    ca.fault("too-long")
    wrong = leaf(ca, "f.test")
    assert wrong.not_valid_after - wrong.not_valid_before > 400 * DAY
    assert signed_by_us(ca, wrong)
    ca.fault("no-cdp")
    with pytest.raises(x509.ExtensionNotFound):
        leaf(ca, "f.test").extensions.get_extension_for_class(x509.CRLDistributionPoints)
    ca.fault("untrusted")
    assert not signed_by_us(ca, leaf(ca, "f.test"))
    ca.fault()
    good = ca.enrol("f.test").certificate
    assert alternative(good) == [f"{DCA}@f.test"] and signed_by_us(ca, good)
    ca.fault("wrong-key")
    assert ca.enrol("f.test", user=None).status == 401


def alternative(certificate):
    return certificate.extensions.get_extension_for_class(
        x509.SubjectAlternativeName).value.get_values_for_type(x509.RFC822Name)


def test_wrong_answers(ca):
    for status in (401, 403, 404, 500, 503):
        ca.fault(f"status:{status}", retry_after=3)
        answer = ca.enrol("g.test")
        assert answer.status == status and answer.headers["retry-after"] == "3"
    ca.fault("retry_after:9")
    answer = ca.enrol("g.test")
    assert answer.status == 202 and answer.headers["retry-after"] == "9"
    ca.fault("down")
    with pytest.raises(CurlFailed) as error:
        ca.enrol("g.test")
    assert error.value.code in (52, 56)
    ca.fault("truncated")
    with pytest.raises(CurlFailed) as error:
        ca.enrol("g.test")
    assert error.value.code == 18
    ca.fault("html")
    assert ca.enrol("g.test").headers["content-type"] == "text/html"
    ca.fault("empty")
    path = ca.folder / "empty.p7"
    path.write_bytes(base64.b64decode(ca.enrol("g.test").body))
    assert run("openssl", "pkcs7", "-inform", "der", "-in", path, "-print_certs").stdout.strip() == b""
    ca.fault("garbage")
    path.write_bytes(base64.b64decode(ca.enrol("g.test").body))
    assert run("openssl", "pkcs7", "-inform", "der", "-in", path, check=False).returncode != 0
    ca.fault("slow:1.5")
    begin = time.monotonic()
    assert ca.enrol("g.test").status == 200
    assert time.monotonic() - begin >= 1.5
    ca.fault("status:503", paths=["revocations"])
    assert ca.enrol("g.test").status == 200
    assert ca.revoke_by_est("12").status == 503
    assert ca.issued("g.test")


def test_faults_are_bounded(ca):
    ca.fault("status:503", times=2)
    assert [ca.enrol("h.test").status for _ in range(3)] == [503, 503, 200]
    ca.fault("status:503", domains=["i.test"])
    assert ca.enrol("i.test").status == 503 and ca.enrol("h.test").status == 200
    for text in ('{"fault": "whim"}', "nonsense", '{"fault": "slow:x"}', '{"falt": "down"}'):
        ca.fault_file.write_text(text)
        answer = ca.enrol("h.test")
        assert answer.status == 500 and str(ca.fault_file) in answer.text
    ca.fault_file.unlink()
    assert ca.enrol("h.test").status == 200


# Attack ------------------------------------------------------------------------------------------

def talk(ca, data, wait=20, plain=False):
    """All that comes back for these bytes, over TLS unless plain."""
    raw = socket.create_connection(("127.0.0.1", ca.est_port), wait)
    try:
        link = raw if plain else ssl.create_default_context(
            cafile=ca.folder / "est-ca.pem").wrap_socket(raw, server_hostname="127.0.0.1")
        with link:
            for part in [data] if isinstance(data, bytes) else data:
                link.sendall(part)
            got = b""
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                while more := link.recv(65536):
                    got += more
            return got
    finally:
        raw.close()


AUTH = b"Authorization: Basic " + base64.b64encode(f"gateway:{PASSWORD}".encode()) + b"\r\n"
POST = b"POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: ca\r\n" + AUTH
TYPE = b"Content-Type: application/pkcs10\r\n"
SMUGGLED = b"GET /.well-known/est/cacerts HTTP/1.1\r\nHost: ca\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("status, request_", [
    (411, POST + TYPE + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    (411, POST + TYPE + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    (411, POST + TYPE + b"\r\n"),
    (400, POST + TYPE + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n"),
    (400, POST + TYPE + b"Content-Length: 0, 5\r\n\r\n"),
    (400, POST + TYPE + b"Content-Length: +5\r\n\r\n"),
    (400, POST + TYPE + b"Content-Length: -5\r\n\r\n"),
    (400, POST + TYPE + b"Content-Length: 0x5\r\n\r\n"),
    (400, POST + TYPE + b"Content-Length : 5\r\n\r\n"),
    (400, POST + TYPE + b"Content-Length: 1\r\n 5\r\n\r\n"),
    (400, POST + b"no colon at all\r\nContent-Length: 0\r\n\r\n"),
    (400, POST + b" folded: 1\r\nContent-Length: 0\r\n\r\n"),
    (413, POST + TYPE + b"Content-Length: 65537\r\n\r\n"),
    (413, POST + TYPE + b"Content-Length: 999999999999\r\n\r\n"),
    (400, POST + TYPE + b"Content-Length: 9999999999999\r\n\r\n"),
    (431, POST + b"X: " + b"a" * 20_000 + b"\r\n\r\n"),
    (431, POST + b"X: 1\r\n" * 2_000 + b"\r\n"),
    (414, b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n"),
    (400, b"nonsense\r\n\r\n"),
    (505, b"GET / HTTP/2.0\r\n\r\n"),
    (405, b"PUT / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"),
    (400, b"GET / HTTP/x\r\n\r\n"),
], ids=range(22))
def test_one_way_to_read_a_request(ca, status, request_):
    """Answered once, with words, and the connection is closed: what follows is not read as a request."""
    got = talk(ca, request_ + SMUGGLED)
    assert got.startswith(f"HTTP/1.1 {status} ".encode()), got[:200]
    assert got.count(b"HTTP/1.1 ") == 1 and b"Connection: close" in got
    assert b"Traceback" not in got


def test_noise(ca):
    """Random bytes, and requests with random bytes in them: an answer or none, and it lives."""
    chance = random.Random(7)
    for i in range(150):
        noise = bytes(chance.choice(b"\0\r\n :;=%/aZ09\x7f\xff\x1b") for _ in range(chance.randrange(400)))
        request_ = [noise + b"\r\n\r\n", b"GET /" + noise + b" HTTP/1.1\r\n\r\n",
                    b"GET /healthz HTTP/1.1\r\nX" + noise + b"\r\n\r\n",
                    POST.replace(AUTH, b"Authorization: Basic " + noise) + b"Content-Length: 0\r\n\r\n",
                    b"POST /revocations HTTP/1.1\r\n" + AUTH + b"Content-Type: application/json\r\n"
                    b"Content-Length: %d\r\n\r\n" % len(noise) + noise][i % 5]
        got = talk(ca, request_ + SMUGGLED, plain=i % 7 == 0)
        assert not got.startswith(b"HTTP/1.1 5"), (request_, got)


def test_requests_in_a_row(ca):
    """One connection, several requests; the body of one is not taken for the next."""
    body = base64.b64encode(SMUGGLED)
    got = talk(ca, POST + TYPE + b"Content-Length: %d\r\n\r\n" % len(body) + body + SMUGGLED)
    assert got.count(b"HTTP/1.1 ") == 2
    assert got.startswith(b"HTTP/1.1 400 ") and b"HTTP/1.1 200 OK" in got


def test_slow_loris(hasty):
    """A byte now and then keeps nobody's place: a request has SLOW_SECONDS in all."""
    slow = slowness()
    begin = time.monotonic()

    def drip(first, plain):
        def parts():
            yield first
            while time.monotonic() - begin < 10 * SLOW_SECONDS + 60:
                time.sleep(0.5)
                yield b"x"

        with contextlib.suppress(OSError):
            talk(hasty, parts(), plain=plain)
        return time.monotonic() - begin

    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        work = [pool.submit(drip, *how) for how in
                [(POST + b"X: ", False), (POST + TYPE + b"Content-Length: 60000\r\n\r\n", False),
                 (b"\x16\x03\x01\x02\x00", True), (b"", True)] * 10]
        asked = time.monotonic()
        wait_for(lambda: answers(hasty))
        assert time.monotonic() - asked < 5 * max(slow, slowness())
        assert max(one.result() for one in work) < SLOW_SECONDS + 5 * max(slow, slowness())
    # Of a body a part, and no more: it is not taken for the whole.
    got = talk(hasty, POST + TYPE + b"Content-Length: 5\r\n\r\nabc", wait=10 * SLOW_SECONDS)
    assert b"HTTP/1.1 200" not in got


def test_more_connections_than_places(folder, ports):
    """Those beyond are closed at once; when the others go, there is place again."""
    ca = EstCA(folder / "crowded", ports + 13)
    ca.serve("--est-request-seconds", 300, "--est-connections", PLACES).start()
    try:
        crowd = [socket.create_connection(("127.0.0.1", ca.est_port), 60) for _ in range(PLACES + 30)]
        try:
            # The others have nothing to read, until their time is over: one look at all of them.
            closed = wait_for(lambda: (n := len(select.select(crowd, [], [], 0)[0])) >= 30 and n)
            assert closed <= 31
        finally:
            for one in crowd:
                one.close()
        wait_for(lambda: answers(ca))
    finally:
        ca.server.stop()


def answers(ca):
    try:
        return ca.curl(f"{EST}/cacerts", user=None, timeout=5).status == 200
    except CurlFailed:
        return False


def test_plain_http_and_old_tls(ca):
    assert b"200" not in talk(ca, SMUGGLED, plain=True)
    for version in ("--tls-max", "1.1"), ("--tls-max", "1.0"):
        with pytest.raises(CurlFailed):
            ca.curl(f"{EST}/cacerts", *version, "--ciphers", "ALL:@SECLEVEL=0", user=None)


def test_requests_made_to_deceive(ca):
    """Nothing of a CSR but its key is taken over: no CA, no server, no further name."""
    key = rsa_key("deceit.test")
    builder = (x509.CertificateSigningRequestBuilder()
               .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, DCA),
                                        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Bank")]))
               .add_extension(x509.SubjectAlternativeName(
                   [x509.RFC822Name(f"{DCA}@deceit.test")]), False)
               .add_extension(x509.BasicConstraints(True, 5), True)
               .add_extension(x509.KeyUsage(True, False, False, False, False, True, True, False,
                                            False), True)
               .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]),
                              False)
               .add_extension(x509.CRLDistributionPoints([x509.DistributionPoint(
                   [x509.UniformResourceIdentifier("http://evil.test/")], None, None, None)]), False))
    certificate = ca.ask(builder.sign(key, hashes.SHA256()).public_bytes(PEM)).certificate
    text = run("openssl", "x509", "-in", save(certificate, ca.folder / "deceit.pem"), "-noout",
               "-text").stdout.decode()
    assert "CA:FALSE" in text and "E-mail Protection" in text
    for word in ("Bank", "Certificate Sign", "Web Server", "evil.test", "CA:TRUE"):
        assert word not in text
    for words, names in [
            ("only an rfc822Name", [x509.DNSName("deceit.test")]),
            ("REQ-163", [x509.RFC822Name(f"{DCA}@x.test"), x509.RFC822Name(f"{DCA}@y.test")]),
            ("REQ-164", [x509.RFC822Name(f"{DCA}@x.test"), x509.RFC822Name("boss@x.test")]),
            ("not a domain name", [x509.RFC822Name(f"{DCA}@*.test")]),
            ("not a domain name", [x509.RFC822Name._init_without_validation(f"{DCA}@a_b.test")]),
            ("not a domain name", [x509.RFC822Name._init_without_validation(f"{DCA}@x.test\0")])]:
        csr = (x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
               .add_extension(x509.SubjectAlternativeName(names), False))
        answer = ca.ask(csr.sign(rsa_key("names"), hashes.SHA256()).public_bytes(PEM))
        assert answer.status == 400 and words in answer.text, answer.text
        assert answer.text.count("\n") == 1


def test_every_byte_of_a_request_changed(ca):
    """Whatever is done to a good request, it is refused with words or it is a good one still."""
    der = x509.load_pem_x509_csr(dca_csr("bytes.test", rsa_key("bytes.test"))).public_bytes(DER)
    link = ssl.create_default_context(cafile=ca.folder / "est-ca.pem").wrap_socket(
        socket.create_connection(("127.0.0.1", ca.est_port), 20), server_hostname="127.0.0.1")
    seen = {}
    with link, link.makefile("rb") as reader:
        for i in range(0, len(der), 3):
            body = base64.b64encode(der[:i] + bytes([der[i] ^ 0x41]) + der[i + 1:])
            link.sendall(POST + TYPE + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            status = int(reader.readline().split()[1])
            length = 0
            while (line := reader.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            words = reader.read(length)
            seen[status] = seen.get(status, 0) + 1
            if status == 200:  # where the signature's algorithm is said twice, one is not signed
                one, = pkcs7.load_der_pkcs7_certificates(base64.b64decode(words))
                assert one.public_key().public_numbers() == rsa_key(
                    "bytes.test").public_key().public_numbers()
            else:
                assert status == 400 and b"\n" not in words[:-1], (i, status, words)
    assert seen[400] > 10 * seen.get(200, 0) and len(ca.issued("bytes.test")) <= 1


class Patience:
    """How long one who has failed so often is kept waiting: a second after so many, and twice as long after each further
    failure, up to a minute. When the server looked, and so when a wait ends, lies between a question and its answer."""

    def __init__(self, free):
        self.free, self.failures, self.last = free, 0, (0, 0)

    @property
    def wait(self):
        return min(2 ** (self.failures - self.free), 60) if self.failures >= self.free else 0

    def over(self, answered):
        return answered >= self.last[0] + self.wait

    def lasts(self, asked):
        return self.wait > 0 and asked < self.last[1] + self.wait


class Guesser:
    """Asks, and holds each answer against what it may be by now."""

    def __init__(self, ca):
        self.ca, self.address, self.names, self.known = ca, Patience(30), {}, set()

    def ask(self, name, password):
        patiences = self.address, self.names.setdefault(name, Patience(3))
        asked = time.monotonic()
        answer = self.ca.enrol("a.test", user=f"{name}:{password}")
        answered = time.monotonic()
        if answer.status == 429:
            assert any(p.lasts(asked) for p in patiences)
            assert 1 <= int(answer.headers["retry-after"]) <= max(p.wait for p in patiences) + 1
            return 429
        assert all(p.over(answered) for p in patiences)
        if answer.status == 401:
            for p in patiences:
                p.failures, p.last = p.failures + 1, (asked, answered)
        elif name not in self.known:  # a password that is known takes nothing to check, and forgives nothing
            patiences[1].failures = 0
            self.known.add(name)
        return answer.status

    def kept_waiting(self, name, password, patience, fail):
        """He is, though the password is right; where a machine is so slow that the wait is over, a longer one tells."""
        for wait in (1, 4, 16, 60):
            wait_for(lambda w=wait: patience.wait >= w or (fail(), False)[1], 120)
            if self.ask(name, password) == 429:
                return
        raise AssertionError(f"{name} is not kept waiting")


def test_guessing_gets_slower(folder, ports):
    """Three wrong passwords from an address for an account, then 429, also for the right one; the wait is
    told, doubles, and ends. Other accounts are not kept waiting."""
    ca = EstCA(folder / "guess", ports + 7)
    other = ca.folder / "other.password"
    other.write_text("another password of the tests")
    ca("account-add", "other", "--password-file", other)
    ca.server.start()
    try:
        guesser = Guesser(ca)
        assert [guesser.ask("gateway", "wrong") for _ in range(3)] == [401, 401, 401]
        wait_for(lambda: guesser.ask("gateway", "wrong") == 429)
        guesser.kept_waiting("gateway", PASSWORD, guesser.names["gateway"], lambda: guesser.ask("gateway", "wrong"))
        assert guesser.ask("other", other.read_text()) == 200
        wait_for(lambda: guesser.ask("gateway", PASSWORD) == 200, 120)
        assert [guesser.ask("gateway", "wrong") for _ in range(2)] == [401, 401]
        # Names that there are not, one after the other: the address as a whole is kept waiting.
        names = (f"n{i}" for i in itertools.count())
        wait_for(lambda: guesser.ask(next(names), "wrong") == 429, 120)
        assert guesser.address.failures >= 30
        guesser.kept_waiting("gateway", PASSWORD, guesser.address, lambda: guesser.ask(next(names), "wrong"))
    finally:
        ca.server.stop()


def test_guessing_at_once(folder, ports):
    """Forty at the same time are no way around: three are tried, and one more after each wait, which doubles."""
    ca = EstCA(folder / "crowd", ports + 9)
    ca.server.start()
    try:
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            status = list(pool.map(lambda i: ca.enrol("a.test", user=f"gateway:wrong{i}").status,
                                   range(40)))
        waits = int(math.log2(1 + time.monotonic() - began))  # of 1, 2, 4, … seconds that may be over
        assert sorted(set(status)) == [401, 429] and status.count(401) <= 3 + waits
    finally:
        ca.server.stop()


def test_password_is_changed_with_an_overlap(ca):
    password = ca.folder / "rotated.password"

    def status(text):
        return ca.enrol("rotated.test", user=f"rotated:{text}").status

    password.write_text("the first password of the account\n")
    ca("account-add", "rotated", "--password-file", password)
    assert status("the first password of the account") == 200
    password.write_text("the second password of the account\n")
    ca("account-set", "rotated", "--password-file", password, "--keep-hours", "24")
    assert status("the first password of the account") == 200
    assert status("the second password of the account") == 200
    ca.clock(25 * 3600)
    try:
        assert status("the first password of the account") == 401
        assert status("the second password of the account") == 200
    finally:
        ca.clock(0)
    password.write_text("the third password of the account\n")
    ca("account-set", "rotated", "--password-file", password)
    assert status("the second password of the account") == 401
    assert status("the third password of the account") == 200
    listed, = [json.loads(line) for line in ca("account-list").splitlines()
               if json.loads(line)["name"] == "rotated"]
    assert [c["kind"] for c in listed["credentials"]] == ["password"]
    password.write_text("short")
    result = run(REFCA, "--dir", ca.folder, "account-set", "rotated", "--password-file", password,
                 check=False)
    assert result.returncode == 2 and b"16 to 1024" in result.stderr


def test_what_others_can_read(ca):
    """Keys and hashes are the CA's user's alone; nothing of them is served."""
    for name in ("ca.db", "est.pem", "est-ca.key.pem", "issuing.key.pem"):
        assert os.stat(ca.folder / name).st_mode & 0o077 == 0, name
        for path in (f"/{name}", f"{EST}/../../{name}", f"{EST}/{name}", f"//{name}"):
            assert ca.curl(path, "--path-as-is", user=None).status == 404
    assert subprocess.run(["curl", "-s", f"http://127.0.0.1:{ca.port}/est.pem"], check=True,
                          capture_output=True).stdout == b"not found\n"
