"""What leaves, by trigger words, environments, exceptions and correspondents: SEEMail and SecureMail
domains side by side on one platform, all through the real sockets.

REQ-5 REQ-11 REQ-29 REQ-30 REQ-31 REQ-32 REQ-62 REQ-63 REQ-72 REQ-91 REQ-109 REQ-110 REQ-111 REQ-112
REQ-113 REQ-114 REQ-115
"""
import tempfile

import pytest

from policylab import PARTNER, STRANGER, Lab, mail
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import A, B, C, OUTSIDE, header, simple

WORDS = {"IN-CONFIDENCE": {B, C, PARTNER}, "SENSITIVE": {B, PARTNER}, "RESTRICTED": {B, PARTNER}}
EVERYBODY = {B, C, OUTSIDE, PARTNER}


@pytest.fixture(scope="module")
def lab():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgp", dir="/var/tmp") as folder:
        s = Lab(folder, block)
        try:
            yield s.start()
        finally:
            s.stop()


@pytest.mark.parametrize("word", sorted(WORDS))
@pytest.mark.parametrize("place", ["subject", "body"])
def test_where_a_trigger_word_may_go(lab, word, place):
    """REQ-111, 112: each recipient domain by its own rule; what may not go fails, and is told of."""
    subject = f"may-go-{word}-{place}"
    body = "Nothing here.\r\n"
    shown = subject
    if place == "subject":
        shown = f"{subject} [{word}]"
    else:
        body = f"It is [{word}], please.\r\n"
    recipients = [f"x@{domain}" for domain in sorted(EVERYBODY)]
    lab.submit(f"joe@{A}", recipients, mail(f"joe@{A}", recipients, subject, body, shown))
    for domain in WORDS[word]:
        assert lab.arrived(domain, shown)
    lab.settled(subject, {f"x@{d}": "delivered" if d in WORDS[word] else "refused" for d in EVERYBODY})
    for recipients_on_wire, raw in lab.tap.messages:
        if subject.encode() in raw:
            assert b"It is [" not in raw
    for domain in EVERYBODY - WORDS[word]:
        assert not [m for m in lab.servers[domain].mails if shown.encode() in m.raw]
    notice = lab.notice(A, "SECURE DELIVERY FAILURE", shown, to=f"joe@{A}")
    assert b"[Code: 001]" in notice.raw and b"It is [" not in notice.raw
    codes = {r["recipient"]: r["codes"] for r in lab.message(subject)["recipients"]}
    assert all(codes[f"x@{d}"] == (["001"] if d not in WORDS[word] else []) for d in EVERYBODY)


@pytest.mark.parametrize("text", ["[sensitive]", "SENSITIVE", "(SENSITIVE)", "[Sensitive]"])
def test_what_is_no_trigger_word(lab, text):
    """REQ-30, 31: upper case and square brackets alone."""
    subject = f"no-word-{text.encode().hex()}"
    lab.submit(f"joe@{A}", [f"x@{OUTSIDE}"], simple(f"joe@{A}", [f"x@{OUTSIDE}"], subject, f"{text}\r\n"))
    assert lab.arrived(OUTSIDE, subject)[0].raw.endswith(f"{text}\r\n".encode())


def test_a_securemail_sender_keeps_to_the_same_words(lab):
    """REQ-114, 115; and of SEEMail's words the source lets nobody send them further."""
    for word, reached in WORDS.items():
        subject = f"from-securemail-{word}"
        there = sorted(reached - {C})
        recipients = [f"x@{d}" for d in (A, B, OUTSIDE)]
        lab.submit(f"cat@{C}", recipients, simple(f"cat@{C}", recipients, subject, f"[{word}]\r\n"),
                   source=lab.from_c)
        assert lab.arrived(B, subject) and lab.arrived(A, subject), there
        lab.settled(subject, {f"x@{A}": "delivered", f"x@{B}": "delivered", f"x@{OUTSIDE}": "refused"}, lab.c)


def test_breaches_are_counted(lab):
    """REQ-113: what was not sent is in the breach report, by partner."""
    def found():
        rows = [b for b in lab.platform.api.list(f"{lab.a.path}/breaches") if b["code"] == "001"]
        return {b["partner_domain"] for b in rows} >= {OUTSIDE, C} and rows
    rows = wait_for(found, 15, "breaches")
    assert {b["class"] for b in rows} == {"trigger-word"} and {b["direction"] for b in rows} == {"outbound"}


# Outsiders: exceptions and correspondents ---------------------------------------------------------------


def test_exception_list(lab):
    """REQ-91: sealed; without the entry it is an outsider's, unchanged; an entry has an end."""
    lab.submit(f"joe@{A}", [f"x@{PARTNER}"], simple(f"joe@{A}", [f"x@{PARTNER}"], "to-exception", "For-You\r\n"))
    got = lab.arrived(PARTNER, "to-exception")[0]
    assert "application/pkcs7-mime" in header(got.raw, "Content-Type") and b"For-You" not in got.raw
    assert b"For-You" in lab.open_at(PARTNER, got.raw)
    assert lab.decided("to-exception")["rule"] == "exception"
    # B has no such entry; and seals to no correspondent.
    with lab.policy(lab.b, {"seal_to_correspondents": False}):
        lab.submit(f"bea@{B}", [f"x@{PARTNER}"], simple(f"bea@{B}", [f"x@{PARTNER}"], "no-exception", "For-You\r\n"),
                   source=lab.from_b)
        assert lab.arrived(PARTNER, "no-exception")[0].raw.endswith(b"\r\n\r\nFor-You\r\n")
        assert lab.decided("no-exception", lab.b)["rule"] == "outsider"


def test_exception_without_certificate_is_held(lab):
    """REQ-91: to a listed partner it goes sealed or not at all."""
    made = lab.except_("nocert.test")
    lab.submit(f"joe@{A}", ["x@nocert.test"], simple(f"joe@{A}", ["x@nocert.test"], "exception-held"))
    held = lab.held(lab.a, "nocert.test")
    assert held["reason"] == "201" and not held["quarantined"]
    lab.platform.api.delete(f"{lab.a.path}/held/{held['id']}")
    lab.platform.api.delete(f"{lab.a.domain_path}/exceptions/{made['id']}")


def test_correspondents_are_sealed_to(lab):
    """REQ-72, the note at 190: who seals to us is sealed to from then on; not with the setting off."""
    def submit(subject):
        lab.submit(f"joe@{A}", [f"x@{STRANGER}"], simple(f"joe@{A}", [f"x@{STRANGER}"], subject, "For-You\r\n"))
        return lab.arrived(STRANGER, subject)[0]
    assert submit("stranger-before").raw.endswith(b"\r\n\r\nFor-You\r\n")
    lab.sealed_from(STRANGER, [f"joe@{A}"], "stranger-writes")
    got = lab.arrived(A, "stranger-writes")[0]
    assert header(got.raw, "X-Sealgate-Verdict") == f"verified; domain={STRANGER}"
    lab.trace("stranger-writes", last="harvested")  # that is learned after the mail was handed on
    sealed = submit("stranger-after")
    assert "application/pkcs7-mime" in header(sealed.raw, "Content-Type")
    assert b"For-You" in lab.open_at(STRANGER, sealed.raw)
    assert lab.decided("stranger-after")["rule"] == "correspondent"
    with lab.policy(lab.a, {"seal_to_correspondents": False}):
        assert submit("stranger-plain").raw.endswith(b"\r\n\r\nFor-You\r\n")
    # REQ-112: a correspondent is no member, and on no list.
    lab.submit(f"joe@{A}", [f"x@{STRANGER}"], simple(f"joe@{A}", [f"x@{STRANGER}"], "stranger-word",
                                                     "[IN-CONFIDENCE]\r\n"))
    lab.settled("stranger-word", {f"x@{STRANGER}": "refused"})


def test_a_correspondents_certificate_that_is_revoked(lab):
    """REQ-72: no valid certificate, an outsider: unchanged; and the trace says why."""
    lab.partners[STRANGER].revoke("superseded")
    lab.forget_certificates()
    lab.submit(f"joe@{A}", [f"x@{STRANGER}"], simple(f"joe@{A}", [f"x@{STRANGER}"], "stranger-revoked", "For-You\r\n"))
    assert lab.arrived(STRANGER, "stranger-revoked")[0].raw.endswith(b"\r\n\r\nFor-You\r\n")
    assert lab.decided("stranger-revoked")["rule"] == "correspondent-lapsed"
    assert "revoked" in [s["detail"].get("status") for s in lab.trace("stranger-revoked")]


def test_a_null_sender_and_any_address_are_sealed_to_a_member(lab):
    """REQ-62, 63: a customer's own bounce and a receipt, from whatever address."""
    for n, (sender, author) in enumerate([("", f"mailer-daemon@{A}"), ("", f"postmaster@{A}"), (f"odd+tag@{A}",) * 2]):
        subject = f"any-address-{n}"
        lab.submit(sender, [f"ann@{B}"], simple(author, [f"ann@{B}"], subject))
        assert header(lab.arrived(B, subject)[0].raw, "X-Sealgate-Verdict") == f"verified; domain={A}"
