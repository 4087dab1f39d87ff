"""No oracle: whatever is wrong with a ciphertext, everything that the outside gets to see is the same.

Bleichenbacher's and Vaudenay's attacks, and those on the format behind the padding, live on a difference: in the
reply, in what is sent back, in time (test_oracle.py). REQ-22 REQ-80
"""
import email
import os
import re

import pytest

import forge
from setting import A, B, OUTSIDE, simple
from spoof import EVIL, MESSAGE, TEXT, VICTIM, Attack, Attacks, spoof_fixture

ATTACKS = Attacks()
setting, sent = spoof_fixture(), ATTACKS.fixture()


def whole(s, cek=None, encrypted=None, plain=TEXT, pad=True, cut=0):
    """An envelope for B, right but for what is said."""
    key = os.urandom(32)
    iv = os.urandom(16)
    ciphertext = forge.cbc(key, iv, plain, pad)
    recipient = forge.transport(s.agency[B], key if cek is None else cek, encrypted)
    return forge.entity(forge.enveloped_data([recipient], iv, ciphertext[:len(ciphertext) - cut]))


def gcm(s):
    captured = forge.Captured(forge.sealed_gcm(TEXT, s.agency[B]))
    return forge.entity(forge.auth_enveloped_data(captured.recipients, captured.iv, captured.ciphertext,
                                                  bytes(16)), "authEnveloped-data")


WAYS = {
    "bad-rsa-padding": lambda s: whole(s, encrypted=b"\0" + os.urandom(255)),
    "rsa-beyond-the-modulus": lambda s: whole(s, encrypted=b"\xff" * 256),
    "rsa-of-nothing": lambda s: whole(s, encrypted=b""),
    "rsa-of-zero": lambda s: whole(s, encrypted=bytes(256)),
    "rsa-of-one": lambda s: whole(s, encrypted=bytes(255) + b"\1"),
    "rsa-too-short": lambda s: whole(s, encrypted=os.urandom(10)),
    "rsa-too-long": lambda s: whole(s, encrypted=os.urandom(300)),
    "rsa-far-too-long": lambda s: whole(s, encrypted=os.urandom(5000)),
    "key-too-short": lambda s: whole(s, cek=os.urandom(16)),
    "key-too-long": lambda s: whole(s, cek=os.urandom(48)),
    "key-of-nothing": lambda s: whole(s, cek=b""),
    "wrong-key": lambda s: whole(s, cek=os.urandom(32)),
    "bad-cbc-padding": lambda s: whole(s, plain=TEXT.ljust(96, b"x")[:80] + bytes(16), pad=False),
    "cbc-padding-too-long": lambda s: whole(s, plain=bytes(15) + b"\x11", pad=False),
    "half-a-block": lambda s: whole(s, cut=5),
    "no-ciphertext": lambda s: whole(s, plain=b"", cut=16),
    "no-content": lambda s: whole(s, plain=b""),
    "no-mime": lambda s: whole(s, plain=b"\0\1\2 no header\r\n"),
    "no-mime-text": lambda s: whole(s, plain=b"no header field at all\r\n\r\n"),
    "bare-cr-in-mime": lambda s: whole(s, plain=b"Content-Type: text/plain\rX: y\r\n\r\nx\r\n"),
    "signature-without-parts": lambda s: whole(s, plain=b"Content-Type: multipart/signed; boundary=x; protocol="
                                               b"\"application/pkcs7-signature\"\r\n\r\nnothing\r\n"),
    "signature-of-no-cms": lambda s: whole(s, plain=b"Content-Type: application/pkcs7-mime\r\n\r\nx\r\n"),
    "bad-gcm-tag": gcm,
}
for name, make in WAYS.items():
    for who, sender in (("stranger", f"x@{OUTSIDE}"), ("member", f"joe@{VICTIM}")):
        ATTACKS.made[f"{name}-of-a-{who}"] = lambda s, make=make, sender=sender: Attack(
            make(s), sender, "003", "not-opened", MESSAGE, direct=True)


def masked(text):
    for pattern, mark in ((rb"(msg|bnd)_[0-9a-z]{26}", rb"\1"), (rb"\d\d:\d\d:\d\d", b"TIME"),
                          (rb"3Spoof[0-9a-z-]+", b"QUEUE")):
        text = re.sub(pattern, mark, text)
    return text


@pytest.mark.parametrize("name", ATTACKS.names)
def test_not_opened(sent, name):
    """The warning, and the sealed original."""
    sent.check(name)


@pytest.mark.parametrize("who", ["stranger", "member"])
def test_replies_and_mails_are_the_same(sent, who):
    """Reply by SMTP, headers and warning: the same for all, but for ids and times."""
    replies, mails = set(), set()
    for name in ATTACKS.names:
        if not name.endswith(who):
            continue
        replies.add(masked(sent.replies[name].encode()))
        raw = sent.arrived(name).replace(name.encode(), b"NAME")
        message = email.message_from_bytes(raw)
        mails.add(masked(raw.partition(b"\r\n\r\n")[0] + message.get_payload(0).as_bytes()))
    assert len(replies) == 1, replies
    assert len(mails) == 1, mails
    assert replies.pop().startswith(b"250 ")


def test_nothing_is_sent_back(sent, setting):
    """Neither a report nor anything else goes to whoever sent it, also when the agency's server refuses it."""
    setting.servers[B].answer("rcpt", "550 5.1.1 nobody", to=f"gone@{B}")
    replies = set()
    for name, make in WAYS.items():
        for sender in (f"x@{OUTSIDE}", f"joe@{VICTIM}"):
            message = sent.message(f"refused-{name}", Attack(make(setting), sender, "", "", MESSAGE))
            queue_id = f"3Refused{name}{sender.partition('@')[0]}"
            reply = setting.lmtp(queue_id, sender, f"gone@{B}", message)
            replies.add(masked(reply.encode().replace(queue_id.encode(), b"QUEUE")))
    assert len(replies) == 1, replies
    # Notices are sent after the reply: the one mail that may come is waited for.
    setting.submit(f"joe@{A}", [f"after@{OUTSIDE}"], simple(f"joe@{A}", [f"after@{OUTSIDE}"], "after"))
    setting.arrived(OUTSIDE, "after")
    for server in (OUTSIDE, "elsewhere"):
        assert not [m for m in setting.servers[server].mails if m.recipients != [f"after@{OUTSIDE}"]]


PING = f"secure-email-ping@{B}"


def ping(setting, name, entity):
    """A ping of EVIL's with that content."""
    head = f"From: <joe@{EVIL}>\r\nTo: {PING}\r\nMessage-ID: <{name}@x.test>\r\nMIME-Version: 1.0\r\n"
    setting.from_outside(f"joe@{EVIL}", [PING], head.encode() + entity)


def answered(setting, name):
    """What is answered to it, opened, but for ids and times."""
    field = f"\r\nIn-Reply-To: <{name}@x.test>".encode()
    raw = setting.servers["elsewhere"].wait(1, 60, lambda m: field in m.head)[0].raw
    content = b"Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    opened = setting.openssl(setting.evil).decrypt(content + raw.partition(b"\r\n\r\n")[2])
    return masked(email.message_from_bytes(opened).get_payload(0).as_bytes())


def test_ping_is_no_oracle(setting):
    """Whoever pings with somebody else's ciphertext in it is answered the same, whether it opened or not, and
    whatever was in it; a signature around it says nothing of it."""
    signed = forge.detached(TEXT, [setting.evil])
    captured = forge.Captured(forge.sealed(signed, setting.agency[B]))
    turned = bytearray(captured.ciphertext)
    turned[len(signed) // 2 // 16 * 16] ^= 1
    ciphertexts = {**{name: make(setting) for name, make in WAYS.items()},
                   "that-opens": whole(setting),
                   "of-a-signature-altered": captured.cbc(captured.iv, bytes(turned)),
                   "of-a-signature-cut": captured.cbc(captured.iv, captured.ciphertext[:64] + os.urandom(16)),
                   "of-a-strangers-signature": whole(
                       setting, plain=forge.detached(TEXT, [setting.nobody])),
                   "of-another-members-signature": whole(
                       setting, plain=forge.detached(TEXT, [setting.victim]))}
    forms = {"bare": lambda entity: entity,
             "signed": lambda entity: forge.detached(entity, [setting.evil]),
             "in-layers": lambda entity: forge.sealed(forge.detached(entity, [setting.evil]),
                                                      setting.agency[B])}
    pings = {f"ping-{name}-{form}": make(entity) for name, entity in ciphertexts.items()
             for form, make in forms.items()}
    for name, entity in pings.items():
        ping(setting, name, entity)
    ping(setting, "ping-good", forge.sealed(signed, setting.agency[B]))
    answers = {}
    for name in pings:
        answers.setdefault(answered(setting, name), []).append(name)
    assert len(answers) == 1, answers
    assert b"Signed by a domain: no" in list(answers)[0]
    good = answered(setting, "ping-good")
    assert b"Signed by a domain: yes" in good and good not in answers
