#!/usr/bin/python3
"""hsmd and its client library, on a real SoftHSM2 token in a private directory.

SG_BUILD names the build directory (default build/release of the repository). As root, hsmd and its
callers run under numeric ids of their own, as deployed; otherwise all of them are the caller, and
what needs several ids is skipped. Results are judged by python3-cryptography and openssl.
"""

import contextlib
import hashlib
import json
import os
import re
import resource
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from cryptography.x509.oid import NameOID

from sealgate.ops import Ops

REPO = Path(__file__).resolve().parents[2]
BUILD = REPO / os.environ.get("SG_BUILD", "build/release")
ROOT = os.geteuid() == 0
GROUP = 61000
GATEWAY, HSM, TENANT, OTHER = (61001, 61002, 61003, 61009) if ROOT else (os.geteuid(),) * 4
RULES = (
    f"{GATEWAY}:dca:sign,decrypt,public {GATEWAY}:hold:make,open {GATEWAY}:journal:make,open "
    f"{TENANT}:dca:generate,csr,public,destroy {TENANT}:archive:generate,decrypt,public "
    f"{TENANT}:evidence:generate,sign,public"
)
needs_root = pytest.mark.skipif(not ROOT, reason="needs several uids")

DIGESTS = {"sha1": hashes.SHA1, "sha256": hashes.SHA256, "sha384": hashes.SHA384,
           "sha512": hashes.SHA512}
TEN, DOM = "ten_" + "0" * 25 + "1", "dom_" + "0" * 25 + "2"
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def key_id(prefix="key"):
    return prefix + "_" + secrets.choice("01234567") + "".join(
        secrets.choice(ALPHABET) for _ in range(25))


def as_user(uid, *command):
    if not ROOT:
        return list(command)
    return ["setpriv", f"--reuid={uid}", f"--regid={GROUP}", "--clear-groups", *command]


def wait_for(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.02)
    raise AssertionError(f"not in time: {what}")


class HsmError(Exception):
    def __init__(self, name, rv, detail):
        super().__init__(f"{name} {rv} {detail}")
        self.name, self.rv = name, rv


class Key:
    """A key pair's names, and what generating it gave."""

    def __init__(self, kind, cls="dca", ident=None, tenant=TEN, domain=DOM, blob=b""):
        self.kind, self.cls, self.id = kind, cls, ident or key_id()
        self.tenant, self.domain, self.blob, self.spki = tenant, domain, blob, b""

    def names(self):
        return f"{self.cls} {self.kind} {self.id} {self.tenant or '-'} {self.domain or '-'}"

    def words(self):
        return f"{self.names()} {self.blob.hex() or '-'}"

    def but(self, **changes):
        other = Key(self.kind, self.cls, self.id, self.tenant, self.domain, self.blob)
        other.spki = self.spki
        for name, value in changes.items():
            setattr(other, name, value)
        return other

    @property
    def public(self):
        return serialization.load_der_public_key(self.spki)

    @property
    def size(self):
        return (self.public.key_size + 7) // 8


class Client:
    """The client library in a process of its own, under a uid."""

    def __init__(self, hsmd, uid, connections=4, timeout_ms=60000):
        self.process = subprocess.Popen(
            as_user(uid, str(BUILD / "tests/hsm-probe"), f"unix:{hsmd.socket}", str(connections),
                    str(timeout_ms)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def send(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def receive(self):
        answer = self.process.stdout.readline().split()
        if not answer:
            raise AssertionError("hsm-probe ended")
        if answer[0] == "error":
            raise HsmError(answer[1], int(answer[2]), " ".join(answer[3:]))
        return answer[1:]

    def words(self, line):
        self.send(line)
        return self.receive()

    def call(self, line):
        return [b"" if w == "-" else bytes.fromhex(w) for w in self.words(line)]

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(30) == 0

    def health(self):
        self.call("health")

    def generate(self, key, bits=2048):
        key.spki, key.blob = self.call(f"generate {key.names()} {bits}")
        return key

    def public(self, key):
        return self.call(f"public {key.words()}")[0]

    def destroy(self, key):
        self.call(f"destroy {key.words()}")

    def sign(self, key, digest, data, scheme="pkcs1"):
        value = hashlib.new(digest, data).hexdigest()
        return self.call(f"sign {key.words()} {scheme} {digest} {value}")[0]

    def csr(self, key, info):
        return self.call(f"csr {key.words()} {info.hex()}")[0]

    def decrypt(self, key, octets, encrypted, how=""):
        """how: "oaep DIGEST MASK" or "ecdh DIGEST WRAP POINT INFO"."""
        return self.call(f"decrypt {key.words()} {octets} {encrypted.hex() or '-'} {how}")[0]

    def make(self, cls, binding):
        return self.call(f"make {cls} {binding}")

    def open(self, cls, binding, wrapped):
        return self.call(f"open {cls} {binding} {wrapped.hex()}")[0]


class Hsmd:
    """A token of its own and an hsmd on it."""

    def __init__(self, **settings):
        self.dir = Path(tempfile.mkdtemp(prefix="sg-hsm-", dir="/var/tmp"))
        self.dir.chmod(0o755)
        self.socket = self.dir / "hsmd.sock"
        self.ops_socket = self.dir / "ops.sock"
        self.faults = self.dir / "fault"
        self.log = self.dir / "log"
        self.process = None
        self.clients = []
        self.settings = {"module": "/usr/lib/softhsm/libsofthsm2.so", "token": "sealgate",
                         "rules": RULES, "level": "info", **settings}
        (self.dir / "tokens").mkdir(mode=0o700)
        # hsmd's user may not be able to pass the build directory's parents.
        self.settings["module"] = shutil.copy(self.settings["module"], self.dir)
        self.write("softhsm2.conf", f"directories.tokendir = {self.dir}/tokens\n"
                   "objectstore.backend = file\nlog.level = ERROR\n", 0o644)
        self.write("pin", "a user pin 1234\n", 0o600)
        self.write("so-pin", "an officer's pin 5678\n", 0o600)
        self.configure()
        if ROOT:
            for path in (self.dir, *self.dir.iterdir()):
                os.chown(path, HSM, GROUP)

    def write(self, name, text, mode=0o644):
        path = self.dir / name
        path.write_text(text)
        path.chmod(mode)

    def configure(self, **settings):
        self.settings.update(settings)
        s = dict(self.settings)
        hsmd = {k: s.pop(k) for k in list(s) if k in (
            "socket_mode", "max_connections", "connections_per_user", "request_timeout", "idle_timeout",
            "answer_timeout", "generate_timeout")}
        rules, level = s.pop("rules"), s.pop("level")
        lines = ["[hsmd]", f"socket = {self.socket}", f"socket_group = {GROUP if ROOT else ''}",
                 *(f"{k} = {v}" for k, v in hsmd.items()),
                 "[pkcs11]", f"pin_file = {self.dir}/pin", *(f"{k} = {v}" for k, v in s.items()),
                 "[access]", f"rules = {rules}", "[log]", f"level = {level}",
                 "[ops]", f"listen = unix:{self.ops_socket}"]
        self.write("hsmd.conf", "\n".join(lines) + "\n")

    def environment(self):
        return {**os.environ, "SOFTHSM2_CONF": f"{self.dir}/softhsm2.conf",
                "SG_FAULT_FILE": str(self.faults)}

    def ctl(self, *arguments, check=True):
        return subprocess.run(
            as_user(HSM, str(BUILD / "bin/hsmctl"), "-c", str(self.dir / "hsmd.conf"), *arguments),
            env=self.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=check, timeout=60)

    def token(self):
        self.ctl("token-init", "--label", "sealgate", "--so-pin-file", str(self.dir / "so-pin"))
        self.ctl("kek-make")
        return self

    def token_copy(self, other):
        """The token of another one that does not run."""
        shutil.copytree(other.dir / "tokens", self.dir / "tokens", dirs_exist_ok=True)
        if ROOT:
            for path in (self.dir / "tokens").rglob("*"):
                os.chown(path, HSM, GROUP)

    def spawn(self):
        self.process = subprocess.Popen(
            as_user(HSM, str(BUILD / "bin/hsmd"), "-c", str(self.dir / "hsmd.conf")),
            env=self.environment(), stderr=open(self.log, "ab"), stdin=subprocess.DEVNULL)

    def start(self):
        began = len(self.events("hsm.started"))
        self.spawn()

        def started():
            assert self.process.poll() is None, self.log.read_text()
            return len(self.events("hsm.started")) > began

        wait_for(started, "hsmd to start")
        return self

    def stop(self, sig=signal.SIGTERM):
        if self.process:
            self.process.send_signal(sig)
            status = self.process.wait(30)
            self.process = None
            return status
        return 0

    def events(self, name):
        """Log lines of that event."""
        if not self.log.exists():
            return []
        whole = self.log.read_text().rpartition("\n")[0]  # a last line may be half there
        lines = [line for line in whole.splitlines() if line.startswith("{")]
        return [e for e in map(json.loads, lines) if e["event"] == name]

    def client(self, uid=GATEWAY, **options):
        client = Client(self, uid, **options)
        self.clients.append(client)
        return client

    def fault(self, name):
        temporary = self.dir / "fault.new"
        temporary.write_text(name)
        if ROOT:
            os.chown(temporary, HSM, GROUP)
        temporary.rename(self.faults)

    def close(self):
        for client in self.clients:
            if client.process.poll() is None:
                client.close()
        status = self.stop()
        text = self.log.read_text() if self.log.exists() else ""
        shutil.rmtree(self.dir)
        assert "Sanitizer" not in text, text
        assert status == 0, text


def ops(hsmd, path):
    """From hsmd's own HTTP: status and text."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(str(hsmd.ops_socket))
        s.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        answer = b""
        while chunk := s.recv(65536):
            answer += chunk
    return int(answer.split()[1]), answer.decode()


def figure(hsmd, name):
    lines = [line for line in ops(hsmd, "/metrics")[1].splitlines() if line.startswith(name + " ")]
    return int(lines[0].split()[1])


BUSY = 'sealgate_hsm_sessions{state="busy"}'


@contextlib.contextmanager
def running(**settings):
    hsmd = Hsmd(**settings).token()
    try:
        yield hsmd.start()
    finally:
        hsmd.close()


@pytest.fixture(scope="module")
def hsmd():
    with running() as h:
        yield h


@pytest.fixture(scope="module")
def gateway(hsmd):
    return hsmd.client(GATEWAY)


@pytest.fixture(scope="module")
def tenant(hsmd):
    return hsmd.client(TENANT, timeout_ms=120000)  # makes RSA-4096, on a machine with much to do


@pytest.fixture(scope="module")
def keys(tenant):
    """One of each kind and size."""
    return {(kind, bits): tenant.generate(Key(kind), bits)
            for kind in ("token", "wrapped") for bits in (2048, 3072, 4096)}


@pytest.fixture
def faulty():
    """An hsmd on a module with faults; short times."""
    with running(module=BUILD / "tests/p11-faults.so", retry="200ms", session_wait="5s",
                 sessions=4) as h:
        yield h


KINDS = pytest.mark.parametrize("kind", ["token", "wrapped"])
SIZES = pytest.mark.parametrize("bits", [2048, 3072, 4096])


def refused(name, function, *arguments):
    with pytest.raises(HsmError) as error:
        function(*arguments)
    assert error.value.name == name, error.value
    return error.value


def verify(key, digest, data, signature, scheme):
    algorithm = DIGESTS[digest]()
    pad = padding.PKCS1v15()
    if scheme == "pss":
        pad = padding.PSS(padding.MGF1(DIGESTS[digest]()), algorithm.digest_size)
    key.public.verify(signature, hashlib.new(digest, data).digest(), pad,
                      utils.Prehashed(algorithm))


# Operations ---------------------------------------------------------------------------------------


@KINDS
@SIZES
def test_generate_gives_a_key_of_the_size(keys, gateway, kind, bits):
    """REQ-24, REQ-25"""
    key = keys[kind, bits]
    assert key.public.key_size == bits
    assert key.public.public_numbers().e == 65537
    assert (key.blob == b"") == (kind == "token")
    assert gateway.public(key) == key.spki


@KINDS
@SIZES
@pytest.mark.parametrize("scheme", ["pkcs1", "pss"])
@pytest.mark.parametrize("digest", DIGESTS)
def test_signatures_verify(keys, gateway, kind, bits, scheme, digest):
    """REQ-24, REQ-25"""
    key, data = keys[kind, bits], b"signed attributes"
    signature = gateway.sign(key, digest, data, scheme)
    assert len(signature) == key.size
    verify(key, digest, data, signature, scheme)
    with pytest.raises(InvalidSignature):
        verify(key, digest, data + b"!", signature, scheme)


@KINDS
def test_openssl_verifies_too(keys, gateway, tmp_path, kind):
    key = keys[kind, 3072]
    (tmp_path / "spki").write_bytes(key.spki)
    (tmp_path / "data").write_bytes(b"data")
    for scheme in ("pkcs1", "pss"):
        (tmp_path / "sig").write_bytes(gateway.sign(key, "sha256", b"data", scheme))
        options = [] if scheme == "pkcs1" else [
            "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"]
        subprocess.run(["openssl", "dgst", "-sha256", "-keyform", "DER", "-verify",
                        tmp_path / "spki", *options, "-signature", tmp_path / "sig",
                        tmp_path / "data"], check=True, capture_output=True)


@KINDS
@SIZES
@pytest.mark.parametrize("octets", [8, 16, 24, 32])
def test_content_encryption_keys_are_decrypted(keys, gateway, kind, bits, octets):
    key = keys[kind, bits]
    cek = secrets.token_bytes(octets - 1) + b"\0"
    assert gateway.decrypt(key, octets, key.public.encrypt(cek, padding.PKCS1v15())) == cek


def raw(key, block):
    """RSA without padding."""
    n = key.public.public_numbers()
    return pow(int.from_bytes(block, "big"), n.e, n.n).to_bytes(key.size, "big")


@KINDS
def test_bad_padding_gives_a_random_key(keys, gateway, kind):
    """Nothing in the answer says that the padding was bad: it has the shape of a good one."""
    key = keys[kind, 2048]
    cek = secrets.token_bytes(32)
    good = b"\0\2" + b"\x55" * (key.size - 35) + b"\0" + cek
    assert gateway.decrypt(key, 32, raw(key, good)) == cek
    bad = {
        "first octet": b"\1" + good[1:-1] + b"\1",
        "block type": b"\0\1" + good[2:],
        "zero in the padding": good[:9] + b"\0" + good[10:],
        "zero at the start of the padding": good[:2] + b"\0" + good[3:],
        "no separator": good[:-33] + b"\x55" + good[-32:],
        "shorter key": b"\0\2" + b"\x55" * (key.size - 27) + b"\0" + cek[:24],
        "longer key": b"\0\2" + b"\x55" * (key.size - 36) + b"\0" + cek + b"x",
        "nothing": b"\0" * key.size,
        "one": b"\0" * (key.size - 1) + b"\1",
    }
    answers = {}
    n = key.public.public_numbers().n
    for name, block in bad.items():
        encrypted = raw(key, block) if int.from_bytes(block, "big") < n else b"\xff" * key.size
        answers[name] = gateway.decrypt(key, 32, encrypted)
        assert gateway.decrypt(key, 32, encrypted) == answers[name]  # again: the same
    for name, encrypted in (("modulus", n.to_bytes(key.size, "big")),
                            ("too short", b"\1" * (key.size - 1)),
                            ("too long", b"\1" * (key.size + 1)), ("a byte", b"\1")):
        answers[name] = gateway.decrypt(key, 32, encrypted)
    assert all(len(a) == 32 and a != cek for a in answers.values())
    assert len(set(answers.values())) == len(answers)
    assert len(gateway.decrypt(key, 16, raw(key, bad["block type"]))) == 16


def test_bad_padding_takes_the_same_time(keys, gateway):
    key = keys["wrapped", 2048]
    good = raw(key, b"\0\2" + b"\x55" * (key.size - 35) + b"\0" + bytes(range(32)))
    bad = raw(key, b"\0\1" + b"\x55" * (key.size - 35) + b"\0" + bytes(range(32)))
    ratios = []
    while True:  # on a busy machine it takes more samples until the median is steady
        a, b = map(int, gateway.words(
            f"time 200 {key.words()} 32 {good.hex()} {bad.hex()}"))
        ratios.append(b / a)
        if len(ratios) >= 5 and 0.85 < statistics.median(ratios) < 1.18:
            break
        assert len(ratios) < 40, ratios


def der(tag, *parts):
    body = b"".join(parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def request_info(spki, version=0):
    name = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "NZ"),
                      x509.NameAttribute(NameOID.COMMON_NAME,
                                         "domain-confidentiality-authority")]).public_bytes()
    return der(0x30, der(0x02, bytes([version])), name, spki, der(0xa0))


@KINDS
@SIZES
def test_certification_requests_are_signed(keys, tenant, tmp_path, kind, bits):
    key = keys[kind, bits]
    info = request_info(key.spki)
    csr = x509.load_der_x509_csr(tenant.csr(key, info))
    assert csr.is_signature_valid
    assert csr.tbs_certrequest_bytes == info
    assert isinstance(csr.signature_hash_algorithm, hashes.SHA256)
    (tmp_path / "csr").write_bytes(csr.public_bytes(serialization.Encoding.DER))
    subprocess.run(["openssl", "req", "-verify", "-noout", "-inform", "DER", "-in",
                    tmp_path / "csr"], check=True, capture_output=True)


def test_certification_requests_that_are_refused(keys, tenant):
    key, other = keys["wrapped", 2048], keys["token", 2048]
    refused("SG_E_INVALID", tenant.csr, key, request_info(other.spki))
    refused("SG_E_INVALID", tenant.csr, key, request_info(key.spki, version=1))
    refused("SG_E_INVALID", tenant.csr, key, request_info(key.spki) + b"\0")
    refused("SG_E_INVALID", tenant.csr, key, request_info(key.spki)[:-1])
    refused("SG_E_INVALID", tenant.csr, key, secrets.token_bytes(400))
    refused("SG_E_INVALID", tenant.csr, key, b"\x30")


@pytest.mark.smoke
def test_data_keys(gateway):
    """REQ-126"""
    for cls in ("hold", "journal"):
        key, wrapped = gateway.make(cls, "msg_1")
        again, _ = gateway.make(cls, "msg_1")
        assert len(key) == 32 and key != again and key not in wrapped
        assert gateway.open(cls, "msg_1", wrapped) == key
        other = "journal" if cls == "hold" else "hold"
        refused("SG_E_HSM_KEY", gateway.open, cls, "msg_2", wrapped)
        refused("SG_E_HSM_KEY", gateway.open, other, "msg_1", wrapped)
        for i in range(0, len(wrapped)):
            damaged = wrapped[:i] + bytes([wrapped[i] ^ 1]) + wrapped[i + 1:]
            refused("SG_E_HSM_KEY", gateway.open, cls, "msg_1", damaged)
        refused("SG_E_HSM_KEY", gateway.open, cls, "msg_1", wrapped[:-1])


# OAEP and elliptic curves --------------------------------------------------------------------------


def oaep(digest, mask):
    return padding.OAEP(padding.MGF1(DIGESTS[mask]()), DIGESTS[digest](), None)


@KINDS
@pytest.mark.parametrize("digest, mask", [("sha1", "sha1"), ("sha256", "sha256"),
                                          ("sha384", "sha384"), ("sha512", "sha1")])
def test_oaep_keys_are_decrypted(keys, gateway, kind, digest, mask):
    """REQ-25"""
    for bits, octets in ((2048, 32), (3072, 24), (4096, 16)):
        key, cek = keys[kind, bits], secrets.token_bytes(octets - 1) + b"\0"
        encrypted = key.public.encrypt(cek, oaep(digest, mask))
        assert gateway.decrypt(key, octets, encrypted, f"oaep {digest} {mask}") == cek


@KINDS
def test_bad_oaep_gives_a_random_key(keys, gateway, kind):
    """Nothing in the answer tells a bad block, another hash or another scheme from a good one."""
    key, cek = keys[kind, 2048], secrets.token_bytes(32)
    good = key.public.encrypt(cek, oaep("sha256", "sha256"))
    answers = [
        gateway.decrypt(key, 32, good, "oaep sha1 sha256"),
        gateway.decrypt(key, 32, good, "oaep sha256 sha1"),
        gateway.decrypt(key, 32, good),  # as PKCS #1 v1.5
        gateway.decrypt(key, 32, key.public.encrypt(cek, padding.PKCS1v15()),
                        "oaep sha256 sha256"),
        gateway.decrypt(key, 32, key.public.encrypt(cek[:31], oaep("sha256", "sha256")),
                        "oaep sha256 sha256"),
        gateway.decrypt(key, 32, key.public.encrypt(cek + b"x", oaep("sha256", "sha256")),
                        "oaep sha256 sha256"),
        gateway.decrypt(key, 32, raw(key, b"\0" * key.size), "oaep sha256 sha256"),
        gateway.decrypt(key, 32, b"\xff" * key.size, "oaep sha256 sha256"),
        gateway.decrypt(key, 32, b"\1", "oaep sha256 sha256"),
    ]
    assert all(len(a) == 32 and a != cek for a in answers) and len(set(answers)) == len(answers)
    assert gateway.decrypt(key, 32, good, "oaep sha256 sha1") == answers[1]  # again: the same
    assert gateway.decrypt(key, 32, good, "oaep sha256 sha256") == cek
    for how in ("oaep md5 sha1", "oaep sha1 md5", "oaep - sha1"):
        refused("SG_E_USAGE", gateway.decrypt, key, 32, good, how)


CURVES = {256: ec.SECP256R1, 384: ec.SECP384R1}
WRAPS = {"aes128": 16, "aes192": 24, "aes256": 32, "3des": 24}


@pytest.fixture(scope="module")
def curve_keys(tenant):
    """REQ-24: of each kind on each curve."""
    return {(kind, bits): tenant.generate(Key(kind), bits)
            for kind in ("token", "wrapped") for bits in CURVES}


ON_CURVES = pytest.mark.parametrize("bits", CURVES)


@KINDS
@ON_CURVES
def test_keys_on_curves(curve_keys, gateway, hsmd, kind, bits):
    """REQ-24"""
    key = curve_keys[kind, bits]
    assert isinstance(key.public.curve, CURVES[bits])
    assert (key.blob == b"") == (kind == "token")
    assert gateway.public(key) == key.spki
    digests = ("sha256",) if bits == 256 else ("sha256", "sha384")
    for digest in digests:
        signature = gateway.sign(key, digest, b"signed attributes", "ecdsa")
        key.public.verify(signature, b"signed attributes", ec.ECDSA(DIGESTS[digest]()))
    if kind == "token":
        assert f"private\tec-p{bits}\t" in hsmd.ctl("list").stdout


@KINDS
@ON_CURVES
def test_certification_requests_of_keys_on_curves(curve_keys, tenant, kind, bits):
    key = curve_keys[kind, bits]
    csr = x509.load_der_x509_csr(tenant.csr(key, request_info(key.spki)))
    assert csr.is_signature_valid and csr.tbs_certrequest_bytes == request_info(key.spki)
    assert csr.signature_hash_algorithm.name == {256: "sha256", 384: "sha384"}[bits]
    other = curve_keys[kind, 640 - bits]
    refused("SG_E_INVALID", tenant.csr, key, request_info(other.spki))


@KINDS
def test_kinds_of_keys_are_not_confused(keys, curve_keys, gateway, tenant, kind):
    """REQ-132"""
    rsa, p256, p384 = keys[kind, 2048], curve_keys[kind, 256], curve_keys[kind, 384]
    for scheme in ("pkcs1", "pss"):
        refused("SG_E_HSM_KEY", gateway.sign, p256, "sha256", b"x", scheme)
    refused("SG_E_HSM_KEY", gateway.sign, rsa, "sha256", b"x", "ecdsa")
    refused("SG_E_HSM_KEY", gateway.sign, p256, "sha384", b"x", "ecdsa")  # it would be cut off
    refused("SG_E_USAGE", gateway.sign, p256, "sha1", b"x", "ecdsa")
    refused("SG_E_HSM_KEY", gateway.decrypt, p384, 32, b"x" * 256)
    refused("SG_E_HSM_KEY", gateway.decrypt, p384, 32, b"x" * 256, "oaep sha1 sha1")
    refused("SG_E_HSM_KEY", gateway.decrypt, rsa, 32, b"x" * 40, "ecdh sha256 aes128 04 00")
    refused("SG_E_USAGE", tenant.generate, Key(kind, "archive", key_id("ark"), "", ""), 256)
    refused("SG_E_USAGE", tenant.generate, Key(kind), 521)
    other = {"domain": "dom_" + "0" * 25 + "9"}
    refused("SG_E_HSM_KEY", gateway.sign, p256.but(**other), "sha256", b"x", "ecdsa")
    if kind == "wrapped":
        for i in range(0, len(p256.blob), 7):
            blob = p256.blob[:i] + bytes([p256.blob[i] ^ 0x40]) + p256.blob[i + 1:]
            refused("SG_E_HSM_KEY", gateway.sign, p256.but(blob=blob), "sha256", b"x", "ecdsa")
        refused("SG_E_HSM_KEY", gateway.sign, p256.but(blob=p384.blob), "sha256", b"x", "ecdsa")


def triple_des_wrap(kek, cek):
    """RFC 3217 §3.1."""
    cbc = lambda iv, data: encrypted(Cipher(TripleDES(kek), modes.CBC(iv)).encryptor(), data)
    encrypted = lambda e, data: e.update(data) + e.finalize()
    iv = secrets.token_bytes(8)
    inner = iv + cbc(iv, cek + hashlib.sha1(cek).digest()[:8])
    return cbc(bytes.fromhex("4adda22c79e82105"), inner[::-1])


def agreed(key, digest, wrap, cek, ephemeral=None, info=b"shared info"):
    """What a sender does (RFC 5753 §3.1); the wrapped key, and the words for hsm-probe."""
    ephemeral = ephemeral or ec.generate_private_key(key.public.curve)
    kek = X963KDF(DIGESTS[digest](), WRAPS[wrap], info).derive(
        ephemeral.exchange(ec.ECDH(), key.public))
    wrapped = triple_des_wrap(kek, cek) if wrap == "3des" else aes_key_wrap(kek, cek)
    point = ephemeral.public_key().public_bytes(serialization.Encoding.X962,
                                                serialization.PublicFormat.UncompressedPoint)
    return wrapped, f"ecdh {digest} {wrap} {point.hex()} {info.hex()}"


@KINDS
@ON_CURVES
@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha384"])
def test_agreed_keys_are_unwrapped(curve_keys, gateway, kind, bits, digest):
    """REQ-24, REQ-25"""
    key = curve_keys[kind, bits]
    for wrap in WRAPS:
        for octets in (16, 24, 32):
            cek = secrets.token_bytes(octets)
            wrapped, how = agreed(key, digest, wrap, cek)
            assert gateway.decrypt(key, octets, wrapped, how) == cek


def test_an_agreed_secret_keeps_its_leading_zeros(curve_keys, gateway):
    """One in 256 begins with a zero octet: the KDF takes it as long as the field."""
    key, zeros = curve_keys["token", 256], 0
    for _ in range(4000):
        ephemeral = ec.generate_private_key(key.public.curve)
        if ephemeral.exchange(ec.ECDH(), key.public)[0]:
            continue
        zeros, cek = zeros + 1, secrets.token_bytes(16)
        wrapped, how = agreed(key, "sha256", "aes128", cek, ephemeral)
        assert gateway.decrypt(key, 16, wrapped, how) == cek
        if zeros == 3:
            break
    assert zeros


@KINDS
@ON_CURVES
def test_a_bad_agreement_gives_a_random_key(curve_keys, gateway, kind, bits):
    """Whatever is wrong with it, the answer has the shape of a good one."""
    key, other, cek = curve_keys[kind, bits], curve_keys[kind, 640 - bits], secrets.token_bytes(32)
    wrapped, how = agreed(key, "sha256", "aes256", cek)
    scheme, digest, wrap, point, info = how.split()
    damaged = bytes([wrapped[0] ^ 1]) + wrapped[1:]
    off_curve = point[:-1] + ("0" if point[-1] != "0" else "1")
    elsewhere = agreed(other, "sha256", "aes256", cek)[1].split()[3]
    size = bits // 8
    bad = {
        "wrapped key": (damaged, how),
        "too short": (wrapped[:-8], how),
        "empty": (b"", how),
        "info": (wrapped, f"{scheme} {digest} {wrap} {point} 00"),
        "digest": (wrapped, f"{scheme} sha384 {wrap} {point} {info}"),
        "wrap": (wrapped, f"{scheme} {digest} aes128 {point} {info}"),
        "3des": (wrapped, f"{scheme} {digest} 3des {point} {info}"),
        "off the curve": (wrapped, f"{scheme} {digest} {wrap} {off_curve} {info}"),
        "of the other curve": (wrapped, f"{scheme} {digest} {wrap} {elsewhere} {info}"),
        "at infinity": (wrapped, f"{scheme} {digest} {wrap} 00 {info}"),
        "no point": (wrapped, f"{scheme} {digest} {wrap} - {info}"),
        "zeros": (wrapped, f"{scheme} {digest} {wrap} 04{'00' * 2 * size} {info}"),
        "another sender": (wrapped, agreed(key, "sha256", "aes256", cek)[1]),
    }
    answers = {name: gateway.decrypt(key, 32, *question) for name, question in bad.items()}
    assert all(len(a) == 32 and a != cek for a in answers.values())
    assert len(set(answers.values())) == len(answers)
    for name, question in bad.items():
        assert gateway.decrypt(key, 32, *question) == answers[name]  # again: the same
    compressed = ec.EllipticCurvePublicKey.from_encoded_point(
        CURVES[bits](), bytes.fromhex(point)).public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    assert gateway.decrypt(
        key, 32, wrapped, f"{scheme} {digest} {wrap} {compressed.hex()} {info}") == cek
    for refusal in (f"ecdh sha512 aes256 {point} {info}", f"ecdh sha256 - {point} {info}",
                    f"ecdh sha256 aes256 {'04' * 98} {info}",
                    f"ecdh sha256 aes256 {point} {'00' * 513}"):
        refused("SG_E_USAGE", gateway.decrypt, key, 32, wrapped, refusal)


def test_token_keys_on_curves_come_and_go(gateway, tenant, hsmd):
    """REQ-133: nothing of one is left, and what was half made is made anew."""
    key = tenant.generate(Key("token", tenant=key_id("ten")), 256)
    assert tenant.generate(key.but(), 256).spki == key.spki
    refused("SG_E_HSM_KEY", tenant.generate, key.but(), 384)
    refused("SG_E_HSM_KEY", tenant.generate, key.but(), 2048)
    gateway.sign(key, "sha256", b"x", "ecdsa")
    tenant.destroy(key)
    tenant.destroy(key)
    refused("SG_E_HSM_KEY", gateway.sign, key, "sha256", b"x", "ecdsa")
    assert key.tenant not in hsmd.ctl("list").stdout
    assert tenant.generate(key.but(), 256).spki != key.spki


@pytest.mark.smoke
def test_keys_on_curves_outlive_lost_sessions(faulty):
    tenant, gateway = faulty.client(TENANT), faulty.client(GATEWAY)
    for kind in ("token", "wrapped"):
        key, cek = tenant.generate(Key(kind), 384), secrets.token_bytes(32)
        for fault in ("lose", "stale", "logout"):
            faulty.fault(fault)
            signature = gateway.sign(key, "sha384", b"x", "ecdsa")
            key.public.verify(signature, b"x", ec.ECDSA(hashes.SHA384()))
            wrapped, how = agreed(key, "sha384", "aes256", cek)
            assert gateway.decrypt(key, 32, wrapped, how) == cek


@pytest.mark.smoke
@ON_CURVES
def test_a_pair_on_a_curve_is_one_before_it_is_wrapped(faulty, bits):
    """REQ-132: what is under the MAC is not proved again each time that it is unwrapped."""
    tenant, gateway = faulty.client(TENANT), faulty.client(GATEWAY)
    faulty.fault("swap")
    refused("SG_E_HSM_KEY", tenant.generate, Key("wrapped"), bits)
    assert not faulty.faults.exists()  # it struck
    key = tenant.generate(Key("wrapped"), bits)
    key.public.verify(gateway.sign(key, "sha256", b"x", "ecdsa"), b"x", ec.ECDSA(hashes.SHA256()))


# A key is for one purpose of one domain of one tenant ---------------------------------------------


def test_a_wrapped_key_opens_under_its_own_names_alone(keys, gateway, tenant):
    """REQ-132"""
    key = keys["wrapped", 2048]
    for changes in ({"tenant": "ten_" + "0" * 25 + "9"}, {"domain": "dom_" + "0" * 25 + "9"},
                    {"tenant": ""}, {"domain": ""}, {"id": key_id()},
                    {"tenant": key.domain, "domain": key.tenant}):
        refused("SG_E_HSM_KEY", gateway.sign, key.but(**changes), "sha256", b"x")
        refused("SG_E_HSM_KEY", gateway.public, key.but(**changes))
    encrypted = key.public.encrypt(b"k" * 32, padding.PKCS1v15())
    refused("SG_E_HSM_KEY", tenant.decrypt, key.but(cls="archive"), 32, encrypted)
    refused("SG_E_HSM_KEY", tenant.sign, key.but(cls="evidence"), "sha256", b"x")


@pytest.mark.smoke
def test_a_tampered_blob_is_refused(keys, gateway):
    key = keys["wrapped", 2048]
    for i in [*range(0, 16), *range(16, len(key.blob), 37), len(key.blob) - 1]:
        blob = key.blob[:i] + bytes([key.blob[i] ^ 0x40]) + key.blob[i + 1:]
        refused("SG_E_HSM_KEY", gateway.sign, key.but(blob=blob), "sha256", b"x")
    refused("SG_E_HSM_KEY", gateway.sign, key.but(blob=key.blob[:-1]), "sha256", b"x")
    refused("SG_E_HSM_KEY", gateway.sign, key.but(blob=key.blob + b"\0"), "sha256", b"x")
    # One key's wrapped half under another's public half.
    other = keys["wrapped", 3072]
    refused("SG_E_HSM_KEY", gateway.sign, key.but(blob=other.blob), "sha256", b"x")


def test_a_data_key_is_no_private_key_and_the_reverse(keys, gateway):
    key = keys["wrapped", 2048]
    _, wrapped = gateway.make("hold", "msg_1")
    refused("SG_E_HSM_KEY", gateway.sign, key.but(blob=wrapped), "sha256", b"x")
    refused("SG_E_USAGE", gateway.open, "hold", "msg_1", key.blob)  # too long for one


def test_a_token_key_is_for_its_own_names_alone(keys, gateway, tenant):
    """REQ-132"""
    key = keys["token", 2048]
    for changes in ({"tenant": "ten_" + "0" * 25 + "9"}, {"domain": ""}, {"id": key_id()}):
        refused("SG_E_HSM_KEY", gateway.sign, key.but(**changes), "sha256", b"x")
    encrypted = key.public.encrypt(b"k" * 32, padding.PKCS1v15())
    refused("SG_E_HSM_KEY", tenant.decrypt, key.but(cls="archive"), 32, encrypted)
    refused("SG_E_HSM_KEY", tenant.destroy, key.but(tenant="ten_" + "0" * 25 + "9"))
    verify(key, "sha256", b"x", gateway.sign(key, "sha256", b"x"), "pkcs1")


def test_generating_a_token_key_twice_gives_the_same(tenant):
    key = tenant.generate(Key("token"))
    assert tenant.generate(key.but()).spki == key.spki
    refused("SG_E_HSM_KEY", tenant.generate, key.but(), 3072)
    refused("SG_E_HSM_KEY", tenant.generate, key.but(tenant=""))


@KINDS
def test_destroyed_keys_are_gone(gateway, tenant, hsmd, kind):
    """REQ-133"""
    key, kept = tenant.generate(Key(kind, tenant=key_id("ten"))), tenant.generate(Key("token"))
    gateway.sign(key, "sha256", b"x")
    tenant.destroy(key)
    tenant.destroy(key)  # again: no error
    listed = hsmd.ctl("list").stdout
    assert f"dca/{kept.tenant}/{kept.domain}" in listed and key.tenant not in listed
    if kind == "token":
        refused("SG_E_HSM_KEY", gateway.sign, key, "sha256", b"x")
        assert tenant.generate(key.but()).spki != key.spki


def test_archive_and_evidence_keys(tenant):
    archive = tenant.generate(Key("wrapped", "archive", key_id("ark"), "", ""))
    cek = secrets.token_bytes(32)
    assert tenant.decrypt(archive, 32, archive.public.encrypt(cek, padding.PKCS1v15())) == cek
    evidence = tenant.generate(Key("token", "evidence", key_id(), "", ""))
    verify(evidence, "sha256", b"root", tenant.sign(evidence, "sha256", b"root"), "pkcs1")
    refused("SG_E_USAGE", tenant.sign, archive, "sha256", b"x")
    refused("SG_E_USAGE", tenant.decrypt, evidence, 32, b"x" * 256)


# Who may do what ----------------------------------------------------------------------------------


@needs_root
def test_the_gateway_cannot_make_or_destroy_keys(keys, gateway):
    """REQ-132"""
    key = keys["token", 2048]
    refused("SG_E_HSM_DENIED", gateway.generate, Key("wrapped"))
    refused("SG_E_HSM_DENIED", gateway.destroy, key)
    refused("SG_E_HSM_DENIED", gateway.csr, key, request_info(key.spki))
    refused("SG_E_HSM_DENIED", gateway.decrypt, key.but(cls="archive"), 32, b"x" * 256)
    refused("SG_E_HSM_DENIED", gateway.sign, key.but(cls="evidence"), "sha256", b"x")
    gateway.sign(key, "sha256", b"x")


@needs_root
def test_tenantd_cannot_sign_or_read_mail(keys, tenant):
    """REQ-132"""
    key = keys["wrapped", 2048]
    refused("SG_E_HSM_DENIED", tenant.sign, key, "sha256", b"x")
    refused("SG_E_HSM_DENIED", tenant.decrypt, key, 32, b"x" * 256)
    refused("SG_E_HSM_DENIED", tenant.make, "hold", "x")
    refused("SG_E_HSM_DENIED", tenant.open, "journal", "x", b"x")
    tenant.health()


@needs_root
@pytest.mark.parametrize("uid", [0, HSM, OTHER, 65534])
def test_others_may_do_nothing(hsmd, keys, uid):
    """Not even root: a socket that lets one in is no permission."""
    other = hsmd.client(uid)
    expected = "SG_E_HSM_DENIED"
    refused(expected, other.health)
    refused(expected, other.sign, keys["token", 2048], "sha256", b"x")


@needs_root
def test_denials_are_logged(hsmd, gateway):
    before = len(hsmd.events("hsm.denied"))
    refused("SG_E_HSM_DENIED", gateway.generate, Key("wrapped"))
    last = hsmd.events("hsm.denied")[-1]
    assert len(hsmd.events("hsm.denied")) == before + 1
    assert (last["uid"], last["operation"], last["class"]) == (str(GATEWAY), "generate", "dca")


# hsmd itself --------------------------------------------------------------------------------------


@pytest.mark.smoke
def test_more_clients_than_sessions():
    with running(sessions=2, wrapped_cache=4) as hsmd:
        tenant, gateway = hsmd.client(TENANT), hsmd.client(GATEWAY, connections=16)
        made = [tenant.generate(Key("wrapped")) for _ in range(8)]
        value = hashlib.sha256(b"x").hexdigest()
        load = [hsmd.client(GATEWAY, connections=4) for _ in made]
        for client, key in zip(load, made):  # eight processes, more keys than the cache holds
            client.send(f"load 4 25 {key.words()} pkcs1 sha256 {value}")
        for client in load:
            assert client.receive() == ["100", "0", "-"]
        for key in made:
            verify(key, "sha256", b"x", gateway.sign(key, "sha256", b"x"), "pkcs1")


def test_too_many_connections_are_busy():
    with running(max_connections=3, connections_per_user=2) as hsmd:
        clients = [hsmd.client(GATEWAY, connections=1) for _ in range(3)]
        clients[0].health()
        clients[1].health()
        refused("SG_E_BUSY", clients[2].health)
        if ROOT:
            hsmd.client(TENANT).health()  # another user is not shut out
        clients[0].close()
        wait_for(lambda: healthy(clients[2]), "a connection to come free")


def healthy(client):
    try:
        client.health()
        return True
    except HsmError as error:
        assert error.name in ("SG_E_BUSY", "SG_E_HSM_UNAVAILABLE"), error
        return False


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL])
def test_clients_outlive_a_restart(sig):
    with running() as hsmd:
        tenant, gateway = hsmd.client(TENANT), hsmd.client(GATEWAY)
        made = [tenant.generate(Key(kind)) for kind in ("token", "wrapped")]
        data_key, wrapped = gateway.make("hold", "msg_1")
        bad = b"\1" * made[0].size
        random = gateway.decrypt(made[0], 32, bad)
        hsmd.stop(sig)
        refused("SG_E_HSM_UNAVAILABLE", gateway.health)
        hsmd.start()
        for key in made:
            verify(key, "sha256", b"x", gateway.sign(key, "sha256", b"x"), "pkcs1")
        assert gateway.open("hold", "msg_1", wrapped) == data_key
        assert gateway.decrypt(made[0], 32, bad) != random
        # Restarted behind the client's back: its idle connection is dead and it does not notice.
        hsmd.stop(sig)
        hsmd.start()
        gateway.sign(made[0], "sha256", b"x")


@pytest.mark.smoke
def test_killed_under_load_and_restarted():
    """All sessions are at an operation that does not come back before the kill, and others wait for one."""
    with running(module=BUILD / "tests/p11-faults.so", sessions=4) as hsmd:
        tenant, gateway = hsmd.client(TENANT), hsmd.client(GATEWAY, connections=8)
        key = tenant.generate(Key("wrapped"))
        value = hashlib.sha256(b"x").hexdigest()
        for _ in range(3):
            gateway.send(f"load 8 2000 {key.words()} pkcs1 sha256 {value}")
            done = 'sealgate_hsm_operations_total{operation="sign",result="ok"}'
            wait_for(lambda: figure(hsmd, done) > 100, "signatures")
            hung = hsmd.faults.with_name("fault.hung")
            hung.unlink(missing_ok=True)
            hsmd.fault("hang sign")
            wait_for(lambda: hung.exists() and figure(hsmd, BUSY) == 4, "all sessions to be at a signature")
            hsmd.stop(signal.SIGKILL)
            hsmd.faults.unlink()
            good, bad, first = gateway.receive()
            assert int(good) > 0 and int(bad) > 0 and first == "SG_E_HSM_UNAVAILABLE"
            hsmd.start()
            verify(key, "sha256", b"x", gateway.sign(key, "sha256", b"x"), "pkcs1")


@pytest.mark.smoke
def test_stop_finishes_what_is_in_flight(faulty):
    tenant, gateway = faulty.client(TENANT), faulty.client(GATEWAY)
    key = tenant.generate(Key("token"))
    gateway.public(key)
    faulty.fault("slow")
    gateway.send(f"sign {key.words()} pkcs1 sha256 {hashlib.sha256(b'x').hexdigest()}")
    wait_for(faulty.faults.with_name("fault.slow").exists, "the signature to be under way")
    assert faulty.stop() == 0
    signature = bytes.fromhex(gateway.receive()[0])
    verify(key, "sha256", b"x", signature, "pkcs1")
    assert "dca.sign=1" in faulty.events("hsm.stopped")[-1]["counters"]


def test_reload_takes_new_rules():
    with running() as hsmd:
        tenant, gateway = hsmd.client(TENANT), hsmd.client(GATEWAY)
        key = tenant.generate(Key("wrapped"))
        gateway.sign(key, "sha256", b"x")
        hsmd.configure(rules=f"{TENANT}:dca:generate {GATEWAY}:hold:make")
        hsmd.process.send_signal(signal.SIGHUP)
        wait_for(lambda: hsmd.events("hsm.reloaded"), "the reload")
        refused("SG_E_HSM_DENIED", gateway.sign, key, "sha256", b"x")
        gateway.make("hold", "x")
        hsmd.configure(rules="nonsense")
        hsmd.process.send_signal(signal.SIGHUP)
        wait_for(lambda: hsmd.events("hsm.reload-failed"), "the refusal")
        gateway.make("hold", "x")  # the rules that were good stand


def test_nothing_secret_in_the_log(hsmd, gateway):
    key, wrapped = gateway.make("hold", "msg_secret")
    text = hsmd.log.read_text()
    assert "a user pin" not in text and key.hex() not in text and wrapped.hex() not in text


@pytest.mark.smoke
def test_foreign_bytes_end_the_connection(hsmd, gateway):
    """Run as the gateway: random frames get an error or a closed connection; hsmd goes on."""
    script = (
        "import os,socket,struct,sys\n"
        "for i in range(200):\n"
        " s=socket.socket(socket.AF_UNIX);s.settimeout(10);s.connect(sys.argv[1])\n"
        " n=i*7%300; b=os.urandom(n); l=[n,n,0xffffffff,n+5,0][i%5]\n"
        " if i%3==0 and n>1: b=b'\\1'+b[1:]\n"
        " try:\n"
        "  s.sendall(struct.pack('>I',l)+b)\n"
        "  s.shutdown(socket.SHUT_WR)\n"
        "  while s.recv(4096): pass\n"
        " except (BrokenPipeError,ConnectionResetError): pass\n"
        " s.close()\n")
    subprocess.run(as_user(GATEWAY, "/usr/bin/python3", "-c", script, str(hsmd.socket)),
                   check=True, timeout=60)
    gateway.health()


# The HSM stumbles ---------------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("fault", ["lose", "stale", "logout"])
def test_one_loss_is_not_noticed(faulty, kind, fault):
    tenant, gateway = faulty.client(TENANT), faulty.client(GATEWAY)
    key = tenant.generate(Key(kind))
    gateway.sign(key, "sha256", b"x")
    for _ in range(3):
        faulty.fault(fault)
        verify(key, "sha256", b"x", gateway.sign(key, "sha256", b"x"), "pkcs1")
        assert not faulty.faults.exists()  # it struck


@pytest.mark.smoke
def test_losses_under_load_lose_no_signature():
    with running(module=BUILD / "tests/p11-faults.so", sessions=4, level="debug") as faulty:
        tenant, gateway = faulty.client(TENANT), faulty.client(GATEWAY, connections=8)
        key = tenant.generate(Key("wrapped"))
        value = hashlib.sha256(b"x").hexdigest()
        gateway.send(f"load 8 300 {key.words()} pkcs1 sha256 {value}")
        for _ in range(15):
            done = len(faulty.events("hsm.done"))
            wait_for(lambda: len(faulty.events("hsm.done")) > done + 16, "signatures to go on")
            faulty.fault("lose")
            wait_for(lambda: not faulty.faults.exists(), "the fault to strike")
        assert gateway.receive() == ["2400", "0", "-"]
        assert len(faulty.events("hsm.ready")) == 16


@pytest.mark.smoke
def test_hsm_gone_and_back(faulty):
    tenant, gateway = faulty.client(TENANT), faulty.client(GATEWAY)
    made = [tenant.generate(Key(kind)) for kind in ("token", "wrapped")]
    _, wrapped = gateway.make("hold", "x")
    faulty.fault("gone")
    for call in (lambda: gateway.sign(made[0], "sha256", b"x"), gateway.health,
                 lambda: gateway.sign(made[1], "sha256", b"x"),
                 lambda: gateway.open("hold", "x", wrapped)):
        refused("SG_E_HSM_UNAVAILABLE", call)
    # The circuit is open: at once, not after a time-out.
    began = time.monotonic()
    for _ in range(20):
        refused("SG_E_HSM_UNAVAILABLE", gateway.sign, made[0], "sha256", b"x")
    assert time.monotonic() - began < 3
    faulty.faults.unlink()
    wait_for(lambda: healthy(gateway), "the HSM to be back")
    for key in made:
        verify(key, "sha256", b"x", gateway.sign(key, "sha256", b"x"), "pkcs1")
    gateway.open("hold", "x", wrapped)


def test_a_module_that_opens_no_session_is_started_anew(faulty):
    """Each operation that failed has lost its session, and no other is to be had."""
    key, gateway = faulty.client(TENANT).generate(Key("wrapped")), faulty.client(GATEWAY)
    gateway.sign(key, "sha256", b"x")
    faulty.fault("sick")
    for _ in range(4):  # sessions
        with contextlib.suppress(HsmError):
            gateway.sign(key, "sha256", b"x")
    assert not faulty.faults.exists()
    verify(key, "sha256", b"x", gateway.sign(key, "sha256", b"x"), "pkcs1")


@KINDS
def test_a_module_that_does_not_tell_that_its_hsm_is_gone(faulty, kind):
    """Sessions and login are what its library remembers; health says it once an operation has failed."""
    key, gateway = faulty.client(TENANT).generate(Key(kind)), faulty.client(GATEWAY)
    for _ in range(2):
        faulty.fault("deaf")
        verify(key, "sha256", b"x", gateway.sign(key, "sha256", b"x"), "pkcs1")
        assert not faulty.faults.exists()
    faulty.fault("deaf still")
    refused("SG_E_HSM_UNAVAILABLE", gateway.sign, key, "sha256", b"x")
    for _ in range(2):
        lost = len(faulty.events("hsm.lost"))
        wait_for(lambda: not healthy(gateway) and len(faulty.events("hsm.lost")) > lost, "another try")
    faulty.faults.unlink()
    wait_for(lambda: healthy(gateway), "the HSM to be back")
    verify(key, "sha256", b"x", gateway.sign(key, "sha256", b"x"), "pkcs1")


def test_a_token_with_less_room_than_the_cache(faulty):
    """Unwrapped keys, data keys and agreed secrets make room for each other."""
    tenant, gateway = faulty.client(TENANT), faulty.client(GATEWAY)
    made = [tenant.generate(Key("wrapped"), 256) for _ in range(6)]
    faulty.fault("full")
    data_key, wrapped = gateway.make("hold", "x")
    for _ in range(2):
        for key in made:
            gateway.sign(key, "sha256", b"x", "ecdsa")
    assert gateway.open("hold", "x", wrapped) == data_key
    for key in made:
        cek = secrets.token_bytes(32)
        secret, how = agreed(key, "sha256", "aes256", cek)
        assert gateway.decrypt(key, 32, secret, how) == cek
    gateway.make("hold", "x")


@contextlib.contextmanager
def no_descriptors(hsmd):
    """It has what it has open, and gets no more."""
    pid = hsmd.process.pid
    used = {int(fd) for fd in os.listdir(f"/proc/{pid}/fd")}
    lowest = next(fd for fd in range(len(used) + 1) if fd not in used)

    def limit(count):
        subprocess.run(as_user(HSM, "prlimit", f"--pid={pid}", f"--nofile={count}:"), check=True)
    limit(lowest)
    yield
    limit(resource.getrlimit(resource.RLIMIT_NOFILE)[0])  # as it was inherited


def test_what_a_module_without_descriptors_hides_is_there(faulty):
    """Neither destroyed, as it would be said, nor made a second time."""
    tenant = faulty.client(TENANT, connections=1)
    key = tenant.generate(Key("token"), 256)
    with no_descriptors(faulty):
        refused("SG_E_HSM_UNAVAILABLE", tenant.destroy, key)
    faulty.fault("hide")
    assert tenant.generate(key.but(), 256).spki == key.spki
    assert not faulty.faults.exists()
    with no_descriptors(faulty):
        refused("SG_E_HSM_UNAVAILABLE", tenant.public, Key("token"))
    faulty.fault("hide")
    tenant.destroy(key)
    assert not faulty.faults.exists()
    refused("SG_E_HSM_KEY", tenant.public, key)
    assert f"dca/{TEN}/{DOM}" not in faulty.ctl("list").stdout


def test_a_start_does_not_read_the_keys(faulty):
    """REQ-6: what hsmd finds on the token when it starts are its own key-encryption keys; a domain's is looked for when it
    is asked for, and that one alone."""
    found = Path(f"{faulty.faults}.found")

    def counted():
        return sum(map(int, found.read_text().split())) if found.exists() else 0

    def started():
        faulty.faults.unlink(missing_ok=True)
        faulty.stop()
        found.unlink(missing_ok=True)
        faulty.fault("count")
        faulty.start()
        faulty.client(GATEWAY).health()
        caches = [n for name, n in Ops(faulty.ops_socket).series().items() if name.startswith("sealgate_hsm_cache_total")]
        assert caches and not any(caches), "looked for in a cache"
        return counted()
    few = started()
    assert few == 3  # one key, and what was derived from it
    tenant = faulty.client(TENANT)
    made = [tenant.generate(Key("token"), 256) for _ in range(20)]
    assert started() == few
    faulty.client(GATEWAY).sign(made[7], "sha256", b"x", "ecdsa")
    assert few < counted() <= few + 2  # the key, perhaps with its public half


def test_starts_without_the_hsm(faulty):
    faulty.stop()
    faulty.fault("gone")
    faulty.start()
    gateway = faulty.client(GATEWAY)
    refused("SG_E_HSM_UNAVAILABLE", gateway.health)
    faulty.faults.unlink()
    wait_for(lambda: healthy(gateway), "the HSM to come")


def test_a_wrong_pin_is_tried_once(hsmd):
    with contextlib.closing(Hsmd().token()) as other:
        other.write("pin", "wrong\n", 0o600)
        other.spawn()
        assert other.process.wait(20) == 2
        other.process = None
        assert "PIN" in other.events("hsm.failed-to-start")[0]["detail"]
        assert len(other.events("hsm.lost")) == 1
        other.write("pin", "a user pin 1234\n", 0o600)
        other.start()
        gateway = other.client(GATEWAY)
        gateway.health()


def test_what_is_no_refused_pin_is_tried_again():
    """Status 1, upon which the supervisor starts it anew: the token was never asked."""
    with contextlib.closing(Hsmd().token()) as other:
        (other.dir / "pin").chmod(0o644)
        other.spawn()
        assert other.process.wait(20) == 1
        other.process = None
        assert "others may read" in other.events("hsm.failed-to-start")[0]["detail"]
        (other.dir / "pin").chmod(0o600)
        other.start()
        other.client(GATEWAY).health()


def test_no_kek_is_said():
    hsmd = Hsmd()
    try:
        hsmd.ctl("token-init", "--label", "sealgate", "--so-pin-file", str(hsmd.dir / "so-pin"))
        hsmd.start()
        gateway = hsmd.client(GATEWAY)
        refused("SG_E_HSM_UNAVAILABLE", gateway.health)
        hsmd.ctl("kek-make")
        wait_for(lambda: healthy(gateway), "the KEK to be seen")
    finally:
        hsmd.close()


def test_generations_of_keks():
    with running() as hsmd:
        tenant, gateway = hsmd.client(TENANT), hsmd.client(GATEWAY)
        old = tenant.generate(Key("wrapped"))
        old_key, old_wrapped = gateway.make("hold", "x")
        assert "sealgate-kek-2" in hsmd.ctl("kek-make").stdout
        hsmd.process.send_signal(signal.SIGHUP)
        wait_for(lambda: hsmd.events("hsm.reloaded"), "the reload")
        new = tenant.generate(Key("wrapped"))
        assert (old.blob[5], new.blob[5]) == (1, 2)
        for key in (old, new):
            verify(key, "sha256", b"x", gateway.sign(key, "sha256", b"x"), "pkcs1")
        assert gateway.open("hold", "x", old_wrapped) == old_key
        # A generation is part of what is bound.
        forged = bytearray(old.blob)
        forged[5] = 2
        refused("SG_E_HSM_KEY", gateway.sign, old.but(blob=bytes(forged)), "sha256", b"x")
        forged[5] = 9
        refused("SG_E_HSM_KEY", gateway.sign, old.but(blob=bytes(forged)), "sha256", b"x")


def test_a_generation_that_is_not_finished(faulty):
    """Nothing of it is left; or where something is, nothing comes to it from another generation."""
    for fault, left, made in ("unmade", [], "sealgate-kek-2"), ("unmade left", ["sealgate-kek-mac-3"], "sealgate-kek-4"):
        before = labels(faulty)
        faulty.fault(fault)
        assert faulty.ctl("kek-make", check=False).returncode == 1
        faulty.faults.unlink()
        assert sorted(labels(faulty)) == sorted(before + left)
        assert made in faulty.ctl("kek-make").stdout
    faulty.process.send_signal(signal.SIGHUP)
    wait_for(lambda: faulty.events("hsm.reloaded"), "the reload")
    key = faulty.client(TENANT).generate(Key("wrapped"))
    assert key.blob[5] == 4
    verify(key, "sha256", b"x", faulty.client(GATEWAY).sign(key, "sha256", b"x"), "pkcs1")


def labels(hsmd):
    return [line.split("\t")[3] for line in hsmd.ctl("list").stdout.splitlines()[1:]]


# hsmctl and the configuration ---------------------------------------------------------------------


def test_hsmctl(hsmd):
    assert "there is a token" in hsmd.ctl(
        "token-init", "--label", "sealgate", "--so-pin-file", str(hsmd.dir / "so-pin"),
        check=False).stderr
    checked = hsmd.ctl("check").stdout.splitlines()
    assert all(line.startswith("ok\t") for line in checked) and len(checked) == 10
    listed = hsmd.ctl("list").stdout
    for label in ("sealgate-kek-1", "sealgate-kek-data-1", "sealgate-kek-mac-1"):
        assert re.search(rf"^secret\t-\t-\t{label}$", listed, re.M)
    assert hsmd.ctl("fly", check=False).returncode == 2
    assert hsmd.ctl("token-init", "--label", "x", "--so-pin", "1234", check=False).returncode == 2
    # No PIN file and no terminal: it says so.
    no_terminal = hsmd.ctl("token-init", "--label", "another", check=False)
    assert no_terminal.returncode == 1 and "terminal" in no_terminal.stderr


def test_a_token_that_was_begun_is_finished():
    """Without a user PIN nothing is made; where the token refused it, another run goes on from there."""
    with contextlib.closing(Hsmd()) as other:
        init = ["token-init", "--label", "sealgate", "--so-pin-file", str(other.dir / "so-pin")]
        (other.dir / "pin").chmod(0o644)
        assert "others may read" in other.ctl(*init, check=False).stderr
        assert os.listdir(other.dir / "tokens") == []
        other.write("pin", "1\n", 0o600)
        assert "the user PIN is not set" in other.ctl(*init, check=False).stderr
        begun = os.listdir(other.dir / "tokens")
        assert len(begun) == 1
        other.write("pin", "a user pin 1234\n", 0o600)
        other.ctl(*init)
        assert os.listdir(other.dir / "tokens") == begun
        assert "there is a token" in other.ctl(*init, check=False).stderr
        other.ctl("kek-make")


def test_hsmctl_types_pins(hsmd):
    """The security officer's PIN typed at a terminal is not echoed."""
    import pty
    pid, fd = pty.fork()
    if pid == 0:
        command = as_user(HSM, str(BUILD / "bin/hsmctl"), "-c", str(hsmd.dir / "hsmd.conf"),
                          "token-init", "--label", "typed")
        os.execvpe(command[0], command, hsmd.environment())
    output = b""
    while b": " not in output:
        output += os.read(fd, 1000)
    os.write(fd, b"typed so pin 99\n")
    with contextlib.suppress(OSError):
        while chunk := os.read(fd, 1000):
            output += chunk
    os.close(fd)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, output
    assert b"token typed made" in output and b"typed so pin" not in output


@pytest.mark.parametrize("uri", ["pkcs11:token=sealgate",
                                 "pkcs11:token=sealgate;manufacturer=SoftHSM%20project"])
def test_the_token_by_uri(hsmd, uri):
    text = (hsmd.dir / "hsmd.conf").read_text().replace("token = sealgate", f"uri = {uri}")
    hsmd.write("uri.conf", text)
    done = subprocess.run(as_user(HSM, str(BUILD / "bin/hsmctl"), "-c", str(hsmd.dir / "uri.conf"),
                                  "check"), env=hsmd.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("change, complaint", [
    (("token = sealgate", "token = sealgate\nslot = 3"), "exactly one"),
    (("token = sealgate", "uri = pkcs11:token=x?pin-value=1"), "pin_file"),
    (("rules = ", "rules = 0:dca:fly "), "no such operation"),
    (("[log]", "[log]\ncolour = red"), "unknown key"),
])
def test_bad_configurations_are_refused(hsmd, change, complaint):
    text = (hsmd.dir / "hsmd.conf").read_text()
    assert change[0] in text
    hsmd.write("bad.conf", text.replace(*change, 1))
    done = subprocess.run([BUILD / "bin/hsmd", "-c", hsmd.dir / "bad.conf", "-t"],
                          capture_output=True, text=True)
    assert done.returncode == 2 and complaint in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1
    good = subprocess.run([BUILD / "bin/hsmd", "-c", hsmd.dir / "hsmd.conf", "-t"])
    assert good.returncode == 0


def test_a_pin_that_others_may_read_is_refused(hsmd):
    with contextlib.closing(Hsmd().token()) as other:
        (other.dir / "pin").chmod(0o644)
        done = other.ctl("check", check=False)
        assert done.returncode == 1 and "others may read" in done.stderr
