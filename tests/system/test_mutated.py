"""Good mails with one to three elements of their CMS changed at random, to a key of RSA and to one on a curve: each is
taken and delivered, none passes for verified that does not say what was signed, and nothing fails but the message.
REQ-18 REQ-22 REQ-87

The seed is fixed, so that what failed fails again; with --long there are many more."""
import base64
import random
import re
import tempfile

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

import corpus
import forge
from forge import der, explicit, octets, oid, seq
from sealgate.ports import PortBlock
from setting import A, B, OUTSIDE, header
from spoof import VICTIM, Spoof
from test_mail_hostile import Lines

CONTENT = b"Content-Type: text/plain\r\n\r\nWhat was signed.\r\n"
WRAP = seq(oid("2.16.840.1.101.3.4.1.45"))
TAGS = bytes.fromhex("02 03 04 05 06 13 17 1f 24 30 31 80 a0 a1 a2 00")
BATCH = 75


class Mutated(Spoof):
    KEYS = {**Spoof.KEYS, A: {"algorithm": "ec-p256"}}


@pytest.fixture(scope="module")
def setting():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgm", dir="/var/tmp") as folder:
        s = Mutated(folder, block)
        try:
            yield s.start()
        finally:
            s.stop()


def agreed(recipient, cek):
    """KeyAgreeRecipientInfo (RFC 5753 section 3.1)."""
    certificate = forge.load(recipient.certificate)
    ephemeral = ec.generate_private_key(certificate.public_key().curve)
    info = seq(WRAP, explicit(2, octets((256).to_bytes(4, "big"))))
    kek = X963KDF(hashes.SHA256(), 32, info).derive(ephemeral.exchange(ec.ECDH(), certificate.public_key()))
    point = ephemeral.public_key().public_bytes(serialization.Encoding.X962,
                                                serialization.PublicFormat.UncompressedPoint)
    return explicit(1, forge.integer(3),
                    explicit(0, explicit(1, seq(oid("1.2.840.10045.2.1")), der(0x03, b"\0" + point))),
                    seq(oid("1.3.132.1.11.1"), WRAP),
                    seq(seq(forge.issuer_and_serial(certificate), octets(aes_key_wrap(kek, cek)))))


def sealed_by_agreement(content, recipient):
    cek, iv = random.randbytes(32), random.randbytes(16)
    return forge.entity(forge.enveloped_data([agreed(recipient, cek)], iv, forge.cbc(cek, iv, content)))


# Changes of one element; r: what is random, e: its octets as they are --------------------------------

def of_another_tag(r, tag, content):
    return der(r.choice(TAGS), content)


def with_a_bit_turned(r, tag, content):
    at = r.randrange(len(content) or 1)
    return der(tag, content[:at] + bytes([content[at] ^ 1 << r.randrange(8)]) + content[at + 1:] if content else b"\1")


def without_its_end(r, tag, content):
    whole = der(tag, content)
    return whole[:r.randrange(1, len(whole))]


def claiming_to_be_long(r, tag, content):
    return bytes([tag]) + r.choice([b"\x84\xff\xff\xff\xff", b"\x88" + b"\xff" * 8, b"\x80", b"\x89" + b"\1" * 9]) + content


def deeper(r, tag, content):
    times = r.choice([3, 20, 2000])
    return b"\x30\x80" * times + der(tag, content) + b"\0\0" * times


CHANGES = [
    lambda r, tag, content: b"",
    lambda r, tag, content: der(tag, content) * r.choice([2, 20, 300]),
    lambda r, tag, content: der(tag),
    lambda r, tag, content: der(tag, r.randbytes(r.choice([1, 16, 256, 257, 1025]))),
    lambda r, tag, content: b"\x02\x82\xff\xff\x7f" + bytes(65534),
    lambda r, tag, content: b"\x06\x82\xff\xff" + b"\x81" * 65534 + b"\1",
    lambda r, tag, content: bytes([tag | 0x20, 0x80]) + content + b"\0\0",
    lambda r, tag, content: b"\x24\x80" + b"".join(octets(content[i:i + 7]) for i in range(0, len(content), 7)) + b"\0\0",
    of_another_tag, with_a_bit_turned, with_a_bit_turned, without_its_end, claiming_to_be_long, deeper]


def elements(data):
    """How many there are, at any depth."""
    return sum(1 + (elements(content) if tag & 0x20 else 0) for tag, content, _ in forge.elements(data))


def changed(data, target, change):
    """With the change to the element of that number, in the order in which they begin; the lengths around it mended."""
    out = b""
    for tag, content, whole in forge.elements(data):
        inside = elements(content) if tag & 0x20 else 0
        if target == 0:
            out += change(tag, content)
        elif 0 < target <= inside:
            out += der(tag, changed(content, target - 1, change))
        else:
            out += whole
        target -= 1 + inside
    return out


def mutated(r, cms):
    for _ in range(r.choice([1, 1, 2, 3])):
        kind = r.choice(CHANGES)
        try:
            cms = changed(cms, r.randrange(elements(cms)), lambda tag, content: kind(r, tag, content))
        except (AssertionError, IndexError, RecursionError, ValueError):  # what was changed before can be read no more
            break
    return cms


def replaced(entity, make):
    """The base64 at the entity's end, anew."""
    head, _, text = entity.rpartition(b"\r\n\r\n")
    text, mark, rest = text.partition(b"--")
    return head + b"\r\n\r\n" + base64.encodebytes(make(base64.b64decode(text))).replace(b"\n", b"\r\n") + mark + rest


def entities(s, r):
    """Each of the layers changed in turn; whom it is for, and what it is."""
    change = lambda entity: replaced(entity, lambda cms: mutated(r, cms))
    detached, opaque = forge.detached(CONTENT, [s.victim]), forge.opaque(CONTENT, [s.victim])
    yield B, change(forge.sealed(detached, s.agency[B]))
    yield B, change(forge.sealed_gcm(detached, s.agency[B]))
    yield A, change(sealed_by_agreement(detached, s.agency[A]))
    yield A, sealed_by_agreement(change(detached), s.agency[A])
    yield B, forge.sealed(change(opaque), s.agency[B])
    yield B, change(detached)
    yield B, change(opaque)


def message(to, name, entity):
    mime = b"" if b"MIME-Version" in entity.partition(b"\r\n\r\n")[0] else b"MIME-Version: 1.0\r\n"
    return (f"From: joe@{VICTIM}\r\nX-NZ-Secure-email: 1.0\r\nTo: ann@{to}\r\nSubject: {name}\r\n"
            f"Date: Mon, 23 Nov 2026 10:00:00 +1300\r\nMessage-ID: <{name}@x.test>\r\n").encode() + mime + entity


def lmtp(setting, to, mails):
    """Over one connection, as Postfix does it; the replies."""
    lines = Lines("127.0.0.1", setting.platform.port["inbound"])
    try:
        assert lines.say("LHLO in.test").startswith("250")
        for name, mail in mails.items():
            assert lines.say(f"XFORWARD IDENT=3{name} ADDR=192.0.2.1").startswith("250")
            lines.transaction(f"x@{OUTSIDE}", [f"ann@{to}"], mail)
            yield name, lines.reply()
    finally:
        lines.close()


@pytest.mark.smoke
@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.long) for n in range(2, 12))])
def test_mutated(setting, seed):
    r, sent, verdicts = random.Random(seed), {A: {}, B: {}}, set()
    while sum(map(len, sent.values())) < BATCH:
        for to, entity in entities(setting, r):
            name = f"M{seed}x{len(sent[A]) + len(sent[B])}"
            sent[to][name] = message(to, name, entity)
    for to, mails in sent.items():
        assert [(name, reply) for name, reply in lmtp(setting, to, mails) if not reply.startswith("250")] == []
        subject = re.compile(rf"^(?:.* )?M{seed}x\d+$")
        got = setting.servers[to].wait(len(mails), 60, lambda mail: subject.match(header(mail.raw, "Subject") or ""))
        assert sorted(header(mail.raw, "Subject").split()[-1] for mail in got) == sorted(mails)
        for mail in got:
            verdict, body = header(mail.raw, "X-Sealgate-Verdict"), corpus.split(mail.raw)[1]
            verdicts.add(verdict)
            assert verdict.startswith("unverified; code=") or \
                (verdict, body) == (f"verified; domain={VICTIM}", corpus.split(CONTENT)[1])
    assert verdicts >= {f"verified; domain={VICTIM}", "unverified; code=002", "unverified; code=003"}
    log = (setting.platform.layout.log / "hsmd.log").read_text(encoding="utf-8")
    assert "hsm.failed" not in log and "hsm.lost" not in log
