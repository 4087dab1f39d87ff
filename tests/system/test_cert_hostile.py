"""Servers and tenants that want to hurt, against the certificate library: directories that want a password and do not
get it in clear, answers without an end, lists of domains' own roots that hang or are many; and every limit at its edge.
"""
import datetime as dt
import itertools
import os
import pathlib
import shutil
import socket
import tempfile
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from certlab import DAY, NOW, Probe, Slapd, rsa_key
from crllab import ListCA, der, der_integer
from sealgate.ports import PortBlock
from sealgate.process import wait_for

WHO, FILE = "cn=admin,c=NZ", "directory"
DONE = der(0x65, der(0x0a, b"\0"), der(0x04), der(0x04))


class Lab:
    def __init__(self, folder, ports):
        self.folder = pathlib.Path(folder)
        self.ca = ListCA(self.folder / "ca", ports.base, "--name", "Lab CA")
        self.own = ListCA(self.folder / "own", ports.base + 1, "--name", "Own CA")
        self.slapd = Slapd(self.folder / "ldap", ports.base + 2, ports.base + 3, private=True)
        self.good = self.ca.issue("a.test")
        self.probes = []
        self.numbers = itertools.count()

    def probe(self, directories=(), password=None, before=(), **limits):
        folder = self.folder / f"probe{next(self.numbers)}"
        probe = Probe(folder, [self.ca.folder / "root.cer"], directories, before=before, **limits)
        probe.domain_anchors("dom_a", [self.own.folder / "root.cer"])
        if password is not None:
            secret = folder / f"{FILE}.ldap"
            secret.write_text(password)
            secret.chmod(0o600)
        self.probes.append(probe)
        return probe

    def domain(self):
        return f"d{next(self.numbers)}.test"

    def account(self, url, who=WHO, name=FILE):
        return (url, self.slapd.certificate, None, None, None, who, name)


@pytest.fixture(scope="module")
def place():
    folder = tempfile.mkdtemp(prefix="sealgate-hostile-", dir="/tmp")
    with PortBlock() as ports:
        made = Lab(folder, ports)
        made.slapd.server.start()
        try:
            yield made
        finally:
            made.slapd.server.stop()
            made.ca.shelf.stop()
            made.own.shelf.stop()
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def lab(place):
    place.ca.reset()
    place.own.reset()
    yield place
    probes, place.probes = place.probes, []
    for probe in probes:
        probe.close()


class Fake:
    """A server of LDAP that misbehaves: what it was sent, and what it answers to each message."""

    def __init__(self, answer):
        self.answer, self.got = answer, b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ldap://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(peer,), daemon=True).start()

    def talk(self, peer):
        with peer:
            try:
                while data := peer.recv(65536):
                    self.got += data
                    number = data.index(b"\x02\x01") + 2
                    self.answer(peer, lambda *op, n=data[number]: der(0x30, der_integer(n), *op))
            except (OSError, ValueError):
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def common_name(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def entry(attribute=b"userCertificate;binary", value=b"x" * 500):
    return der(0x64, der(0x04, b"cn=x"), der(0x30, der(0x30, der(0x04, attribute), der(0x31, der(0x04, value)))))


# Directories that are not asked anonymously ---------------------------------------------------------

@pytest.mark.parametrize("scheme", ["ldaps", "ldap"])
def test_directory_wants_an_account(lab, scheme):
    """REQ-43, 52: it refuses strangers; with an account it is asked, over TLS alone (ldap: by StartTLS)."""
    domain, slapd = lab.domain(), lab.slapd
    leaf = lab.ca.issue(domain)
    slapd.put(domain, [leaf])
    url = slapd.tls_url if scheme == "ldaps" else slapd.url
    answer = lab.probe([(url, slapd.certificate)]).discover(domain)
    assert (answer["any"], answer["found"]) == (0, 0) and f"{url}: " in answer["detail"]
    probe = lab.probe([lab.account(url)], slapd.password.read_text())
    # What the chain lacks is in no directory: it came along with nothing.
    shutil.copy(lab.ca.folder / "issuing.cer", probe.folder / "anchors/issuing.cer")
    probe.flush()
    answers = probe.discover(domain, threads=8)
    assert {a["chosen"].lower() for a in answers} == {leaf.serial}, answers[0]
    # A connection that the server closed is made and bound anew.
    slapd.server.stop()
    slapd.server.start()
    assert probe.discover(lab.domain())["detail"].endswith(f"{url}: 0 certificates)")


@pytest.mark.parametrize("scheme", ["ldaps", "ldap"])
def test_wrong_password(lab, scheme):
    """Said as it is, asked no more for a while (accounts get locked), and never written anywhere."""
    slapd, password = lab.slapd, "wrong-and-secret-7Qx"
    url = slapd.tls_url if scheme == "ldaps" else slapd.url
    probe = lab.probe([lab.account(url)], password)
    answer = probe.discover(lab.domain())
    assert f"{url}: refused the bind (49): Invalid credentials" in answer["detail"], answer
    again = probe.discover(lab.domain())
    assert f"{url}: not asked, because it refused the bind (49) a moment ago" in again["detail"] and again["ms"] < 100
    log = (probe.folder / "log").read_text()
    assert "cert.directory_circuit_open" in log
    assert password not in log + str(answer) + str(again)


def test_password_that_is_not_there(lab):
    """The directory is not asked at all; the trace names the file, the log its place."""
    url = lab.slapd.tls_url
    probe = lab.probe([lab.account(url)])
    # A file of that name which is not for directories is not sent to one.
    (probe.folder / FILE).write_text("another daemon's secret")
    answer = probe.discover(lab.domain())
    assert f"{url}: not asked: the password to bind with (credential {FILE}.ldap) cannot be read" in answer["detail"]
    assert str(probe.folder) not in answer["detail"]
    assert f"{probe.folder}/{FILE}.ldap" in (probe.folder / "log").read_text()
    secret = probe.folder / f"{FILE}.ldap"
    secret.write_text(lab.slapd.password.read_text())
    secret.chmod(0o644)
    assert "cannot be read" in probe.discover(lab.domain())["detail"]
    secret.chmod(0o600)
    assert probe.discover(lab.domain())["detail"].endswith(f"{url}: 0 certificates)")  # read anew: no restart


def test_no_password_without_tls(lab):
    """A server that does no StartTLS, that is somebody else, or that hangs in the handshake, is not told it."""
    password = "only-for-the-true-one"

    def refuses(peer, message):
        peer.sendall(message(der(0x78, der(0x0a, b"\x02"), der(0x04), der(0x04, b"no TLS here"))))

    def hangs(peer, message):
        if fake.got.endswith(b"20037"):
            peer.sendall(message(der(0x78, der(0x0a, b"\0"), der(0x04), der(0x04))))
    with Fake(refuses) as fake:
        answer = lab.probe([lab.account(fake.url)], password).discover(lab.domain())
        assert "no StartTLS, and no password without it" in answer["detail"], answer
        assert b"1.3.6.1.4.1.1466.20037" in fake.got and password.encode() not in fake.got
    with Fake(hangs) as fake:
        answer = lab.probe([lab.account(fake.url)], password, ldap_timeout_ms=1000).discover(lab.domain())
        assert answer["found"] == 0 and 900 < answer["ms"] < 1400, answer
        assert password.encode() not in fake.got
    # A certificate of another: by ldaps, and by StartTLS.
    for url in (lab.slapd.tls_url, lab.slapd.url):
        probe = lab.probe([(url, lab.ca.folder / "root.pem", None, None, None, WHO, FILE)],
                          lab.slapd.password.read_text())
        answer = probe.discover(lab.domain())
        assert "0 certificates)" not in answer["detail"] and "refused the bind" not in answer["detail"], answer


# Answers without an end -----------------------------------------------------------------------------

def resident(process):
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024


def connections(proc):
    return [link for link in (os.readlink(fd) for fd in (proc / "fd").iterdir()) if link.startswith("socket:")]


def test_directory_that_does_not_end(lab):
    """It sends on and on, more than it was asked for: what is over the limit is not taken, at once."""
    def streams(peer, message):
        block = message(entry(value=b"x" * 20000)) * 50
        while True:
            peer.sendall(block)
    with Fake(streams) as fake:
        probe = lab.probe([(fake.url, None)])
        answer = probe.discover(lab.domain())
        assert answer["found"] == 0 and answer["ms"] < 1500, answer
        assert "and more than may be looked at" in answer["detail"]
        assert "cert.directory_truncated" in (probe.folder / "log").read_text()
        assert resident(probe.process) < 100 << 20
        # As a distribution point too.
        leaf = lab.ca.forge("a.test", points=[f"{fake.url}/cn=x?certificateRevocationList"])
        answer = probe.check(leaf)
        assert answer["status"] == "status-unknown" and answer["ms"] < 1500, answer
        assert resident(probe.process) < 100 << 20


def test_values_without_number(lab):
    """Millions of empty values in one answer take no more memory than what is taken of them."""
    values = der(0x31, b"\x04\0" * 1_000_000)
    many = der(0x64, der(0x04, b"cn=x"), der(0x30, der(0x30, der(0x04, b"mail"), values),
                                            der(0x30, der(0x04, b"USERcertificate"), values)))
    with Fake(lambda peer, message: peer.sendall(message(many) + message(DONE))) as fake:
        probe = lab.probe([(fake.url, None)], max_directory_bytes=6_000_000)
        answer = probe.discover(lab.domain())
        assert "and more than may be looked at" in answer["detail"] and answer["ms"] < 1000, answer
        assert resident(probe.process) < 50 << 20
    # Of other attributes, and of several, each in its place.
    other = der(0x30, der(0x04, b"mail"), der(0x31, der(0x04, b"a@x.test"), der(0x04, b"b@x.test")))
    none = der(0x30, der(0x04, b"userCertificate;lang-mi"), der(0x31))
    mine = der(0x30, der(0x04, b"userCertificate;binary"), der(0x31, der(0x04, b"x" * 300), der(0x04, b"y")))
    several = der(0x64, der(0x04, b"cn=x"), der(0x30, other, none, mine, other, mine))
    with Fake(lambda peer, message: peer.sendall(message(several) + message(DONE))) as fake:
        for most, more in ((4, False), (3, True)):
            answer = lab.probe([(fake.url, None)], max_directory_values=most).discover(lab.domain())
            assert ("and more than may be looked at" in answer["detail"]) == more, answer


def relative(issuer_octets, points):
    """A certificate with distribution points that are named relative to its issuer, whose name OpenSSL copies for each."""
    def element(tag, *parts):  # its length in four octets always
        content = b"".join(parts)
        return bytes([tag, 0x84]) + len(content).to_bytes(4, "big") + content

    def name(text):
        return element(0x30, element(0x31, element(0x30, b"\x06\x03\x55\x04\x03", element(0x0c, text))))
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")
    key = rsa_key("forged").public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    extension = element(0x30, b"\x06\x03\x55\x1d\x1f", element(0x04, element(0x30, bytes.fromhex("3004a002a100") * points)))
    return element(0x30, element(0x30, bytes.fromhex("a003020102020101"), algorithm, name(b"x" * issuer_octets),
                                 element(0x30, b"\x17\x0d250101000000Z\x17\x0d490101000000Z"), name(b"x"), key,
                                 element(0xa3, element(0x30, extension))), algorithm, b"\x03\x02\0\1")


def test_certificates_that_cost_more_than_they_should(lab):
    """Sixteen in one answer: of each OpenSSL would make 481 MiB."""
    values = der(0x31, *(der(0x04, relative(40000, 4000 - i)) for i in range(16)))
    with Fake(lambda peer, message: peer.sendall(message(
            der(0x64, der(0x04, b"cn=x"), der(0x30, der(0x30, der(0x04, b"userCertificate;binary"), values)))) + message(DONE))) as fake:
        probe = lab.probe([(fake.url, None)], max_directory_bytes=2_000_000)
        answer = probe.discover(lab.domain())
        assert answer["found"] == 0 and "more than may be looked at" not in answer["detail"] and answer["ms"] < 2000, answer
        assert resident(probe.process) < 50 << 20


def test_references_without_end(lab):
    """Messages that bring nothing: after some of them it is enough."""
    def streams(peer, message):
        block = message(der(0x73, der(0x04, b"ldap://x/" + b"x" * 40))) * 1000
        while True:
            peer.sendall(block)
    with Fake(streams) as fake:
        answer = lab.probe([(fake.url, None)], ldap_timeout_ms=3000).discover(lab.domain())
        assert answer["found"] == 0 and answer["ms"] < 1500, answer
        assert "and more than may be looked at" in answer["detail"]
    # 64 of them, and then what was asked for.
    few = der(0x73, der(0x04, b"ldap://x/"))
    for count, more in ((64, False), (65, True)):
        with Fake(lambda peer, message: peer.sendall(message(few) * count + message(entry()) + message(DONE))) as fake:
            answer = lab.probe([(fake.url, None)]).discover(lab.domain())
            assert ("and more than may be looked at" in answer["detail"]) == more, answer


def test_answers_to_nobody_without_end(lab):
    """Messages with another's number libldap passes over by itself, and comes back late. No thread and no connection
    stays behind, and the directory is not asked again at once."""
    def streams(peer, message):
        block = der(0x30, der_integer(99), der(0x73, der(0x04, b"ldap://x/" + b"x" * 40))) * 1000
        while True:
            peer.sendall(block)
    with Fake(streams) as fake:
        probe = lab.probe([(fake.url, None)], ldap_timeout_ms=300, crl_timeout_ms=300)
        proc = pathlib.Path(f"/proc/{probe.process.pid}")
        for _ in range(3):
            answer = probe.discover(lab.domain())
            assert "not asked" not in answer["detail"] and answer["ms"] < 700, answer
        answer = probe.discover(lab.domain())
        assert "failed 3 times in a row" in answer["detail"] and answer["ms"] < 100, answer
        leaf = lab.ca.forge("a.test", points=[f"{fake.url}/cn=x?certificateRevocationList"])
        assert probe.check(leaf)["status"] == "status-unknown"
        wait_for(lambda: not connections(proc), 10, "the connections to end")


def test_pages_that_nobody_asked_for(lab):
    """A cookie for a next page in the answer to a search that was for none does not begin another."""
    cookie = der(0x30, der_integer(0), der(0x04, b"more"))
    control = der(0xa0, der(0x30, der(0x04, b"1.2.840.113556.1.4.319"), der(0x04, cookie)))
    with Fake(lambda peer, message: peer.sendall(message(DONE, control))) as fake:
        answer = lab.probe([(fake.url, None)]).discover(lab.domain())
        assert answer["detail"].endswith(f"{fake.url}: 0 certificates)") and answer["ms"] < 1000, answer


def test_limits_of_directories(lab):
    """[certificates] ldap_certificates and ldap_size, each at its edge."""
    domain, password = lab.domain(), lab.slapd.password.read_text()
    leaves = [lab.ca.forge(domain, not_before=NOW - (i + 1) * DAY) for i in range(3)]
    lab.slapd.put(domain, leaves)
    sizes = [leaf.path.stat().st_size for leaf in leaves]
    for limits, count in (({"max_directory_values": 3}, 3), ({"max_directory_values": 2}, 2),
                          ({"max_directory_bytes": sum(sizes)}, 3)):
        answer = lab.probe([lab.account(lab.slapd.tls_url)], password, **limits).discover(domain)
        assert f"{lab.slapd.tls_url}: {count} certificates" in answer["detail"], answer
        assert ("and more than may be looked at" in answer["detail"]) == (count == 2)
    # Of several entries those that fit.
    with Fake(lambda peer, message: peer.sendall(message(entry()) * 3 + message(DONE))) as fake:
        for most, more in ((1500, False), (999, True)):
            answer = lab.probe([(fake.url, None)], max_directory_bytes=most).discover(domain)
            assert ("and more than may be looked at" in answer["detail"]) == more, answer


def test_pauses_of_directories(lab):
    """[certificates] ldap_pause and ldap_refused_pause: not asked for so long, and then again."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        dead = (f"ldap://127.0.0.1:{unused.getsockname()[1]}", None)
        for directory, failures, said, limits in (
                (dead, 3, "Can't contact", {"directory_pause_ms": 2000, "directory_refused_ms": 1}),
                (lab.account(lab.slapd.tls_url), 1, "refused the bind (49): Inv", {"directory_pause_ms": 1, "directory_refused_ms": 2000})):
            probe = lab.probe([directory], "wrong", **limits)
            for _ in range(failures - 1):
                assert said in probe.discover(lab.domain())["detail"]
            before = time.monotonic()
            assert said in probe.discover(lab.domain())["detail"]
            assert "not asked, because it " in probe.discover(lab.domain())["detail"]
            wait_for(lambda p=probe, s=said: s in p.discover(lab.domain())["detail"], 20, "the end of the pause")
            assert time.monotonic() - before >= 2


def test_questions_to_a_directory(lab):
    """[certificates] ldap_slots and ldap_waiting: so many at once, so many wait, and no more."""
    lock, asked, most, slots = threading.Condition(), [], 0, 0

    def answers(peer, message):
        nonlocal most
        with lock:
            asked.append(peer)
            most = max(most, len(asked))
            lock.notify_all()
            lock.wait_for(lambda: most >= slots, 10)
            lock.wait_for(lambda: most > slots, 0.2)  # another, which must not come
            asked.remove(peer)
        peer.sendall(message(DONE))
    for slots, waiting, threads in ((1, 256, 4), (2, 256, 6), (1, 3, 3), (1, 3, 5)):
        most = 0
        with Fake(answers) as fake:
            found = lab.probe([(fake.url, None)], directory_slots=slots, directory_waiting=waiting,
                              ldap_timeout_ms=30000).discover(lab.domain(), threads=threads)
        assert most == slots
        assert any("busy, 3 lookups wait" in a["detail"] for a in found) == (threads == 5), found  # one is asked, three wait
        assert all(f"{fake.url}: 0 certificates" in a["detail"] for a in found) == (threads != 5), found


# Distribution points --------------------------------------------------------------------------------

def test_limits_of_distribution_points(lab):
    """[certificates] crl_points and crl_redirections, each at its edge."""
    shelf = lab.ca.shelf
    urls = [f"http://127.0.0.1:{lab.ca.port}/{name}.crl" for name in ("one", "two", "ca")]
    leaf = lab.ca.forge("a.test", points=urls)
    assert lab.probe(max_points=2).check(leaf)["status"] == "status-unknown"
    assert lab.probe(max_points=3).check(leaf)["status"] == "valid"
    assert [shelf.asked[f"/{name}.crl"] for name in ("one", "two", "ca")] == [2, 2, 1]
    shelf.faults["/a.crl"] = lambda request: request.send_on("/b.crl")
    shelf.faults["/b.crl"] = lambda request: request.send_on("/ca.crl")
    leaf = lab.ca.forge("a.test", points=[f"http://127.0.0.1:{lab.ca.port}/a.crl"])
    for most, status in ((0, "status-unknown"), (1, "status-unknown"), (2, "valid")):
        answer = lab.probe(max_redirections=most).check(leaf)
        assert answer["status"] == status
        assert status == "valid" or f"sent on more than {most} times" in answer["detail"]


@pytest.mark.parametrize("url", ["ldap://?certificateRevocationList", "ldap://:{}/cn=x?certificateRevocationList",
                                 "ldap://%00/cn=x?certificateRevocationList", "ldap://[/cn=x?certificateRevocationList",
                                 "ldap://127.0.0.1:99999999/cn=x?certificateRevocationList", "http://", "http://[::1",
                                 "http://127.0.0.1:{}:{}/", "HTTP:///ca.crl", "ldap://\\/x?a"])
def test_addresses_of_nobody(lab, url):
    """Without a host it would be any directory; what is no address is none."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        port = listener.getsockname()[1]
        leaf = lab.ca.forge("a.test", points=[url.format(port, port)])
        assert lab.probe().check(leaf)["status"] == "status-unknown"
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_lists_of_a_domains_own_root_keep_few_waiting(lab):
    """A tenant's root, and certificates below it that name servers which hang: threads of others go on."""
    over = [lab.own.shelf.withhold(f"/hung{i}.crl") for i in range(8)]
    leaf = lab.own.forge("a.test", points=[f"http://127.0.0.1:{lab.own.port}/hung{i}.crl" for i in range(8)])
    probe = lab.probe(further_private=1, max_further_fetches=2, crl_timeout_ms=400).relying("dom_a")
    answers = sorted(probe.checks(12, leaf), key=lambda a: a["ms"])
    for event in over:
        event.set()
    assert {a["status"] for a in answers} == {"status-unknown"}
    quick = [a for a in answers if a["ms"] < 300]
    assert len(quick) == 10, [a["ms"] for a in answers]
    assert "as many messages wait for lists of domains' own roots as may" in quick[0]["detail"]
    # One at a time is always let in, and what accredited CAs have is never turned away.
    own = lab.own.issue("b.test")
    assert probe.check(own, "b.test")["status"] == "valid"
    assert {a["status"] for a in lab.probe(max_further_fetches=1).checks(8, lab.good)} == {"valid"}


def test_lists_of_a_domains_own_root_take_no_place(lab):
    """They are not stored, and push none of an accredited CA's out of memory."""
    first = lab.probe()
    assert first.check(lab.good)["status"] == "valid"
    probe = lab.probe(further_private=1, max_crl_memory=first.state()["bytes"])
    assert probe.check(lab.good)["status"] == "valid"
    before = probe.state()
    stored = len(list((probe.folder / "crls").iterdir()))
    probe.relying("dom_a")
    for name in ("b", "c", "d"):
        shutil.copy(lab.own.folder / "ca.crl", lab.own.folder / f"{name}.crl")
        leaf = lab.own.forge(f"{name}.test", points=[f"http://127.0.0.1:{lab.own.port}/{name}.crl"])
        assert probe.check(leaf, f"{name}.test")["status"] == "valid"
        assert probe.state()["lists"] <= before["lists"] + 1  # of theirs the last alone
    assert len(list((probe.folder / "crls").iterdir())) == stored
    shutil.rmtree(probe.folder / "crls")
    probe.flush()
    fetched = probe.state()["fetches"]
    assert fetched > before["fetches"]
    assert probe.relying(None).check(lab.good)["status"] == "valid"
    assert probe.state()["fetches"] == fetched


def test_one_judgement_asks_no_longer_than_its_time(lab):
    """[certificates] crl_total at its edge: lists that hang, one behind the other, each with a time-out of its own."""
    names = [f"/total{i}.crl" for i in range(4)]
    over = [lab.ca.shelf.withhold(name) for name in names]
    leaf = lab.ca.forge("a.test", points=[f"http://127.0.0.1:{lab.ca.port}{name}" for name in (*names, "/ca.crl")])
    answer = lab.probe(crl_timeout_ms=400, crl_total_ms=600).check(leaf)
    assert answer["status"] == "status-unknown" and 750 < answer["ms"] < 1300, answer
    assert "not asked: the time for lists was up ([certificates] crl_total)" in answer["detail"], answer["detail"]
    assert [lab.ca.shelf.asked[name] for name in names] == [1, 1, 0, 0] and not lab.ca.shelf.asked["/ca.crl"]
    answer = lab.probe(crl_timeout_ms=400, crl_total_ms=10000).check(leaf)
    assert answer["status"] == "valid" and 1550 < answer["ms"], answer
    for event in over:
        event.set()


def test_one_discovery_asks_no_longer_than_its_time(lab):
    """[certificates] crl_total for all candidates together, whatever their lists: those below a tenant's own root,
    and its servers hang. What is at hand is still heard."""
    domain, names = lab.domain(), [f"/discovery{i}.crl" for i in range(12)]
    over = [lab.own.shelf.withhold(name) for name in names]
    urls = [f"http://127.0.0.1:{lab.own.port}{name}" for name in names]
    probe = lab.probe(further_private=1, crl_timeout_ms=400, crl_total_ms=600).relying("dom_a")
    probe.domain_anchors("dom_a", [lab.own.folder / "issuing.cer"])
    known = lab.own.forge(domain, not_before=NOW - 30 * DAY)
    assert probe.check(known, domain)["status"] == "valid"
    store = probe.folder / "partners" / domain
    store.mkdir()
    for i in range(6):
        shutil.copy(lab.own.forge(domain, points=urls[2 * i:2 * i + 2], not_before=NOW - (i + 1) * DAY).path, store)
    answer = probe.discover(domain)
    assert answer["found"] == 0 and 750 < answer["ms"] < 1300, answer
    assert [lab.own.shelf.asked[name] for name in names] == [1, 1] + 10 * [0]
    assert "not asked: the time for lists was up" in answer["candidates"][-1]["detail"], answer["candidates"]
    shutil.copy(known.path, store)
    answer = probe.discover(domain)
    assert answer["chosen"].lower() == known.serial and answer["ms"] < 1300, answer
    for event in over:
        event.set()


class Names:
    """A DNS server for one process (in a mount namespace of its own): which address a name has, asked how often before,
    in answer's words; None: it says nothing."""

    def __init__(self, folder, answer):
        self.answer, self.asked = answer, 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        host = f"127.53.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
        self.socket.bind((host, 53))
        conf = folder / "resolv.conf"
        conf.write_text(f"nameserver {host}\noptions timeout:20 attempts:1\n")
        self.before = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', conf]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while (got := self.socket.recvfrom(512))[0]:
            query, peer = got
            end = query.index(b"\0", 12) + 5
            question, is_a = query[12:end], query[end - 3] == 1
            address = self.answer(self.asked)
            self.asked += is_a and address is not None
            if address is None:
                continue
            record = b"\xc0\x0c\0\1\0\1" + bytes(5) + b"\4" + socket.inet_aton(address) if is_a else b""
            self.socket.sendto(query[:2] + b"\x81\x80\0\x01\0" + bytes([is_a]) + bytes(4) + question + record, peer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.sendto(b"", self.socket.getsockname())
        self.thread.join()
        self.socket.close()


@pytest.mark.parametrize("scheme", ["http", "ldap"])
def test_a_name_that_does_not_resolve_in_time(lab, scheme):
    """The DNS says nothing, and the resolver waits for 20 s: the message does not."""
    address = {"http": "http://silent.test/a.crl", "ldap": "ldap://silent.test/cn=x?certificateRevocationList"}[scheme]
    leaf = lab.ca.forge("a.test", points=[address])
    with Names(lab.folder, lambda _: None) as names:
        probe = lab.probe(before=names.before, crl_timeout_ms=500)
        answer = probe.check(leaf)
        assert answer["status"] == "status-unknown" and 450 < answer["ms"] < 1500, answer
        assert probe.check(lab.good)["status"] == "valid"


@pytest.mark.parametrize("address,private", [
    ("203.0.113.7", False), ("198.51.100.1", False), ("172.16.0.1", True), ("10.1.2.3", True), ("127.9.9.9", True),
    ("169.254.169.254", True), ("100.127.255.255", True), ("192.168.0.1", True), ("0.0.0.1", True)])
def test_which_addresses_a_tenants_own_root_may_have_asked(lab, address, private):
    """A public IPv4 address is none of a private network's: lists below a domain's own root can be had."""
    for scheme in ("http", "ldap"):
        leaf = lab.own.forge("a.test", points=[f"{scheme}://placed.test:9/cn=x?certificateRevocationList"])
        with Names(lab.folder, lambda _: address) as names:
            answer = lab.probe(before=names.before, crl_timeout_ms=150).relying("dom_a").check(leaf)
            assert answer["status"] == "status-unknown" and names.asked
            assert ("its address is in a private network" in answer["detail"]) == private, answer["detail"]


def test_the_address_that_is_checked_is_the_one_that_is_asked(lab):
    """A name in a tenant's own CA's certificate that is public when it is looked at, and ours when it is connected to."""
    with Fake(lambda peer, message: peer.sendall(message(DONE))) as fake:
        port = fake.url.rpartition(":")[2]
        leaf = lab.own.forge("a.test", points=[f"ldap://turns.test:{port}/cn=x?certificateRevocationList"])
        for addresses, asked in ((["203.0.113.7", "127.0.0.1"], False), (["127.0.0.1"], True)):
            with Names(lab.folder, lambda n, list_=addresses: list_[min(n, len(list_) - 1)]) as names:
                probe = lab.probe(before=names.before, crl_timeout_ms=3000, further_private=int(asked)).relying("dom_a")
                answer = probe.check(leaf)
                assert answer["status"] == "status-unknown" and bool(fake.got) == asked, answer
                assert names.asked == len(addresses), answer["detail"]


def test_renewal_lets_tenants_servers_wait(lab):
    """REQ-39: lists below a tenant's own root whose servers hang take the renewing thread's time; what accredited CAs have
    is asked for before each of them."""
    turns, over, own = [], threading.Event(), [f"/slow{i}.crl" for i in range(4)]
    leaves = []
    for path in own:
        shutil.copy(lab.own.folder / "ca.crl", lab.own.folder / path[1:])
        leaves.append(lab.own.forge("a.test", points=[f"http://127.0.0.1:{lab.own.port}{path}"]))
    probe = lab.probe(further_private=1, crl_refresh_ms=300, crl_timeout_ms=500).relying("dom_a")
    assert {probe.check(leaf)["status"] for leaf in [lab.good, *leaves]} == {"valid"}

    def hangs(_):
        turns.append("own")
        over.wait(20)

    def answers(request):
        turns.append("accredited")
        request.send_file("/ca.crl")
    for path in own:
        lab.own.shelf.faults[path] = hangs
    lab.ca.shelf.faults["/ca.crl"] = answers
    wait_for(lambda: turns.count("own") == len(own) and turns[-1] == "accredited", 30, "all to be asked again")
    over.set()
    assert ("own", "own") not in zip(turns, turns[1:]), turns


# Certificates ---------------------------------------------------------------------------------------

def test_chains_without_an_end(lab):
    """CAs of the same names and keys that vouch for each other, as many as come along and more: no time is spent on it, and
    the way to the root is found where it is among them."""
    keys = {name: rsa_key(name) for name in ("x", "y")}

    def ca(subject, issuer):
        return (x509.CertificateBuilder().subject_name(common_name(subject)).issuer_name(common_name(issuer))
                .public_key(keys[subject].public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(NOW - DAY).not_valid_after(NOW + 300 * DAY)
                .add_extension(x509.BasicConstraints(True, None), True)
                .sign(keys[issuer], hashes.SHA256()))
    ring = [ca(subject, issuer) for subject in "xy" for issuer in "xy" for _ in range(25)]
    leaf = lab.ca.forge("a.test")
    lost = (x509.CertificateBuilder().subject_name(leaf.certificate.subject).issuer_name(common_name("x"))
            .public_key(leaf.certificate.public_key()).serial_number(7)
            .not_valid_before(NOW - DAY).not_valid_after(NOW + 30 * DAY).sign(keys["x"], hashes.SHA256()))
    pems = b"".join(c.public_bytes(Encoding.PEM) for c in ring)
    for certificate, helpers, status in ((lost, pems, "untrusted"), (leaf.certificate, leaf.helpers.read_bytes() + pems, "valid")):
        made = lab.ca.save(certificate)
        made.helpers = lab.folder / f"{made.path.stem}.helpers.pem"
        made.helpers.write_bytes(helpers)
        for most in (32, 200):
            answer = lab.probe(max_certificates=most).check(made)
            assert answer["status"] == status and answer["ms"] < 2000, answer  # a way that branched would take for ever


UTC_TIMES = [dt.datetime(2038, 1, 19, 3, 14, 8), dt.datetime(2049, 12, 31, 23, 59, 59), dt.datetime(2050, 1, 1),
             dt.datetime(2106, 2, 7, 6, 28, 16), dt.datetime(9999, 12, 31, 23, 59, 59)]


@pytest.mark.parametrize("end", UTC_TIMES, ids=str)
def test_times_far_ahead(lab, end):
    """RFC 5280 section 4.1.2.5: UTCTime until 2049, GeneralizedTime from 2050; 9999 is "for ever". In certificates and lists."""
    answer = lab.probe().check(lab.ca.forge("a.test", not_after=end))
    assert answer["status"] == "valid" and f"valid until {end:%Y-%m-%dT%H:%M:%SZ}" in answer["detail"], answer
    lab.ca.make_crl([], next_update=end)
    assert lab.probe().check(lab.good)["status"] == "valid"
    lab.ca.make_crl([lab.good.certificate], next_update=end)
    assert lab.probe().check(lab.good)["status"] == "revoked"
    early = lab.ca.forge("a.test", not_before=end - dt.timedelta(days=1), not_after=end)
    answer = lab.probe().check(early)
    assert answer["status"] == "not-yet-valid", answer


def test_times_long_ago(lab):
    """Before 1970 and 1950."""
    old = dt.datetime(1950, 1, 1)
    assert lab.probe().check(lab.ca.forge("a.test", not_before=old))["status"] == "valid"
    answer = lab.probe().check(lab.ca.forge("a.test", not_before=old, not_after=dt.datetime(1969, 12, 31, 23, 59, 59)))
    assert answer["status"] == "expired" and "on 1969-12-31T23:59:59Z" in answer["detail"], answer


# Harvest --------------------------------------------------------------------------------------------

def test_harvest_of_what_could_not_be_judged_is_tried_again(lab):
    """REQ-50: a list that was away when the first mail came; with the next mail the certificate is kept."""
    leaf, probe = lab.good, lab.probe()

    def harvest(now="-"):
        answer = probe.command("harvest", "a.test", now, leaf.path, leaf.helpers)
        return answer["good"], answer["kept"]
    late = int((NOW + 60 * DAY).replace(tzinfo=dt.timezone.utc).timestamp())
    assert harvest(late) == (0, 0)  # the list has ended by then
    assert harvest() == (1, 1)
    assert harvest() == (1, 0)  # a short while ago
    wrong = lab.ca.forge("a.test", usage="sign")
    assert probe.command("harvest", "a.test", "-", wrong.path, wrong.helpers)["good"] == 0


@pytest.mark.parametrize("seen", [False, True], ids=["unseen", "seen"])
def test_harvested_with_its_authorities(lab, seen):
    """REQ-50, 51: with the CAs above it, so that it can be judged again without the mail; also where the certificate
    was found good a moment ago."""
    leaf, probe = lab.good, lab.probe()
    assert not seen or probe.check(leaf)["status"] == "valid"
    assert probe.command("harvest", "a.test", "-", leaf.path, leaf.helpers)["kept"] == 1
    stored = {path.read_bytes() for path in (probe.folder / "partners/a.test").iterdir()}
    assert stored == {leaf.path.read_bytes(), (lab.ca.folder / "issuing.cer").read_bytes()}
    # Whoever begins with the store alone finds it good.
    again = lab.probe()
    shutil.copytree(probe.folder / "partners", again.folder / "partners", dirs_exist_ok=True)
    assert again.discover("a.test")["chosen"].lower() == leaf.serial
