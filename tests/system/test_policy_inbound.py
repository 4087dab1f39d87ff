"""What arrives, by what is proved of it and what its domain has chosen: all through the real sockets, with
mail that other software made.

REQ-4 REQ-18 REQ-22 REQ-41 REQ-42 REQ-47 REQ-48 REQ-50 REQ-54 REQ-76 REQ-77 REQ-79 REQ-80 REQ-86 REQ-87 REQ-93 REQ-95
REQ-113
"""
import base64
import itertools
import tempfile

import pytest

from members import text_of
from policylab import MEMBER, PARTNER, STRANGER, Lab, mail
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import A, B, C, OUTSIDE, header

X = "X-NZ-Secure-email: 1.0\r\n"


@pytest.fixture(scope="module")
def lab():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgi", dir="/var/tmp") as folder:
        s = Lab(folder, block)
        try:
            yield s.start()
        finally:
            s.stop()


def from_outside(lab, author, name, to=B, sender=None, **more):
    lab.from_outside(sender or f"eve@{OUTSIDE}", [f"ann@{to}"], mail(author, [f"ann@{to}"], name, **more))


def unverified(got, code, title="UNVERIFIED MESSAGE"):
    assert header(got.raw, "X-Sealgate-Verdict") == f"unverified; code={code}"
    assert f"{title} \u2013" in text_of(got.raw)
    assert f"[Code: {code.replace(',', ', ')}]" in text_of(got.raw)


# Unverified mail by policy (REQ-76) ---------------------------------------------------------------------


def test_unverified_mail_may_be_deleted(lab):
    """REQ-76: what does not claim to be Secure Email; with entries in retention log, trace and audit log."""
    with lab.policy(lab.b, {"unverified_action": "delete"}):
        from_outside(lab, f"eve@{A}", "deleted-002", sender=f"eve@{A}")
        from_outside(lab, f"eve@{A}", "kept-002", fields=X)
        unverified(lab.arrived(B, "kept-002")[0], "002")
        lab.sealed_from(MEMBER, [f"ann@{B}"], "verified-kept", fields=X)
        assert header(lab.arrived(B, "verified-kept")[0].raw, "X-Sealgate-Verdict") == f"verified; domain={MEMBER}"
    lab.settled("deleted-002", {f"ann@{B}": "discarded"}, lab.b)
    row = lab.message("deleted-002", lab.b)
    assert row["recipients"][0]["codes"] == ["002"] and row["header_from"] == f"eve@{A}"
    assert [s for s in lab.trace("deleted-002", lab.b) if s["step"] == "deleted" and s["requirement"] == "REQ-76"]
    entry, = wait_for(lambda: [e for e in lab.platform.api.list(f"{lab.b.path}/audit", object="message",
                                                                object_id=row["id"]) if e["action"] == "delete"],
                      10, "the audit entry")
    assert entry["after"]["recipient"] == f"ann@{B}" and entry["actor"] == "gatewayd"
    assert not [m for m in lab.servers[B].mails if b"deleted-002" in m.raw]
    assert not lab.servers[OUTSIDE].mails and not [m for m in lab.servers[A].mails if b"deleted-002" in m.raw]


def test_what_is_behind_a_warning_may_follow_it(lab):
    """REQ-76, unverified_form: the entity intact behind the text, in every kind of MIME."""
    entity = ('--b\r\nContent-Type: text/html\r\n\r\n<p>Kia ora</p>\r\n--b\r\nContent-Type: image/png\r\n'
              'Content-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--b--\r\n')
    fields = 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n'
    with lab.policy(lab.b, {"unverified_form": "prefixed"}):
        from_outside(lab, f"eve@{A}", "prefixed", fields=fields, body=entity)
        got = lab.arrived(B, "prefixed")[0]
        unverified(got, "002")
        first, second = lab.parts(got.raw)
        assert b"UNVERIFIED MESSAGE" in first
        assert second == f'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n{entity}'.encode()
        # No integrity, no rendering: whatever the form.
        lab.sealed_from(MEMBER, [f"ann@{B}"], "prefixed-unsigned", "Marker-4711\r\n", sign=False)
        got = lab.arrived(B, "prefixed-unsigned")[0]
        unverified(got, "002")
        assert b"Marker-4711" not in got.raw
        assert b"Content-Type: application/octet-stream" in lab.parts(got.raw)[1]
    from_outside(lab, f"eve@{A}", "attached", fields=fields, body=entity)
    assert b"Content-Type: message/rfc822" in lab.parts(lab.arrived(B, "attached")[0].raw)[1]


@pytest.mark.parametrize("choice", ["deliver_with_warning", "warning_only"])
def test_what_cannot_be_decrypted(lab, choice):
    """REQ-80: sealed for C, sent to B; and one whose ciphertext is broken."""
    with lab.policy(lab.b, {"unknown_encrypted": choice}):
        for kind in ("for-others", "broken"):
            name = f"{kind}-{choice}"
            entity = lab.sealed(MEMBER, C if kind == "for-others" else B, "Marker-4711\r\n")
            head, _, body = entity.partition(b"\r\n\r\n")
            raw = bytearray(base64.b64decode(body))
            if kind == "broken":
                raw = raw[:-20]
            sealed = base64.encodebytes(bytes(raw)).replace(b"\n", b"\r\n")
            lab.from_outside(f"pat@{MEMBER}", [f"ann@{B}"], lab.outer(f"pat@{MEMBER}", [f"ann@{B}"], name)
                             + head + b"\r\n\r\n" + sealed)
            got = lab.arrived(B, name)[0]
            unverified(got, "002" if kind == "for-others" else "003")
            assert (sealed[:60] in got.raw) == (choice == "deliver_with_warning")
            assert len(lab.parts(got.raw)) == (2 if choice == "deliver_with_warning" else 1)


# Who is told what ---------------------------------------------------------------------------------------


def test_verified_without_the_field(lab):
    """Table 2: delivered as verified; our own administrator hears of it, nobody of the partner's."""
    lab.sealed_from(MEMBER, [f"ann@{B}"], "no-x-header")
    got = lab.arrived(B, "no-x-header")[0]
    assert header(got.raw, "X-Sealgate-Verdict") == f"verified; domain={MEMBER}" and b"WARNING" not in got.raw
    notice = lab.notice(B, "SYSTEM WARNING MESSAGE", "no-x-header", to=f"postmaster@{B}")
    assert b"A verified message has been received with no X-NZ-Secure-email field" in notice.raw \
        or b"A verified message has been received with no X-HEADER field" in notice.raw
    assert not lab.servers[MEMBER].mails


def test_a_postmasters_mail_is_not_answered(lab):
    """REQ-93, 95."""
    for sender in (f"postmaster@{MEMBER}", ""):
        name = f"postmaster-{len(sender)}"
        lab.from_outside(sender, [f"ann@{B}"], lab.outer(f"postmaster@{MEMBER}", [f"ann@{B}"], name)
                         + lab.sealed(MEMBER, B, "From the postmaster.\r\n"))
        assert header(lab.arrived(B, name)[0].raw, "X-Sealgate-Verdict") == f"verified; domain={MEMBER}"
        assert not [s for s in lab.trace(name, lab.b, "next-hop") if s["step"] == "notice"]


@pytest.mark.parametrize("word", ["IN-CONFIDENCE", "SENSITIVE", "SECRET"])
def test_trigger_word_from_outside(lab, word):
    """004: from an agency that takes no part; the administrator is told (REQ-113)."""
    from_outside(lab, f"eve@{OUTSIDE}", f"outsider-{word}", body=f"It is [{word}].\r\n")
    unverified(lab.arrived(B, f"outsider-{word}")[0], "004")
    assert lab.notice(B, f"outsider-{word}", "004", to=f"postmaster@{B}")
    from_outside(lab, f"eve@{OUTSIDE}", f"harmless-{word}", body=f"It is {word} [{word.lower()}].\r\n")
    got = lab.arrived(B, f"harmless-{word}")[0]
    assert header(got.raw, "X-Sealgate-Verdict") is None


def test_trigger_word_of_a_partner_on_the_list(lab):
    """REQ-91, 113: sealed by a listed partner it is what the list is for; by a stranger it is not."""
    for name, to, code in ((PARTNER, A, None), (PARTNER, B, "004"), (STRANGER, A, "004")):
        subject = f"word-{name}-{to}"
        lab.sealed_from(name, [f"ann@{to}"], subject, "It is [SENSITIVE].\r\n")
        got = lab.arrived(to, subject)[0]
        if code:
            unverified(got, code)
        else:
            assert header(got.raw, "X-Sealgate-Verdict") == f"verified; domain={name}"


def test_breaches_by_arriving_words(lab):
    def found():
        return [b for b in lab.platform.api.list(f"{lab.b.path}/breaches") if b["code"] == "004"]
    assert {b["direction"] for b in wait_for(found, 15, "breaches")} == {"inbound"}


# Certificates -------------------------------------------------------------------------------------------


def test_discovery_may_wait_for_approval(lab):
    """REQ-54: a certificate that is met for the first time is not used before somebody approves."""
    api = lab.platform.api
    for row in api.list("/v1/partner-certificates", domain=MEMBER):
        api.delete(f"/v1/partner-certificates/{row['id']}")
    lab.forget_certificates()
    with lab.policy(lab.a, {"discovery_approval": True}):
        lab.submit(f"joe@{A}", [f"pat@{MEMBER}"], mail(f"joe@{A}", [f"pat@{MEMBER}"], "wait-approval", "For-You\r\n"))
        held = lab.held(lab.a, MEMBER, "wait-approval")
        assert held["reason"] == "201"
        pending = [r for r in api.list("/v1/partner-certificates", domain=MEMBER) if r["state"] == "pending"]
        assert len(pending) == 1 and pending[0]["source"] == "ldap"
        assert "approve" in str([s["detail"] for s in lab.trace("wait-approval")])
        api.post(f"/v1/partner-certificates/{pending[0]['id']}/approve")
        api.post(f"{lab.a.path}/held/{held['id']}/release")
        assert b"For-You" in lab.open_at(MEMBER, lab.arrived(MEMBER, "wait-approval")[0].raw)


def test_what_is_refused_is_not_found_again(lab):
    """REQ-54: nor does a mail that it signed bring it back."""
    api = lab.platform.api
    row, = [r for r in api.list("/v1/partner-certificates", domain=MEMBER) if r["state"] == "active"
            and r["subject"].find("confidentiality") >= 0]
    api.post(f"/v1/partner-certificates/{row['id']}/refuse")
    lab.forget_certificates()
    lab.sealed_from(MEMBER, [f"joe@{A}"], "refused-writes", fields=X)
    assert lab.arrived(A, "refused-writes")
    lab.submit(f"joe@{A}", [f"pat@{MEMBER}"], mail(f"joe@{A}", [f"pat@{MEMBER}"], "refused-certificate"))
    held = lab.held(lab.a, MEMBER, "refused-certificate")
    assert held["reason"] == "201"
    api.delete(f"{lab.a.path}/held/{held['id']}")
    api.post(f"/v1/partner-certificates/{row['id']}/approve")


def test_what_is_forgotten_is_found_again(lab):
    """REQ-50: by the next mail that it signed, though one before had brought it a moment ago."""
    api = lab.platform.api

    def learnt():
        return [r for r in api.list("/v1/partner-certificates", domain=STRANGER)
                if r["source"] == "mail" and "confidentiality" in r["subject"]]
    numbers = itertools.count()

    def learnt_by_mail():
        name = f"found-again-{next(numbers)}"
        lab.sealed_from(STRANGER, [f"ann@{B}"], name, encrypt=False)
        assert lab.arrived(B, name)
        return learnt()
    for _ in range(3):
        row, = wait_for(learnt_by_mail, 20, "its certificate in the store")
        api.delete(f"/v1/partner-certificates/{row['id']}")


def test_signed_but_not_encrypted(lab):
    """008: from a participating agency; of an outsider's the signature is enough (REQ-76)."""
    lab.sealed_from(MEMBER, [f"ann@{B}"], "signed-only", fields=X, encrypt=False)
    unverified(lab.arrived(B, "signed-only")[0], "008")
    lab.sealed_from(STRANGER, [f"ann@{B}"], "signed-stranger", encrypt=False)
    assert header(lab.arrived(B, "signed-stranger")[0].raw, "X-Sealgate-Verdict") == f"verified; domain={STRANGER}"


def test_what_is_not_proved_is_not_learnt(lab):
    """REQ-50: by a signature of another domain's, or an altered mail, nobody's certificate gets into the store."""
    def learnt(domain):
        return [r for r in lab.platform.api.list("/v1/partner-certificates", domain=domain) if r["source"] == "mail"]
    lab.from_outside("x@nocert.test", [f"ann@{B}"], lab.outer("x@nocert.test", [f"ann@{B}"], "learn-mismatch")
                     + lab.sealed(PARTNER, B, "Kia ora.\r\n"))
    unverified(lab.arrived(B, "learn-mismatch")[0], "002")
    altered = lab.sealed(STRANGER, C, "Marker-4711\r\n", encrypt=False).replace(b"Marker-4711", b"Marker-4712")
    before = len(learnt(STRANGER))
    lab.from_outside(f"pat@{STRANGER}", [f"ann@{C}"], lab.outer(f"pat@{STRANGER}", [f"ann@{C}"], "learn-altered") + altered)
    unverified(lab.arrived(C, "learn-altered")[0], "003")
    assert learnt("nocert.test") == [] and len(learnt(STRANGER)) == before
    assert not [s for s in lab.trace("learn-mismatch", lab.b, "next-hop") if s["step"] == "harvested"]


def test_both_certificates_are_one_warning(lab):
    """REQ-79, table 2: signed with a revoked one, encrypted to one of ours that is revoked: both codes."""
    old = lab.ours[B]
    lab.partners[MEMBER].revoke("keyCompromise")
    lab.revoke_own(B)
    lab.forget_certificates()
    lab.ours[B] = old
    lab.sealed_from(MEMBER, [f"ann@{B}"], "both-revoked", fields=X)
    got = lab.arrived(B, "both-revoked")[0]
    unverified(got, "101,111")
    told = [s["detail"] for s in lab.trace("both-revoked", lab.b, "next-hop") if s["step"] == "notice"]
    assert [(t["kind"], t["to"]) for t in told] == [("unverified", f"postmaster@{B}")]
    codes = lab.message("both-revoked", lab.b)["recipients"][0]["codes"]
    assert codes == ["101", "111"]
